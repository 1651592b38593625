"""A few connections that write, with group commit, and separate ones that read.

A transaction costs far more than the rows in it. So changes that arrive while commits run wait together, and the next
commit takes them all; each caller waits for the commit that holds its change.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from copy import copy
from typing import Any, Generic, TypeAlias, TypeVar

import asyncpg

from webhook_engine.errors import AFTER_FORK, EngineNotRunningError, StoreError, StoreUnavailableError
from webhook_engine.log import get_logger
from webhook_engine.store.postgresql.connection import Connector, Row, Session, Sharing
from webhook_engine.store.postgresql.faults import FAULTS, is_environmental, is_passing, store_error
from webhook_engine.store.records import carried_bytes

__all__ = ["Change", "Database"]

T = TypeVar("T")

WRITERS = 3
"""Commits that may run concurrently."""
READERS = 4
LONG_READS = READERS - 1
"""Readers that may run long queries at once; the others are left for queries that deliveries wait for."""
MAX_CHANGES_PER_COMMIT = 512
TRIES = 5
"""Attempts at a batch that conflicts with other transactions."""
AWAY_FOR_S = 0.25
"""Seconds without a new connection after one failed."""
OUTCOME_WITHIN_S = 10.0
"""Seconds to find out the result of a commit whose reply was lost."""
LOOK_EVERY_S = 0.05
FRESH_S = 1.0
"""Seconds for which a commit proves that writing works."""
CLOSE_WITHIN_S = 5.0

log = get_logger("store")

Job: TypeAlias = Callable[[Session], Awaitable[T]]
Change: TypeAlias = Callable[[Session], Awaitable[T]]

_XID = "SELECT pg_current_xact_id_if_assigned()::text"
_FATE = "SELECT pg_xact_status($1::text::xid8)"


class _Waiting(Generic[T]):
    """A change and the caller who waits for it."""

    __slots__ = ("begin", "change", "done")

    def __init__(self, change: Change[T], done: asyncio.Future[T], begin: str) -> None:
        self.change = change
        self.done = done
        self.begin = begin


class _Slot:
    """One connection, opened when needed, and again after it was lost."""

    def __init__(self) -> None:
        self.connection: asyncpg.Connection | None = None

    def drop(self) -> None:
        """Drop the connection without closing it on the server."""
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.terminate()

    async def close(self) -> None:
        """Close the connection."""
        connection, self.connection = self.connection, None
        if connection is not None:
            with contextlib.suppress(*FAULTS):
                await connection.close(timeout=CLOSE_WITHIN_S)


class Database:
    """The connections to one PostgreSQL database."""

    def __init__(self, url: str, schema: str | None = None) -> None:
        self.connector = Connector(url, schema)
        self.name = self.connector.name
        self.commits = 0
        """Transactions committed since it was opened."""
        self.on_commit: Callable[[int, float], None] = lambda _changes, _seconds: None
        """Called after each commit with the number of its changes and its duration in seconds."""
        self.sharing = Sharing()
        """This engine's member on the database."""
        self.member = ""
        """Identifies this engine on the database, and its rows."""
        self._waiting: deque[_Waiting[Any]] = deque()
        # Made by `start`, because they belong to the event loop in which they are first used.
        self._writers: asyncio.LifoQueue[_Slot]
        self._readers: asyncio.LifoQueue[_Slot]
        self._long_reads: asyncio.Semaphore
        self._slots: list[_Slot] = []
        self._committing: set[asyncio.Task[None]] = set()
        self._reading: set[asyncio.Task[Any]] = set()
        self._beginning = False
        self._trying: asyncio.Task[None] | None = None
        """A test write."""
        self._away: tuple[float, StoreUnavailableError] | None = None
        self._committed_at: float | None = None
        self._started = False
        self._process = 0

    async def open(self) -> None:
        """Check the server; raises ``StoreUnavailableError`` with its name and the reason."""
        self._away = None
        with self._faults():
            server = await self.connector.look()
        if not server.fsync:
            log.warning(
                "store.fsync_off",
                database=self.name,
                consequence="a crash of its machine may lose or damage what was accepted; set fsync = on",
            )

    async def prepare(self, job: Job[T], *more: Job[T]) -> T:
        """Run each job in a transaction, all on one connection of their own; only before :meth:`start`.

        The result is that of the last.
        """
        with self._faults():
            connection = await self.connector.connect(patient=True)
            try:
                session = Session(connection)
                for one in (job, *more):
                    await session.script(self.connector.begin)
                    result = await one(session)
                    await session.script("COMMIT")
                return result
            finally:
                await connection.close(timeout=CLOSE_WITHIN_S)

    async def connect_one(self) -> asyncpg.Connection:
        """A connection of the caller's own, who closes it."""
        with self._faults():
            return await self.connector.connect()

    async def start(self) -> None:
        """Start reading and committing, after the migrations."""
        self._writers, self._readers = asyncio.LifoQueue(), asyncio.LifoQueue()
        self._long_reads = asyncio.Semaphore(LONG_READS)
        self._slots = []
        for queue, count in ((self._writers, WRITERS), (self._readers, READERS)):
            for _ in range(count):
                slot = _Slot()
                self._slots.append(slot)
                queue.put_nowait(slot)
        self.commits = 0
        self._committed_at = None
        self._process = os.getpid()
        self._started = True

    async def close(self) -> None:
        """Commit waiting changes, wait for reads, and close all connections."""
        self._started = False
        while pending := {*self._committing, *self._reading, *filter(None, (self._trying,))}:
            await asyncio.wait(pending)
            await asyncio.sleep(0)
        slots, self._slots = self._slots, []
        await asyncio.gather(*(slot.close() for slot in slots))

    async def read(self, sql: str, *parameters: object) -> list[Row]:
        """Run a query on a reader; all its rows."""
        if _is_nowhere(parameters):
            return []
        return await self.read_with(lambda session: session.rows(sql, *parameters))

    async def read_long(self, sql: str, *parameters: object) -> list[Row]:
        """Run a query that may examine many rows; all its rows."""
        if _is_nowhere(parameters):
            return []
        return await self.read_long_with(lambda session: session.rows(sql, *parameters))

    async def read_span(
        self, sql: str, parameters: Sequence[object], make: Callable[[Row], T], max_bytes: int | None
    ) -> list[T]:
        """The elements of a list, made from the rows of a query, up to the first that does not fit."""
        if max_bytes is None or _is_nowhere(parameters):
            return [make(row) for row in await self.read_long(sql, *parameters)]

        async def read(session: Session) -> list[T]:
            found: list[T] = []
            carried = 0
            async for row in session.stream(sql, *parameters):
                found.append(make(row))
                if carried >= max_bytes:
                    break
                carried += carried_bytes(found[-1])
            return found

        return await self.read_long_with(read, transaction=True)

    async def read_long_with(self, job: Job[T], *, transaction: bool = False) -> T:
        """Run ``job`` on a reader; it may examine many rows."""
        self._require_open()
        return await self._on_its_own(self._read_long(job, transaction))

    async def read_with(self, job: Job[T], *, transaction: bool = False) -> T:
        """Run ``job`` on a reader, each statement on its own or all in one transaction."""
        self._require_open()
        return await self._on_its_own(self._read(job, transaction))

    async def write(self, change: Change[T], *, begin: str = "") -> T:
        """Run ``change`` in a transaction; durable when this returns.

        ``change`` may be run more than once, and must depend on nothing but the database and its arguments. A caller
        who is cancelled while waiting does not stop it. ``begin`` is a statement that comes before all changes of the
        transaction, and goes to the server with its beginning.
        """
        self._require_open()
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(change, done, begin))
        self._begin_commits()
        return await done

    async def check(self, within_s: float) -> None:
        """Raises ``StoreUnavailableError`` if writing fails, or does not end in time."""
        self._require_open()
        if self._committed_at is not None and time.monotonic() - self._committed_at < FRESH_S:
            return
        if self._trying is None:
            self._trying = asyncio.create_task(self.write(_try_to_write), name="webhook-engine-check")
            self._trying.add_done_callback(self._tried)
        done, _ = await asyncio.wait([self._trying], timeout=within_s)
        if not done:
            raise StoreUnavailableError(f"{self.name}: no write has come to its end within {within_s:g} s")
        await next(iter(done))

    # Reading

    async def _on_its_own(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of ``work``, which continues if the caller is cancelled: to cancel a statement costs more."""
        task = asyncio.create_task(work, name="webhook-engine-read")
        self._reading.add(task)
        task.add_done_callback(self._read_ended)
        return await asyncio.shield(task)

    def _read_ended(self, task: asyncio.Task[Any]) -> None:
        self._reading.discard(task)
        if not task.cancelled():
            task.exception()  # The caller may be gone; retrieve the exception so that asyncio logs no warning.

    async def _read_long(self, job: Job[T], transaction: bool) -> T:
        async with self._long_reads:
            return await self._read(job, transaction)

    async def _read(self, job: Job[T], transaction: bool) -> T:
        slot = await self._readers.get()
        try:
            with self._faults():
                try:
                    return await self._run(slot, job, transaction)
                except FAULTS as error:
                    # What was read on a connection that is gone, maybe since the last time, can be read on another.
                    if not self._is_lost(slot, error):
                        raise
                    return await self._run(slot, job, transaction)
        finally:
            self._readers.put_nowait(slot)

    async def _run(self, slot: _Slot, job: Job[T], transaction: bool) -> T:
        session = await self._session(slot)
        if not (transaction or self.connector.server.pooled):
            return await job(session)
        await session.script(self.connector.begin)
        try:
            result = await job(session)
        except BaseException:
            await self._roll_back(slot)
            raise
        await session.script("COMMIT")
        return result

    # Writing

    def _begin_commits(self) -> None:
        if self._beginning or len(self._committing) >= WRITERS:
            return
        self._beginning = True
        task = asyncio.create_task(self._commit_all(), name="webhook-engine-writer")
        self._committing.add(task)
        task.add_done_callback(self._end_commits)

    def _end_commits(self, task: asyncio.Task[None]) -> None:
        self._committing.discard(task)
        if task.cancelled():
            self._beginning = False
        if self._waiting:
            self._begin_commits()

    async def _commit_all(self) -> None:
        """Commit until nothing waits."""
        self._beginning = False
        slot = await self._writers.get()
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_CHANGES_PER_COMMIT))]
                await self._commit(slot, batch)
                # Waiting callers run now, so that their next changes are in the next commit, not the one after it.
                await asyncio.sleep(0)
        finally:
            self._writers.put_nowait(slot)

    async def _commit(self, slot: _Slot, batch: list[_Waiting[Any]]) -> None:
        began_at = time.perf_counter()
        results: Sequence[object] = [StoreUnavailableError(f"{self.name}: the writer was cancelled")] * len(batch)
        try:
            # Each statement once, in the order in which they were asked for.
            statements = dict.fromkeys(waiting.begin for waiting in batch if waiting.begin)
            begin = "; ".join((self.connector.begin, *statements))
            results = await self._transact(slot, begin, [waiting.change for waiting in batch])
            self.on_commit(len(batch), time.perf_counter() - began_at)
            self._committed_at = time.monotonic()
        except Exception as error:  # noqa: BLE001 (those that wait must hear of it, whatever it is)
            results = [error] * len(batch)
            self._committed_at = None
        finally:
            self.commits += 1
            _settle(batch, [store_error(self.name, one) if isinstance(one, FAULTS) else one for one in results])

    async def _transact(self, slot: _Slot, begin: str, changes: Sequence[Change[Any]]) -> Sequence[object]:
        """Commit all changes together. A change that fails by itself gets its error as result; the rest is committed.

        Raises what concerns them all.
        """
        for tries_left in reversed(range(TRIES)):
            try:
                return await self._at_once(slot, begin, changes)
            except Exception as error:
                if not (is_passing(error) and tries_left):
                    raise
        raise AssertionError

    async def _at_once(self, slot: _Slot, begin: str, changes: Sequence[Change[Any]]) -> Sequence[object]:
        try:
            return await self._transaction(slot, begin, changes, lambda session, change: change(session))
        except Exception as error:
            if is_environmental(error) or isinstance(error, StoreUnavailableError):
                raise
            if len(changes) == 1:
                return [error]
        return await self._transaction(slot, begin, changes, _by_itself)

    async def _transaction(
        self,
        slot: _Slot,
        begin: str,
        changes: Sequence[Change[Any]],
        run: Callable[[Session, Change[Any]], Awaitable[object]],
    ) -> Sequence[object]:
        try:
            session = await self._begun(slot, begin)
            results = [await run(session, change) for change in changes]
            xid = session.xid or await session.value(_XID)
        except BaseException:
            await self._roll_back(slot)
            raise
        try:
            await session.script("COMMIT")
        except FAULTS as error:
            if not self._is_lost(slot, error) or xid is None:
                await self._roll_back(slot)
                raise
            if not await self._was_committed(slot, xid, error):
                raise
        if session.told:
            self.sharing.on_told(session.told)
        return results

    async def _begun(self, slot: _Slot, begin: str) -> Session:
        session = await self._session(slot)
        try:
            await session.script(begin)
        except FAULTS as error:
            # The connection may have been lost long ago, and nothing was done on it yet.
            if not self._is_lost(slot, error):
                raise
            session = await self._session(slot)
            await session.script(begin)
        return session

    async def _was_committed(self, slot: _Slot, xid: str, fault: Exception) -> bool:
        """Whether a transaction was committed whose reply was lost; raises if that cannot be found out in time."""
        gives_up_at = time.monotonic() + OUTCOME_WITHIN_S
        while time.monotonic() < gives_up_at:
            try:
                fate = await (await self._session(slot)).value(_FATE, xid)
            except asyncpg.InvalidParameterValueError:
                return False  # A server that took over never heard of it.
            except (*FAULTS, StoreUnavailableError):
                slot.drop()
                fate = None
            if fate in ("committed", "aborted"):
                return bool(fate == "committed")
            await asyncio.sleep(LOOK_EVERY_S)
        raise fault

    async def _roll_back(self, slot: _Slot) -> None:
        connection = slot.connection
        if connection is None:
            return
        try:
            if connection.is_closed():
                raise ConnectionError
            await connection.execute("ROLLBACK")
        except FAULTS:
            slot.drop()

    # Connections

    async def _session(self, slot: _Slot) -> Session:
        """A session on the connection of the slot, opened if there is none."""
        if slot.connection is not None and slot.connection.is_closed():
            slot.connection = None
        if slot.connection is None:
            if self._away is not None and time.monotonic() < self._away[0]:
                raise copy(self._away[1])
            try:
                slot.connection = await self.connector.connect()
            except FAULTS as error:
                problem = store_error(self.name, error)
                if not isinstance(problem, StoreUnavailableError):
                    problem = StoreUnavailableError(str(problem))
                self._away = time.monotonic() + AWAY_FOR_S, problem
                raise problem from error
            self._away = None
        return Session(slot.connection, self.sharing)

    def _is_lost(self, slot: _Slot, error: Exception) -> bool:
        """Whether the connection is broken; drops it if so."""
        if isinstance(error, StoreUnavailableError):
            return False
        connection = slot.connection
        lost = connection is None or connection.is_closed() or not isinstance(error, asyncpg.PostgresError)
        if lost:
            slot.drop()
        return lost

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except FAULTS as error:
            raise store_error(self.name, error) from error

    def _require_open(self) -> None:
        if not self._started:
            raise StoreError(f"{self.name} is not open")
        # A process that was forked has the sockets, but must not speak on them.
        if self._process != os.getpid():
            raise EngineNotRunningError(AFTER_FORK)

    def _tried(self, trying: asyncio.Task[None]) -> None:
        self._trying = None
        if not trying.cancelled():
            trying.exception()  # The callers may be gone; retrieve the exception so that asyncio logs no warning.


def _is_nowhere(parameters: Sequence[object]) -> bool:
    """Whether a parameter contains a NUL character, which no text in PostgreSQL can; the query finds nothing."""
    return any(isinstance(one, str) and "\0" in one for one in parameters)


async def _try_to_write(session: Session) -> None:
    """Write a row as it is."""
    await session.change("UPDATE webhook_schema SET version = version WHERE version = 1")


async def _by_itself(session: Session, change: Change[Any]) -> object:
    told = len(session.told)
    await session.script("SAVEPOINT one")
    result: object
    try:
        result = await change(session)
    except Exception as error:
        if is_environmental(error) or isinstance(error, StoreUnavailableError):
            raise
        await session.script("ROLLBACK TO one")
        del session.told[told:]
        result = error
    await session.script("RELEASE one")
    return result


def _settle(batch: Sequence[_Waiting[Any]], results: Sequence[object]) -> None:
    for waiting, result in zip(batch, results, strict=True):
        if waiting.done.done():
            continue
        if isinstance(result, Exception):
            waiting.done.set_exception(result)
        else:
            waiting.done.set_result(result)
