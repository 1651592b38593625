"""Positions of message pollers in PostgreSQL."""

from __future__ import annotations

from webhook_engine.store.positions import Position
from webhook_engine.store.postgresql.connection import Session
from webhook_engine.store.postgresql.database import Database

__all__ = ["FORGET_POSITIONS_OF_APPLICATION", "FORGET_POSITIONS_OF_ENDPOINT", "PostgresqlPositions"]

FORGET_POSITIONS_OF_APPLICATION = """
DELETE FROM webhook_position WHERE application_id = $1
"""

FORGET_POSITIONS_OF_ENDPOINT = """
DELETE FROM webhook_position
WHERE application_id = (SELECT application_id FROM webhook_endpoint WHERE id = $1) AND sink = $1
"""

_GET = """
SELECT position, used_at FROM webhook_position WHERE application_id = $1 AND sink = $2 AND name = $3
"""

_MOVE = """
UPDATE webhook_position SET position = $4, used_at = $5 WHERE application_id = $1 AND sink = $2 AND name = $3
"""

# Who adds one locks the application, so that two never find room for one each.
_IS_THERE = """
SELECT 1 FROM webhook_application WHERE id = $1 AND NOT deleted FOR NO KEY UPDATE
"""

_ADD = """
INSERT INTO webhook_position (application_id, sink, name, position, used_at) VALUES ($1, $2, $3, $4, $5)
"""

_COUNT = """
SELECT count(*) FROM (SELECT 1 FROM webhook_position WHERE application_id = $1 LIMIT $2) AS found
"""

_FORGET_IDLE = """
DELETE FROM webhook_position WHERE application_id = $1 AND used_at <= $2
"""


class PostgresqlPositions:
    """See :class:`~webhook_engine.store.positions.PositionStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, application_id: str, sink: str, consumer: str) -> Position | None:
        """A position; ``None`` if there is none yet."""
        found = await self._database.read(_GET, application_id, sink, consumer)
        if not found:
            return None
        after, used_at = found[0]
        return Position(application_id=application_id, sink=sink, consumer=consumer, after=after, used_at=used_at)

    async def keep(self, position: Position, most: int, idle_since: int) -> bool:
        """Set a position; returns whether there was room."""
        application_id = position.application_id
        values = (application_id, position.sink, position.consumer, position.after, position.used_at)

        async def is_full(session: Session) -> bool:
            return int(await session.value(_COUNT, application_id, most)) >= most

        async def change(session: Session) -> bool:
            if await session.change(_MOVE, *values):
                return True
            is_there = await session.value(_IS_THERE, application_id)
            # Another engine may have added it meanwhile.
            if await session.change(_MOVE, *values):
                return True
            if await is_full(session):
                await session.change(_FORGET_IDLE, application_id, idle_since)
                if await is_full(session):
                    return False
            if is_there:
                await session.change(_ADD, *values)
            return True

        return await self._database.write(change)
