"""One writer with group commit, and separate readers.

A transaction on disk costs far more than the rows in it. So changes that arrive while a commit runs wait together,
and the next commit takes them all; each caller waits for the commit that holds its change.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from copy import copy
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar

from webhook_engine.errors import AFTER_FORK, EngineNotRunningError, StoreError, StoreUnavailableError
from webhook_engine.store.spans import up_to
from webhook_engine.store.sqlite.condition import Condition
from webhook_engine.store.sqlite.connection import Connection, Parameters, Row, Session
from webhook_engine.store.sqlite.faults import FAULTS, Fault, is_busy, is_damage, is_environmental, store_error
from webhook_engine.store.sqlite.files import OpenedFiles

__all__ = ["Change", "Database"]

T = TypeVar("T")

READERS = 3
LONG_READS = READERS - 1
"""Readers that may run long queries at once; the others are left for queries that deliveries wait for."""
MAX_CHANGES_PER_COMMIT = 512
BUSY_TIMEOUT_MS = 5_000
WAL_PATIENCE_S = 10.0
"""Seconds that the first start on a file waits for other processes that use it."""
WAL_TRY_EVERY_S = 0.05
CHECKPOINT_PAGES = 4_000
MAX_IDLE_WAL_BYTES = 64 * 1024 * 1024
OLDEST_SQLITE = (3, 38, 0)

_PRAGMAS = (
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}",
    f"PRAGMA journal_size_limit={MAX_IDLE_WAL_BYTES}",
    "PRAGMA cache_size=-16000",
    "PRAGMA temp_store=MEMORY",
)
_READER_PRAGMAS = (*_PRAGMAS, "PRAGMA query_only=ON")

Change: TypeAlias = Callable[[Session], T]


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
        self.commits = 0
        """Transactions committed since it was opened."""
        self.on_commit: Callable[[int, float], None] = lambda _changes, _seconds: None
        """Called after each commit with the number of its changes and its duration in seconds."""
        self._waiting: deque[_Waiting[object]] = deque()
        self._batch: list[_Waiting[object]] = []
        self._writer: Connection | None = None
        self._watcher: Connection | None = None
        self._readers: list[Connection] = []
        # Made by `start`, because they belong to the event loop in which they are first used.
        self._idle_readers: asyncio.LifoQueue[Connection]
        self._long_reads: asyncio.Semaphore
        self._committing: asyncio.Task[None] | None = None
        self._files: OpenedFiles
        self._condition = Condition()
        self._trying: asyncio.Task[None] | None = None
        """A test write."""
        self._seen_version: int | None = None
        self._started = False
        self._process = 0

    async def open(self) -> None:
        """Open the writer; raises ``StoreUnavailableError`` with the path and the reason."""
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            wanted = ".".join(map(str, OLDEST_SQLITE))
            raise StoreUnavailableError(f"SQLite {sqlite3.sqlite_version} is too old; {wanted} or newer is needed")
        try:
            self._writer = await self._connect(_PRAGMAS)
            if await self._writer.run(lambda session: session.rows("PRAGMA encoding")) != [("UTF-8",)]:
                raise StoreUnavailableError(f"{self.path}: its text is not UTF-8; give the engine a file of its own")
            # `auto_vacuum` can be changed only in a file without tables.
            await self._writer.run(lambda session: session.rows("PRAGMA auto_vacuum=INCREMENTAL"))
            if not await self._use_wal(self._writer):
                raise StoreUnavailableError(f"{self.path}: this file system does not support SQLite's WAL mode")
        except FAULTS as error:
            raise store_error(self.path, error) from error

    async def _use_wal(self, writer: Connection) -> bool:
        """Whether the file has a write-ahead log, as every file does that an engine has opened.

        SQLite refuses the change at once, however long its timeout is, while anybody is writing. A host that shares the
        file may well be, so it is tried again for a while.
        """
        loop = asyncio.get_running_loop()
        gives_up_at = loop.time() + WAL_PATIENCE_S
        while True:
            try:
                return await writer.run(lambda session: session.rows("PRAGMA journal_mode=WAL")) == [("wal",)]
            except sqlite3.OperationalError as error:
                if not is_busy(error) or loop.time() >= gives_up_at:
                    raise
            await asyncio.sleep(WAL_TRY_EVERY_S)

    async def prepare(self, job: Change[T]) -> T:
        """Run ``job`` on the writer, outside any transaction; only before :meth:`start`."""
        if not self._writer or self._started:
            raise StoreError(f"{self.path}: the schema can be prepared only while the database is being opened")
        try:
            return await self._writer.run(job)
        except FAULTS as error:
            raise store_error(self.path, error) from error

    async def start(self) -> None:
        """Open the readers and start committing, after the migrations."""
        self._idle_readers = asyncio.LifoQueue()
        self._long_reads = asyncio.Semaphore(LONG_READS)
        try:
            self._watcher = await self._connect(_READER_PRAGMAS)
            for _ in range(READERS):
                reader = await self._connect(_READER_PRAGMAS)
                self._readers.append(reader)
                self._idle_readers.put_nowait(reader)
        except FAULTS as error:
            raise store_error(self.path, error) from error
        self._files = OpenedFiles(self.path)
        self._condition = Condition()
        self.commits = 0
        self._seen_version = None
        self._process = os.getpid()
        self._started = True

    async def close(self) -> None:
        """Commit waiting changes, wait for reads, checkpoint the write-ahead log, and close all connections."""
        self._started = False
        if self._trying is not None:
            await asyncio.wait([self._trying])
        while self._committing:
            await asyncio.wait([self._committing])
        if self._readers:
            # Callers that wait for a reader come first.
            for _ in range(LONG_READS):
                await self._long_reads.acquire()
            for _ in self._readers:
                await self._idle_readers.get()
        writer, self._writer = self._writer, None
        closing = [*self._readers, *filter(None, (self._watcher, writer))]
        self._readers, self._watcher = [], None
        for connection in closing:
            with contextlib.suppress(sqlite3.Error):
                if connection is writer:
                    await connection.run(_checkpoint)
            with contextlib.suppress(sqlite3.Error):
                await connection.close()

    async def read(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Run a query on a reader; all its rows."""
        return await self.read_with(lambda session: session.rows(sql, parameters))

    async def read_long(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Run a query that may examine many rows; all its rows."""
        return await self.read_long_with(lambda session: session.rows(sql, parameters))

    async def read_span(
        self, sql: str, parameters: Parameters, make: Callable[[Row], T], max_bytes: int | None
    ) -> list[T]:
        """The elements of a list, made from the rows of a query, up to the first that does not fit."""
        return await self.read_long_with(lambda session: up_to(map(make, session.stream(sql, parameters)), max_bytes))

    async def read_long_with(self, job: Callable[[Session], T]) -> T:
        """Run ``job`` on a reader; it may examine many rows."""
        if not self._at_work:
            raise self._closed()
        async with self._long_reads:
            return await self._read(job)

    async def read_with(self, job: Callable[[Session], T]) -> T:
        """Run ``job`` on a reader."""
        if not self._at_work:
            raise self._closed()
        return await self._read(job)

    async def _read(self, job: Callable[[Session], T]) -> T:
        reader = await self._idle_readers.get()
        try:
            return await reader.run(job)
        except FAULTS as error:
            raise self._noted(error) from error
        finally:
            # The job of a cancelled caller may still run on the reader's thread; the next one waits for it.
            self._idle_readers.put_nowait(reader)

    async def changed(self) -> bool:
        """Whether any process has committed since the last call."""
        if not self._watcher or not self._at_work:
            raise self._closed()
        with contextlib.suppress(StoreUnavailableError):  # It is logged, and a change is refused.
            self._files.require()
        try:
            [(version,)] = await self._watcher.run(lambda session: session.rows("PRAGMA data_version"))
        except FAULTS as error:
            raise store_error(self.path, error) from error
        before, self._seen_version = self._seen_version, int(version)
        return before != self._seen_version

    async def write(self, change: Change[T]) -> T:
        """Run ``change`` in a transaction; durable when this returns.

        ``change`` runs on the writer's thread, maybe more than once, and must depend on nothing but the database and
        its arguments. A caller who is cancelled while waiting does not stop it.
        """
        if not self._at_work:
            raise self._closed()
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(change, done))  # type: ignore[arg-type]
        if not self._committing:
            self._begin_commits()
        return await done

    async def check(self, within_s: float) -> None:
        """Raises ``StoreUnavailableError`` if writing fails, or does not end in time."""
        if not self._at_work:
            raise self._closed()
        self._files.require()
        now = time.monotonic()
        if problem := self._condition.problem(now):
            raise copy(problem)
        if self._condition.is_fresh(now):
            return
        if self._trying is None:
            self._trying = asyncio.create_task(self.write(_try_to_write), name="webhook-engine-check")
            self._trying.add_done_callback(self._tried)
        done, _ = await asyncio.wait([self._trying], timeout=within_s)
        if not done:
            raise StoreUnavailableError(f"{self.path}: no write has come to its end within {within_s:g} s")
        await next(iter(done))

    async def _connect(self, pragmas: Sequence[str]) -> Connection:
        connection = Connection(self.path)
        await connection.open(pragmas)
        return connection

    @property
    def _at_work(self) -> bool:
        # A forked process has the connections, but not their threads, and must not use them.
        return self._started and self._process == os.getpid()

    def _closed(self) -> Exception:
        if self._started:
            return EngineNotRunningError(AFTER_FORK)
        return StoreError(f"{self.path} is not open")

    def _begin_commits(self) -> None:
        self._committing = asyncio.create_task(self._commit_all(), name="webhook-engine-writer")
        self._committing.add_done_callback(self._end_commits)

    async def _commit_all(self) -> None:
        """Commit until nothing waits."""
        while self._waiting:
            self._batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_CHANGES_PER_COMMIT))]
            await self._commit(self._batch)
            self._batch = []
            # Waiting callers run now, so that their next changes are in the next commit, not the one after it.
            await asyncio.sleep(0)

    def _end_commits(self, _: asyncio.Task[None]) -> None:
        # A batch is left only if the task was cancelled from outside; it may be committed all the same.
        batch, self._batch = self._batch, []
        _settle(batch, [StoreUnavailableError(f"{self.path}: the writer was cancelled")] * len(batch))
        self._committing = None
        if self._waiting:
            self._begin_commits()

    async def _commit(self, batch: list[_Waiting[object]]) -> None:
        changes = [waiting.change for waiting in batch]
        began_at = time.perf_counter()
        try:
            if not self._writer:
                raise self._closed()
            results = await self._writer.run(lambda session: self._transact(session, changes))
            self.on_commit(len(batch), time.perf_counter() - began_at)
        except Exception as error:  # noqa: BLE001 (those that wait must hear of it, whatever it is)
            results = [error] * len(batch)
        self.commits += 1
        faults = [self._noted(one) for one in results if isinstance(one, FAULTS) and is_environmental(one)]
        if changes != [_try_to_write]:  # which takes so little room that it does not tell of others
            if not any(isinstance(one, (*FAULTS, StoreUnavailableError)) for one in results):
                self._condition.committed(time.monotonic())
            elif faults:
                self._condition.refused(time.monotonic(), faults[0])
        _settle(batch, [store_error(self.path, one) if isinstance(one, FAULTS) else one for one in results])

    def _transact(self, session: Session, changes: Sequence[Change[object]]) -> list[object]:
        self._files.require()
        results = _transact(session, changes)
        # If the files vanished during the commit, it is not durable.
        self._files.require()
        return results

    def _noted(self, error: Fault) -> StoreError:
        noted = store_error(self.path, error)
        if is_damage(error):
            self._condition.damaged(noted)
        return noted

    def _tried(self, trying: asyncio.Task[None]) -> None:
        self._trying = None
        if not trying.cancelled():
            trying.exception()  # The callers may be gone; retrieve the exception so that asyncio logs no warning.


def _try_to_write(session: Session) -> None:
    """Write a page as it is."""
    session.change("UPDATE webhook_schema SET version = version WHERE version = 1")


def _transact(session: Session, changes: Sequence[Change[object]]) -> list[object]:
    """Commit all changes together. A change that fails by itself gets its error as result; the rest is committed.

    Raises what concerns them all.
    """
    try:
        return _transaction(session, changes, lambda change: change(session))
    except Exception as error:
        if is_environmental(error):
            raise
        if len(changes) == 1:
            return [error]
    return _transaction(session, changes, lambda change: _by_itself(session, change))


def _transaction(
    session: Session, changes: Sequence[Change[object]], run: Callable[[Change[object]], object]
) -> list[object]:
    session.change("BEGIN IMMEDIATE")
    try:
        results = [run(change) for change in changes]
        session.change("COMMIT")
    except BaseException:
        if session.in_transaction:
            session.change("ROLLBACK")
        raise
    return results


def _by_itself(session: Session, change: Change[object]) -> object:
    session.change("SAVEPOINT one")
    try:
        result = change(session)
    except Exception as error:
        if is_environmental(error) or not session.in_transaction:
            raise
        session.change("ROLLBACK TO one")
        result = error
    session.change("RELEASE one")
    return result


def _settle(batch: Sequence[_Waiting[object]], results: Sequence[object]) -> None:
    for waiting, result in zip(batch, results, strict=True):
        if waiting.done.done():
            continue
        if isinstance(result, Exception):
            waiting.done.set_exception(result)
        else:
            waiting.done.set_result(result)


def _checkpoint(session: Session) -> None:
    session.rows("PRAGMA busy_timeout=0")
    session.rows("PRAGMA wal_checkpoint(TRUNCATE)")
