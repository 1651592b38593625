"""``webhook-engine serve``: the command as its help shows it; see also ``serve_arguments``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["serve"]


def serve(
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", "-c", metavar="FILE", help="The TOML file; without it, WEBHOOK_ENGINE_CONFIG names one."
        ),
    ] = None,
    listen: Annotated[
        str | None,
        typer.Option(
            "--listen", "-l", metavar="ADDRESS", help="host:port, [IPv6]:port or unix:/path; a port 0 is any."
        ),
    ] = None,
) -> None:
    """Run the engine with its HTTP API until SIGTERM or Ctrl-C; a second one ends it at once.

    Needs no configuration: the database is webhook-engine.db here, and secrets are generated beside it.
    """
    from webhook_engine.cli.daemon import run_daemon  # noqa: PLC0415 (help does not need the engine)

    run_daemon(config, listen)
