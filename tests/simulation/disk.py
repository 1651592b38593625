"""The disk of a simulated machine: real SQLite, run in step, which can be slow, full, busy or cut off at a commit.

A :class:`DiskConnection` stands in the place of the one on a thread of its own. Its jobs take time, and each is done
whole at one instant of that; so what the engine does while it waits for the disk happens in between, as with a thread.
"""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from simulation.timeline import ProcessLoop, Timeline

from webhook_engine.store.sqlite.connection import Parameters, Row, Session

__all__ = ["Disk", "DiskConnection"]

T = TypeVar("T")

QUICK_S = 0.001
"""A job that takes no longer is told of at the instant at which it is done."""

_FULL, _BUSY, _IOERR, _READONLY = 13, 5, 10, 8
_KINDS = {
    "full": (_FULL, "database or disk is full"),
    "busy": (_BUSY, "database is locked"),
    "failing": (_IOERR, "disk I/O error"),
    "read-only": (_READONLY, "attempt to write a readonly database"),
}


class Disk:
    """What is stored, and what is wrong with it at present."""

    def __init__(self, timeline: Timeline, chance: random.Random, folder: Path) -> None:
        self.path = folder / "world.db"
        self.timeline = timeline
        self.read_s = 0.000_2
        self.write_s = 0.001
        """How long a job takes at most, while nothing is wrong."""
        self.slow_until = -1.0
        self.slow_s = 0.5
        self.fault: str | None = None
        """What every write ends with, at a statement somewhere in it."""
        self.commits = 0
        self.on_commit: Callable[[str, ProcessLoop], None] = lambda _when, _loop: None
        """Called before and after each commit; what it does may be to kill the process."""
        self.on_connected: Callable[[sqlite3.Connection], None] = lambda _connection: None
        self.is_shared = False
        """Whether several processes may have it open at once."""
        self.locked_by: ProcessLoop | None = None
        self._chance = chance
        self._connections: list[DiskConnection] = []
        self._synced: dict[str, bytes | None] | None = None
        """The files as they are for sure, where the engine does not have each commit synced."""

    def opened(self, connection: DiskConnection, pragmas: Sequence[str]) -> None:
        """A process opened the database."""
        self._connections.append(connection)
        if connection.writes and "PRAGMA synchronous=FULL" not in pragmas and self._synced is None:
            self._synced = self._files()

    def closed(self, connection: DiskConnection) -> None:
        """It closed it."""
        if connection in self._connections:
            self._connections.remove(connection)

    def cut(self, loop: ProcessLoop, *, power: bool) -> None:
        """A process is killed; where it is the power that fails, what was not synced is lost."""
        for connection in [one for one in self._connections if one.loop is loop]:
            connection.drop()
        if self.locked_by is loop:
            self.locked_by = None
        if power and self._synced is not None:
            for name, content in self._synced.items():
                if content is None:
                    Path(name).unlink(missing_ok=True)
                else:
                    Path(name).write_bytes(content)
        self._synced = None

    def duration(self, *, writes: bool) -> float:
        """How long a job takes."""
        most = self.write_s if writes else self.read_s
        if self.timeline.now < self.slow_until:
            most += self.slow_s
        return most * (0.1 + 0.9 * self._chance.random())

    def instant_within(self, begins_at: float, takes_s: float) -> float:
        """When a job is done. What takes long is told later than it is done: what was read may be old by then."""
        return begins_at + takes_s * (self._chance.random() if takes_s > QUICK_S else 1.0)

    def fault_of(self, statement: str) -> sqlite3.OperationalError | None:
        """The error that a statement ends with, if any."""
        if self.fault is None or not statement.lstrip().upper().startswith(_CHANGES):
            return None
        if self.fault == "busy" and not statement.startswith("BEGIN"):
            return None
        if self.fault != "busy" and self._chance.random() < 0.5:
            return None
        return _error(*_KINDS[self.fault])

    def _files(self) -> dict[str, bytes | None]:
        names = [f"{self.path}{suffix}" for suffix in ("", "-wal", "-shm")]
        return {name: Path(name).read_bytes() if os.path.exists(name) else None for name in names}


_CHANGES = ("BEGIN IMMEDIATE", "INSERT", "UPDATE", "DELETE", "COMMIT", "WITH")


def _error(code: int, text: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


class _FaultySession(Session):
    """A session on a disk that may have a fault."""

    __slots__ = ("_disk",)

    def __init__(self, connection: sqlite3.Connection, disk: Disk) -> None:
        super().__init__(connection)
        self._disk = disk

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        self._look(sql)
        return super().rows(sql, parameters)

    def change(self, sql: str, parameters: Parameters = ()) -> int:
        self._look(sql)
        return super().change(sql, parameters)

    def _look(self, sql: str) -> None:
        if (error := self._disk.fault_of(sql)) is not None:
            raise error


class DiskConnection:
    """In the place of :class:`webhook_engine.store.sqlite.connection.Connection`."""

    def __init__(self, path: Path) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, ProcessLoop)
        self.loop = loop
        self.writes = False
        self._disk: Disk = loop.disk
        self._path = path
        self._free_at = 0.0
        self._connection: sqlite3.Connection | None = None
        self._session: Session

    async def open(self, pragmas: Sequence[str]) -> None:
        self.writes = "PRAGMA query_only=ON" not in pragmas
        self._connection = sqlite3.connect(
            self._path, isolation_level=None, cached_statements=256, check_same_thread=False
        )
        self._disk.on_connected(self._connection)
        self._session = _FaultySession(self._connection, self._disk) if self.writes else Session(self._connection)
        # A commit is as safe as its order; that it reaches a real disk is not what is simulated.
        here = [pragma for pragma in pragmas if not pragma.startswith("PRAGMA synchronous")]
        self._disk.opened(self, pragmas)
        await self.run(lambda session: [session.rows(pragma) for pragma in (*here, "PRAGMA synchronous=OFF")])

    async def run(self, job: Callable[[Session], T]) -> T:
        done: asyncio.Future[T] = self.loop.create_future()
        late_s = 0.0 if self.loop.line is None else self.loop.line.late_s
        begins_at = max(self._free_at, self.loop.time())
        takes_s = self._disk.duration(writes=self.writes) + late_s
        self._free_at = begins_at + takes_s
        done_at = self._disk.instant_within(begins_at, takes_s)
        self.loop.call_at(done_at, self._do, job, done if done_at == self._free_at else self._told_later(done))
        return await done

    def _told_later(self, done: asyncio.Future[Any]) -> asyncio.Future[Any]:
        """What comes of a job that is done before its time is over: that is told only then."""
        told_at, earlier = self._free_at, self.loop.create_future()

        def tell(_: asyncio.Future[Any]) -> None:
            error = earlier.exception()
            self.loop.call_at(told_at, _settle, done, error, None if error else earlier.result())

        earlier.add_done_callback(tell)
        return earlier

    async def close(self) -> None:
        await self.run(lambda _session: None)
        self.drop()
        self._disk.closed(self)

    def drop(self) -> None:
        """The process that had it is gone: what was not committed is undone."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _do(self, job: Callable[[Session], Any], done: asyncio.Future[Any]) -> None:
        if self._connection is None:
            if not done.done():
                done.set_exception(sqlite3.ProgrammingError("Cannot operate on a closed database."))
            return
        if self.loop.line is not None and self.loop.line.is_cut:
            if not done.done():
                done.set_exception(_error(_BUSY, "the server does not answer"))
            return
        before = self._connection.total_changes
        if self.writes:
            self._disk.on_commit("before", self.loop)
            if self.loop.dead:
                return
        try:
            result = job(self._session)
        except Exception as error:  # noqa: BLE001 (it is the caller's, as on a thread)
            if not done.done():
                done.set_exception(error)
            return
        if self.writes and self._connection.total_changes != before:
            self._disk.commits += 1
            self._disk.on_commit("after", self.loop)
            if self.loop.dead:
                return
        if not done.done():
            done.set_result(result)


def _settle(done: asyncio.Future[Any], error: BaseException | None, result: object) -> None:
    if done.done():
        return
    if error is not None:
        done.set_exception(error)
    else:
        done.set_result(result)
