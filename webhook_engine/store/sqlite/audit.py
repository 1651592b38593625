"""The audit log in SQLite."""

# ruff: noqa: S608 (only names of columns are put into statements, values never)

from __future__ import annotations

from collections.abc import Sequence

from webhook_engine.store import rows
from webhook_engine.store.audit import AuditEntry, AuditFilter
from webhook_engine.store.records import Span
from webhook_engine.store.spans import bounds, direction
from webhook_engine.store.sqlite.connection import Value
from webhook_engine.store.sqlite.database import Database

__all__ = ["SqliteAudit"]

_COLUMNS = rows.columns(rows.AUDIT)

_ADD = f"""
INSERT INTO webhook_audit ({_COLUMNS}) VALUES ({", ".join("?" for _ in rows.AUDIT)})
"""


class SqliteAudit:
    """See :class:`~webhook_engine.store.audit.AuditStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, entry: AuditEntry) -> None:
        """Store an entry."""
        values = rows.audit_row(entry)
        await self._database.write(lambda session: session.change(_ADD, values))

    async def list(self, organization_id: str, span: Span, where: AuditFilter) -> Sequence[AuditEntry]:
        """In the order of ids."""
        wanted = rows.audit_conditions(where)
        sql = f"""
        SELECT {_COLUMNS} FROM webhook_audit WHERE organization_id = ? AND id > ? AND id < ?
        {" ".join(f"AND {name} = ?" for name in wanted)}
        ORDER BY id {direction(span)} LIMIT ?
        """
        values: tuple[Value, ...] = (organization_id, *bounds(span), *wanted.values(), span.limit)
        return [rows.audit(row) for row in await self._database.read_long(sql, values)]
