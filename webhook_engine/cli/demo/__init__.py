"""``webhook-engine demo``: shows the engine's main work with real components, in a few seconds, on this machine."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress

from webhook_engine.cli.terminal import CommandError

__all__ = ["demo"]


def demo() -> None:
    """Show the engine at work: a message delivered, one retried, an endpoint disabled. Leaves nothing behind.

    Everything is real: an SQLite file (in a temporary directory), a web server on this machine that verifies the
    signatures, HTTP requests between them. Nothing leaves the machine. It takes about five seconds.
    """
    from webhook_engine.cli.demo.story import tell  # noqa: PLC0415 (other commands need not wait for the engine)

    # The demo itself reports what the engine would log.
    logging.getLogger("webhook_engine").setLevel(logging.ERROR)
    try:
        asyncio.run(_until_told_to_stop(tell))
    except asyncio.CancelledError:
        raise CommandError("the demo was stopped before its end") from None


async def _until_told_to_stop(work: Callable[[], Awaitable[None]]) -> None:
    """Do the work; let it clean up, too, if the process is told to stop or its terminal is closed."""
    task = asyncio.ensure_future(work())
    for name in ("SIGTERM", "SIGHUP"):
        with suppress(AttributeError, NotImplementedError):  # Windows lacks one of the signals, and handlers
            asyncio.get_running_loop().add_signal_handler(getattr(signal, name), task.cancel)
    await task
