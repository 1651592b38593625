"""One connection to SQLite on a thread of its own, through aiosqlite."""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import aiosqlite

from webhook_engine.shielded import shielded

__all__ = ["Connection", "Parameters", "Row", "Session", "Value", "assignments"]

T = TypeVar("T")
Value: TypeAlias = str | int | float | bytes | None
Parameters: TypeAlias = Sequence[Value] | Mapping[str, Value]
Row: TypeAlias = tuple[Any, ...]

CACHED_STATEMENTS = 256


def assignments(names: Iterable[str]) -> str:
    """``SET`` of these columns, each to the next parameter."""
    return ", ".join(f"{name} = ?" for name in names)


class Session:
    """The connection of a job, used on the connection's thread."""

    __slots__ = ("_connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open; SQLite ends one by itself on a full disk or an I/O error."""
        return self._connection.in_transaction

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Run one statement; all its rows."""
        return self._connection.execute(sql, parameters).fetchall()

    def stream(self, sql: str, parameters: Parameters = ()) -> Iterator[Row]:
        """Run one statement; yields its rows one by one, and can be ended early."""
        return self._connection.execute(sql, parameters)

    def change(self, sql: str, parameters: Parameters = ()) -> int:
        """Run one statement; how many rows it changed."""
        return self._connection.execute(sql, parameters).rowcount

    def script(self, sql: str) -> None:
        """Run several statements."""
        self._connection.executescript(sql)


class _JobConnection(sqlite3.Connection):
    """Runs a job of many statements as one call.

    aiosqlite sends one call at a time to the thread of the connection, and each trip there and back costs time on the
    event loop. So the call that it sends is always ``commit``, and what ``commit`` does here is the next job.
    """

    jobs: deque[Callable[[], None]]

    def commit(self) -> None:
        self.jobs.popleft()()


class Connection:
    """Runs jobs, one after the other."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._jobs: deque[Callable[[], None]] = deque()
        self._session: Session
        self._connection: aiosqlite.Connection
        self._refused: sqlite3.Error | None = None

    async def open(self, pragmas: Sequence[str]) -> None:
        """Open it; raises what ``sqlite3`` raises."""
        self._connection = await _on_a_daemon_thread(
            lambda: aiosqlite.connect(
                self._path, isolation_level=None, cached_statements=CACHED_STATEMENTS, factory=self._connect
            )
        )
        try:
            if self._refused is not None:
                raise self._refused
            await self.run(lambda session: [session.rows(pragma) for pragma in pragmas])
        except BaseException:
            await shielded(self.close())
            raise

    async def run(self, job: Callable[[Session], T]) -> T:
        """Run ``job`` on the connection's thread; it continues if the caller is cancelled."""
        result: list[T] = []
        self._jobs.append(lambda: result.append(job(self._session)))
        await self._connection.commit()
        return result[0]

    async def close(self) -> None:
        """Finish pending work, and close."""
        await self._connection.close()

    def _connect(self, *arguments: Any, **options: Any) -> sqlite3.Connection:
        try:
            connection = _JobConnection(*arguments, **options)
        except sqlite3.Error as error:
            # Only after a successful connect can the end of the thread be awaited. Otherwise the thread could call
            # an event loop that is closed.
            self._refused, connection = error, _JobConnection(":memory:")
        connection.jobs = self._jobs
        self._session = Session(connection)
        return connection


def _on_a_daemon_thread(make: Callable[[], T]) -> T:
    """What ``make`` returns, made so that a thread that belongs to it is a daemon, as the thread that it is made on.

    A program that ends without having stopped its engine would wait for a thread that is no daemon, for ever.
    """
    made: list[T] = []
    thread = threading.Thread(target=lambda: made.append(make()), name="webhook-engine-opening", daemon=True)
    thread.start()
    thread.join()
    return made[0]
