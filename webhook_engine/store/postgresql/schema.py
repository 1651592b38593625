"""The schema: numbered migrations, each applied whole or not at all, by one engine at a time."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from webhook_engine.errors import StoreUnavailableError
from webhook_engine.outbox.dialect import POSTGRESQL
from webhook_engine.store.migrations import Migration, migrations_of, refuse_newer
from webhook_engine.store.postgresql.connection import Session, quoted
from webhook_engine.store.postgresql.database import Database

__all__ = ["LOCK", "migrate", "migrations", "require_whole"]

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


async def migrate(database: Database, known: Sequence[Migration]) -> None:
    """Bring the schema up to date, and see to it that the outbox table is there.

    Raises ``SchemaVersionError`` if the database is newer than ``known``.
    """
    if database.connector.schema is not None:
        await _make_schema(database, database.connector.schema)
    await database.prepare(lambda session: _migrate(session, database.name, known))


async def require_whole(database: Database) -> None:
    """Raises ``StoreUnavailableError`` if a copy into the database was begun and not finished."""
    if await database.prepare(lambda session: session.value(_IS_BEING_FILLED)):
        raise StoreUnavailableError(
            f"{database.name}: a copy into it is not finished; wait for `webhook-engine copy`, or run it again, which "
            "goes on where it was interrupted"
        )


async def _make_schema(database: Database, schema: str) -> None:
    async def make(session: Session) -> None:
        if await session.value(_SCHEMA_IS_THERE, schema) is None:
            # Two engines that start at once may both come to this, which the server takes for an error.
            await session.rows("SELECT pg_advisory_xact_lock($1, hashtext($2))", LOCK, schema)
            await session.script(f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}")

    try:
        await database.prepare(make)
    except StoreUnavailableError as error:
        if not isinstance(error.__cause__, asyncpg.InsufficientPrivilegeError):
            raise
        raise StoreUnavailableError(
            f"{database.name}: there is no schema {schema!r} (store.schema), and this user may not make it; "
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
