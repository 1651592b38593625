"""Lists of deliveries: the messages of an endpoint, the endpoints of a message."""

# ruff: noqa: S608 (only names of columns are put into statements, values never)

from __future__ import annotations

from collections.abc import Sequence

from webhook_engine.model import AttemptedDestination, AttemptedMessage, AttemptStatus, DeliveryStatus
from webhook_engine.store import rows
from webhook_engine.store.order import scheduled_at
from webhook_engine.store.postgresql.database import Database
from webhook_engine.store.postgresql.filters import MESSAGE_OF, Parameters, edge_of_ranges, message_conditions
from webhook_engine.store.records import DeliveryFilter, Edge, Span
from webhook_engine.store.spans import bounds, direction, edge_of

__all__ = ["destinations_of_message", "edge_of_messages", "messages_of_endpoint", "statuses_of_messages"]

_STATE = ("status", "attempt_count", "due_at", "reason")
_MESSAGE_COLUMNS = rows.columns(rows.MESSAGE, "message")
_ENDPOINT_COLUMNS = rows.columns(rows.ENDPOINT, "endpoint")

_ALL = tuple((status, attempted) for status in DeliveryStatus for attempted in (False, True))
_OF_STATUS = {
    AttemptStatus.SUCCESS: ((DeliveryStatus.SUCCEEDED, False), (DeliveryStatus.SUCCEEDED, True)),
    AttemptStatus.PENDING: ((DeliveryStatus.PENDING, False),),
    AttemptStatus.SENDING: ((DeliveryStatus.PENDING, True),),
    AttemptStatus.FAIL: ((DeliveryStatus.FAILED, False), (DeliveryStatus.FAILED, True)),
    AttemptStatus.CANCELED: ((DeliveryStatus.CANCELLED, False), (DeliveryStatus.CANCELLED, True)),
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
    parameters = Parameters(endpoint_id, *bounds(span), span.limit)
    conditions = message_conditions(parameters, where.event_types, where.channel, where.tag)
    if where.replayable:
        conditions += " AND message.payload IS NOT NULL"
    tables = "webhook_delivery AS delivery"
    if conditions:
        tables += f" CROSS JOIN {MESSAGE_OF.format('delivery')}"
    pairs = _ALL if where.status is None else _OF_STATUS[where.status]
    if where.replayable:
        pairs = tuple(pair for pair in pairs if pair[0] is not DeliveryStatus.PENDING)
        if not pairs:
            return ()
    if where.status_code_class is not None:
        code = parameters.add(where.status_code_class)
        conditions += f" AND {_LATEST_CODE} BETWEEN {code}::integer AND {code}::integer + 99"
    # Each range gives no more than the whole list may have; a message is looked up only if its turn comes.
    ranges = [
        f"""
        (SELECT delivery.message_id, {rows.columns(_STATE, "delivery")} FROM {tables}
        WHERE delivery.endpoint_id = $1 AND delivery.status = {status:d} AND delivery.attempted = {attempted}
        AND delivery.message_id > $2 AND delivery.message_id < $3 {conditions}
        ORDER BY delivery.message_id {direction(span)} LIMIT $4)
        """
        for status, attempted in pairs
    ]
    chosen = f"SELECT * FROM ({' UNION ALL '.join(ranges)}) AS merged ORDER BY message_id {direction(span)} LIMIT $4"
    sql = f"""
    SELECT {rows.columns(_STATE, "chosen")}, {_MESSAGE_COLUMNS}, {rows.content(where.with_content)}
    FROM ({chosen}) AS chosen CROSS JOIN {MESSAGE_OF.format("chosen")}
    ORDER BY chosen.message_id {direction(span)}
    """

    def made(row: rows.Row) -> AttemptedMessage:
        status, attempt_count, due_at, reason, *message = row
        return AttemptedMessage(
            message=rows.message(message),
            status=rows.attempt_status(status, attempt_count),
            reason=reason,
            attempt_count=attempt_count,
            next_attempt=scheduled_at(due_at),
        )

    return await database.read_span(sql, parameters.values, made, span.max_bytes)


async def edge_of_messages(
    database: Database, endpoint_id: str, span: Span, count: int, status: AttemptStatus | None
) -> Edge | None:
    """The edge after the first ``count`` messages of an endpoint."""
    ranges = [
        f"""
        (SELECT message_id AS id FROM webhook_delivery
        WHERE endpoint_id = $1 AND status = {one:d} AND attempted = {attempted} AND message_id > $2 AND message_id < $3
        ORDER BY message_id {direction(span)} LIMIT $4 + 1)
        """
        for one, attempted in (_ALL if status is None else _OF_STATUS[status])
    ]
    return edge_of(await database.read_long(edge_of_ranges(ranges, span), endpoint_id, *bounds(span), count))


_STANDING = """
SELECT message_id, status, attempted, count(*) FROM webhook_delivery
WHERE message_id = ANY($1::text[]) GROUP BY message_id, status, attempted
"""


async def statuses_of_messages(database: Database, message_ids: Sequence[str]) -> dict[str, dict[AttemptStatus, int]]:
    """The number of deliveries of each message by state."""
    counts: dict[str, dict[AttemptStatus, int]] = {}
    for message_id, status, attempted, count in await database.read(_STANDING, list(message_ids)):
        counts.setdefault(message_id, {})[rows.attempt_status(status, attempted)] = count
    return counts


async def destinations_of_message(database: Database, message_id: str, span: Span) -> Sequence[AttemptedDestination]:
    """In the order of endpoint ids; deleted endpoints included."""
    sql = f"""
    SELECT {rows.columns(_STATE, "delivery")}, {_ENDPOINT_COLUMNS}
    FROM webhook_delivery AS delivery
    JOIN webhook_endpoint AS endpoint ON endpoint.id = delivery.endpoint_id
    WHERE delivery.message_id = $1 AND delivery.endpoint_id > $2 AND delivery.endpoint_id < $3
    ORDER BY delivery.endpoint_id {direction(span)} LIMIT $4
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
            sql, message_id, *bounds(span), span.limit
        )
    ]
