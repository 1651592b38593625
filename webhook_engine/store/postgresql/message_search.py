"""Search for messages, a window at a time, so that each query is bounded however many there are."""

# ruff: noqa: S608 (only names of columns are put into statements, values never)

from __future__ import annotations

from collections.abc import Sequence

from webhook_engine.model import AttemptStatus, DeliveryStatus
from webhook_engine.store.postgresql.connection import Session
from webhook_engine.store.postgresql.filters import Parameters, message_conditions
from webhook_engine.store.records import MessageSearch, Span
from webhook_engine.store.spans import bounds

__all__ = ["search"]

_WITHIN = """
FROM webhook_message AS message WHERE message.application_id = $1 AND message.id > $2 AND message.id < $3
"""

_WINDOW = f"SELECT message.id {_WITHIN} ORDER BY message.id DESC LIMIT $4"
_WINDOW_WITH_SIZES = f"""
SELECT message.id, coalesce(length(message.payload), 0) {_WITHIN} ORDER BY message.id DESC LIMIT $4
"""

_WORSE = (DeliveryStatus.PENDING, DeliveryStatus.FAILED, DeliveryStatus.SUCCEEDED, DeliveryStatus.CANCELLED)
"""The state of a message is the first of these that any of its deliveries has."""
_STATUS = {
    AttemptStatus.PENDING: DeliveryStatus.PENDING,
    AttemptStatus.SENDING: DeliveryStatus.PENDING,
    AttemptStatus.FAIL: DeliveryStatus.FAILED,
    AttemptStatus.SUCCESS: DeliveryStatus.SUCCEEDED,
    AttemptStatus.CANCELED: DeliveryStatus.CANCELLED,
}


async def search(
    session: Session, application_id: str, span: Span, where: MessageSearch, window: int, max_bytes: int
) -> tuple[Sequence[str], str | None]:
    """See :class:`~webhook_engine.store.seam.MessageStore`."""
    low, high = bounds(span)
    if where.text is None:
        looked = [identifier for (identifier,) in await session.rows(_WINDOW, application_id, low, high, window)]
        done = len(looked) < window
    else:
        looked, carried = [], 0
        sized = await session.rows(_WINDOW_WITH_SIZES, application_id, low, high, window)
        for identifier, size in sized:
            if looked and carried + size > max_bytes:
                break
            looked.append(identifier)
            carried += size
        done = len(looked) < window and len(looked) == len(sized)
    if not looked:
        return (), None
    parameters = Parameters(application_id, low, high, looked[-1], span.limit)
    conditions = _conditions(parameters, where)
    sql = f"SELECT message.id {_WITHIN} AND message.id >= $4 {conditions} ORDER BY message.id DESC LIMIT $5"
    found = [identifier for (identifier,) in await session.rows(sql, *parameters.values)]
    if len(found) == span.limit and found[-1] != looked[-1]:
        return found, found[-1]
    return found, None if done else looked[-1]


def _conditions(parameters: Parameters, where: MessageSearch) -> str:
    conditions = message_conditions(parameters, where.event_types, None, None)
    these = ""
    if where.endpoint_ids is not None:
        these = f"AND {{table}}.endpoint_id = ANY({parameters.add(list(where.endpoint_ids))}::text[])"
        conditions += f" AND {_delivery(these)}"
    if where.status is not None:
        wanted = _STATUS[where.status]
        for status in _WORSE[: _WORSE.index(wanted)]:
            conditions += f" AND NOT {_delivery(these, status)}"
        conditions += f" AND {_delivery(these, wanted)}"
    if where.status_codes is not None:
        first, last = (parameters.add(code) for code in where.status_codes)
        conditions += f" AND {_attempt(these, f'status_code BETWEEN {first} AND {last}')}"
    if where.failure is not None:
        conditions += f" AND {_attempt(these, f'failure = {parameters.add(where.failure)}')}"
    if where.text is not None:
        # As escaped text every payload can be compared, and only letters of ASCII have another case.
        wanted_text = f"lower(encode({parameters.add(where.text.encode())}::bytea, 'escape'))"
        conditions += f" AND position({wanted_text} IN lower(encode(message.payload, 'escape'))) > 0"
    return conditions


def _delivery(these: str, status: DeliveryStatus | None = None) -> str:
    which = "" if status is None else f"AND delivery.status = {status:d}"
    return f"""EXISTS (
        SELECT 1 FROM webhook_delivery AS delivery
        WHERE delivery.message_id = message.id {these.format(table="delivery")} {which}
    )"""


def _attempt(these: str, which: str) -> str:
    return f"""EXISTS (
        SELECT 1 FROM webhook_attempt AS attempt
        WHERE attempt.message_id = message.id {these.format(table="attempt")} AND attempt.{which}
    )"""
