"""The order of an endpoint's deliveries in PostgreSQL; see :mod:`webhook_engine.store.order` for the rules.

Whoever changes who is in the order of an endpoint holds its lock from the beginning of the transaction. So numbers are
given in the order of commits, and between a look at a line and the commit that follows, nobody joins or leaves it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from webhook_engine.model import DeliveryStatus
from webhook_engine.store import rows
from webhook_engine.store.members import ALL_SHARDS, Given, Notice
from webhook_engine.store.order import NOT_YET, Line, LineHead, OrderedDelivery, Turns, leaves, numbered
from webhook_engine.store.postgresql.batches import arrays, unnest
from webhook_engine.store.postgresql.connection import Session
from webhook_engine.store.postgresql.sharing import tell as tell_others

__all__ = ["add_in_order", "come_back", "first_members", "give_turns", "leave_order", "line_heads", "lock_order"]

ORDERED = 0x7768_6F72
"""The first half of the advisory lock; the second is made of the endpoint's id."""
MAX_TURN_BYTES = 4 * 1024 * 1024
"""Bytes of payloads handed over with the turns of one change; further ones are read when they are sent."""

# Always in the same order, so that two transactions cannot deadlock.
_LOCK = f"""
SELECT pg_advisory_xact_lock({ORDERED}, number)
FROM (SELECT DISTINCT hashtext(id) AS number FROM unnest($1::text[]) AS wanted (id) ORDER BY 1) AS locks
"""  # noqa: S608 (a number of ours)

_LINES = f"{unnest(('text', 'text'))} AS wanted (endpoint_id, order_key)"

_LAST = f"""
SELECT wanted.endpoint_id, wanted.order_key, (
    SELECT order_number FROM webhook_delivery AS last
    WHERE last.endpoint_id = wanted.endpoint_id AND last.order_key = wanted.order_key
    ORDER BY last.due_at DESC NULLS LAST, last.order_number DESC
    LIMIT 1
)
FROM {_LINES}
"""  # noqa: S608 (names of ours)

_ADD = f"""
INSERT INTO webhook_delivery (message_id, endpoint_id, shard, status, due_at, order_key, order_number)
SELECT given.message_id, endpoint.id, endpoint.shard, 1, {NOT_YET}, given.order_key, given.order_number
FROM {unnest(("text", "text", "text", "bigint"))} AS given (message_id, endpoint_id, order_key, order_number)
JOIN webhook_endpoint AS endpoint ON endpoint.id = given.endpoint_id
"""  # noqa: S608 (names of ours)

_GIVE_TURNS = f"""
UPDATE webhook_delivery AS delivery
SET due_at = greatest($3::bigint, CASE WHEN delivery.attempted THEN NULL ELSE message.deliver_at END)
FROM {_LINES}
CROSS JOIN LATERAL (
    SELECT first.message_id FROM webhook_delivery AS first
    WHERE first.endpoint_id = wanted.endpoint_id AND first.order_key = wanted.order_key
    ORDER BY first.due_at NULLS FIRST, first.order_number
    LIMIT 1
) AS chosen
JOIN webhook_message AS message ON message.id = chosen.message_id
WHERE delivery.message_id = chosen.message_id AND delivery.endpoint_id = wanted.endpoint_id
    AND delivery.due_at = {NOT_YET}
RETURNING delivery.message_id, delivery.endpoint_id, delivery.due_at, delivery.shard
"""  # noqa: S608 (names of ours)

_DUE_OF = f"""
SELECT
    message_id, endpoint_id, due_at, step, attempt_count, event_id, payload, NULL, trace_context, content_type, asked,
    order_key
FROM (
    SELECT
        delivery.*, message.event_id, message.payload, message.trace_context, message.content_type,
        sum(octet_length(message.payload)) OVER (
            ORDER BY delivery.message_id, delivery.endpoint_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS carried
    FROM {unnest(("text", "text"))} AS wanted (message_id, endpoint_id)
    JOIN webhook_delivery AS delivery USING (message_id, endpoint_id)
    JOIN webhook_message AS message ON message.id = delivery.message_id
) AS due
WHERE coalesce(carried, 0) < {MAX_TURN_BYTES}
"""  # noqa: S608 (names of ours)

_FIRST = f"""
SELECT
    event_type, created_at, message_id, endpoint_id, due_at, step, attempt_count, event_id, payload, NULL,
    trace_context, content_type, asked, order_key
FROM (
    SELECT
        message.event_type, message.created_at, delivery.message_id, delivery.endpoint_id,
        CASE WHEN delivery.due_at = {NOT_YET} THEN coalesce(message.deliver_at, 0) ELSE delivery.due_at END AS due_at,
        delivery.step, delivery.attempt_count, message.event_id, message.payload, message.trace_context,
        message.content_type, delivery.asked, delivery.order_key,
        row_number() OVER first AS place,
        sum(octet_length(message.payload)) OVER (first ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS carried
    FROM (
        SELECT * FROM webhook_delivery WHERE endpoint_id = $1 AND order_key = $2
        ORDER BY due_at NULLS FIRST, order_number LIMIT $3
    ) AS delivery
    JOIN webhook_message AS message ON message.id = delivery.message_id
    WINDOW first AS (ORDER BY delivery.due_at NULLS FIRST, delivery.order_number)
) AS member
WHERE coalesce(carried, 0) < $4
ORDER BY place
"""  # noqa: S608 (a number of ours)

_IN_ORDER = f"""
SELECT delivery.message_id, delivery.endpoint_id, delivery.order_key, delivery.status
FROM {unnest(("text", "text"))} AS wanted (message_id, endpoint_id)
JOIN webhook_delivery AS delivery USING (message_id, endpoint_id)
WHERE delivery.order_key IS NOT NULL
"""  # noqa: S608 (names of ours)

_LEAVE = f"""
UPDATE webhook_delivery AS delivery SET order_key = NULL
FROM {unnest(("text", "text"))} AS leaving (message_id, endpoint_id)
WHERE delivery.message_id = leaving.message_id AND delivery.endpoint_id = leaving.endpoint_id
"""  # noqa: S608 (names of ours)

_COMING_BACK = """
SELECT delivery.message_id, coalesce(message.ordering_key, ''), delivery.order_number
FROM webhook_delivery AS delivery
JOIN webhook_message AS message ON message.id = delivery.message_id
WHERE delivery.message_id = ANY($2::text[]) AND delivery.endpoint_id = $1
ORDER BY delivery.message_id
"""

_COME_BACK = f"""
UPDATE webhook_delivery AS delivery
SET due_at = {NOT_YET}, order_key = coming.order_key, order_number = coming.order_number
FROM {unnest(("text", "text", "text", "bigint"))} AS coming (message_id, endpoint_id, order_key, order_number)
WHERE delivery.message_id = coming.message_id AND delivery.endpoint_id = coming.endpoint_id
"""  # noqa: S608 (names of ours)

# Seeks the next line in the index instead of reading all entries of the previous one.
_HEADS = f"""
WITH RECURSIVE line (order_key) AS (
    (
        SELECT order_key FROM webhook_delivery
        WHERE endpoint_id = $1 AND order_key IS NOT NULL AND ($2::text IS NULL OR order_key > $2)
        ORDER BY order_key LIMIT 1
    )
    UNION ALL
    SELECT following.order_key FROM line CROSS JOIN LATERAL (
        SELECT order_key FROM webhook_delivery
        WHERE endpoint_id = $1 AND order_key > line.order_key
        ORDER BY order_key LIMIT 1
    ) AS following
)
SELECT line.order_key, head.message_id, head.status, head.due_at, head.attempt_count, (
    SELECT count(*) FROM (
        SELECT 1 FROM webhook_delivery AS behind
        WHERE behind.endpoint_id = $1 AND behind.order_key = line.order_key AND behind.due_at = {NOT_YET}
        LIMIT $4
    ) AS counted
)
FROM (SELECT order_key FROM line LIMIT $3) AS line
CROSS JOIN LATERAL (
    SELECT * FROM webhook_delivery AS first
    WHERE first.endpoint_id = $1 AND first.order_key = line.order_key
    ORDER BY first.due_at NULLS FIRST, first.order_number
    LIMIT 1
) AS head
ORDER BY line.order_key
"""  # noqa: S608 (a number of ours)


async def lock_order(session: Session, endpoint_ids: Collection[str]) -> None:
    """Lock the orders of these endpoints until the transaction ends."""
    if endpoint_ids:
        await session.rows(_LOCK, list(endpoint_ids))


async def add_in_order(session: Session, deliveries: Sequence[tuple[str, str, str]], now: int) -> int:
    """Add deliveries (message, endpoint, ordering key), and give the free turns; returns how many were added."""
    if not deliveries:
        return 0
    lines = [(endpoint_id, key) for _, endpoint_id, key in deliveries]
    numbers = numbered(lines, await _last(session, set(lines)), now)
    given = [(*one, number) for one, number in zip(deliveries, numbers, strict=True)]
    added = await session.change(_ADD, *arrays(given, 4))
    await give_turns(session, lines, now, tell=False)
    return added


async def give_turns(session: Session, lines: Iterable[Line], now: int, *, tell: bool = True) -> Turns:
    """Give the free turns of these lines, and notify other holders of their endpoints."""
    given = await session.rows(_GIVE_TURNS, *arrays(sorted(set(lines)), 2), now)
    if not given:
        return Turns()
    sharing = session.sharing
    ours = ALL_SHARDS if sharing.member_id is None else sharing.shards
    elsewhere = [Given(endpoint_id, shard, due_at) for _, endpoint_id, due_at, shard in given if shard not in ours]
    if elsewhere and tell:
        await tell_others(session, Notice(deliveries=elsewhere))
    at_once = [(message, endpoint) for message, endpoint, due_at, shard in given if due_at <= now and shard in ours]
    found = await session.rows(_DUE_OF, *arrays(at_once, 2)) if at_once else []
    due = [rows.due(row) for row in found]
    handed = {(one.message_id, one.endpoint_id) for one in due}
    later = [
        (endpoint, at) for message, endpoint, at, shard in given if shard in ours and (message, endpoint) not in handed
    ]
    return Turns(due, later)


async def leave_order(
    session: Session, deliveries: Iterable[tuple[str, str]], now: int, stopping: Collection[tuple[str, str]] = ()
) -> Turns:
    """Take those of these deliveries (message, endpoint) that have left their order out of it."""
    found = await session.rows(_IN_ORDER, *arrays(list(deliveries), 2))
    leaving: list[tuple[str, str]] = []
    lines: list[Line] = []
    for message_id, endpoint_id, key, status in found:
        if leaves(DeliveryStatus(status), stops=(message_id, endpoint_id) in stopping):
            leaving.append((message_id, endpoint_id))
        lines.append((endpoint_id, key))
    if not found:
        return Turns()
    await session.change(_LEAVE, *arrays(leaving, 2))
    return await give_turns(session, lines, now)


async def come_back(session: Session, endpoint_id: str, message_ids: Sequence[str], now: int) -> None:
    """Give deliveries that were just scheduled their places in the order, or their old places again."""
    found = await session.rows(_COMING_BACK, endpoint_id, list(message_ids))
    lines = [(endpoint_id, key) for _, key, _ in found]
    last = await _last(session, {line for line, (_, _, number) in zip(lines, found, strict=True) if number is None})
    changed = [
        (message_id, endpoint_id, key, numbered([line], last, now)[0] if number is None else number)
        for line, (message_id, key, number) in zip(lines, found, strict=True)
    ]
    await session.change(_COME_BACK, *arrays(changed, 4))
    await give_turns(session, lines, now)


async def first_members(session: Session, line: Line, limit: int, payload_bytes: int) -> Sequence[OrderedDelivery]:
    """The first deliveries in an order, beginning with the one that has the turn, within ``payload_bytes``."""
    return [
        OrderedDelivery(rows.due(row), event_type, created_at)
        for event_type, created_at, *row in await session.rows(_FIRST, *line, limit, payload_bytes)
    ]


async def line_heads(
    session: Session, endpoint_id: str, after: str | None, limit: int, most: int
) -> Sequence[LineHead]:
    """The state of each order of an endpoint; waiting deliveries are counted up to ``most``."""
    return [
        LineHead(
            ordering_key=key,
            message_id=message_id,
            status=DeliveryStatus(status),
            due_at=due_at,
            attempt_count=attempt_count,
            waiting=waiting,
        )
        for key, message_id, status, due_at, attempt_count, waiting in await session.rows(
            _HEADS, endpoint_id, after, limit, most
        )
    ]


async def _last(session: Session, lines: Collection[Line]) -> dict[Line, int]:
    found = await session.rows(_LAST, *arrays(sorted(lines), 2))
    return {(endpoint_id, key): number for endpoint_id, key, number in found if number is not None}
