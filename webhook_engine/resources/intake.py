"""The rules for a new message, in one place for all ways in. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime, timedelta

from webhook_engine.clock import microseconds, to_datetime
from webhook_engine.errors import ValidationError
from webhook_engine.ids import is_id, timestamp_of
from webhook_engine.model import Application, Message
from webhook_engine.resources import validation
from webhook_engine.resources.payloads import Payload, payload_bytes
from webhook_engine.resources.services import Policy
from webhook_engine.store.records import NewMessage, OutboxRow

__all__ = ["MAX_DELAY", "as_message", "from_outbox", "prepare"]

MAX_DELAY = timedelta(days=31)
"""How far ahead ``deliver_at`` may be."""
MAX_RETENTION_DAYS = 90

_DAY = microseconds(timedelta(days=1))
_HOUR = microseconds(timedelta(hours=1))


def prepare(
    application: Application,
    policy: Policy,
    message_id: str,
    now: int,
    *,
    event_type: str,
    payload: Payload,
    event_id: str | None = None,
    channels: Collection[str] | None = None,
    tags: Collection[str] | None = None,
    deliver_at: datetime | None = None,
    payload_retention_period: int | None = None,
    payload_retention_hours: int | None = None,
) -> NewMessage:
    """A message that may be accepted, for the arguments of ``messages.create``; raises ``ValidationError``.

    ``message_id`` was made for ``now`` (microseconds), which becomes the time of the message.
    """
    expires_at = None
    if payload_retention_period is not None or payload_retention_hours is not None:
        expires_at = now + _retention(payload_retention_period, payload_retention_hours)
    due = None
    if deliver_at is not None:
        due = _deliver_at(deliver_at, now, expires_at, policy)
    return NewMessage(
        id=message_id,
        organization_id=application.organization_id,
        application_id=application.id,
        event_type=validation.name("event_type", event_type),
        payload=payload_bytes(payload, policy.max_payload_bytes),
        created_at=now,
        event_id=None if event_id is None else validation.uid("event_id", event_id, "msg_"),
        channels=None if channels is None else validation.channels("channels", channels),
        tags=None if tags is None else validation.tags("tags", tags),
        deliver_at=due,
        payload_expires_at=expires_at,
    )


def from_outbox(row: OutboxRow, application: Application, policy: Policy, fresh_id: str, now: int) -> NewMessage:
    """A message for a row that somebody wrote to the outbox; raises ``ValidationError``.

    The id that the writer gave it is kept, and the time in it is the message's; otherwise it gets ``fresh_id``.
    """
    created_at = now
    if row.message_id is not None:
        if not is_id("msg_", row.message_id):
            raise ValidationError("message_id", "must be NULL or an id as enqueue() makes it: 'msg_' and 27 characters")
        created_at = min(now, timestamp_of(row.message_id))
    return prepare(
        application,
        policy,
        row.message_id or fresh_id,
        created_at,
        event_type=row.event_type,
        payload=row.payload,
        event_id=row.event_id,
        channels=_json_array("channels", row.channels),
        tags=_json_array("tags", row.tags),
        deliver_at=_rfc3339("deliver_at", row.deliver_at),
    )


def as_message(new: NewMessage) -> Message:
    """The public form of a message that was just accepted."""
    return Message(
        id=new.id,
        application_id=new.application_id,
        event_type=new.event_type,
        event_id=new.event_id,
        payload=new.payload,
        channels=new.channels,
        tags=new.tags,
        deliver_at=None if new.deliver_at is None else to_datetime(new.deliver_at),
        timestamp=to_datetime(new.created_at),
    )


def _retention(days: object, hours: object) -> int:
    if hours is None:
        return validation.integer("payload_retention_period", days, 1, MAX_RETENTION_DAYS) * _DAY
    if days is not None:
        raise ValidationError("payload_retention_hours", "must not be given together with payload_retention_period")
    return validation.integer("payload_retention_hours", hours, 1, MAX_RETENTION_DAYS * 24) * _HOUR


def _deliver_at(deliver_at: object, now: int, expires_at: int | None, policy: Policy) -> int | None:
    due = validation.instant("deliver_at", deliver_at)
    if due <= now:
        return None
    if due > now + microseconds(MAX_DELAY):
        raise ValidationError("deliver_at", f"must be at most {MAX_DELAY.days} days ahead")
    if due >= (now + microseconds(policy.payload_retention) if expires_at is None else expires_at):
        raise ValidationError("deliver_at", "must be before the payload expires; keep the payload longer")
    return due


def _json_array(field: str, text: str | None) -> list[str] | None:
    if text is None:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError, TypeError):
        value = None
    if not isinstance(value, list):
        raise ValidationError(field, 'must be NULL or a JSON array of strings, such as ["a", "b"]')
    return value


def _rfc3339(field: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except (ValueError, TypeError):
        raise ValidationError(field, "must be NULL or a time as in RFC 3339, such as 2030-01-31T12:00:00Z") from None
