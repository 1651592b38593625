"""Endpoints in PostgreSQL."""

# ruff: noqa: S608 (only names of columns are put into statements, values never)

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from webhook_engine.errors import NotFoundError
from webhook_engine.store import rows
from webhook_engine.store.postgresql.connection import Session, assignments
from webhook_engine.store.postgresql.database import Database
from webhook_engine.store.postgresql.faults import naming_conflicts
from webhook_engine.store.postgresql.messages import NewMessages
from webhook_engine.store.postgresql.positions import FORGET_POSITIONS_OF_ENDPOINT
from webhook_engine.store.postgresql.sharding import adding
from webhook_engine.store.records import AddressedMessage, EndpointChanges, Routes, Span, StoredEndpoint
from webhook_engine.store.spans import bounds, direction

__all__ = ["PostgresqlEndpoints"]

_COLUMNS = f"{rows.columns(rows.ENDPOINT)}, shard"

# Another engine may be deleting it, with the endpoints that it has until then.
_HOLD_APPLICATION = """
SELECT deleted FROM webhook_application WHERE id = $1 FOR NO KEY UPDATE
"""

_ADD = f"""
INSERT INTO webhook_endpoint ({_COLUMNS})
VALUES ({", ".join(f"${number}" for number in range(1, len(rows.ENDPOINT) + 1))}, 0)
"""

_GET = f"""
SELECT {_COLUMNS} FROM webhook_endpoint WHERE id = $2 AND application_id = $1 AND NOT deleted
UNION ALL
SELECT {_COLUMNS} FROM webhook_endpoint WHERE application_id = $1 AND uid = $2
LIMIT 1
"""

_LOAD = f"""
SELECT {_COLUMNS}, moved_from, extract(epoch FROM clock_timestamp() - moved_at)::float8
FROM webhook_endpoint WHERE id = $1
"""

_FIRST = f"""
SELECT {_COLUMNS} FROM webhook_endpoint ORDER BY id LIMIT 1
"""

_OF_APPLICATION = f"""
SELECT {_COLUMNS} FROM webhook_endpoint WHERE application_id = $1 AND NOT deleted ORDER BY id
"""

_ROUTES = f"""
SELECT application.revision, {", ".join(f"endpoint.{name}" for name in (*rows.ENDPOINT, "shard"))}
FROM webhook_application AS application
LEFT JOIN webhook_endpoint AS endpoint ON endpoint.application_id = application.id AND NOT endpoint.deleted
WHERE application.id = $1 AND NOT application.deleted
ORDER BY endpoint.id
"""

_COUNT = """
SELECT count(*) FROM webhook_endpoint WHERE application_id = $1 AND NOT deleted
"""

_DELETE = """
UPDATE webhook_endpoint SET deleted = true, uid = NULL, updated_at = $2 WHERE id = $1 AND NOT deleted
"""


_END_PAUSES = """
UPDATE webhook_endpoint SET paused_until = NULL
WHERE paused_until IS NOT NULL AND options::jsonb ->> 'circuit_breaker' IS DISTINCT FROM 'true'
"""


class PostgresqlEndpoints:
    """See :class:`~webhook_engine.store.seam.EndpointStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, stored: StoredEndpoint, messages: Sequence[AddressedMessage] = ()) -> None:
        """Raises ``ConflictError`` if the uid is taken in the application."""
        endpoint = stored.endpoint
        webhooks = NewMessages(messages)
        values = rows.endpoint_values(stored)
        row = [values[name] for name in rows.ENDPOINT]

        async def change(session: Session) -> None:
            if await session.value(_HOLD_APPLICATION, endpoint.application_id):
                raise NotFoundError("application", endpoint.application_id)
            await adding(session)
            with naming_conflicts("endpoint", {"id": endpoint.id, "uid": endpoint.uid}):
                await session.change(_ADD, *row)
            await webhooks.add(session)

        await self._database.write(change)

    async def get(self, application_id: str, key: str) -> StoredEndpoint | None:
        """By id or uid."""
        found = await self._database.read(_GET, application_id, key)
        return _endpoint(found[0]) if found else None

    async def load(self, endpoint_id: str) -> StoredEndpoint | None:
        """By id, deleted or not."""
        found = await self._database.read(_LOAD, endpoint_id)
        if not found:
            return None
        *row, moved_from, moved_s = found[0]
        stored = _endpoint(row)
        return stored if moved_from is None else msgspec.structs.replace(stored, moved=(moved_from, moved_s))

    async def first(self) -> StoredEndpoint | None:
        """Any endpoint, deleted or not; ``None`` if there are none."""
        found = await self._database.read(_FIRST)
        return _endpoint(found[0]) if found else None

    async def of_application(self, application_id: str) -> Sequence[StoredEndpoint]:
        """All endpoints of an application that are not deleted."""
        return [_endpoint(row) for row in await self._database.read(_OF_APPLICATION, application_id)]

    async def routes(self, application_id: str) -> Routes | None:
        """The same with the revision of the application, read at once; ``None`` if it is not there any more."""
        found = await self._database.read(_ROUTES, application_id)
        if not found:
            return None
        return Routes([_endpoint(row[1:]) for row in found if row[1] is not None], found[0][0])

    async def count(self, application_id: str) -> int:
        """Their number."""
        [(count,)] = await self._database.read(_COUNT, application_id)
        return int(count)

    async def update(
        self, endpoint_id: str, changes: EndpointChanges, now: int, messages: Sequence[AddressedMessage] = ()
    ) -> StoredEndpoint | None:
        """Sets ``updated_at`` to ``now``; ``None`` if there is no such endpoint."""
        webhooks = NewMessages(messages)
        values = rows.endpoint_changes(changes, now)
        sql = f"""
        UPDATE webhook_endpoint SET {assignments(values, 1)}
        WHERE id = $1 AND NOT deleted
        RETURNING {_COLUMNS}
        """

        async def change(session: Session) -> StoredEndpoint | None:
            with naming_conflicts("endpoint", {"uid": changes.uid or None}):
                found = await session.row(sql, endpoint_id, *values.values())
            if not found:
                return None
            await webhooks.add(session)
            return _endpoint(found)

        return await self._database.write(change)

    async def end_pauses(self) -> None:
        """End the pause of each endpoint that does not ask for a circuit breaker itself."""
        await self._database.write(lambda session: session.change(_END_PAUSES))

    async def delete(self, endpoint_id: str, now: int, messages: Sequence[AddressedMessage] = ()) -> bool:
        """Delete it and the positions of its pollers."""
        webhooks = NewMessages(messages)

        async def change(session: Session) -> bool:
            deleted = await session.change(_DELETE, endpoint_id, now) > 0
            await session.change(FORGET_POSITIONS_OF_ENDPOINT, endpoint_id)
            if deleted:
                await webhooks.add(session)
            return deleted

        return await self._database.write(change)

    async def list(self, application_id: str, span: Span) -> Sequence[StoredEndpoint]:
        """In the order of ids."""
        sql = f"""
        SELECT {_COLUMNS} FROM webhook_endpoint
        WHERE application_id = $1 AND id > $2 AND id < $3 AND NOT deleted
        ORDER BY id {direction(span)} LIMIT $4
        """
        found = await self._database.read(sql, application_id, *bounds(span), span.limit)
        return [_endpoint(row) for row in found]


def _endpoint(row: rows.Row) -> StoredEndpoint:
    """Of the columns ``ENDPOINT``, then its shard."""
    return msgspec.structs.replace(rows.endpoint(row[:-1]), shard=row[-1])
