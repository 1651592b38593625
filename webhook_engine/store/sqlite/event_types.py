"""Event types in SQLite."""

# ruff: noqa: S608 (only names of columns are put into statements, values never)

from __future__ import annotations

from collections.abc import Sequence

from webhook_engine.errors import ConflictError
from webhook_engine.model import EventType
from webhook_engine.store import rows
from webhook_engine.store.records import EventTypeChanges, Span
from webhook_engine.store.spans import bounds, direction
from webhook_engine.store.sqlite.connection import Session, Value, assignments
from webhook_engine.store.sqlite.database import Database

__all__ = ["SqliteEventTypes"]

_COLUMNS = rows.columns(rows.EVENT_TYPE)

_ADD = f"""
INSERT INTO webhook_event_type ({_COLUMNS})
VALUES ({", ".join("?" for _ in rows.EVENT_TYPE)})
ON CONFLICT (organization_id, name) DO UPDATE
SET {", ".join(f"{name} = excluded.{name}" for name in rows.EVENT_TYPE)}
WHERE archived = 1
RETURNING name
"""

_GET = f"""
SELECT {_COLUMNS} FROM webhook_event_type WHERE organization_id = ? AND name = ?
"""

_EXPUNGE = """
DELETE FROM webhook_event_type WHERE organization_id = ? AND name = ?
"""

_KNOWN = """
SELECT name FROM webhook_event_type
WHERE organization_id = ?1 AND name IN (SELECT value FROM json_each(?2)) AND archived = 0
"""

_LIVE = "AND archived = 0"

_FLAGGED = """
AND (feature_flags = '[]' OR EXISTS (
    SELECT 1 FROM json_each(feature_flags) AS flag WHERE flag.value IN (SELECT value FROM json_each(?5))
))
"""


class SqliteEventTypes:
    """See :class:`~webhook_engine.store.seam.EventTypeStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, event_type: EventType) -> None:
        """Replaces an archived one of the same name; raises ``ConflictError`` if there is one that is not archived."""
        values = rows.event_type_row(event_type)

        def change(session: Session) -> None:
            if not session.rows(_ADD, values):
                raise ConflictError("event type", "name", event_type.name)

        await self._database.write(change)

    async def get(self, organization_id: str, name: str) -> EventType | None:
        """Archived or not."""
        found = await self._database.read(_GET, (organization_id, name))
        return rows.event_type(found[0]) if found else None

    async def update(self, organization_id: str, name: str, changes: EventTypeChanges, now: int) -> EventType | None:
        """Sets ``updated_at`` to ``now``; ``None`` if there is no such event type."""
        values = rows.event_type_changes(changes, now)
        sql = f"""
        UPDATE webhook_event_type SET {assignments(values)}
        WHERE organization_id = ? AND name = ?
        RETURNING {_COLUMNS}
        """

        def change(session: Session) -> EventType | None:
            found = session.rows(sql, (*values.values(), organization_id, name))
            return rows.event_type(found[0]) if found else None

        return await self._database.write(change)

    async def expunge(self, organization_id: str, name: str) -> bool:
        """Delete it for good."""
        return await self._database.write(lambda session: session.change(_EXPUNGE, (organization_id, name)) > 0)

    async def list(
        self, organization_id: str, span: Span, *, include_archived: bool, feature_flags: tuple[str, ...] | None
    ) -> Sequence[EventType]:
        """In the order of names; with ``feature_flags`` only those without a flag or with one of these."""
        sql = f"""
        SELECT {_COLUMNS} FROM webhook_event_type
        WHERE organization_id = ?1 AND name > ?2 AND name < ?3
        {"" if include_archived else _LIVE}
        {"" if feature_flags is None else _FLAGGED}
        ORDER BY name {direction(span)} LIMIT ?4
        """
        parameters: list[Value] = [organization_id, *bounds(span), span.limit]
        if feature_flags is not None:
            parameters.append(rows.json_of(feature_flags))
        return await self._database.read_span(sql, parameters, rows.event_type, span.max_bytes)

    async def unknown(self, organization_id: str, names: Sequence[str]) -> Sequence[str]:
        """Those of ``names`` that are not registered, or archived; in the order given."""
        known = {name for (name,) in await self._database.read(_KNOWN, (organization_id, rows.json_of(names)))}
        return [name for name in names if name not in known]
