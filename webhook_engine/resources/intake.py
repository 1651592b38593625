"""The rules for a new message, in one place for all ways in. Pure."""

from __future__ import annotations

import json
from datetime import datetime

from webhook_engine.clock import microseconds, to_datetime
from webhook_engine.errors import ValidationError
from webhook_engine.ids import is_id, timestamp_of
from webhook_engine.model import Application, Message
from webhook_engine.resources.services import Policy
from webhook_engine.rules.message import MESSAGE_PREFIX, MessageDraft
from webhook_engine.store.records import NewMessage, OutboxRow

__all__ = ["as_message", "from_outbox", "prepare"]


def prepare(application: Application, policy: Policy, message_id: str, now: int, draft: MessageDraft) -> NewMessage:
    """A message that may be accepted; raises ``ValidationError``.

    ``message_id`` was made for ``now`` (microseconds), which becomes the time of the message.
    """
    message = draft.checked(now, policy.max_payload_bytes)
    due = None if message.deliver_at is None or message.deliver_at <= now else message.deliver_at
    if due is not None:
        kept_for = microseconds(policy.payload_retention) if message.kept_for is None else message.kept_for
        if due >= now + kept_for:
            raise ValidationError("deliver_at", "must be before the payload expires; keep the payload longer")
    return NewMessage(
        id=message_id,
        organization_id=application.organization_id,
        application_id=application.id,
        event_type=message.event_type,
        payload=message.payload,
        created_at=now,
        event_id=message.event_id,
        channels=message.channels,
        tags=message.tags,
        deliver_at=due,
        payload_expires_at=None if message.kept_for is None else now + message.kept_for,
    )


def from_outbox(row: OutboxRow, application: Application, policy: Policy, fresh_id: str, now: int) -> NewMessage:
    """A message for a row that somebody wrote to the outbox; raises ``ValidationError``.

    The id that the writer gave it is kept, and the time in it is the message's; otherwise it gets ``fresh_id``.
    """
    created_at = now
    if row.message_id is not None:
        if not is_id(MESSAGE_PREFIX, row.message_id):
            raise ValidationError("message_id", "must be NULL or an id as enqueue() makes it: 'msg_' and 27 characters")
        created_at = min(now, timestamp_of(row.message_id))
    draft = MessageDraft(
        event_type=row.event_type,
        payload=row.payload,
        event_id=row.event_id,
        channels=_json_array("channels", row.channels),
        tags=_json_array("tags", row.tags),
        deliver_at=_rfc3339("deliver_at", row.deliver_at),
    )
    return prepare(application, policy, row.message_id or fresh_id, created_at, draft)


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
