"""The order of an endpoint's deliveries in SQLite; see :mod:`webhook_engine.store.order` for the rules.

The first entry of a line in its index is the one that has the turn; if that is due ``NOT_YET``, nobody has it, and it
is the first by its number.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from webhook_engine.model import DeliveryStatus
from webhook_engine.store import rows
from webhook_engine.store.order import NOT_YET, Line, LineHead, OrderedDelivery, Turns, leaves, numbered
from webhook_engine.store.sqlite.batches import BatchStatement
from webhook_engine.store.sqlite.connection import Row, Session

__all__ = ["add_in_order", "come_back", "first_members", "give_turns", "leave_order", "line_heads"]

MAX_TURN_BYTES = 4 * 1024 * 1024
"""Bytes of payloads handed over with the turns of one change; further ones are read when they are sent."""

_LAST = """
SELECT
    wanted.value ->> 0,
    wanted.value ->> 1,
    (
        SELECT order_number FROM webhook_delivery AS last INDEXED BY webhook_delivery_in_order
        WHERE last.endpoint_id = wanted.value ->> 0 AND last.order_key = wanted.value ->> 1
        ORDER BY last.due_at DESC, last.order_number DESC
        LIMIT 1
    )
FROM json_each(?1) AS wanted
"""

_ADD = BatchStatement(
    f"""
    INSERT INTO webhook_delivery (message_id, endpoint_id, status, due_at, order_key, order_number)
    SELECT column1, column2, 1, {NOT_YET}, column3, column4 FROM {{batch}}
    """,  # noqa: S608 (a number of ours)
    width=4,
)

_GIVE_TURNS = f"""
UPDATE webhook_delivery
SET due_at = max(
    ?2, coalesce((SELECT deliver_at FROM webhook_message WHERE id = webhook_delivery.message_id AND attempted = 0), 0)
)
FROM (
    SELECT wanted.value ->> 0 AS endpoint_id, (
        SELECT first.message_id FROM webhook_delivery AS first INDEXED BY webhook_delivery_in_order
        WHERE first.endpoint_id = wanted.value ->> 0 AND first.order_key = wanted.value ->> 1
        ORDER BY first.due_at, first.order_number
        LIMIT 1
    ) AS message_id
    FROM json_each(?1) AS wanted
) AS chosen
WHERE webhook_delivery.message_id = chosen.message_id AND webhook_delivery.endpoint_id = chosen.endpoint_id
    AND webhook_delivery.due_at = {NOT_YET}
RETURNING webhook_delivery.message_id, webhook_delivery.endpoint_id, webhook_delivery.due_at
"""  # noqa: S608 (a number of ours)

_DUE_OF = """
SELECT
    delivery.message_id, delivery.endpoint_id, delivery.due_at, delivery.step, delivery.attempt_count,
    message.event_id, message.payload, NULL, message.trace_context, message.content_type, delivery.asked,
    delivery.order_key
FROM json_each(?1) AS wanted
CROSS JOIN webhook_delivery AS delivery
    ON delivery.message_id = wanted.value ->> 0 AND delivery.endpoint_id = wanted.value ->> 1
CROSS JOIN webhook_message AS message ON message.id = delivery.message_id
"""

_FIRST = f"""
SELECT
    message.event_type, message.created_at,
    delivery.message_id, delivery.endpoint_id,
    CASE WHEN delivery.due_at = {NOT_YET} THEN coalesce(message.deliver_at, 0) ELSE delivery.due_at END,
    delivery.step, delivery.attempt_count,
    message.event_id, message.payload, NULL, message.trace_context, message.content_type, delivery.asked,
    delivery.order_key
FROM webhook_delivery AS delivery INDEXED BY webhook_delivery_in_order
CROSS JOIN webhook_message AS message ON message.id = delivery.message_id
WHERE delivery.endpoint_id = ?1 AND delivery.order_key = ?2
ORDER BY delivery.due_at, delivery.order_number
LIMIT ?3
"""  # noqa: S608 (a number of ours)

_IN_ORDER = """
SELECT delivery.message_id, delivery.endpoint_id, delivery.order_key, delivery.status
FROM json_each(?1) AS wanted
CROSS JOIN webhook_delivery AS delivery
    ON delivery.message_id = wanted.value ->> 0 AND delivery.endpoint_id = wanted.value ->> 1
WHERE delivery.order_key IS NOT NULL
"""

_LEAVE = """
UPDATE webhook_delivery SET order_key = NULL
WHERE (message_id, endpoint_id) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1))
"""

_COMING_BACK = """
SELECT delivery.message_id, coalesce(message.ordering_key, ''), delivery.order_number
FROM json_each(?2) AS wanted
CROSS JOIN webhook_delivery AS delivery ON delivery.message_id = wanted.value AND delivery.endpoint_id = ?1
CROSS JOIN webhook_message AS message ON message.id = delivery.message_id
ORDER BY delivery.message_id
"""

_COME_BACK = BatchStatement(
    f"""
    UPDATE webhook_delivery SET due_at = {NOT_YET}, order_key = column3, order_number = column4
    FROM {{batch}} WHERE message_id = column1 AND endpoint_id = column2
    """,  # noqa: S608 (a number of ours)
    width=4,
)

# Seeks the next line in the index instead of reading all entries of the previous one.
_HEADS = f"""
WITH RECURSIVE line (order_key) AS (
    SELECT (
        SELECT min(order_key) FROM webhook_delivery INDEXED BY webhook_delivery_in_order
        WHERE endpoint_id = ?1 AND order_key > ?2
    )
    UNION ALL
    SELECT (
        SELECT min(order_key) FROM webhook_delivery INDEXED BY webhook_delivery_in_order
        WHERE endpoint_id = ?1 AND order_key > line.order_key
    )
    FROM line WHERE line.order_key IS NOT NULL
    LIMIT ?3
)
SELECT
    line.order_key, head.message_id, head.status, head.due_at, head.attempt_count, (
        SELECT count(*) FROM (
            SELECT 1 FROM webhook_delivery AS behind INDEXED BY webhook_delivery_in_order
            WHERE behind.endpoint_id = ?1 AND behind.order_key = line.order_key AND behind.due_at = {NOT_YET}
            LIMIT ?4
        )
    )
FROM line
JOIN webhook_delivery AS head ON head.endpoint_id = ?1 AND head.message_id = (
    SELECT first.message_id FROM webhook_delivery AS first INDEXED BY webhook_delivery_in_order
    WHERE first.endpoint_id = ?1 AND first.order_key = line.order_key
    ORDER BY first.due_at, first.order_number
    LIMIT 1
)
ORDER BY line.order_key
"""  # noqa: S608 (a number of ours)


def add_in_order(session: Session, deliveries: Sequence[tuple[str, str, str]], now: int) -> None:
    """Add deliveries (message, endpoint, ordering key), and give the turn where nobody has it."""
    if not deliveries:
        return
    lines = [(endpoint_id, key) for _, endpoint_id, key in deliveries]
    numbers = numbered(lines, _last(session, set(lines)), now)
    _ADD.run(session, [(*one, number) for one, number in zip(deliveries, numbers, strict=True)])
    give_turns(session, lines, now)


def give_turns(session: Session, lines: Iterable[Line], now: int) -> Turns:
    """Give the turn in those of the lines in which no delivery has it."""
    given = session.rows(_GIVE_TURNS, (rows.json_of(sorted(set(lines))), now))
    at_once = [[message_id, endpoint_id] for message_id, endpoint_id, due_at in given if due_at <= now]
    due, size = [], 0
    if at_once:
        for row in session.stream(_DUE_OF, (rows.json_of(at_once),)):
            due.append(rows.due(row))
            size += len(row[6] or b"")
            if size >= MAX_TURN_BYTES:
                break
    handed = {(one.message_id, one.endpoint_id) for one in due}
    return Turns(due, [(endpoint, due_at) for message, endpoint, due_at in given if (message, endpoint) not in handed])


def leave_order(
    session: Session, deliveries: Iterable[tuple[str, str]], now: int, stopping: Collection[tuple[str, str]] = ()
) -> Turns:
    """Take those of these deliveries (message, endpoint) that have left their order out of it."""
    found = session.rows(_IN_ORDER, (rows.json_of([list(one) for one in deliveries]),))
    leaving: list[tuple[str, str]] = []
    lines: list[Line] = []
    for message_id, endpoint_id, key, status in found:
        if leaves(DeliveryStatus(status), stops=(message_id, endpoint_id) in stopping):
            leaving.append((message_id, endpoint_id))
        lines.append((endpoint_id, key))
    if not found:
        return Turns()
    session.change(_LEAVE, (rows.json_of([list(one) for one in leaving]),))
    return give_turns(session, lines, now)


def come_back(session: Session, endpoint_id: str, message_ids: Sequence[str], now: int) -> None:
    """Give deliveries that were just scheduled their places in the order, or their old places again."""
    found = session.rows(_COMING_BACK, (endpoint_id, rows.json_of(message_ids)))
    lines = [(endpoint_id, key) for _, key, _ in found]
    last = _last(session, {line for line, (_, _, number) in zip(lines, found, strict=True) if number is None})
    changed: list[Row] = []
    for line, (message_id, key, number) in zip(lines, found, strict=True):
        changed.append((message_id, endpoint_id, key, numbered([line], last, now)[0] if number is None else number))
    _COME_BACK.run(session, changed)
    give_turns(session, lines, now)


def first_members(session: Session, line: Line, limit: int, payload_bytes: int) -> Sequence[OrderedDelivery]:
    """The first deliveries in an order, beginning with the one that has the turn, within ``payload_bytes``."""
    members: list[OrderedDelivery] = []
    size = 0
    for event_type, created_at, *row in session.stream(_FIRST, (*line, limit)):
        members.append(OrderedDelivery(rows.due(row), event_type, created_at))
        size += len(row[6] or b"")
        if size >= payload_bytes:
            break
    return members


def line_heads(session: Session, endpoint_id: str, after: str | None, limit: int, most: int) -> Sequence[LineHead]:
    """The state of each order of an endpoint; waiting deliveries are counted up to ``most``."""
    # The key of those without one is empty, and comes first.
    found = session.rows(_HEADS, (endpoint_id, "" if after is None else after, limit, most))
    if after is None:
        found = [*session.rows(_HEADS_WITHOUT_KEY, (endpoint_id, most)), *found][:limit]
    return [
        LineHead(
            ordering_key=key,
            message_id=message_id,
            status=DeliveryStatus(status),
            due_at=due_at,
            attempt_count=attempt_count,
            waiting=waiting,
        )
        for key, message_id, status, due_at, attempt_count, waiting in found
    ]


def _last(session: Session, lines: Collection[Line]) -> dict[Line, int]:
    found = session.rows(_LAST, (rows.json_of(sorted(lines)),))
    return {(endpoint_id, key): number for endpoint_id, key, number in found if number is not None}


_HEADS_WITHOUT_KEY = f"""
SELECT
    '', message_id, status, due_at, attempt_count, (
        SELECT count(*) FROM (
            SELECT 1 FROM webhook_delivery AS behind INDEXED BY webhook_delivery_in_order
            WHERE behind.endpoint_id = ?1 AND behind.order_key = '' AND behind.due_at = {NOT_YET}
            LIMIT ?2
        )
    )
FROM webhook_delivery INDEXED BY webhook_delivery_in_order
WHERE endpoint_id = ?1 AND order_key = ''
ORDER BY due_at, order_number
LIMIT 1
"""  # noqa: S608 (a number of ours)
