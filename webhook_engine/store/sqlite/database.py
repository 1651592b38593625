"""One writer with group commit, and separate readers, over connections of aiosqlite.

A transaction on disk costs far more than the rows in it. So changes that arrive while a commit runs wait together,
and the next commit takes them all; each caller waits for the commit that holds its change.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar

import aiosqlite

from webhook_engine.errors import StoreError, StoreUnavailableError

__all__ = ["Change", "Database", "Row", "Transaction", "Value"]

T = TypeVar("T")
Value: TypeAlias = str | int | float | bytes | None
Row: TypeAlias = tuple[Value, ...]

READERS = 3
MAX_CHANGES_PER_COMMIT = 512
BUSY_TIMEOUT_MS = 5_000
CHECKPOINT_PAGES = 4_000

_PRAGMAS = (
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}",
    "PRAGMA cache_size=-16000",
    "PRAGMA temp_store=MEMORY",
)


class Transaction:
    """The open transaction that a change runs in."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def execute(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        """Run one statement; returns its rows, if it has any."""
        return list(await self._connection.execute_fetchall(sql, parameters))  # type: ignore[arg-type]


Change: TypeAlias = Callable[[Transaction], Awaitable[T]]


class _Waiting(Generic[T]):
    """A change and the caller who waits for it."""

    __slots__ = ("change", "done")

    def __init__(self, change: Change[T], done: asyncio.Future[T]) -> None:
        self.change = change
        self.done = done


class Database:
    """The connections to one SQLite file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._queue: deque[_Waiting[object]] = deque()
        self._arrived = asyncio.Event()
        self._writer: aiosqlite.Connection | None = None
        self._idle_readers: asyncio.LifoQueue[aiosqlite.Connection] = asyncio.LifoQueue()
        self._readers: list[aiosqlite.Connection] = []
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    async def open(self) -> None:
        """Open the writer; raises ``StoreUnavailableError`` with the path and the reason."""
        try:
            self._writer = await self._connect()
            mode = await self._writer.execute_fetchall("PRAGMA journal_mode=WAL")
            if [tuple(row) for row in mode] != [("wal",)]:
                raise StoreUnavailableError(f"{self.path}: this file system does not support SQLite's WAL mode")
        except (sqlite3.Error, OSError) as error:
            await self.close()
            raise unavailable(self.path, error) from error

    async def start(self) -> None:
        """Open the readers and begin to commit; after the schema is in place."""
        for _ in range(READERS):
            reader = await self._connect()
            await reader.execute_fetchall("PRAGMA query_only=ON")
            self._readers.append(reader)
            self._idle_readers.put_nowait(reader)
        self._closing = False
        self._task = asyncio.create_task(self._commit_for_ever(), name="webhook-engine-writer")

    async def close(self) -> None:
        """Commit what is waiting, then close all connections."""
        self._closing = True
        self._arrived.set()
        if self._task:
            await self._task
            self._task = None
        for connection in [*self._readers, self._writer]:
            if connection:
                with contextlib.suppress(sqlite3.Error):
                    await connection.close()
        self._readers.clear()
        self._idle_readers = asyncio.LifoQueue()
        self._writer = None

    async def script(self, sql: str) -> None:
        """Run several statements on the writer, before :meth:`start`."""
        if not self._writer:
            raise StoreError(f"{self.path} is not open")
        try:
            await self._writer.executescript(sql)
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                await self._writer.execute_fetchall("ROLLBACK")
            raise unavailable(self.path, error) from error

    async def query_writer(self, sql: str) -> list[Row]:
        """Ask the writer's connection something, before :meth:`start`."""
        if not self._writer:
            raise StoreError(f"{self.path} is not open")
        return list(await self._writer.execute_fetchall(sql))  # type: ignore[arg-type]

    async def read(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        """Run a query on a reader, and return all its rows."""
        if self._closing or not self._readers:
            raise StoreError(f"{self.path} is closed")
        reader = await self._idle_readers.get()
        try:
            return list(await reader.execute_fetchall(sql, parameters))  # type: ignore[arg-type]
        except sqlite3.Error as error:
            raise unavailable(self.path, error) from error
        finally:
            # A cancelled caller's query may still run on the reader's thread; the next one queues behind it.
            self._idle_readers.put_nowait(reader)

    async def write(self, change: Change[T]) -> T:
        """Run ``change`` in a transaction; durable when this returns.

        ``change`` may run more than once and must depend on nothing but the database and its arguments. A caller
        who is cancelled while waiting does not stop it.
        """
        if self._closing or not self._task:
            raise StoreError(f"{self.path} is closed")
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(change, done))  # type: ignore[arg-type]
        self._arrived.set()
        return await done

    async def _connect(self) -> aiosqlite.Connection:
        connection = await aiosqlite.connect(self.path, isolation_level=None, cached_statements=256)
        for pragma in _PRAGMAS:
            await connection.execute_fetchall(pragma)
        return connection

    async def _commit_for_ever(self) -> None:
        while True:
            while not self._queue:
                if self._closing:
                    return
                self._arrived.clear()
                await self._arrived.wait()
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), MAX_CHANGES_PER_COMMIT))]
            await self._commit(batch)

    async def _commit(self, batch: list[_Waiting[object]]) -> None:
        """Commit the whole batch at once; if one of it fails by its own fault, each by itself."""
        try:
            results = await self._transact(batch)
        except sqlite3.OperationalError as error:
            _fail(batch, unavailable(self.path, error))
        except Exception as error:
            if len(batch) == 1:
                _fail(batch, error)
                return
            for waiting in batch:
                await self._commit([waiting])
        else:
            for waiting, result in zip(batch, results, strict=True):
                if not waiting.done.done():
                    waiting.done.set_result(result)

    async def _transact(self, batch: list[_Waiting[object]]) -> list[object]:
        assert self._writer
        transaction = Transaction(self._writer)
        await transaction.execute("BEGIN IMMEDIATE")
        try:
            results = [await waiting.change(transaction) for waiting in batch]
            await transaction.execute("COMMIT")
        except BaseException:
            # SQLite has rolled back by itself after a full disk or an I/O error; then there is nothing to undo.
            if self._writer.in_transaction:
                await transaction.execute("ROLLBACK")
            raise
        return results


def _fail(batch: Sequence[_Waiting[object]], error: Exception) -> None:
    for waiting in batch:
        if not waiting.done.done():
            waiting.done.set_exception(error)


def unavailable(path: Path, error: Exception) -> StoreUnavailableError:
    """What to tell a caller about an error of SQLite."""
    text = str(error)
    advice = "try again later"
    if "full" in text:
        advice = "free disk space; nothing that was accepted is lost, and work goes on when there is room"
    elif "locked" in text or "busy" in text:
        advice = "another process holds a write transaction on it for long; end that one"
    elif "unable to open" in text:
        advice = "check that the directory exists and may be written"
    elif "not a database" in text or "malformed" in text:
        advice = "the file is not an intact SQLite database; restore it from a backup"
    return StoreUnavailableError(f"{path}: {text}; {advice}")
