"""``webhook-engine backup``: everything in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from webhook_engine.backup import Saved, back_up
from webhook_engine.cli.configured import ConfigOption, configuration
from webhook_engine.cli.terminal import err

__all__ = ["backup", "say"]


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it; nothing may be there yet.")],
    config: ConfigOption = None,
) -> None:
    """Write the database and its secrets to one file, while the engine runs.

    Keep the file safe: anyone who has it can sign webhooks in the name of every endpoint.
    """
    say(f"wrote {file}", back_up(configuration(config), file))


def say(what: str, saved: Saved) -> None:
    """Print what was saved, and what must be kept besides."""
    parts = ", ".join(("the database", *saved.secrets))
    err.print(f"{what}: {parts} ({saved.size_bytes / 1e6:.1f} MB)", soft_wrap=True)
    for name in saved.missing:
        err.print(f"{name} is configured, so it is not in a backup: keep a copy of it elsewhere", soft_wrap=True)
