"""Batches: several messages of one order in one request. Pure: no I/O, no clock.

The body is a JSON array with an object for each message. The batch has an id of its own, derived from those of its
messages, so that every retry has the same one. The outcome applies to all of them: the first one goes through the retry
schedule, and those behind it wait with it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from itertools import takewhile

import msgspec

from webhook_engine.clock import to_datetime
from webhook_engine.delivery.attempt.outcome import Outcome
from webhook_engine.delivery.attempt.target import Batch
from webhook_engine.events import MessageAttemptEvent, OperationalEvent
from webhook_engine.model import DeliveryStatus
from webhook_engine.store.order import NOT_YET, OrderedDelivery
from webhook_engine.store.records import DeliveryChange, Due, RecordedAttempt

__all__ = ["MAX_BATCH_BYTES", "body_of", "gathered", "of_the_others", "request_of", "waits_until"]

MAX_BATCH_BYTES = 1024 * 1024
"""Bytes of payloads in one request; a single payload may be larger."""


def gathered(members: Sequence[OrderedDelivery], now: int) -> Sequence[OrderedDelivery]:
    """The members of the next batch, out of the first ones of an order.

    A failed batch is retried unchanged. A new one ends before a message that is not due, has no payload, or would
    make the payloads larger than ``MAX_BATCH_BYTES``.
    """
    if not members:
        return ()
    head, *others = members
    again = head.due.attempt_count > 0
    size = len(head.due.payload or b"")

    def joins(one: OrderedDelivery) -> bool:
        nonlocal size
        due = one.due
        size += len(due.payload or b"")
        return (
            size <= MAX_BATCH_BYTES
            and due.payload is not None
            and due.due_at <= now
            and (due.attempt_count > 0 or not again)
        )

    return [head, *takewhile(joins, others)]


def waits_until(found: Sequence[OrderedDelivery], batch: Batch, now: int) -> int | None:
    """Until when the first ones of an order wait for a larger batch; ``None``: send now."""
    if not found:
        return None
    head, members = found[0].due, gathered(found, now)
    full = len(members) >= batch.size or len(members) < len(found)
    until = head.due_at + batch.wait
    return None if full or head.attempt_count or until <= now else until


def request_of(members: Sequence[OrderedDelivery], body: bytes) -> Due:
    """The batch as a delivery, to be signed and sent."""
    ids = "\n".join(member.due.message_id for member in members)
    batch_id = "batch_" + hashlib.sha256(ids.encode()).hexdigest()[:32]
    return msgspec.structs.replace(members[0].due, message_id=batch_id, payload=body, content_type=None)


def body_of(members: Sequence[OrderedDelivery]) -> bytes:
    """The messages as a JSON array; each payload is included byte for byte if it is JSON, otherwise as a string."""
    return b"[" + b",".join(_element(member) for member in members) + b"]"


def of_the_others(outcome: Outcome, others: Sequence[OrderedDelivery], ids: Sequence[str]) -> Iterator[Outcome]:
    """The outcomes of the other members of a batch, from that of the first one.

    ``ids``: those of their attempts, made when the request began, because they carry its time.
    """
    for member, attempt_id in zip(others, ids, strict=True):
        due = member.due
        attempt = outcome.attempt
        own = None if attempt is None else msgspec.structs.replace(attempt, id=attempt_id, message_id=due.message_id)
        yield Outcome(
            due,
            outcome.application_id,
            _change(outcome.change, due),
            own,
            events=[_of(event, due, own) for event in outcome.events if isinstance(event, MessageAttemptEvent)],
            member_id=outcome.member_id,
        )


def _element(member: OrderedDelivery) -> bytes:
    due = member.due
    head = {"id": due.message_id, "eventType": member.event_type, "timestamp": _rfc3339(member.created_at)}
    return json.dumps(head, separators=(",", ":")).encode()[:-1] + b',"payload":' + _json(due.payload or b"") + b"}"


def _json(payload: bytes) -> bytes:
    try:
        msgspec.json.decode(payload)
    except (msgspec.DecodeError, RecursionError):
        return json.dumps(payload.decode(errors="replace")).encode()
    return payload


def _rfc3339(instant: int) -> str:
    return to_datetime(instant).isoformat().replace("+00:00", "Z")


def _change(first: DeliveryChange, due: Due) -> DeliveryChange:
    status, reason, settled_at = first.status, first.reason, first.settled_at
    if first.stops:
        # The order stops at the first one, and the others wait behind it.
        status, reason, settled_at = DeliveryStatus.PENDING, None, None
    due_at = NOT_YET if status is DeliveryStatus.PENDING else None
    return DeliveryChange(due.message_id, due.endpoint_id, status, due_at, due.step, reason, settled_at, ordered=True)


def _of(event: MessageAttemptEvent, due: Due, attempt: RecordedAttempt | None) -> OperationalEvent:
    last = event.last_attempt if attempt is None else msgspec.structs.replace(event.last_attempt, id=attempt.id)
    return msgspec.structs.replace(event, message_id=due.message_id, message_event_id=due.event_id, last_attempt=last)
