"""The intake makes messages from a caller's arguments and from outbox rows, by the same rules."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import msgspec

from webhook_engine.clock import Clock, microseconds, to_datetime
from webhook_engine.errors import ValidationError
from webhook_engine.ids import IdSource, is_id, timestamp_of
from webhook_engine.model import DEFAULT_ORGANIZATION, Application, Message
from webhook_engine.rules.message import MESSAGE_PREFIX, MessageDraft
from webhook_engine.store.directory import Directory
from webhook_engine.store.records import NewMessage, OutboxRow

__all__ = ["Intake", "MessageLimits", "as_message", "from_row", "prepare"]


class MessageLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The configured limits of new messages."""

    payload_retention: timedelta
    max_payload_bytes: int = 1024 * 1024


class Intake:
    """Makes new messages for the router. It stores nothing."""

    def __init__(self, directory: Directory, clock: Clock, ids: IdSource, limits: MessageLimits) -> None:
        self._directory = directory
        self._clock = clock
        self._ids = ids
        self._limits = limits

    async def message(self, organization_id: str, application: str, draft: MessageDraft) -> NewMessage:
        """A message of the application with this id or uid; raises ``NotFoundError`` and ``ValidationError``."""
        found = None
        if isinstance(application, str):
            found = self._directory.cached_application(organization_id, application)
        if found is None:
            found = await self._directory.find_application(organization_id, application)
        return self.message_of(found, draft)

    def message_of(self, application: Application, draft: MessageDraft) -> NewMessage:
        """A message of an application; raises ``ValidationError``."""
        now = self._clock.now()
        return prepare(application, self._limits, self._ids.new(MESSAGE_PREFIX, now), now, draft)

    def message_of_then(
        self, application: Application, message_id: str, created_at: int, draft: MessageDraft
    ) -> NewMessage:
        """A message that was accepted earlier by another server, with its id and time; raises ``ValidationError``."""
        return prepare(application, self._limits, message_id, created_at, draft)

    async def message_of_row(self, row: OutboxRow) -> NewMessage:
        """The message of an outbox row.

        Raises ``NotFoundError`` or ``ValidationError`` if it can never be delivered.
        """
        found = await self._directory.find_application(row.organization or DEFAULT_ORGANIZATION, row.application)
        now = self._clock.now()
        return from_row(row, found, self._limits, self._ids.new(MESSAGE_PREFIX, now), now)


def prepare(
    application: Application, limits: MessageLimits, message_id: str, now: int, draft: MessageDraft
) -> NewMessage:
    """Validate a draft and make a message of it; raises ``ValidationError``. Pure.

    ``message_id`` was made for ``now`` (microseconds), which becomes the time of the message.
    """
    event_type, payload, event_id, channels, tags, due, kept_for, content_type, ordering_key = draft.checked(
        now, limits.max_payload_bytes
    )
    if due is not None:
        if due >= now + (microseconds(limits.payload_retention) if kept_for is None else kept_for):
            raise ValidationError("deliver_at", "must be before the payload expires; keep the payload longer")
        if due <= now:
            due = None
    return NewMessage(
        id=message_id,
        organization_id=application.organization_id,
        application_id=application.id,
        event_type=event_type,
        payload=payload,
        created_at=now,
        event_id=event_id,
        channels=channels,
        tags=tags,
        deliver_at=due,
        payload_expires_at=None if kept_for is None else now + kept_for,
        content_type=content_type,
        ordering_key=ordering_key,
    )


def from_row(row: OutboxRow, application: Application, limits: MessageLimits, fresh_id: str, now: int) -> NewMessage:
    """The message of an outbox row; raises ``ValidationError``. Pure.

    An id given by the writer is kept, and its timestamp is the message's; otherwise it gets ``fresh_id``.
    """
    created_at = now
    if row.message_id is not None:
        if not is_id(MESSAGE_PREFIX, row.message_id):
            raise ValidationError("message_id", "must be NULL or an id as enqueue() makes it: 'msg_' and 27 characters")
        created_at = min(now, timestamp_of(row.message_id))
    tags, ordering_key = _tags(row.tags)
    draft = MessageDraft(
        event_type=row.event_type,
        payload=row.payload,
        event_id=row.event_id,
        channels=_json_array("channels", row.channels),
        tags=tags,
        deliver_at=_rfc3339("deliver_at", row.deliver_at),
        ordering_key=ordering_key,
    )
    return prepare(application, limits, row.message_id or fresh_id, created_at, draft)


def as_message(new: NewMessage) -> Message:
    """The public form of a message that was just made."""
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
        content_type=new.content_type,
        ordering_key=new.ordering_key,
    )


def _tags(text: str | None) -> tuple[list[str] | None, str | None]:
    """The tags and the ordering key, which share a column."""
    if text is None or not text.lstrip().startswith("{"):
        return _json_array("tags", text), None
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        given = {}
    if given.keys() != {"tags", "orderingKey"} or not isinstance(given["tags"], list | None):
        raise ValidationError("tags", 'must be NULL, a JSON array of strings, or {"tags": […], "orderingKey": "…"}')
    return given["tags"], given["orderingKey"]


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
