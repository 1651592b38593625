"""An engine that kills itself at a step of the hand-over, for the crash tests.

    python dying_child.py DATABASE SOURCE STEP

``SOURCE`` may be empty, for the outbox of the engine's own database. A step is ``before`` or ``after`` a method of
``METHODS``, with a colon between. The process ends with SIGKILL, or with status 3 if it never came to that step.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

from webhook_engine import Engine
from webhook_engine.delivery.router import Router
from webhook_engine.store.sources import ThreadedSource
from webhook_engine.store.sqlite.messages import SqliteMessages
from webhook_engine.store.sqlite.outbox import SqliteOutbox

METHODS = {
    "identify": (ThreadedSource, "identify"),
    "accept": (Router, "accept"),
    "add": (SqliteMessages, "add"),
    "remove": (ThreadedSource, "remove"),
    "set_aside": (ThreadedSource, "set_aside"),
    "own_set_aside": (SqliteOutbox, "set_aside"),
}


def die_at(step: str) -> None:
    """Have this process killed before or after a method."""
    when, _, name = step.partition(":")
    owner, attribute = METHODS[name]
    original = getattr(owner, attribute)

    async def dying(*arguments: Any, **keywords: Any) -> Any:
        if when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        await original(*arguments, **keywords)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, attribute, dying)


async def main(database: str, source: str, step: str) -> None:
    die_at(step)
    sources = [source] if source else []
    async with Engine.open(database, allow_subnets=["127.0.0.1/32"], outbox__sources=sources) as engine:
        await engine.join(timeout=30)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
    sys.exit(3)
