"""Endpoints in SQLite."""

# ruff: noqa: S608 (only names of columns are put into statements, values never)

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from webhook_engine.store import rows
from webhook_engine.store.records import AddressedMessage, EndpointChanges, Routes, Span, StoredEndpoint
from webhook_engine.store.spans import bounds, direction
from webhook_engine.store.sqlite.connection import Session, assignments
from webhook_engine.store.sqlite.database import Database
from webhook_engine.store.sqlite.faults import naming_conflicts
from webhook_engine.store.sqlite.messages import NewMessages
from webhook_engine.store.sqlite.positions import FORGET_POSITIONS_OF_ENDPOINT

__all__ = ["SqliteEndpoints"]

_COLUMNS = rows.columns(rows.ENDPOINT)

_ADD = f"""
INSERT INTO webhook_endpoint ({_COLUMNS})
VALUES ({", ".join("?" for _ in rows.ENDPOINT)})
"""

_GET = f"""
SELECT {_COLUMNS} FROM webhook_endpoint WHERE id = ?2 AND application_id = ?1 AND deleted = 0
UNION ALL
SELECT {_COLUMNS} FROM webhook_endpoint INDEXED BY webhook_endpoint_by_uid
WHERE application_id = ?1 AND uid = ?2
LIMIT 1
"""

_LOAD = f"""
SELECT {_COLUMNS} FROM webhook_endpoint WHERE id = ?
"""

_FIRST = f"""
SELECT {_COLUMNS} FROM webhook_endpoint ORDER BY id LIMIT 1
"""

_OF_APPLICATION = f"""
SELECT {_COLUMNS} FROM webhook_endpoint INDEXED BY webhook_endpoint_by_application
WHERE application_id = ? AND deleted = 0
ORDER BY id
"""

_COUNT = """
SELECT count(*) FROM webhook_endpoint INDEXED BY webhook_endpoint_by_application
WHERE application_id = ? AND deleted = 0
"""

_DELETE = """
UPDATE webhook_endpoint SET deleted = 1, uid = NULL, updated_at = ?2 WHERE id = ?1 AND deleted = 0
"""


_END_PAUSES = """
UPDATE webhook_endpoint SET paused_until = NULL
WHERE paused_until IS NOT NULL AND json_extract(options, '$.circuit_breaker') IS NOT 1
"""


class SqliteEndpoints:
    """See :class:`~webhook_engine.store.seam.EndpointStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, stored: StoredEndpoint, messages: Sequence[AddressedMessage] = ()) -> None:
        """Raises ``ConflictError`` if the uid is taken in the application."""
        endpoint = stored.endpoint
        webhooks = NewMessages(messages)
        values = rows.endpoint_values(stored)

        def change(session: Session) -> None:
            with naming_conflicts("endpoint", {"id": endpoint.id, "uid": endpoint.uid}):
                session.change(_ADD, [values[name] for name in rows.ENDPOINT])
            webhooks.add(session)

        await self._database.write(change)

    async def get(self, application_id: str, key: str) -> StoredEndpoint | None:
        """By id or uid."""
        found = await self._database.read(_GET, (application_id, key))
        return rows.endpoint(found[0]) if found else None

    async def load(self, endpoint_id: str) -> StoredEndpoint | None:
        """By id, deleted or not."""
        found = await self._database.read(_LOAD, (endpoint_id,))
        return rows.endpoint(found[0]) if found else None

    async def first(self) -> StoredEndpoint | None:
        """Any endpoint, deleted or not; ``None`` if there are none."""
        found = await self._database.read(_FIRST)
        return rows.endpoint(found[0]) if found else None

    async def of_application(self, application_id: str) -> Sequence[StoredEndpoint]:
        """All endpoints of an application that are not deleted."""
        return await self._database.read_with(
            lambda session: [rows.endpoint(row) for row in session.rows(_OF_APPLICATION, (application_id,))]
        )

    async def routes(self, application_id: str) -> Routes | None:
        """The same for routing; no other engine can edit them."""
        return Routes(await self.of_application(application_id))

    async def count(self, application_id: str) -> int:
        """Their number."""
        [(count,)] = await self._database.read(_COUNT, (application_id,))
        return cast(int, count)

    async def update(
        self, endpoint_id: str, changes: EndpointChanges, now: int, messages: Sequence[AddressedMessage] = ()
    ) -> StoredEndpoint | None:
        """Sets ``updated_at`` to ``now``; ``None`` if there is no such endpoint."""
        webhooks = NewMessages(messages)
        values = rows.endpoint_changes(changes, now)
        sql = f"""
        UPDATE webhook_endpoint SET {assignments(values)}
        WHERE id = ? AND deleted = 0
        RETURNING {_COLUMNS}
        """

        def change(session: Session) -> StoredEndpoint | None:
            with naming_conflicts("endpoint", {"uid": changes.uid or None}):
                found = session.rows(sql, (*values.values(), endpoint_id))
            if not found:
                return None
            webhooks.add(session)
            return rows.endpoint(found[0])

        return await self._database.write(change)

    async def end_pauses(self) -> None:
        """End the pause of each endpoint that does not ask for a circuit breaker itself."""
        await self._database.write(lambda session: session.change(_END_PAUSES))

    async def delete(self, endpoint_id: str, now: int, messages: Sequence[AddressedMessage] = ()) -> bool:
        """Delete it and the positions of its pollers."""
        webhooks = NewMessages(messages)

        def change(session: Session) -> bool:
            session.change(FORGET_POSITIONS_OF_ENDPOINT, (endpoint_id,))
            deleted = session.change(_DELETE, (endpoint_id, now)) > 0
            if deleted:
                webhooks.add(session)
            return deleted

        return await self._database.write(change)

    async def list(self, application_id: str, span: Span) -> Sequence[StoredEndpoint]:
        """In the order of ids."""
        sql = f"""
        SELECT {_COLUMNS} FROM webhook_endpoint INDEXED BY webhook_endpoint_by_application
        WHERE application_id = ? AND id > ? AND id < ? AND deleted = 0
        ORDER BY id {direction(span)} LIMIT ?
        """
        found = await self._database.read(sql, (application_id, *bounds(span), span.limit))
        return [rows.endpoint(row) for row in found]
