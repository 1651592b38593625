"""The schema: numbered migrations, each applied whole or not at all, by one engine at a time."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from webhook_engine.errors import StoreUnavailableError
from webhook_engine.outbox.dialect import POSTGRESQL
from webhook_engine.store.migrations import Migration, migrations_of, refuse_newer
from webhook_engine.store.postgresql.connection import Session, quoted
from webhook_engine.store.postgresql.database import Database

__all__ = ["LOCK", "migrate", "migrations"]

LOCK = 0x7768_7363
"""The first half of the advisory lock under which the schema changes; the second is the schema's own."""

_TAKE_LOCK = f"SELECT pg_advisory_xact_lock({LOCK}, hashtext(current_schema()))"
_SCHEMA_IS_THERE = "SELECT 1 FROM pg_namespace WHERE nspname = $1"
_OUTBOX_VACUUM = """
ALTER TABLE webhook_outbox SET (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0
)
"""
"""Its rows come and go. One that was there may belong to another user, who sees to it."""
_CURRENT_SCHEMA = "SELECT current_schema()"
_HAS_VERSION = "SELECT to_regclass('webhook_schema') IS NOT NULL"
_VERSION = "SELECT coalesce(max(version), 0) FROM webhook_schema"
_IS_BEING_FILLED = "SELECT to_regclass('webhook_copy') IS NOT NULL"
_HAS_OUTBOX = "SELECT to_regclass('webhook_outbox') IS NOT NULL"


def migrations() -> Sequence[Migration]:
    """All migrations that this version knows, in order."""
    return migrations_of(__package__)


async def migrate(database: Database, known: Sequence[Migration], *, whole: bool) -> None:
    """Bring the schema up to date, and see to it that the outbox table is there.

    Raises ``SchemaVersionError`` if the database is newer than ``known``, and ``StoreUnavailableError`` if it has to be
    ``whole``, and a copy into it was begun and not finished.
    """

    async def up_to_date(session: Session) -> None:
        await _migrate(session, database.name, known)
        if whole:
            await _require_whole(session, database.name)

    schema = database.connector.schema
    if schema is None:
        await database.prepare(up_to_date)
    else:
        await database.prepare(lambda session: _make_schema(session, database.name, schema), up_to_date)


async def _require_whole(session: Session, name: str) -> None:
    if await session.value(_IS_BEING_FILLED):
        raise StoreUnavailableError(
            f"{name}: a copy into it is not finished; wait for `webhook-engine copy`, or run it again, which "
            "goes on where it was interrupted"
        )


async def _make_schema(session: Session, name: str, schema: str) -> None:
    if await session.value(_SCHEMA_IS_THERE, schema) is not None:
        return
    try:
        # Two engines that start at once may both come to this, which the server takes for an error.
        await session.rows("SELECT pg_advisory_xact_lock($1, hashtext($2))", LOCK, schema)
        await session.script(f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}")
    except asyncpg.InsufficientPrivilegeError as error:
        raise StoreUnavailableError(
            f"{name}: there is no schema {schema!r} (store.schema), and this user may not make it; "
            f"let an administrator run: CREATE SCHEMA {quoted(schema)} AUTHORIZATION the-user"
        ) from error


async def _migrate(session: Session, name: str, known: Sequence[Migration]) -> None:
    if await session.value(_CURRENT_SCHEMA) is None:
        raise StoreUnavailableError(
            f"{name}: none of the schemas in the search_path of this user is there; name one in store.schema"
        )
    version = await _current_version(session)
    refuse_newer(name, version, known)
    if version == known[-1].version and await session.value(_HAS_OUTBOX):
        return
    await session.rows(_TAKE_LOCK)
    # Another engine may have done it while this one waited.
    version = await _current_version(session)
    await session.script("CREATE TABLE IF NOT EXISTS webhook_schema (version INTEGER NOT NULL PRIMARY KEY)")
    for migration in known:
        if migration.version > version:
            await session.script(migration.sql)
            await session.change("INSERT INTO webhook_schema (version) VALUES ($1)", migration.version)
    had_outbox = await session.value(_HAS_OUTBOX)
    for statement in POSTGRESQL.table_statements():
        # Its trigger would tell each commit to a server that has other things to do: here the engine looks for itself.
        if "webhook_outbox_notify" not in statement:
            await session.script(statement)
    if not had_outbox:
        await session.script(_OUTBOX_VACUUM)


async def _current_version(session: Session) -> int:
    if not await session.value(_HAS_VERSION):
        return 0
    return int(await session.value(_VERSION))
