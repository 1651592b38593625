"""Applications in SQLite."""

# ruff: noqa: S608 (only names of columns are put into statements, values never)

from __future__ import annotations

from collections.abc import Sequence

from webhook_engine.model import Application
from webhook_engine.store import rows
from webhook_engine.store.records import AddressedMessage, ApplicationChanges, ApplicationFilter, Span
from webhook_engine.store.spans import bounds, direction
from webhook_engine.store.sqlite.connection import Session, Value, assignments
from webhook_engine.store.sqlite.database import Database
from webhook_engine.store.sqlite.faults import naming_conflicts
from webhook_engine.store.sqlite.messages import NewMessages
from webhook_engine.store.sqlite.positions import FORGET_POSITIONS_OF_APPLICATION

__all__ = ["SqliteApplications"]

_COLUMNS = rows.columns(rows.APPLICATION)

_ADD = f"""
INSERT INTO webhook_application ({_COLUMNS})
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""

_GET = f"""
SELECT {_COLUMNS} FROM webhook_application WHERE id = ?2 AND organization_id = ?1 AND deleted = 0
UNION ALL
SELECT {_COLUMNS} FROM webhook_application INDEXED BY webhook_application_by_uid
WHERE organization_id = ?1 AND uid = ?2
LIMIT 1
"""

_DELETE = """
UPDATE webhook_application SET deleted = 1, uid = NULL, updated_at = ?2 WHERE id = ?1 AND deleted = 0
"""

_DELETE_ENDPOINTS = """
UPDATE webhook_endpoint SET deleted = 1, uid = NULL, updated_at = ?2 WHERE application_id = ?1 AND deleted = 0
"""

_ENDPOINTS = """
SELECT 1 FROM webhook_endpoint AS endpoint INDEXED BY webhook_endpoint_by_application
WHERE endpoint.application_id = webhook_application.id AND endpoint.deleted = 0
"""


class SqliteApplications:
    """See :class:`~webhook_engine.store.seam.ApplicationStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, application: Application) -> None:
        """Raises ``ConflictError`` if the uid is taken in the organization."""
        values = rows.application_row(application)

        def change(session: Session) -> None:
            with naming_conflicts("application", {"id": application.id, "uid": application.uid}):
                session.change(_ADD, values)

        await self._database.write(change)

    async def get(self, organization_id: str, key: str) -> Application | None:
        """By id or uid."""
        found = await self._database.read(_GET, (organization_id, key))
        return rows.application(found[0]) if found else None

    async def update(self, application_id: str, changes: ApplicationChanges, now: int) -> Application | None:
        """Sets ``updated_at`` to ``now``; ``None`` if there is no such application."""
        values = rows.application_changes(changes, now)
        sql = f"""
        UPDATE webhook_application SET {assignments(values)}
        WHERE id = ? AND deleted = 0
        RETURNING {_COLUMNS}
        """

        def change(session: Session) -> Application | None:
            with naming_conflicts("application", {"uid": changes.uid or None}):
                found = session.rows(sql, (*values.values(), application_id))
            return rows.application(found[0]) if found else None

        return await self._database.write(change)

    async def delete(self, application_id: str, now: int, messages: Sequence[AddressedMessage] = ()) -> bool:
        """Delete it, all its endpoints and the positions of its pollers."""
        webhooks = NewMessages(messages)

        def change(session: Session) -> bool:
            session.change(_DELETE_ENDPOINTS, (application_id, now))
            session.change(FORGET_POSITIONS_OF_APPLICATION, (application_id,))
            deleted = session.change(_DELETE, (application_id, now)) > 0
            if deleted:
                webhooks.add(session)
            return deleted

        return await self._database.write(change)

    async def list(
        self, organization_id: str, span: Span, where: ApplicationFilter | None = None
    ) -> Sequence[Application]:
        """In the order of ids."""
        conditions, parameters = _conditions(where or ApplicationFilter())
        sql = f"""
        SELECT {_COLUMNS} FROM webhook_application INDEXED BY webhook_application_by_organization
        WHERE organization_id = ? AND id > ? AND id < ? AND deleted = 0 {conditions}
        ORDER BY id {direction(span)} LIMIT ?
        """
        found = await self._database.read(sql, (organization_id, *bounds(span), *parameters, span.limit))
        return [rows.application(row) for row in found]


def _conditions(where: ApplicationFilter) -> tuple[str, list[Value]]:
    """The condition ``AND …`` on the endpoints of an application, and its parameters; empty without a filter."""
    conditions: list[str] = []
    if not where.without_endpoints:
        conditions.append(f"AND EXISTS ({_ENDPOINTS})")
    if not where.with_disabled_endpoints:
        conditions.append(f"AND NOT EXISTS ({_ENDPOINTS} AND endpoint.disabled_at IS NOT NULL)")
    conditions.extend(
        f"AND NOT EXISTS ({_ENDPOINTS} AND substr(endpoint.url, 1, {len(prefix)}) = ?)"
        for prefix in where.no_endpoint_at
    )
    return " ".join(conditions), list(where.no_endpoint_at)
