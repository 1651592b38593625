"""The outbox table in the engine's own database."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from webhook_engine.clock import to_datetime
from webhook_engine.store.members import ALL_SHARDS
from webhook_engine.store.records import OutboxRow, RefusedRow
from webhook_engine.store.rows import json_of
from webhook_engine.store.sqlite.connection import Row
from webhook_engine.store.sqlite.database import Database

__all__ = ["SqliteOutbox"]

# Anybody may have written anything into the table. As bytes, no column can fail to be read.
_WAITING = """
SELECT
    id,
    CAST(message_id AS BLOB),
    CAST(organization AS BLOB),
    CAST(application AS BLOB),
    CAST(event_type AS BLOB),
    CAST(payload AS BLOB),
    CAST(event_id AS BLOB),
    CAST(channels AS BLOB),
    CAST(tags AS BLOB),
    CAST(deliver_at AS BLOB)
FROM webhook_outbox INDEXED BY webhook_outbox_waiting
WHERE error IS NULL
ORDER BY id
LIMIT ?
"""

_SET_ASIDE = """
UPDATE webhook_outbox
SET error = refused.value ->> 1, failed_at = ?2
FROM json_each(?1) AS refused
WHERE webhook_outbox.id = refused.value ->> 0
"""


class SqliteOutbox:
    """See :class:`~webhook_engine.store.seam.OutboxStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def changed(self) -> bool:
        """Whether the database was written to since the last call; cheap enough to call often."""
        return await self._database.changed()

    async def waiting(self, limit: int, shards: Collection[int] = ALL_SHARDS) -> Sequence[OutboxRow]:
        """Rows to be moved, oldest first; what was set aside is left out."""
        del shards
        return [_outbox_row(row) for row in await self._database.read(_WAITING, (limit,))]

    async def waited_for(self, limit: int) -> frozenset[int]:
        """No other engine can move a row."""
        del limit
        return frozenset()

    async def set_aside(self, refused: Sequence[RefusedRow], now: int) -> None:
        """Set aside rows that can never be delivered, with their errors."""
        errors = json_of([[row.id, row.error] for row in refused])
        failed_at = to_datetime(now).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        await self._database.write(lambda session: session.change(_SET_ASIDE, (errors, failed_at)))


def _outbox_row(row: Row) -> OutboxRow:
    identifier, message_id, organization, application, event_type, payload, event_id, channels, tags, deliver_at = row
    return OutboxRow(
        id=identifier,
        message_id=_text(message_id),
        organization=_text(organization),
        application=_text(application) or "",
        event_type=_text(event_type) or "",
        payload=payload,
        event_id=_text(event_id),
        channels=_text(channels),
        tags=_text(tags),
        deliver_at=_text(deliver_at),
    )


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="replace")
