"""Deliveries in SQLite.

Statements here and in the lists name the index where SQLite has a choice: statistics that a host program gathers, maybe
at a time when there was little to see, must not lead it to read the rows of everybody else. In ``+status`` the sign
keeps it from looking for the status in an index where the primary key is meant.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from webhook_engine.ids import id_bounds
from webhook_engine.model import AttemptedDestination, AttemptedMessage, AttemptStatus, DeliveryStatus
from webhook_engine.store import rows
from webhook_engine.store.members import ALL_SHARDS
from webhook_engine.store.order import NOT_YET, Line, LineHead, OrderedDelivery, Turns
from webhook_engine.store.records import (
    DeliveryFilter,
    Due,
    DueAgain,
    Edge,
    Outcomes,
    Place,
    ReplayCandidate,
    Span,
    TaskProgress,
)
from webhook_engine.store.sqlite.batches import BatchStatement
from webhook_engine.store.sqlite.connection import Row, Session, Value
from webhook_engine.store.sqlite.database import Database
from webhook_engine.store.sqlite.delivery_lists import (
    destinations_of_message,
    edge_of_messages,
    messages_of_endpoint,
    statuses_of_messages,
)
from webhook_engine.store.sqlite.order import come_back, first_members, leave_order, line_heads
from webhook_engine.store.sqlite.outcomes import NewOutcomes
from webhook_engine.store.sqlite.tasks import record_progress

__all__ = ["SqliteDeliveries"]

# Seeks the next endpoint in each index instead of reading all entries of the previous one.
_ENDPOINTS_WITH_DUE = """
WITH RECURSIVE waiting (endpoint_id) AS (
    SELECT min(endpoint_id) FROM (
        SELECT (
            SELECT endpoint_id FROM webhook_delivery INDEXED BY webhook_delivery_by_due
            WHERE endpoint_id > ?1 AND due_at IS NOT NULL
            ORDER BY endpoint_id LIMIT 1
        ) AS endpoint_id
        UNION ALL
        SELECT (SELECT endpoint_id FROM webhook_manual_attempt WHERE endpoint_id > ?1 ORDER BY endpoint_id LIMIT 1)
    )
    UNION ALL
    SELECT (
        SELECT min(endpoint_id) FROM (
            SELECT (
                SELECT endpoint_id FROM webhook_delivery INDEXED BY webhook_delivery_by_due
                WHERE endpoint_id > waiting.endpoint_id AND due_at IS NOT NULL
                ORDER BY endpoint_id LIMIT 1
            ) AS endpoint_id
            UNION ALL
            SELECT (
                SELECT endpoint_id FROM webhook_manual_attempt
                WHERE endpoint_id > waiting.endpoint_id
                ORDER BY endpoint_id LIMIT 1
            )
        )
    )
    FROM waiting
    WHERE waiting.endpoint_id IS NOT NULL
    LIMIT ?2
)
SELECT
    endpoint_id,
    CASE
        WHEN EXISTS (SELECT 1 FROM webhook_manual_attempt AS manual WHERE manual.endpoint_id = waiting.endpoint_id)
        THEN 0
        ELSE (
            SELECT min(due_at) FROM webhook_delivery AS delivery INDEXED BY webhook_delivery_by_due
            WHERE delivery.endpoint_id = waiting.endpoint_id AND delivery.due_at IS NOT NULL
        )
    END
FROM waiting
WHERE endpoint_id IS NOT NULL
"""

_DUE_MANUAL = """
SELECT
    delivery.message_id, delivery.endpoint_id, coalesce(delivery.due_at, 0), delivery.step, delivery.attempt_count,
    message.event_id, message.payload, manual.id, message.trace_context, message.content_type, 0,
    delivery.order_key
FROM webhook_manual_attempt AS manual
CROSS JOIN webhook_delivery AS delivery
    ON delivery.message_id = manual.message_id AND delivery.endpoint_id = manual.endpoint_id
CROSS JOIN webhook_message AS message ON message.id = manual.message_id
WHERE manual.endpoint_id = ?1
ORDER BY manual.id
LIMIT ?2
"""

_DUE_SCHEDULED = """
SELECT
    delivery.message_id, delivery.endpoint_id, delivery.due_at, delivery.step, delivery.attempt_count,
    message.event_id, message.payload, NULL, message.trace_context, message.content_type, delivery.asked,
    delivery.order_key
FROM webhook_delivery AS delivery INDEXED BY webhook_delivery_by_due
CROSS JOIN webhook_message AS message ON message.id = delivery.message_id
WHERE delivery.endpoint_id = ?1 AND delivery.due_at <= ?2
ORDER BY delivery.due_at
LIMIT ?3
"""

_NEXT_DUE_AT = """
SELECT min(due_at) FROM webhook_delivery INDEXED BY webhook_delivery_by_due WHERE endpoint_id = ? AND due_at > ?
"""

_HAS_PAYLOAD = """
SELECT 1 FROM webhook_message WHERE id = ? AND payload IS NOT NULL
"""

_ADD_UNSCHEDULED = """
INSERT INTO webhook_delivery (message_id, endpoint_id, status) VALUES (?, ?, 1) ON CONFLICT DO NOTHING
"""

_REQUEST_ATTEMPT = """
INSERT INTO webhook_manual_attempt (endpoint_id, id, message_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING
"""

_SETTLE_SCHEDULED = """
UPDATE webhook_delivery
SET status = ?2, due_at = NULL, order_key = NULL, reason = ?3, settled_at = ?4
FROM (
    SELECT message_id FROM webhook_delivery INDEXED BY webhook_delivery_by_due
    WHERE endpoint_id = ?1 AND due_at IS NOT NULL
    ORDER BY due_at
    LIMIT ?5
) AS chosen
WHERE webhook_delivery.message_id = chosen.message_id AND webhook_delivery.endpoint_id = ?1
"""

_FORGET_MANUAL = """
DELETE FROM webhook_manual_attempt
WHERE endpoint_id = ?1 AND id IN (
    SELECT id FROM webhook_manual_attempt WHERE endpoint_id = ?1 ORDER BY id LIMIT ?2
)
RETURNING message_id
"""

_SETTLE_UNSCHEDULED = """
UPDATE webhook_delivery
SET status = ?2, reason = ?3, settled_at = ?4
WHERE message_id IN (SELECT value FROM json_each(?5)) AND endpoint_id = ?1 AND +status = 1 AND due_at IS NULL
"""

_CANCEL_MESSAGE = """
UPDATE webhook_delivery
SET status = 4, due_at = NULL, reason = ?2, settled_at = ?3
WHERE message_id = ?1 AND (due_at IS NOT NULL OR order_key IS NOT NULL)
RETURNING endpoint_id, order_key
"""

_GET = """
SELECT
    delivery.message_id, delivery.endpoint_id, coalesce(delivery.due_at, 0), delivery.step, delivery.attempt_count,
    message.event_id, message.payload, NULL, message.trace_context, message.content_type, delivery.asked,
    delivery.order_key
FROM webhook_delivery AS delivery
CROSS JOIN webhook_message AS message ON message.id = delivery.message_id
WHERE delivery.message_id = ? AND delivery.endpoint_id = ?
"""

_RECOVERABLE = """
SELECT delivery.message_id, delivery.settled_at
FROM webhook_delivery AS delivery INDEXED BY webhook_delivery_by_failure
CROSS JOIN webhook_message AS message ON message.id = delivery.message_id
WHERE delivery.endpoint_id = ?1 AND delivery.status = 2
    AND delivery.settled_at >= ?2 AND delivery.settled_at < ?3
    AND message.payload IS NOT NULL
ORDER BY delivery.settled_at
LIMIT ?4
"""

_RECOVER = """
UPDATE webhook_delivery
SET status = 1, due_at = ?2, due_ran = NULL, asked = 1, step = 0, settled_at = NULL, reason = NULL
WHERE message_id IN (SELECT value FROM json_each(?3)) AND endpoint_id = ?1 AND +status = 2
RETURNING message_id
"""

# By the message of each delivery: an endpoint may have failed millions of attempts.
_RETRYING = f"""
SELECT
    message_id,
    due_at > ?5 AND due_at < {NOT_YET} AND EXISTS (
        SELECT 1 FROM webhook_attempt AS attempt
        WHERE attempt.message_id = delivery.message_id AND attempt.id >= ?3 AND attempt.id <= ?4
            AND +attempt.endpoint_id = ?1 AND +attempt.status = 2
    )
FROM webhook_delivery AS delivery INDEXED BY webhook_delivery_by_status
WHERE endpoint_id = ?1 AND status = 1 AND attempted = 1 AND message_id > ?2
ORDER BY message_id
LIMIT ?6
"""  # noqa: S608 (a number of ours)

_BRING_FORWARD = f"""
UPDATE webhook_delivery SET due_at = ?2, due_ran = NULL, asked = 1
WHERE message_id IN (SELECT value FROM json_each(?3)) AND endpoint_id = ?1 AND +status = 1 AND +due_at > ?2
    AND +due_at < {NOT_YET}
"""  # noqa: S608 (a number of ours)

_SCHEDULED = f"""
SELECT
    delivery.endpoint_id, delivery.due_at, delivery.message_id, delivery.due_ran,
    delivery.attempted = 0 AND delivery.asked = 0 AND message.deliver_at IS delivery.due_at
FROM webhook_delivery AS delivery INDEXED BY webhook_delivery_by_due
CROSS JOIN webhook_message AS message ON message.id = delivery.message_id
WHERE (delivery.endpoint_id, delivery.due_at, delivery.message_id) > (?1, ?2, ?3) AND delivery.due_at < {NOT_YET}
ORDER BY delivery.endpoint_id, delivery.due_at, delivery.message_id
LIMIT ?4
"""  # noqa: S608 (a number of ours)

_RESCHEDULE = BatchStatement(
    "UPDATE webhook_delivery SET due_at = column3 FROM {batch} WHERE message_id = column1 AND endpoint_id = column2",
    width=3,
)

_LOOKED_AT = """
SELECT
    message.id, message.event_type, message.channels,
    message.payload IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM webhook_delivery AS delivery
        WHERE delivery.message_id = message.id AND delivery.endpoint_id = ?2
    )
FROM webhook_message AS message INDEXED BY webhook_message_by_application
WHERE message.application_id = ?1 AND message.id > ?3 AND message.id < ?4
ORDER BY message.id
LIMIT ?5
"""

_REPLAY = """
INSERT INTO webhook_delivery (message_id, endpoint_id, status, due_at, asked)
SELECT message.id, ?1, 1, ?2, 1
FROM json_each(?3) AS wanted
CROSS JOIN webhook_message AS message ON message.id = wanted.value
WHERE true
ON CONFLICT DO NOTHING
RETURNING message_id
"""

_REPLAY_AGAIN = """
UPDATE webhook_delivery
SET status = 1, due_at = ?2, due_ran = NULL, asked = 1, step = 0, settled_at = NULL, reason = NULL
WHERE message_id IN (SELECT value FROM json_each(?3)) AND endpoint_id = ?1 AND +status <> 1
RETURNING message_id
"""

_SKIP = """
UPDATE webhook_delivery
SET
    status = CASE WHEN status = 1 THEN 4 ELSE status END,
    reason = CASE WHEN status = 1 THEN ?3 ELSE reason END,
    settled_at = coalesce(settled_at, ?4),
    due_at = NULL
WHERE message_id = ?1 AND endpoint_id = ?2 AND order_key IS NOT NULL
"""

_STOPPED = """
SELECT message_id FROM webhook_delivery INDEXED BY webhook_delivery_stopped
WHERE endpoint_id = ?1 AND order_key IS NOT NULL AND due_at IS NULL
LIMIT ?2
"""

_CANCEL_CREATED_BEFORE = """
UPDATE webhook_delivery
SET status = 4, due_at = NULL, reason = ?3, settled_at = ?4
FROM (
    SELECT message_id FROM webhook_delivery INDEXED BY webhook_delivery_by_status
    WHERE endpoint_id = ?1 AND status = 1 AND message_id < ?2 AND due_at IS NOT NULL
    LIMIT ?5
) AS chosen
WHERE webhook_delivery.message_id = chosen.message_id AND webhook_delivery.endpoint_id = ?1
RETURNING webhook_delivery.message_id, webhook_delivery.order_key
"""

_COUNT_OF_MESSAGES = """
SELECT max(id), count(*), coalesce(sum(deliveries), 0) FROM (
    SELECT message.id AS id, (
        SELECT count(*) FROM webhook_delivery AS delivery WHERE delivery.message_id = message.id
    ) AS deliveries
    FROM webhook_message AS message INDEXED BY webhook_message_by_application
    WHERE message.application_id = ?1 AND message.id > ?2 AND message.id < ?3
    ORDER BY message.id
    LIMIT ?4
)
"""

_COUNT_PENDING = """
SELECT
    (SELECT count(*) FROM webhook_delivery WHERE endpoint_id = ?1 AND status = 1 AND attempted = 0),
    (SELECT count(*) FROM webhook_delivery WHERE endpoint_id = ?1 AND status = 1 AND attempted = 1)
"""


class SqliteDeliveries:
    """See :class:`~webhook_engine.store.seam.DeliveryStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, outcomes: Outcomes) -> Turns:
        """Record a batch of outcomes, whole or not at all; returns the turns that this gives."""
        return await self._database.write(NewOutcomes(outcomes).record)

    async def endpoints_with_due(
        self, after: str | None, limit: int, shards: Collection[int] = ALL_SHARDS
    ) -> Sequence[tuple[str, int]]:
        """Endpoints with scheduled deliveries, in the order of ids, each with its earliest due instant."""
        del shards
        found = await self._database.read(_ENDPOINTS_WITH_DUE, (after or "", limit))
        return [(endpoint_id, due_at) for endpoint_id, due_at in found]

    async def due(self, endpoint_id: str, until: int, limit: int, *, payload_bytes: int | None = None) -> Sequence[Due]:
        """Requested manual attempts, then scheduled deliveries due at or before ``until``."""

        def take(session: Session) -> list[Row]:
            taken: list[Row] = []
            size = 0
            for sql, bounds in ((_DUE_MANUAL, ()), (_DUE_SCHEDULED, (until,))):
                for row in session.stream(sql, (endpoint_id, *bounds, limit - len(taken))):
                    taken.append(row)
                    size += len(row[6] or b"")
                    if payload_bytes is not None and size >= payload_bytes:
                        return taken
            return taken

        return [rows.due(row) for row in await self._database.read_with(take)]

    async def next_due_at(self, endpoint_id: str, after: int) -> int | None:
        """The earliest due instant later than ``after``."""
        [(instant,)] = await self._database.read(_NEXT_DUE_AT, (endpoint_id, after))
        return None if instant is None else int(instant)

    async def request_attempt(self, due: Due) -> bool:
        """Request the manual attempt ``due.manual_id``; creates the delivery if there is none."""

        def change(session: Session) -> bool:
            if not session.rows(_HAS_PAYLOAD, (due.message_id,)):
                return False
            session.change(_ADD_UNSCHEDULED, (due.message_id, due.endpoint_id))
            session.change(_REQUEST_ATTEMPT, (due.endpoint_id, due.manual_id, due.message_id))
            return True

        return await self._database.write(change)

    async def settle_pending(
        self,
        endpoint_id: str,
        status: DeliveryStatus,
        reason: str,
        now: int,
        limit: int,
        *,
        while_closed: bool = False,
    ) -> int:
        """Settle up to ``limit`` scheduled deliveries of an endpoint; returns how many, 0 when there are no more."""
        del while_closed
        values: tuple[Value, ...] = (endpoint_id, status, reason, now)

        def change(session: Session) -> int:
            settled = session.change(_SETTLE_SCHEDULED, (*values, limit))
            if settled < limit:
                # No stopped order is left.
                stopped = _stopped(session, endpoint_id, limit - settled)
                leave_order(session, stopped, now)
                settled += len(stopped)
            if status is DeliveryStatus.CANCELLED and settled < limit:
                settled += _cancel_manual(session, values, limit - settled)
            return settled

        return await self._database.write(change)

    async def cancel_message(self, message_id: str, reason: str, now: int) -> tuple[Sequence[str], Turns]:
        """Cancel the scheduled deliveries of a message; returns their endpoint ids, and the turns that this gives."""

        def change(session: Session) -> tuple[Sequence[str], Turns]:
            found = session.rows(_CANCEL_MESSAGE, (message_id, reason, now))
            ordered = [(message_id, endpoint_id) for endpoint_id, key in found if key is not None]
            turns = leave_order(session, ordered, now) if ordered else Turns()
            return [endpoint_id for endpoint_id, _ in found], turns

        return await self._database.write(change)

    async def skip(self, message_id: str, endpoint_id: str, reason: str, now: int) -> Turns | None:
        """Take a delivery out of its order, and cancel it unless it has failed; ``None`` if it has no place in one."""

        def change(session: Session) -> Turns | None:
            if not session.change(_SKIP, (message_id, endpoint_id, reason, now)):
                return None
            return leave_order(session, [(message_id, endpoint_id)], now)

        return await self._database.write(change)

    async def release(self, endpoint_id: str, limit: int, now: int) -> tuple[int, Turns]:
        """Resume up to ``limit`` stopped orders of an endpoint; returns how many, and the turns that this gives."""

        def change(session: Session) -> tuple[int, Turns]:
            released = _stopped(session, endpoint_id, limit)
            return len(released), leave_order(session, released, now)

        return await self._database.write(change)

    async def first_in_order(self, line: Line, limit: int, payload_bytes: int) -> Sequence[OrderedDelivery]:
        """The first deliveries in an order, beginning with the one that has the turn."""
        return await self._database.read_with(lambda session: first_members(session, line, limit, payload_bytes))

    async def line_heads(self, endpoint_id: str, after: str | None, limit: int, most: int) -> Sequence[LineHead]:
        """The state of each order of an endpoint, by ordering key; waiting deliveries are counted up to ``most``."""
        return await self._database.read_with(lambda session: line_heads(session, endpoint_id, after, limit, most))

    async def get(self, message_id: str, endpoint_id: str) -> Due | None:
        """The delivery in any state; ``due_at`` is 0 if nothing is scheduled."""
        found = await self._database.read(_GET, (message_id, endpoint_id))
        return rows.due(found[0]) if found else None

    async def recover(
        self,
        endpoint_id: str,
        since: int,
        until: int,
        now: int,
        limit: int,
        progress: TaskProgress,
        *,
        ordered: bool = False,
    ) -> tuple[int, int | None]:
        """Schedule failed deliveries again, from the first step of the ladder, and store the task's progress."""
        # Looked up outside the transaction, because many without a payload may have to be passed over. What is taken
        # leaves the index of failures, so going on at the instant of the first one left neither skips nor repeats.
        found = await self._database.read(_RECOVERABLE, (endpoint_id, since, until, limit + 1))
        message_ids = rows.json_of([message_id for message_id, _ in found[:limit]])
        following: int | None = found[limit][1] if len(found) > limit else None

        def change(session: Session) -> int:
            recovered = [message_id for (message_id,) in session.rows(_RECOVER, (endpoint_id, now, message_ids))]
            if ordered:
                come_back(session, endpoint_id, recovered, now)
            record_progress(session, rows.moved_on(progress, len(recovered), following), now)
            return len(recovered)

        return await self._database.write(change), following

    async def retrying(
        self, endpoint_id: str, since: int, until: int, after: str, now: int, limit: int
    ) -> tuple[Sequence[str], str | None]:
        """Messages whose delivery to the endpoint waits for a retry later than ``now``."""
        first, last = id_bounds("atmpt_", since)[0], id_bounds("atmpt_", until - 1)[1]
        looked_at = await self._database.read(_RETRYING, (endpoint_id, after, first, last, now, limit))
        found = [message_id for message_id, waits in looked_at if waits]
        return found, looked_at[-1][0] if len(looked_at) == limit else None

    async def bring_forward(
        self, endpoint_id: str, message_ids: Sequence[str], now: int, progress: TaskProgress
    ) -> None:
        """Make waiting retries due at once, and store the task's progress."""
        wanted = rows.json_of(message_ids)

        def change(session: Session) -> None:
            session.change(_BRING_FORWARD, (endpoint_id, now, wanted))
            record_progress(session, progress, now)

        await self._database.write(change)

    async def reschedule(self, after: Place | None, limit: int, due_again: DueAgain) -> tuple[int, Place | None]:
        """Bring forward the scheduled deliveries that are due earlier by ``due_again`` than is stored."""

        def change(session: Session) -> tuple[int, Place | None]:
            # An earlier delivery is behind the place of this page, so that none is read twice.
            found = session.rows(_SCHEDULED, (*(after or ("", 0, "")), limit))
            moved = []
            for endpoint_id, due_at, message_id, due_ran, promised in found:
                right = due_again(due_at, due_ran, bool(promised))
                if right < due_at:
                    moved.append((message_id, endpoint_id, right))
            _RESCHEDULE.run(session, moved)
            return len(moved), found[-1][:3] if len(found) == limit else None

        return await self._database.write(change)

    async def missing(
        self, application_id: str, endpoint_id: str, after: str, until: str, limit: int
    ) -> tuple[Sequence[ReplayCandidate], str | None]:
        """Messages with ids in (``after``, ``until``) that have a payload and no delivery to the endpoint."""
        looked_at = await self._database.read(_LOOKED_AT, (application_id, endpoint_id, after, until, limit))
        candidates = [
            ReplayCandidate(message_id, event_type, rows.names_or_none(channels))
            for message_id, event_type, channels, is_missing in looked_at
            if is_missing
        ]
        return candidates, looked_at[-1][0] if len(looked_at) == limit else None

    async def replay(
        self,
        endpoint_id: str,
        message_ids: Sequence[str],
        now: int,
        progress: TaskProgress,
        *,
        ordered: bool = False,
    ) -> None:
        """Create missing deliveries, due at once, and store the task's progress."""
        await self._schedule(_REPLAY, endpoint_id, message_ids, now, progress, ordered=ordered)

    async def replay_again(
        self,
        endpoint_id: str,
        message_ids: Sequence[str],
        now: int,
        progress: TaskProgress,
        *,
        ordered: bool = False,
    ) -> None:
        """Schedule settled deliveries again, from the first step of the ladder, and store the task's progress."""
        await self._schedule(_REPLAY_AGAIN, endpoint_id, message_ids, now, progress, ordered=ordered)

    async def _schedule(
        self,
        sql: str,
        endpoint_id: str,
        message_ids: Sequence[str],
        now: int,
        progress: TaskProgress,
        *,
        ordered: bool,
    ) -> None:
        wanted = rows.json_of(message_ids)

        def change(session: Session) -> None:
            scheduled = [message_id for (message_id,) in session.rows(sql, (endpoint_id, now, wanted))]
            if ordered:
                come_back(session, endpoint_id, scheduled, now)
            record_progress(session, progress, now)

        await self._database.write(change)

    async def cancel_before(
        self, endpoint_id: str, message_id: str, reason: str, now: int, limit: int
    ) -> tuple[Sequence[str], Turns]:
        """Cancel up to ``limit`` scheduled deliveries of messages with ids before ``message_id``.

        Returns their ids, and the turns that this gave.
        """

        def change(session: Session) -> tuple[Sequence[str], Turns]:
            found = session.rows(_CANCEL_CREATED_BEFORE, (endpoint_id, message_id, reason, now, limit))
            ordered = [(cancelled, endpoint_id) for cancelled, key in found if key is not None]
            turns = leave_order(session, ordered, now) if ordered else Turns()
            return [cancelled for cancelled, _ in found], turns

        return await self._database.write(change)

    async def count_of_messages(
        self, application_id: str, after: str, until: str, limit: int
    ) -> tuple[int, str | None]:
        """The number of deliveries of the messages with ids in (``after``, ``until``), and the id to continue from."""
        [(last, looked_at, count)] = await self._database.read(
            _COUNT_OF_MESSAGES, (application_id, after, until, limit)
        )
        return count, last if looked_at == limit else None

    async def list_by_endpoint(self, endpoint_id: str, span: Span, where: DeliveryFilter) -> Sequence[AttemptedMessage]:
        """In the order of message ids."""
        return await messages_of_endpoint(self._database, endpoint_id, span, where)

    async def edge(self, endpoint_id: str, status: AttemptStatus | None, span: Span, count: int) -> Edge | None:
        """The edge after the first ``count`` elements of that list, for one status or all."""
        return await edge_of_messages(self._database, endpoint_id, span, count, status)

    async def list_by_message(self, message_id: str, span: Span) -> Sequence[AttemptedDestination]:
        """In the order of endpoint ids; deleted endpoints included."""
        return await destinations_of_message(self._database, message_id, span)

    async def count_by_status(self, message_ids: Sequence[str]) -> dict[str, dict[AttemptStatus, int]]:
        """The deliveries of each message by state; messages without deliveries are left out."""
        return await statuses_of_messages(self._database, message_ids)

    async def count_pending(self, endpoint_id: str) -> tuple[int, int]:
        """The pending deliveries: those never attempted, and those attempted before."""
        [(fresh, attempted)] = await self._database.read(_COUNT_PENDING, (endpoint_id,))
        return fresh, attempted


def _stopped(session: Session, endpoint_id: str, limit: int) -> Sequence[tuple[str, str]]:
    return [(message_id, endpoint_id) for (message_id,) in session.rows(_STOPPED, (endpoint_id, limit))]


def _cancel_manual(session: Session, values: tuple[Value, ...], limit: int) -> int:
    """Drop waiting manual attempts, and cancel deliveries that exist only for them."""
    dropped = [message_id for (message_id,) in session.rows(_FORGET_MANUAL, (values[0], limit))]
    session.change(_SETTLE_UNSCHEDULED, (*values, rows.json_of(dropped)))
    return len(dropped)
