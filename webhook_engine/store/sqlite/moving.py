"""Everything in an SQLite file, read for another database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path

from webhook_engine.errors import SchemaVersionError, StoreError
from webhook_engine.store.moving import BATCH_BYTES, BATCH_ROWS, NOT_COMPARED, NOTHING, SEPARATOR, Batch, Sums
from webhook_engine.store.sqlite.faults import FAULTS, store_error
from webhook_engine.store.sqlite.lock import EngineLock
from webhook_engine.store.sqlite.schema import migrations

__all__ = ["SqliteSource", "opened"]

PATIENCE_S = 60.0
ROWS_AT_A_TIME = 100


@contextmanager
def opened(path: Path) -> Iterator[SqliteSource]:
    """The database in this file as it is now; no engine starts on it meanwhile.

    Raises ``EngineAlreadyRunningError``, and ``SchemaVersionError`` if it is of another release than this one.
    """
    path = path.resolve()
    if not path.exists():
        raise StoreError(f"{path}: there is no database; name the file of the engine")
    lock = EngineLock(path)
    lock.acquire()
    try:
        with _faults(path), closing(_connection(path)) as connection:
            _require_schema(path, connection)
            connection.execute("BEGIN")
            yield SqliteSource(path, connection)
    finally:
        lock.release()


class SqliteSource:
    """See :class:`~webhook_engine.store.moving.Source`."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.name = str(path)
        self._path = path
        self._connection = connection

    def columns(self, table: str) -> Sequence[str]:
        """The columns of a table."""
        info = self._connection.execute(f"PRAGMA table_info(webhook_{table})").fetchall()
        # There is one clock, and its number says only that.
        return [name for _, name, *_ in info if (table, name) != ("clock", "id")]

    def sums(self, table: str) -> Sums:
        """What a table holds."""
        return self._sums(self._connection, table)

    def batches(self, table: str, after: int) -> Iterator[Batch]:
        """The rows of a table in the order of their keys, without the first ``after``."""
        wanted = ", ".join(_expression(table, name) for name in self.columns(table))
        sql = f"SELECT {wanted} FROM webhook_{table} ORDER BY {', '.join(self._keys(table))} LIMIT -1 OFFSET ?"  # noqa: S608 (names of the schema)
        with _faults(self._path):
            cursor = self._connection.execute(sql, (after,))
            batch: list[Sequence[object]] = []
            size = 0
            while rows := cursor.fetchmany(ROWS_AT_A_TIME):
                for row in rows:
                    batch.append(row)
                    size += sum(len(value) for value in row if isinstance(value, str | bytes))
                    if len(batch) >= BATCH_ROWS or size >= BATCH_BYTES:
                        yield batch
                        batch, size = [], 0
            if batch:
                yield batch

    def require_still(self) -> None:
        """Raises ``StoreError`` if rows were enqueued in the outbox meanwhile."""
        with _faults(self._path), closing(_connection(self._path)) as connection:
            if self._sums(connection, "outbox") != self.sums("outbox"):
                raise StoreError(
                    f"{self.name}: a program has written to the outbox while it was copied; stop it, or let it write "
                    "to the other database, and run this again"
                )

    def _sums(self, connection: sqlite3.Connection, table: str) -> Sums:
        compared = [name for name in self.columns(table) if name not in NOT_COMPARED.get(table, ())]
        values = ", ".join(_expression(table, name) for name in compared)
        sql = f"SELECT count(*), coalesce(sum(digest({values})), 0) FROM webhook_{table}"  # noqa: S608 (names of the schema)
        with _faults(self._path):
            return Sums(*connection.execute(sql).fetchone())

    def _keys(self, table: str) -> Sequence[str]:
        info = self._connection.execute(f"PRAGMA table_info(webhook_{table})").fetchall()
        return [name for place, name in sorted((row[5], row[1]) for row in info) if place]


def _expression(table: str, column: str) -> str:
    """What is read of a column. In the outbox anybody may write, and SQLite lets anything into any column there."""
    if table != "outbox" or column == "id":
        return column
    as_bytes = f"CAST({column} AS BLOB)"
    return as_bytes if column == "payload" else f"text_of({as_bytes})"


def _connection(path: Path) -> sqlite3.Connection:
    uri = f"{path.as_uri()}?mode=rw"
    connection = sqlite3.connect(uri, uri=True, timeout=PATIENCE_S, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA query_only=ON")
    connection.create_function("text_of", 1, _text_of, deterministic=True)
    connection.create_function("digest", -1, _digest, deterministic=True)
    return connection


def _text_of(value: bytes | None) -> str | None:
    """A text as every database takes it; what is changed by this the engine refuses, here and there."""
    return None if value is None else value.decode("utf-8", "replace").replace("\0", "\ufffd")


def _digest(*row: str | bytes | int | None) -> int:
    parts = [
        NOTHING if value is None else sha256(value).hexdigest() if isinstance(value, bytes) else str(value)
        for value in row
    ]
    return int.from_bytes(sha256(SEPARATOR.join(parts).encode()).digest()[:4])


def _require_schema(path: Path, connection: sqlite3.Connection) -> None:
    latest = migrations()[-1].version
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'webhook_schema'").fetchall():
        raise StoreError(f"{path} has no tables of Webhook Engine; name the file of the engine")
    version = connection.execute("SELECT max(version) FROM webhook_schema").fetchone()[0] or 0
    if version < latest:
        raise SchemaVersionError(
            f"{path} has schema version {version}, and this release copies version {latest}; start an engine of this "
            "release on it once and stop it, which brings it up to date, and try again"
        )
    if version > latest:
        raise SchemaVersionError(
            f"{path} has schema version {version}, made by a newer Webhook Engine; copy it with that one"
        )


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    try:
        yield
    except FAULTS as error:
        raise store_error(path, error) from error
