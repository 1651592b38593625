"""Checks of a PostgreSQL database before an engine runs on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from webhook_engine.clock import Clock
from webhook_engine.store.members import Member
from webhook_engine.store.postgresql.connection import Session, quoted
from webhook_engine.store.postgresql.database import Database
from webhook_engine.store.postgresql.leases import read_members

__all__ = ["Remark", "find_members", "inspect_database"]

_SETTINGS = """
SELECT
    current_setting('server_version'), current_setting('fsync'), current_setting('full_page_writes'),
    current_setting('autovacuum'), current_user, current_database(),
    current_schema(), extract(epoch FROM clock_timestamp())::double precision
"""

_CONNECTIONS = """
SELECT
    inet_client_addr() IS NOT NULL AND NOT coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false),
    current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
        - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')::integer + 1,
    (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user),
    to_regclass('webhook_copy') IS NOT NULL
"""

_RIGHTS = """
SELECT
    has_database_privilege(current_database(), 'CREATE'),
    (
        SELECT has_schema_privilege(nspname, 'USAGE') AND has_schema_privilege(nspname, 'CREATE')
        FROM pg_namespace WHERE nspname = $1
    ),
    to_regclass('webhook_schema') IS NOT NULL
"""

_FOREIGN_TABLES = """
SELECT string_agg(tablename, ', ' ORDER BY tablename) FROM pg_tables
WHERE schemaname = current_schema() AND tablename LIKE 'webhook\\_%'
    AND EXISTS (
        -- Several in one call would mean any of them.
        SELECT 1 FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS wanted (privilege)
        WHERE NOT has_table_privilege(format('%I.%I', schemaname, tablename), privilege)
    )
"""

WORST_CLOCK_S = 1.0
CONNECTIONS = 12
"""How many an engine has at most."""
SECOND = 1_000_000


class Remark(msgspec.Struct, frozen=True):
    """The result of one check; good if there is no ``advice``."""

    what: str
    advice: str = ""
    serious: bool = False


async def find_members(url: str, schema: str | None) -> Sequence[Member]:
    """The engines on a database; raises ``StoreUnavailableError`` if it cannot be reached. Nothing is changed."""
    database = Database(url, schema)
    await database.open()

    async def find(session: Session) -> Sequence[Member]:
        # No engine has ever been on a database without the table.
        if await session.value("SELECT to_regclass('webhook_member') IS NULL"):
            return []
        return await read_members(session, lambda statement: statement.format(schema=""))

    return await database.prepare(find)


async def inspect_database(url: str, schema: str | None) -> Sequence[Remark]:
    """Connect and run the checks; raises ``StoreUnavailableError`` if it cannot. Changes nothing."""
    database = Database(url, schema)
    await database.open()
    settings, rights, closed, off, connections = await database.prepare(lambda session: _look(session, schema))
    version, fsync, full_pages, autovacuum, user, name, current, _ = settings
    may_make, may_use, has_tables = rights
    remarks = [Remark(f"PostgreSQL {version} answers at {database.name}")]
    if fsync == "off" or full_pages == "off":
        setting = "fsync" if fsync == "off" else "full_page_writes"
        what = f"{setting} is off there: a crash of its machine loses or damages what was accepted"
        remarks.append(Remark(what, f"Set {setting} = on in postgresql.conf, and reload it.", serious=True))
    if not database.connector.server.waits:
        remarks.append(Remark("synchronous_commit is off there; the engine switches it on for itself"))
    if autovacuum == "off":
        what = "autovacuum is off there: the space of what is deleted is never used again"
        remarks.append(Remark(what, "Set autovacuum = on in postgresql.conf, and reload it."))
    if database.connector.server.pooled:
        remarks.append(Remark("a pooler stands in between that shares sessions; the engine keeps nothing in one then"))
    remarks += _of_connections(connections, user)
    where = schema or current
    if where is None:
        advice = f"Name one in store.schema, or let an administrator run: CREATE SCHEMA AUTHORIZATION {quoted(user)}"
        remarks.append(Remark(f"no schema of the search_path of {user} is there", advice, serious=True))
    elif may_use is None and not may_make:
        advice = f"Let an administrator run: CREATE SCHEMA {quoted(where)} AUTHORIZATION {quoted(user)}"
        remarks.append(Remark(f"there is no schema {where}, and {user} may not make it", advice, serious=True))
    elif may_use is False:
        advice = f"Let an administrator run: GRANT USAGE, CREATE ON SCHEMA {quoted(where)} TO {quoted(user)}"
        remarks.append(Remark(f"{user} may not make tables in the schema {where}", advice, serious=True))
    elif connections[3]:
        advice = "Run `webhook-engine copy` again, which goes on where it was; no engine starts before it is done."
        remarks.append(Remark(f"a copy into the schema {where} is not finished", advice, serious=True))
    elif closed:
        advice = f"Let their owner run: GRANT ALL ON ALL TABLES IN SCHEMA {quoted(where)} TO {quoted(user)}"
        remarks.append(Remark(f"{user} may not read and write {closed}", advice, serious=True))
    else:
        there = "are" if has_tables else "will be made"
        remarks.append(Remark(f"the tables {there} in the schema {where} of {name}, as {user} may"))
    if abs(off) > WORST_CLOCK_S:
        what = f"its clock and that of this machine are {abs(off):.1f} s apart"
        remarks.append(Remark(what, "Synchronise both with a time server (timedatectl set-ntp true)."))
    else:
        remarks.append(Remark("its clock and that of this machine agree"))
    return remarks


def _of_connections(found: Sequence[Any], user: str) -> list[Remark]:
    in_clear, free, limit, _ = found
    remarks = []
    if in_clear:
        what = "the connection to it is not encrypted: passwords, payloads and secrets can be read on the way"
        remarks.append(Remark(what, "Add sslmode=verify-full to store.url, and sslrootcert where it has its own CA."))
    if 0 <= limit < CONNECTIONS:
        what = f"{user} may have {limit} connections, and an engine wants {CONNECTIONS}"
        remarks.append(Remark(what, f"Let an administrator run: ALTER ROLE {quoted(user)} CONNECTION LIMIT -1"))
    if free < CONNECTIONS:
        what = f"{free} connections are free there, and an engine wants {CONNECTIONS}"
        remarks.append(Remark(what, "Raise max_connections, or put a pooler before it."))
    return remarks


async def _look(
    session: Session, schema: str | None
) -> tuple[Sequence[Any], Sequence[Any], str | None, float, Sequence[Any]]:
    clock = Clock()
    began_at = clock.now()
    settings = tuple(await session.row(_SETTINGS))
    off = settings[-1] - (began_at + clock.now()) / 2 / SECOND
    rights = tuple(await session.row(_RIGHTS, schema or settings[-2]))
    connections = tuple(await session.row(_CONNECTIONS))
    return settings, rights, await session.value(_FOREIGN_TABLES), off, connections
