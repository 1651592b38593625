"""``webhook-engine restore``: restore a backup."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from webhook_engine.backup import restore as put_back
from webhook_engine.cli.backup import say
from webhook_engine.cli.configured import ConfigOption, configuration

__all__ = ["restore"]


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `webhook-engine backup` has written.")],
    config: ConfigOption = None,
) -> None:
    """Put the database and its secrets from a backup in place, where there are none.

    Nothing is replaced. What was sent after the backup was made may be sent once more when the engine starts.
    """
    loaded = configuration(config)
    say(f"restored to {loaded.store.shown}", put_back(loaded, file))
