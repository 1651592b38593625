"""The schema: numbered migrations, each applied whole or not at all.

The version is kept in a table, not in ``PRAGMA user_version``: the file may be shared with a host program that uses
that one for itself.
"""

from __future__ import annotations

import importlib.resources
import sqlite3
from collections.abc import Sequence

from webhook_engine.store.migrations import Migration, migrations_of, refuse_newer
from webhook_engine.store.sqlite.connection import Session
from webhook_engine.store.sqlite.database import Database

__all__ = ["migrate", "migrations"]

_HAS_SCHEMA = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'webhook_schema'"
_VERSION = "SELECT max(version) FROM webhook_schema"


def migrations() -> Sequence[Migration]:
    """All migrations that this version knows, in order."""
    return migrations_of(__package__)


async def migrate(database: Database, known: Sequence[Migration]) -> None:
    """Bring the schema up to date, and see to it that the outbox table is there.

    Raises ``SchemaVersionError`` if the database is newer than ``known``.
    """
    version = await database.prepare(_current_version)
    refuse_newer(database.path, version, known)
    for migration in known:
        if migration.version > version:
            await database.prepare(lambda session, step=migration: _apply(session, step))  # type: ignore[misc]
    outbox = (importlib.resources.files("webhook_engine.outbox") / "sqlite.sql").read_text("utf-8")
    await database.prepare(lambda session: session.script(outbox))


def _current_version(session: Session) -> int:
    if not session.rows(_HAS_SCHEMA):
        return 0
    return session.rows(_VERSION)[0][0] or 0


def _apply(session: Session, migration: Migration) -> None:
    try:
        session.script(
            f"""
            BEGIN IMMEDIATE;
            CREATE TABLE IF NOT EXISTS webhook_schema (version INTEGER NOT NULL PRIMARY KEY) STRICT;
            {migration.sql}
            INSERT INTO webhook_schema (version) VALUES ({migration.version:d});
            COMMIT;
            """  # noqa: S608 (a number and the package's own file)
        )
    except sqlite3.Error:
        if session.in_transaction:
            session.change("ROLLBACK")
        raise
