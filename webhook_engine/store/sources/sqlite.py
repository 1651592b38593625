"""The outbox in another SQLite file."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from webhook_engine.store.sources.database import SourceDatabase
from webhook_engine.store.sqlite.lock import EngineLock

__all__ = ["SqliteSource"]

BUSY_TIMEOUT_S = 5.0


class SqliteSource(SourceDatabase):
    """Asks for ``data_version``, which changes with every commit of somebody else and costs next to nothing."""

    placeholder = "?"
    now = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
    begin = "BEGIN IMMEDIATE"
    errors = (sqlite3.Error,)

    def __init__(self, name: str, path: Path) -> None:
        super().__init__(name)
        self._path = path.absolute()
        self._lock = EngineLock(path.resolve())
        self._seen_version: int | None = None

    def _connect(self) -> sqlite3.Connection:
        self._seen_version = None
        # Not one that would have to be made: a wrong path is more likely than a program that is late.
        connection = sqlite3.connect(
            f"{self._path.as_uri()}?mode=rw",
            uri=True,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.execute("PRAGMA synchronous=FULL").close()
        return connection

    def _take(self) -> None:
        self._lock.release()
        self._lock.acquire()

    def close(self) -> None:
        """Close the connection; harmless where there is none."""
        super().close()
        self._lock.release()

    def changed(self) -> bool:
        """Whether somebody committed since the last call."""
        [(version,)] = self._read("PRAGMA data_version")
        before, self._seen_version = self._seen_version, version
        return bool(before != version)

    def _column(self, name: str) -> str:
        # As bytes, no column can fail to be read, whatever somebody wrote into it.
        return f"CAST({name} AS BLOB)"
