"""Lists of deliveries: the messages of an endpoint, the endpoints of a message."""

# ruff: noqa: S608 (only names of columns are put into statements, values never)

from __future__ import annotations

from collections.abc import Iterator, Sequence

from webhook_engine.model import AttemptedDestination, AttemptedMessage, AttemptStatus, DeliveryStatus
from webhook_engine.store import rows
from webhook_engine.store.order import scheduled_at
from webhook_engine.store.records import DeliveryFilter, Edge, Span
from webhook_engine.store.spans import bounds, direction, edge_of, up_to
from webhook_engine.store.sqlite.connection import Session
from webhook_engine.store.sqlite.database import Database
from webhook_engine.store.sqlite.filters import message_conditions

__all__ = ["destinations_of_message", "edge_of_messages", "messages_of_endpoint", "statuses_of_messages"]

_STATE = ("status", "attempt_count", "due_at", "reason")
_MESSAGE_COLUMNS = rows.columns(rows.MESSAGE, "message")
_ENDPOINT_COLUMNS = rows.columns(rows.ENDPOINT, "endpoint")

_ALL = tuple((status, attempted) for status in DeliveryStatus for attempted in (0, 1))
_OF_STATUS = {
    AttemptStatus.SUCCESS: ((DeliveryStatus.SUCCEEDED, 0), (DeliveryStatus.SUCCEEDED, 1)),
    AttemptStatus.PENDING: ((DeliveryStatus.PENDING, 0),),
    AttemptStatus.SENDING: ((DeliveryStatus.PENDING, 1),),
    AttemptStatus.FAIL: ((DeliveryStatus.FAILED, 0), (DeliveryStatus.FAILED, 1)),
    AttemptStatus.CANCELED: ((DeliveryStatus.CANCELLED, 0), (DeliveryStatus.CANCELLED, 1)),
}
"""Status of the delivery, and whether it was attempted: the index holds each pair in the order of message ids."""

_LATEST_CODE = """(
    SELECT attempt.status_code FROM webhook_attempt AS attempt
    WHERE attempt.message_id = delivery.message_id AND attempt.endpoint_id = delivery.endpoint_id
    ORDER BY attempt.id DESC LIMIT 1
)"""


async def messages_of_endpoint(
    database: Database, endpoint_id: str, span: Span, where: DeliveryFilter
) -> Sequence[AttemptedMessage]:
    """In the order of message ids."""
    conditions, parameters = message_conditions(where.event_types, where.channel, where.tag)
    if where.replayable:
        conditions += " AND message.payload IS NOT NULL"
    low, high = bounds(span)
    parameters |= {"endpoint": endpoint_id, "low": low, "high": high, "limit": span.limit}
    tables = "webhook_delivery AS delivery INDEXED BY webhook_delivery_by_status"
    if conditions:
        tables += " CROSS JOIN webhook_message AS message"
        conditions = f"AND message.id = delivery.message_id {conditions}"
    pairs = _ALL if where.status is None else _OF_STATUS[where.status]
    if where.replayable:
        pairs = tuple(pair for pair in pairs if pair[0] is not DeliveryStatus.PENDING)
        if not pairs:
            return ()
    if where.status_code_class is not None:
        conditions += f" AND {_LATEST_CODE} BETWEEN :code AND :code + 99"
        parameters["code"] = where.status_code_class
    ranges = [
        f"""
        SELECT delivery.message_id AS message_id, {rows.columns(_STATE, "delivery")} FROM {tables}
        WHERE delivery.endpoint_id = :endpoint AND delivery.status = {status:d} AND delivery.attempted = {attempted}
        AND delivery.message_id > :low AND delivery.message_id < :high {conditions}
        """
        for status, attempted in pairs
    ]
    # The database merges the ranges as it reads, and looks up a message only when it is next.
    sql = f"{' UNION ALL '.join(ranges)} ORDER BY message_id {direction(span)} LIMIT :limit"
    content = (
        f"SELECT {_MESSAGE_COLUMNS}, {rows.content(where.with_content)} FROM webhook_message AS message WHERE id = ?"
    )

    def read(session: Session) -> list[AttemptedMessage]:
        def listed() -> Iterator[AttemptedMessage]:
            for message_id, status, attempt_count, due_at, reason in session.rows(sql, parameters):
                for message in session.rows(content, (message_id,)):
                    yield AttemptedMessage(
                        message=rows.message(message),
                        status=rows.attempt_status(status, attempt_count),
                        reason=reason,
                        attempt_count=attempt_count,
                        next_attempt=scheduled_at(due_at),
                    )

        return up_to(listed(), span.max_bytes)

    return await database.read_long_with(read)


async def edge_of_messages(
    database: Database, endpoint_id: str, span: Span, count: int, status: AttemptStatus | None
) -> Edge | None:
    """The edge after the first ``count`` messages of an endpoint."""
    ranges = [
        f"""
        SELECT message_id FROM webhook_delivery INDEXED BY webhook_delivery_by_status
        WHERE endpoint_id = ?1 AND status = {one:d} AND attempted = {attempted} AND message_id > ?2 AND message_id < ?3
        """
        for one, attempted in (_ALL if status is None else _OF_STATUS[status])
    ]
    sql = f"{' UNION ALL '.join(ranges)} ORDER BY 1 {direction(span)} LIMIT 2 OFFSET ?4"
    return edge_of(await database.read_long(sql, (endpoint_id, *bounds(span), count - 1)))


_STATUSES_OF_MESSAGES = """
SELECT message_id, status, attempted, count(*) FROM webhook_delivery
WHERE message_id IN (SELECT value FROM json_each(?)) GROUP BY message_id, status, attempted
"""


async def statuses_of_messages(database: Database, message_ids: Sequence[str]) -> dict[str, dict[AttemptStatus, int]]:
    """The number of deliveries of each message by state."""
    counts: dict[str, dict[AttemptStatus, int]] = {}
    for message_id, status, attempted, count in await database.read(
        _STATUSES_OF_MESSAGES, (rows.json_of(list(message_ids)),)
    ):
        counts.setdefault(message_id, {})[rows.attempt_status(status, attempted)] = count
    return counts


async def destinations_of_message(database: Database, message_id: str, span: Span) -> Sequence[AttemptedDestination]:
    """In the order of endpoint ids; deleted endpoints included."""
    sql = f"""
    SELECT {rows.columns(_STATE, "delivery")}, {_ENDPOINT_COLUMNS}
    FROM webhook_delivery AS delivery
    CROSS JOIN webhook_endpoint AS endpoint ON endpoint.id = delivery.endpoint_id
    WHERE delivery.message_id = ? AND delivery.endpoint_id > ? AND delivery.endpoint_id < ?
    ORDER BY delivery.endpoint_id {direction(span)} LIMIT ?
    """
    return [
        AttemptedDestination(
            endpoint=rows.endpoint(endpoint).endpoint,
            status=rows.attempt_status(status, attempt_count),
            reason=reason,
            attempt_count=attempt_count,
            next_attempt=scheduled_at(due_at),
        )
        for status, attempt_count, due_at, reason, *endpoint in await database.read(
            sql, (message_id, *bounds(span), span.limit)
        )
    ]
