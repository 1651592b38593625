"""The command line.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration. What went wrong is said on standard error, one line for
each problem.
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
    """Run the command that the arguments of this process name, and exit."""
    try:
        _run(sys.argv[1:])
    except KeyboardInterrupt:
        raise SystemExit(128 + signal.SIGINT) from None
    except Exception as problem:
        from webhook_engine.cli.terminal import CommandError, error  # noqa: PLC0415 (of use only where all is lost)

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
        # What reads command lines takes as long to load as half of the engine, and stays in memory with it.
        gc.disable()  # until it serves: of what is loaded nothing is garbage
        if not sys.stderr.isatty():
            _load_structlog_without_rich()
        from webhook_engine.cli.daemon import run_daemon  # noqa: PLC0415

        run_daemon(asked.config, asked.listen)
    else:
        from webhook_engine.cli.commands import app  # noqa: PLC0415 (likewise)

        app()


def _load_structlog_without_rich() -> None:
    # structlog loads rich wherever it is installed, to draw tracebacks on a terminal: 7 MiB that a service never uses.
    # A name that is None in sys.modules cannot be imported, and structlog does without.
    sys.modules["rich"] = None  # type: ignore[assignment]
    try:
        import structlog  # noqa: F401, PLC0415
    finally:
        del sys.modules["rich"]
