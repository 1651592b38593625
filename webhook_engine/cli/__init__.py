"""The command line; one module for each group of commands.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration. What went wrong is said on standard error, one line for
each problem.
"""

from __future__ import annotations

import os
from typing import Annotated

import typer

from webhook_engine.cli.check_config import check_config
from webhook_engine.cli.demo import demo
from webhook_engine.cli.serve import serve
from webhook_engine.cli.terminal import error, out
from webhook_engine.cli.token import token
from webhook_engine.cli.verify import verify
from webhook_engine.errors import ConfigError, WebhookEngineError
from webhook_engine.version import __version__

__all__ = ["app", "main"]

TRACEBACK_VARIABLE = "WEBHOOK_ENGINE_TRACEBACK"

app = typer.Typer(
    name="webhook-engine",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        out.print(f"webhook-engine {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Webhook Engine delivers webhooks reliably from one SQLite file."""


app.command()(serve)
app.command()(demo)
app.command()(token)
app.command()(check_config)
app.command()(verify)


def main() -> None:
    """Run the command that the arguments of this process name, and exit."""
    try:
        app()
    except Exception as problem:
        if os.environ.get(TRACEBACK_VARIABLE):
            raise
        if isinstance(problem, OSError) and problem.strerror:
            error(": ".join(str(part) for part in (problem.filename, problem.strerror) if part))
        elif isinstance(problem, WebhookEngineError | OSError):
            error(str(problem))
        else:
            error(f"this is a fault of the program: {problem!r}; {TRACEBACK_VARIABLE}=1 shows where")
        raise SystemExit(2 if isinstance(problem, ConfigError) else 1) from None
