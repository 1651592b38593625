"""An engine that kills itself at a step of the hand-over, for the crash tests.

    python dying_child.py DATABASE SOURCE STEP

``SOURCE`` may be empty, for the outbox of the engine's own database. A step is ``before`` or ``after`` a method of
``METHODS``, or ``commit`` for the moment before what the method changed in the source is committed, with a colon
between. The process ends with SIGKILL, or with status 3 if it never came to that step. At the step ``never`` it goes on
until it is killed from outside.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

from webhook_engine import Engine
from webhook_engine.delivery.accept.router import Router
from webhook_engine.store.sources import ThreadedSource
from webhook_engine.store.sources.database import SourceDatabase
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
    if when == "commit":
        die_before_commit(name)
        return
    owner, attribute = METHODS[name]
    original = getattr(owner, attribute)

    async def dying(*arguments: Any, **keywords: Any) -> Any:
        if when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        await original(*arguments, **keywords)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, attribute, dying)


class DyingConnection:
    """A connection whose cursors have this process killed instead of committing."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def cursor(self) -> Any:
        return DyingCursor(self._connection.cursor())


class DyingCursor:
    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def execute(self, statement: str, *values: Any) -> Any:
        if statement == "COMMIT":
            os.kill(os.getpid(), signal.SIGKILL)
        return self._cursor.execute(statement, *values)


def die_before_commit(name: str) -> None:
    """Have this process killed when a method of the source has made its changes and is about to commit them."""
    original = getattr(SourceDatabase, name)

    def dying(database: Any, *arguments: Any) -> Any:
        database._connection = DyingConnection(database._connection)
        return original(database, *arguments)

    setattr(SourceDatabase, name, dying)


async def main(database: str, source: str, step: str) -> None:
    if step != "never":
        die_at(step)
    sources = [source] if source else []
    async with Engine.open(database, allow_subnets=["127.0.0.1/32"], outbox__sources=sources) as engine:
        await engine.join(timeout=30)
        if step == "never":
            print("caught up", flush=True)
            await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
    sys.exit(3)
