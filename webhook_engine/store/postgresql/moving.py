"""A PostgreSQL database that is filled with everything from another one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg

from webhook_engine.errors import StoreError, StoreUnavailableError
from webhook_engine.store.moving import NOT_COMPARED, NOTHING, SEPARATOR, TABLES, Batch, Occupancy, Sums
from webhook_engine.store.postgresql.connection import Session
from webhook_engine.store.postgresql.database import Database
from webhook_engine.store.postgresql.faults import FAULTS, store_error
from webhook_engine.store.postgresql.schema import LOCK, migrate, migrations

__all__ = ["PostgresqlTarget", "opened"]

CLOSE_WITHIN_S = 5.0
MEMBER = "copied"
"""The engine, by its name in the clock's table, that ran on the other database."""

_SHARES = ("delivery", "manual_attempt")
"""Tables whose rows have the shard of their endpoint."""

# Of the names of this release, not of what is there: tables of a newer one are said to be that by the migration.
_OCCUPIED = "SELECT to_regclass($1) IS NOT NULL"
_HOLDS = "SELECT EXISTS (SELECT 1 FROM webhook_{table})"
_MEMBERS = "SELECT count(*) FROM webhook_member WHERE expires_at > clock_timestamp()"
_COLUMNS = """
SELECT attname, format_type(atttypid, NULL) FROM pg_attribute
WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped
"""
_SHARDS = "SELECT id, shard FROM webhook_endpoint WHERE id = ANY($1::text[])"

# While this table is there, no engine starts on the database.
_MARK = "CREATE TABLE IF NOT EXISTS webhook_copy (origin TEXT NOT NULL)"
_EMPTY = f"TRUNCATE {', '.join(f'webhook_{table}' for table in TABLES)}; DELETE FROM webhook_copy"  # noqa: S608 (names of the schema)
_ALONE = f"SELECT pg_try_advisory_lock({LOCK + 1}, hashtext(current_schema()))"
_SUMS = """
SELECT count(*), coalesce(sum(
    ('x' || encode(substr(sha256(convert_to(concat({parts}), 'UTF8')), 1, 4), 'hex'))::bit(32)::bigint
), 0)
FROM webhook_{table}
"""
_NEXT_ID = """
SELECT setval(pg_get_serial_sequence('webhook_outbox', 'id'), greatest(max(id), 1))
FROM webhook_outbox HAVING count(*) > 0
"""


@asynccontextmanager
async def opened(url: str, schema: str | None) -> AsyncIterator[PostgresqlTarget]:
    """The database with this URL, made ready only when the copy begins; raises ``StoreUnavailableError``."""
    database = Database(url, schema)
    await database.open()
    if database.connector.server.pooled:
        raise StoreError(
            f"{database.name}: a pooler stands in between that shares sessions; name the server itself to copy to"
        )
    with _faults(database.name):
        connection = await database.connector.connect(patient=True)
        try:
            # Whole tables are read here, which an index only delays.
            await connection.execute("SET enable_seqscan = on; SET enable_bitmapscan = on")
            yield PostgresqlTarget(database, connection)
        finally:
            await connection.close(timeout=CLOSE_WITHIN_S)


class PostgresqlTarget:
    """See :class:`~webhook_engine.store.moving.Target`."""

    def __init__(self, database: Database, connection: asyncpg.Connection) -> None:
        self.name = (
            database.name if database.connector.schema is None else f"{database.name} ({database.connector.schema})"
        )
        self._database = database
        self._connection = connection
        self._session = Session(connection)
        self._types: dict[str, Mapping[str, str]] = {}

    async def occupancy(self) -> Occupancy:
        """What it holds; changes nothing."""
        tables = [table for table in TABLES if await self._is_there(table) and await self._holds(table)]
        members = await self._session.value(_MEMBERS) if await self._is_there("member") else 0
        return Occupancy(tables, members, await self._is_there("copy"))

    async def begin(self, origin: str) -> bool:
        """Keep engines off until :meth:`finish`; whether what it holds is of an interrupted copy of this ``origin``."""
        await migrate(self._database, migrations(), whole=False)
        if not await self._session.value(_ALONE):
            raise StoreError(f"{self.name}: another copy to it is under way; wait for that one")
        async with self._connection.transaction():
            await self._session.script(_MARK)
            goes_on = bool(await self._session.value("SELECT origin FROM webhook_copy") == origin)
            if not goes_on:
                await self._session.script(_EMPTY)
                await self._session.change("INSERT INTO webhook_copy VALUES ($1)", origin)
        # One that came in between has seen no mark.
        if await self._session.value(_MEMBERS):
            raise StoreError(f"{self.name}: an engine has just started on it; stop that one, and try again")
        return goes_on

    async def add(self, table: str, columns: Sequence[str], batch: Batch) -> None:
        """Add rows to a table, all or none; durable when this returns."""
        types = await self._types_of(table)
        self._require_columns(table, columns, types)
        rows = _typed(batch, [types[name] for name in columns])
        names = list(columns)
        if table in _SHARES:
            place = names.index("endpoint_id")
            shards = dict(await self._session.rows(_SHARDS, list({row[place] for row in rows})))
            names.append("shard")
            rows = [(*row, shards[row[place]]) for row in rows]
        if table == "clock":
            names.append("member")
            rows = [(*row, MEMBER) for row in rows]
        await self._connection.copy_records_to_table(f"webhook_{table}", records=rows, columns=names)

    async def sums(self, table: str, columns: Sequence[str]) -> Sums:
        """What a table holds."""
        if not await self._is_there(table):
            return Sums(0, 0)
        types = await self._types_of(table)
        self._require_columns(table, columns, types)
        compared = [name for name in columns if name not in NOT_COMPARED.get(table, ())]
        parts = f", chr({ord(SEPARATOR)}), ".join(_as_text(name, types[name]) for name in compared)
        rows, digests = await self._session.row(_SUMS.format(parts=parts, table=table))
        return Sums(rows, int(digests))

    async def finish(self) -> None:
        """Let engines start on it, and let the server know what there is."""
        for table in TABLES:
            await self._session.script(f"ANALYZE webhook_{table}")
        async with self._connection.transaction():
            await self._session.rows(_NEXT_ID)
            # That of each endpoint that was added, for engines that were there.
            await self._session.script("DELETE FROM webhook_notice; DROP TABLE webhook_copy")

    async def _is_there(self, table: str) -> bool:
        return bool(await self._session.value(_OCCUPIED, f"webhook_{table}"))

    async def _holds(self, table: str) -> bool:
        return bool(await self._session.value(_HOLDS.format(table=table)))

    async def _types_of(self, table: str) -> Mapping[str, str]:
        if table not in self._types:
            self._types[table] = dict(await self._session.rows(_COLUMNS, f"webhook_{table}"))
        return self._types[table]

    def _require_columns(self, table: str, columns: Sequence[str], types: Mapping[str, str]) -> None:
        if missing := [name for name in columns if name not in types]:
            raise StoreError(f"{self.name}: its webhook_{table} has no {missing[0]}; it is of another release")


def _as_text(column: str, kind: str) -> str:
    match kind:
        case "text":
            text = column
        case "bytea":
            text = f"encode(sha256({column}), 'hex')"
        case "boolean":
            text = f"{column}::integer::text"
        case _:
            text = f"{column}::text"
    return f"coalesce({text}, chr({ord(NOTHING)}))"


def _typed(batch: Batch, kinds: Sequence[str]) -> Sequence[Sequence[object]]:
    """The rows as the driver takes them."""
    changed = {place: _READERS[kind] for place, kind in enumerate(kinds) if kind in _READERS}
    if not changed:
        return batch
    rows = []
    for row in batch:
        values: list[Any] = list(row)
        for place, read in changed.items():
            if values[place] is not None:
                values[place] = read(values[place])
        rows.append(values)
    return rows


def _instant(text: object) -> datetime:
    """When a row was put into the outbox, which is for people only; anything may stand there."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


_READERS: Mapping[str, Callable[[object], object]] = {"boolean": bool, "timestamp with time zone": _instant}


@contextmanager
def _faults(name: str) -> Iterator[None]:
    try:
        yield
    except StoreUnavailableError:
        raise
    except FAULTS as error:
        raise store_error(name, error) from error
