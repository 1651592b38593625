"""Positions of message pollers in SQLite."""

from __future__ import annotations

from webhook_engine.store.positions import Position
from webhook_engine.store.sqlite.connection import Session, Value
from webhook_engine.store.sqlite.database import Database

__all__ = ["FORGET_POSITIONS_OF_APPLICATION", "FORGET_POSITIONS_OF_ENDPOINT", "SqlitePositions"]

FORGET_POSITIONS_OF_APPLICATION = """
DELETE FROM webhook_position WHERE application_id = ?1
"""

FORGET_POSITIONS_OF_ENDPOINT = """
DELETE FROM webhook_position
WHERE application_id = (SELECT application_id FROM webhook_endpoint WHERE id = ?1) AND sink = ?1
"""

_GET = """
SELECT position, used_at FROM webhook_position WHERE application_id = ? AND sink = ? AND name = ?
"""

_MOVE = """
UPDATE webhook_position SET position = ?4, used_at = ?5 WHERE application_id = ?1 AND sink = ?2 AND name = ?3
"""

_ADD = """
INSERT INTO webhook_position (application_id, sink, name, position, used_at)
SELECT id, ?2, ?3, ?4, ?5 FROM webhook_application WHERE id = ?1 AND deleted = 0
"""

_COUNT = """
SELECT count(*) FROM (SELECT 1 FROM webhook_position WHERE application_id = ? LIMIT ?)
"""

_FORGET_IDLE = """
DELETE FROM webhook_position WHERE application_id = ? AND used_at <= ?
"""


class SqlitePositions:
    """See :class:`~webhook_engine.store.positions.PositionStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, application_id: str, sink: str, consumer: str) -> Position | None:
        """A position; ``None`` if there is none yet."""
        found = await self._database.read(_GET, (application_id, sink, consumer))
        if not found:
            return None
        after, used_at = found[0]
        return Position(application_id=application_id, sink=sink, consumer=consumer, after=after, used_at=used_at)

    async def keep(self, position: Position, most: int, idle_since: int) -> bool:
        """Set a position; returns whether there was room."""
        application_id = position.application_id
        values: tuple[Value, ...] = (
            application_id,
            position.sink,
            position.consumer,
            position.after,
            position.used_at,
        )

        def is_full(session: Session) -> bool:
            return int(session.rows(_COUNT, (application_id, most))[0][0]) >= most

        def change(session: Session) -> bool:
            if session.change(_MOVE, values):
                return True
            if is_full(session):
                session.change(_FORGET_IDLE, (application_id, idle_since))
                if is_full(session):
                    return False
            session.change(_ADD, values)
            return True

        return await self._database.write(change)
