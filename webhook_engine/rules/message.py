"""What a caller says of a new message, whichever way it comes in, and the same as it is kept. Pure."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import NamedTuple

from webhook_engine.clock import microseconds
from webhook_engine.errors import ValidationError
from webhook_engine.rules import names
from webhook_engine.rules.headers import content_type
from webhook_engine.rules.limits import payload_retention
from webhook_engine.rules.payload import Payload, payload_bytes
from webhook_engine.rules.values import instant

__all__ = ["MAX_DELAY", "MESSAGE_PREFIX", "MessageDraft", "MessageValues"]

MESSAGE_PREFIX = "msg_"
MAX_DELAY = timedelta(days=31)
"""How far ahead ``deliver_at`` may be."""

_MAX_DELAY = microseconds(MAX_DELAY)


class MessageValues(NamedTuple):
    """A new message as it is kept: every value obeys its rule; instants and durations are microseconds."""

    event_type: str
    payload: bytes
    event_id: str | None
    channels: tuple[str, ...] | None
    tags: tuple[str, ...] | None
    deliver_at: int | None
    kept_for: int | None
    """How long the payload is kept; ``None``: as long as is configured."""
    content_type: str | None
    """What the payload is sent as; ``None``: JSON."""


class MessageDraft(NamedTuple):
    """A new message as a caller says it, before any rule has looked at it."""

    event_type: str
    payload: Payload
    event_id: str | None = None
    channels: Collection[str] | None = None
    tags: Collection[str] | None = None
    deliver_at: datetime | None = None
    payload_retention_period: int | None = None
    payload_retention_hours: int | None = None
    content_type: str | None = None

    def checked(self, now: int, max_payload_bytes: int | None = None) -> MessageValues:
        """The values as they are kept; raises ``ValidationError`` for the first that is not allowed."""
        event_id = self.event_id
        return MessageValues(
            event_type=names.name("event_type", self.event_type),
            payload=payload_bytes(self.payload, max_payload_bytes),
            event_id=None if event_id is None else names.uid("event_id", event_id, MESSAGE_PREFIX),
            channels=None if self.channels is None else names.channels("channels", self.channels),
            tags=None if self.tags is None else names.tags("tags", self.tags),
            deliver_at=None if self.deliver_at is None else _deliver_at(self.deliver_at, now),
            kept_for=payload_retention(self.payload_retention_period, self.payload_retention_hours),
            content_type=None if self.content_type is None else content_type("content_type", self.content_type),
        )


def _deliver_at(value: object, now: int) -> int:
    due = instant("deliver_at", value)
    if due > now + _MAX_DELAY:
        raise ValidationError("deliver_at", f"must be at most {MAX_DELAY.days} days ahead")
    return due
