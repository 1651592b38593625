"""Endpoints in SQLite."""

# ruff: noqa: S608 (only names of columns are put into statements, values never)

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from msgspec import UNSET

from webhook_engine.clock import from_datetime
from webhook_engine.store.records import EndpointChanges, EndpointCondition, RoutedMessage, Span, StoredEndpoint
from webhook_engine.store.sqlite import rows
from webhook_engine.store.sqlite.connection import Session, Value
from webhook_engine.store.sqlite.database import Database
from webhook_engine.store.sqlite.faults import naming_conflicts
from webhook_engine.store.sqlite.messages import NewMessages
from webhook_engine.store.sqlite.positions import FORGET_POSITIONS_OF_ENDPOINT
from webhook_engine.store.sqlite.spans import bounds, direction

__all__ = ["SqliteEndpoints", "condition_values"]

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


class SqliteEndpoints:
    """See :class:`~webhook_engine.store.seam.EndpointStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, stored: StoredEndpoint, messages: Sequence[RoutedMessage] = ()) -> None:
        """Raises ``ConflictError`` if the uid is taken in the application."""
        endpoint = stored.endpoint
        webhooks = NewMessages(messages)
        values = _values(stored)

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
        """Some endpoint, deleted or not, if there is any."""
        found = await self._database.read(_FIRST)
        return rows.endpoint(found[0]) if found else None

    async def of_application(self, application_id: str) -> Sequence[StoredEndpoint]:
        """All endpoints of an application that are not deleted."""
        return await self._database.read_with(
            lambda session: [rows.endpoint(row) for row in session.rows(_OF_APPLICATION, (application_id,))]
        )

    async def count(self, application_id: str) -> int:
        """How many that are."""
        [(count,)] = await self._database.read(_COUNT, (application_id,))
        return cast(int, count)

    async def update(
        self, endpoint_id: str, changes: EndpointChanges, now: int, messages: Sequence[RoutedMessage] = ()
    ) -> StoredEndpoint | None:
        """Sets ``updated_at`` to ``now``; ``None`` if there is no such endpoint."""
        webhooks = NewMessages(messages)
        values = {**_changed_values(changes), "updated_at": now}
        sql = f"""
        UPDATE webhook_endpoint SET {rows.assignments(values)}
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

    async def delete(self, endpoint_id: str, now: int, messages: Sequence[RoutedMessage] = ()) -> bool:
        """Deletes it and the positions of its pollers."""
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


def condition_values(condition: EndpointCondition) -> dict[str, Value]:
    """The columns that hold a condition."""
    return {
        "first_failure_at": condition.health.first_failure_at,
        "last_failure_at": condition.health.last_failure_at,
        "warned": condition.health.warned,
        "first_failure_ran": condition.health.first_failure_ran,
        "last_failure_ran": condition.health.last_failure_ran,
        "disabled_at": condition.disabled_at,
        "disabled_reason": condition.disabled_reason,
    }


def _values(stored: StoredEndpoint) -> dict[str, Value]:
    endpoint = stored.endpoint
    condition = EndpointCondition(
        health=stored.health,
        disabled_at=from_datetime(endpoint.disabled_at) if endpoint.disabled_at else None,
        disabled_reason=endpoint.disabled_reason,
    )
    return {
        "id": endpoint.id,
        "application_id": endpoint.application_id,
        "organization_id": endpoint.organization_id,
        "uid": endpoint.uid,
        "url": endpoint.url,
        "description": endpoint.description,
        "event_types": rows.optional_json(endpoint.event_types),
        "channels": rows.optional_json(endpoint.channels),
        "throttle_rate": endpoint.throttle_rate,
        "version": endpoint.version,
        **condition_values(condition),
        "metadata": rows.json_of(endpoint.metadata),
        "created_at": from_datetime(endpoint.created_at),
        "updated_at": from_datetime(endpoint.updated_at),
        "encrypted_key": stored.encrypted_key,
        "old_keys": rows.encode_old_keys(stored.old_keys),
        "encrypted_headers": stored.encrypted_headers,
        "encrypted_user_info": stored.encrypted_user_info,
        "deleted": stored.deleted,
    }


def _changed_values(changes: EndpointChanges) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for name in ("uid", "url", "description", "throttle_rate", "version"):
        if (value := getattr(changes, name)) is not UNSET:
            values[name] = value
    for name in ("encrypted_key", "encrypted_headers", "encrypted_user_info"):
        if (value := getattr(changes, name)) is not UNSET:
            values[name] = value
    for name in ("event_types", "channels", "metadata"):
        if (value := getattr(changes, name)) is not UNSET:
            values[name] = rows.optional_json(value)
    if changes.old_keys is not UNSET:
        values["old_keys"] = rows.encode_old_keys(changes.old_keys)
    if changes.condition is not UNSET:
        values |= condition_values(changes.condition)
    return values
