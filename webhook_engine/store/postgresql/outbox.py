"""The outbox table in the engine's own database."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from webhook_engine.clock import to_datetime
from webhook_engine.store.members import ALL_SHARDS
from webhook_engine.store.postgresql.batches import arrays
from webhook_engine.store.postgresql.database import Database
from webhook_engine.store.records import OutboxRow, RefusedRow

__all__ = ["PostgresqlOutbox"]

_WAITING = """
SELECT id, message_id, organization, application, event_type, payload, event_id, channels, tags, deliver_at
FROM webhook_outbox
WHERE error IS NULL AND ($2::smallint[] IS NULL OR webhook_shard_of(application) = ANY($2))
ORDER BY id
LIMIT $1
"""

_ANY = """
SELECT EXISTS (SELECT 1 FROM webhook_outbox WHERE error IS NULL)
"""

_WAITED_FOR = """
SELECT DISTINCT webhook_shard_of(application)
FROM (SELECT application FROM webhook_outbox WHERE error IS NULL ORDER BY id LIMIT $1) AS waiting
"""

_SET_ASIDE = """
UPDATE webhook_outbox SET error = refused.error, failed_at = $3
FROM unnest($1::bigint[], $2::text[]) AS refused (id, error)
WHERE webhook_outbox.id = refused.id
"""


class PostgresqlOutbox:
    """See :class:`~webhook_engine.store.seam.OutboxStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def changed(self) -> bool:
        """Whether there may be something to move."""
        # A notification would tell it sooner, but at each commit of the host takes a lock that all of them share.
        [(found,)] = await self._database.read(_ANY)
        return bool(found)

    async def waiting(self, limit: int, shards: Collection[int] = ALL_SHARDS) -> Sequence[OutboxRow]:
        """Rows to be moved, oldest first; what was set aside is left out."""
        # By application, so that the rows of one are moved in their order.
        wanted = None if len(shards) == len(ALL_SHARDS) else list(shards)
        return [
            OutboxRow(
                id=identifier,
                message_id=message_id,
                organization=organization,
                application=application,
                event_type=event_type,
                payload=payload,
                event_id=event_id,
                channels=channels,
                tags=tags,
                deliver_at=deliver_at,
            )
            for (
                identifier,
                message_id,
                organization,
                application,
                event_type,
                payload,
                event_id,
                channels,
                tags,
                deliver_at,
            ) in await self._database.read(_WAITING, limit, wanted)
        ]

    async def waited_for(self, limit: int) -> frozenset[int]:
        """The shards that the first of the rows to be moved are for."""
        return frozenset(shard for (shard,) in await self._database.read(_WAITED_FOR, limit))

    async def set_aside(self, refused: Sequence[RefusedRow], now: int) -> None:
        """Set aside rows that can never be delivered, with their errors."""
        # Its text may quote what somebody wrote, and that may have what no text of PostgreSQL has.
        errors = [(row.id, row.error.replace("\0", "\ufffd")) for row in refused]
        failed_at = to_datetime(now)
        await self._database.write(lambda session: session.change(_SET_ASIDE, *arrays(errors, 2), failed_at))
