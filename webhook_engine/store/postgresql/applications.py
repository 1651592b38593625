"""Applications in PostgreSQL."""

# ruff: noqa: S608 (only names of columns are put into statements, values never)

from __future__ import annotations

from collections.abc import Sequence

from webhook_engine.model import Application
from webhook_engine.store import rows
from webhook_engine.store.postgresql.connection import Session, assignments
from webhook_engine.store.postgresql.database import Database
from webhook_engine.store.postgresql.faults import naming_conflicts
from webhook_engine.store.postgresql.filters import Parameters
from webhook_engine.store.postgresql.messages import NewMessages
from webhook_engine.store.postgresql.positions import FORGET_POSITIONS_OF_APPLICATION
from webhook_engine.store.records import AddressedMessage, ApplicationChanges, ApplicationFilter, Span
from webhook_engine.store.spans import bounds, direction

__all__ = ["PostgresqlApplications"]

_COLUMNS = rows.columns(rows.APPLICATION)

_ADD = f"""
INSERT INTO webhook_application ({_COLUMNS})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""

_GET = f"""
SELECT {_COLUMNS} FROM webhook_application WHERE id = $2 AND organization_id = $1 AND NOT deleted
UNION ALL
SELECT {_COLUMNS} FROM webhook_application WHERE organization_id = $1 AND uid = $2
LIMIT 1
"""

_DELETE = """
UPDATE webhook_application SET deleted = true, uid = NULL, updated_at = $2
WHERE id = $1 AND NOT deleted
"""

_DELETE_ENDPOINTS = """
UPDATE webhook_endpoint SET deleted = true, uid = NULL, updated_at = $2 WHERE application_id = $1 AND NOT deleted
"""

_ENDPOINTS = """
SELECT 1 FROM webhook_endpoint AS endpoint
WHERE endpoint.application_id = webhook_application.id AND NOT endpoint.deleted
"""


class PostgresqlApplications:
    """See :class:`~webhook_engine.store.seam.ApplicationStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, application: Application) -> None:
        """Raises ``ConflictError`` if the uid is taken in the organization."""
        values = rows.application_row(application)

        async def change(session: Session) -> None:
            with naming_conflicts("application", {"id": application.id, "uid": application.uid}):
                await session.change(_ADD, *values)

        await self._database.write(change)

    async def get(self, organization_id: str, key: str) -> Application | None:
        """By id or uid."""
        found = await self._database.read(_GET, organization_id, key)
        return rows.application(found[0]) if found else None

    async def update(self, application_id: str, changes: ApplicationChanges, now: int) -> Application | None:
        """Sets ``updated_at`` to ``now``; ``None`` if there is no such application."""
        values = rows.application_changes(changes, now)
        sql = f"""
        UPDATE webhook_application SET {assignments(values, 1)}
        WHERE id = $1 AND NOT deleted
        RETURNING {_COLUMNS}
        """

        async def change(session: Session) -> Application | None:
            with naming_conflicts("application", {"uid": changes.uid or None}):
                found = await session.row(sql, application_id, *values.values())
            return rows.application(found) if found else None

        return await self._database.write(change)

    async def delete(self, application_id: str, now: int, messages: Sequence[AddressedMessage] = ()) -> bool:
        """Delete it, all its endpoints and the positions of its pollers."""
        webhooks = NewMessages(messages)

        async def change(session: Session) -> bool:
            deleted = await session.change(_DELETE, application_id, now) > 0
            await session.change(_DELETE_ENDPOINTS, application_id, now)
            await session.change(FORGET_POSITIONS_OF_APPLICATION, application_id)
            if deleted:
                await webhooks.add(session)
            return deleted

        return await self._database.write(change)

    async def list(
        self, organization_id: str, span: Span, where: ApplicationFilter | None = None
    ) -> Sequence[Application]:
        """In the order of ids."""
        parameters = Parameters(organization_id, *bounds(span), span.limit)
        sql = f"""
        SELECT {_COLUMNS} FROM webhook_application
        WHERE organization_id = $1 AND id > $2 AND id < $3 AND NOT deleted
        {_conditions(where or ApplicationFilter(), parameters)}
        ORDER BY id {direction(span)} LIMIT $4
        """
        return [rows.application(row) for row in await self._database.read(sql, *parameters.values)]


def _conditions(where: ApplicationFilter, parameters: Parameters) -> str:
    """The condition ``AND …`` on the endpoints of an application; empty without a filter."""
    conditions: list[str] = []
    if not where.without_endpoints:
        conditions.append(f"AND EXISTS ({_ENDPOINTS})")
    if not where.with_disabled_endpoints:
        conditions.append(f"AND NOT EXISTS ({_ENDPOINTS} AND endpoint.disabled_at IS NOT NULL)")
    conditions.extend(
        f"AND NOT EXISTS ({_ENDPOINTS} AND starts_with(endpoint.url, {parameters.add(prefix)}::text))"
        for prefix in where.no_endpoint_at
    )
    return " ".join(conditions)
