"""The outbox in another SQLite file."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from webhook_engine.store.sources.database import SourceDatabase
from webhook_engine.store.sqlite.lock import EngineLock

__all__ = ["SqliteSource"]

BUSY_TIMEOUT_S = 5.0


class SqliteSource(SourceDatabase):
    """Polls ``data_version``, which changes with every commit by other connections and costs almost nothing."""

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
        # Do not create the file: a wrong path is more likely than a program that starts late.
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
        """Whether another connection has committed since the last call."""
        [(version,)] = self._read("PRAGMA data_version")
        before, self._seen_version = self._seen_version, version
        return bool(before != version)

    def _column(self, name: str) -> str:
        # Bytes can always be read, whatever was written into the column.
        return f"CAST({name} AS BLOB)"
