"""Event types in PostgreSQL."""

# ruff: noqa: S608 (only names of columns are put into statements, values never)

from __future__ import annotations

from collections.abc import Sequence

from webhook_engine.errors import ConflictError
from webhook_engine.model import EventType
from webhook_engine.store import rows
from webhook_engine.store.postgresql.connection import Session, assignments
from webhook_engine.store.postgresql.database import Database
from webhook_engine.store.postgresql.filters import Parameters
from webhook_engine.store.records import EventTypeChanges, Span
from webhook_engine.store.spans import bounds, direction

__all__ = ["PostgresqlEventTypes"]

_COLUMNS = rows.columns(rows.EVENT_TYPE)

_ADD = f"""
INSERT INTO webhook_event_type ({_COLUMNS})
VALUES ({", ".join(f"${number}" for number in range(1, len(rows.EVENT_TYPE) + 1))})
ON CONFLICT (organization_id, name) DO UPDATE
SET {", ".join(f"{name} = excluded.{name}" for name in rows.EVENT_TYPE)}
WHERE webhook_event_type.archived
"""

_GET = f"""
SELECT {_COLUMNS} FROM webhook_event_type WHERE organization_id = $1 AND name = $2
"""

_EXPUNGE = """
DELETE FROM webhook_event_type WHERE organization_id = $1 AND name = $2
"""

_KNOWN = """
SELECT name FROM webhook_event_type WHERE organization_id = $1 AND name = ANY($2::text[]) AND NOT archived
"""


class PostgresqlEventTypes:
    """See :class:`~webhook_engine.store.seam.EventTypeStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, event_type: EventType) -> None:
        """Replaces an archived one of the same name; raises ``ConflictError`` if there is one that is not archived."""
        values = rows.event_type_row(event_type)

        async def change(session: Session) -> None:
            if not await session.change(_ADD, *values):
                raise ConflictError("event type", "name", event_type.name)

        await self._database.write(change)

    async def get(self, organization_id: str, name: str) -> EventType | None:
        """Archived or not."""
        found = await self._database.read(_GET, organization_id, name)
        return rows.event_type(found[0]) if found else None

    async def update(self, organization_id: str, name: str, changes: EventTypeChanges, now: int) -> EventType | None:
        """Sets ``updated_at`` to ``now``; ``None`` if there is no such event type."""
        values = rows.event_type_changes(changes, now)
        sql = f"""
        UPDATE webhook_event_type SET {assignments(values, 2)}
        WHERE organization_id = $1 AND name = $2
        RETURNING {_COLUMNS}
        """
        found = await self._database.write(lambda session: session.row(sql, organization_id, name, *values.values()))
        return rows.event_type(found) if found else None

    async def expunge(self, organization_id: str, name: str) -> bool:
        """Delete it for good."""
        return await self._database.write(lambda session: session.change(_EXPUNGE, organization_id, name)) > 0

    async def list(
        self, organization_id: str, span: Span, *, include_archived: bool, feature_flags: tuple[str, ...] | None
    ) -> Sequence[EventType]:
        """In the order of names; with ``feature_flags`` only those without a flag or with one of these."""
        parameters = Parameters(organization_id, *bounds(span), span.limit)
        conditions = "" if include_archived else "AND NOT archived"
        if feature_flags is not None:
            wanted = parameters.add(list(feature_flags))
            conditions += f" AND (feature_flags = '[]' OR feature_flags::jsonb ?| {wanted}::text[])"
        sql = f"""
        SELECT {_COLUMNS} FROM webhook_event_type
        WHERE organization_id = $1 AND name > $2 AND name < $3 {conditions}
        ORDER BY name {direction(span)} LIMIT $4
        """
        return await self._database.read_span(sql, parameters.values, rows.event_type, span.max_bytes)

    async def unknown(self, organization_id: str, names: Sequence[str]) -> Sequence[str]:
        """Those of ``names`` that are not registered, or archived; in the order given."""
        known = {name for (name,) in await self._database.read(_KNOWN, organization_id, list(names))}
        return [name for name in names if name not in known]
