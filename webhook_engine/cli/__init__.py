"""The command line.

Exit codes: 0 for success, 1 for a failure, 2 for wrong usage or configuration. Errors go to standard error, one line
for each problem.
"""

from __future__ import annotations

import gc
import os
import signal
import sys

from webhook_engine.cli.serve_arguments import serve_arguments
from webhook_engine.errors import ConfigError, WebhookEngineError

__all__ = ["main"]

TRACEBACK_VARIABLE = "WEBHOOK_ENGINE_TRACEBACK"


def main() -> None:
    """Run the command given by this process's arguments, and exit."""
    try:
        _run(sys.argv[1:])
    except KeyboardInterrupt:
        raise SystemExit(128 + signal.SIGINT) from None
    except Exception as problem:
        from webhook_engine.cli.terminal import CommandError, error  # noqa: PLC0415 (needed only for errors)

        if os.environ.get(TRACEBACK_VARIABLE):
            raise
        if isinstance(problem, OSError) and problem.strerror:
            error(": ".join(str(part) for part in (problem.filename, problem.strerror) if part))
        elif isinstance(problem, WebhookEngineError | OSError):
            error(str(problem))
        else:
            error(f"this is a fault of the program: {problem!r}; {TRACEBACK_VARIABLE}=1 shows where")
        code = problem.exit_code if isinstance(problem, CommandError) else 2 if isinstance(problem, ConfigError) else 1
        raise SystemExit(code) from None


def _run(arguments: list[str]) -> None:
    if (asked := serve_arguments(arguments)) is not None:
        # The command-line library takes half as long to load as the engine, and would stay in memory beside it.
        gc.disable()  # until it serves: loading modules creates no garbage
        if not sys.stderr.isatty():
            _load_structlog_without_rich()
        from webhook_engine.cli.daemon import run_daemon  # noqa: PLC0415

        run_daemon(asked.config, asked.listen)
    else:
        from webhook_engine.cli.commands import app  # noqa: PLC0415 (`serve` does not need it)

        app()


def _load_structlog_without_rich() -> None:
    # structlog imports rich if it is installed, to format tracebacks on a terminal: 7 MiB that a service never uses.
    # A module that is None in sys.modules cannot be imported, and structlog works without it.
    sys.modules["rich"] = None  # type: ignore[assignment]
    try:
        import structlog  # noqa: F401, PLC0415
    finally:
        del sys.modules["rich"]
