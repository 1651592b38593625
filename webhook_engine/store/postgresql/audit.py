"""The audit log in PostgreSQL."""

# ruff: noqa: S608 (only names of columns are put into statements, values never)

from __future__ import annotations

from collections.abc import Sequence

from webhook_engine.store import rows
from webhook_engine.store.audit import AuditEntry, AuditFilter
from webhook_engine.store.postgresql.database import Database
from webhook_engine.store.postgresql.filters import Parameters
from webhook_engine.store.records import Span
from webhook_engine.store.spans import bounds, direction

__all__ = ["PostgresqlAudit"]

_COLUMNS = rows.columns(rows.AUDIT)

_ADD = f"""
INSERT INTO webhook_audit ({_COLUMNS}) VALUES ({", ".join(f"${place}" for place in range(1, len(rows.AUDIT) + 1))})
"""


class PostgresqlAudit:
    """See :class:`~webhook_engine.store.audit.AuditStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, entry: AuditEntry) -> None:
        """Store an entry."""
        values = rows.audit_row(entry)
        await self._database.write(lambda session: session.change(_ADD, *values))

    async def list(self, organization_id: str, span: Span, where: AuditFilter) -> Sequence[AuditEntry]:
        """In the order of ids."""
        parameters = Parameters(organization_id, *bounds(span), span.limit)
        conditions = [f"AND {name} = {parameters.add(value)}" for name, value in rows.audit_conditions(where).items()]
        sql = f"""
        SELECT {_COLUMNS} FROM webhook_audit WHERE organization_id = $1 AND id > $2 AND id < $3 {" ".join(conditions)}
        ORDER BY id {direction(span)} LIMIT $4
        """
        return [rows.audit(row) for row in await self._database.read_long(sql, *parameters.values)]
