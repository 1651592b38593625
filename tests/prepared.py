"""New databases without the work of making them: most tests want one, and few ask how it comes to be."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from webhook_engine.store.sqlite import SqliteStore
from webhook_engine.store.sqlite.database import Database

__all__ = ["copied_databases", "databases_made_anew"]

_open = Database.open


@contextmanager
def copied_databases(folder: Path) -> Iterator[None]:
    """Let what this process opens where nothing is be a copy of one database that is made now, in ``folder``."""
    made = folder / "webhooks.db"

    async def make() -> None:
        store = SqliteStore(made)
        await store.open()
        await store.close()

    async def open_copy(database: Database) -> None:
        with suppress(OSError):  # which SQLite then comes upon as well, and tells
            # The lock of an engine makes the file, with nothing in it.
            if not database.path.exists() or database.path.stat().st_size == 0:
                shutil.copyfile(made, database.path)
        await _open(database)

    asyncio.run(make())
    Database.open = open_copy  # type: ignore[method-assign]
    try:
        yield
    finally:
        Database.open = _open  # type: ignore[method-assign]


@contextmanager
def databases_made_anew() -> Iterator[None]:
    """The same as if there were no copies, for tests of how a database is made."""
    copying, Database.open = Database.open, _open  # type: ignore[method-assign]
    try:
        yield
    finally:
        Database.open = copying  # type: ignore[method-assign]
