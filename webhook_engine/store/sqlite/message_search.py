"""Search for messages, a window at a time, so that each query is bounded however many there are."""

# ruff: noqa: S608 (only names of columns are put into statements, values never)

from __future__ import annotations

from collections.abc import Sequence

from webhook_engine.model import AttemptStatus, DeliveryStatus
from webhook_engine.store.records import MessageSearch, Span
from webhook_engine.store.rows import json_of
from webhook_engine.store.spans import bounds
from webhook_engine.store.sqlite.connection import Session, Value
from webhook_engine.store.sqlite.filters import message_conditions

__all__ = ["search"]

_WITHIN = """
FROM webhook_message AS message INDEXED BY webhook_message_by_application
WHERE message.application_id = :application_id AND message.id > :low AND message.id < :high
"""

_WINDOW = f"SELECT message.id {_WITHIN} ORDER BY message.id DESC LIMIT :window"
_WINDOW_WITH_SIZES = f"""
SELECT message.id, ifnull(length(message.payload), 0) {_WITHIN} ORDER BY message.id DESC LIMIT :window
"""

_TO_THESE = "AND {table}.endpoint_id IN (SELECT value FROM json_each(:endpoints))"
_WORSE = (DeliveryStatus.PENDING, DeliveryStatus.FAILED, DeliveryStatus.SUCCEEDED, DeliveryStatus.CANCELLED)
"""The state of a message is the first of these that any of its deliveries has."""
_STATUS = {
    AttemptStatus.PENDING: DeliveryStatus.PENDING,
    AttemptStatus.SENDING: DeliveryStatus.PENDING,
    AttemptStatus.FAIL: DeliveryStatus.FAILED,
    AttemptStatus.SUCCESS: DeliveryStatus.SUCCEEDED,
    AttemptStatus.CANCELED: DeliveryStatus.CANCELLED,
}


def search(
    session: Session, application_id: str, span: Span, where: MessageSearch, window: int, max_bytes: int
) -> tuple[Sequence[str], str | None]:
    """See :class:`~webhook_engine.store.seam.MessageStore`."""
    low, high = bounds(span)
    parameters: dict[str, Value] = {"application_id": application_id, "low": low, "high": high, "window": window}
    if where.text is None:
        looked = [identifier for (identifier,) in session.rows(_WINDOW, parameters)]
        done = len(looked) < window
    else:
        looked, carried = [], 0
        sized = session.rows(_WINDOW_WITH_SIZES, parameters)
        for identifier, size in sized:
            if looked and carried + size > max_bytes:
                break
            looked.append(identifier)
            carried += size
        done = len(looked) < window and len(looked) == len(sized)
    if not looked:
        return (), None
    conditions, more = _conditions(where)
    sql = f"SELECT message.id {_WITHIN} AND message.id >= :last {conditions} ORDER BY message.id DESC LIMIT :limit"
    found = [
        identifier
        for (identifier,) in session.rows(sql, {**parameters, **more, "last": looked[-1], "limit": span.limit})
    ]
    if len(found) == span.limit and found[-1] != looked[-1]:
        return found, found[-1]
    return found, None if done else looked[-1]


def _conditions(where: MessageSearch) -> tuple[str, dict[str, Value]]:
    conditions, parameters = message_conditions(where.event_types, None, None)
    these = {"delivery": "", "attempt": ""}
    if where.endpoint_ids is not None:
        parameters["endpoints"] = json_of(where.endpoint_ids)
        these = {table: _TO_THESE.format(table=table) for table in these}
        conditions += f" AND {_delivery(these)}"
    if where.status is not None:
        wanted = _STATUS[where.status]
        for status in _WORSE[: _WORSE.index(wanted)]:
            conditions += f" AND NOT {_delivery(these, status)}"
        conditions += f" AND {_delivery(these, wanted)}"
    if where.status_codes is not None:
        parameters["first_code"], parameters["last_code"] = where.status_codes
        conditions += f" AND {_attempt(these, 'status_code BETWEEN :first_code AND :last_code')}"
    if where.failure is not None:
        parameters["failure"] = where.failure
        conditions += f" AND {_attempt(these, 'failure = :failure')}"
    if where.text is not None:
        parameters["text"] = where.text
        conditions += " AND instr(lower(CAST(message.payload AS TEXT)), lower(:text)) > 0"
    return conditions, parameters


def _delivery(these: dict[str, str], status: DeliveryStatus | None = None) -> str:
    which = "" if status is None else f"AND delivery.status = {status:d}"
    return f"""EXISTS (
        SELECT 1 FROM webhook_delivery AS delivery WHERE delivery.message_id = message.id {these["delivery"]} {which}
    )"""


def _attempt(these: dict[str, str], which: str) -> str:
    return f"""EXISTS (
        SELECT 1 FROM webhook_attempt AS attempt
        WHERE attempt.message_id = message.id {these["attempt"]} AND attempt.{which}
    )"""
