"""A new message as callers give it, by any route, and as it is stored. Pure."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Self

from webhook_engine.clock import microseconds
from webhook_engine.errors import ValidationError
from webhook_engine.rules import names
from webhook_engine.rules.encoding import Default
from webhook_engine.rules.event_class import typed
from webhook_engine.rules.headers import content_type
from webhook_engine.rules.limits import payload_retention
from webhook_engine.rules.payload import Payload, payload_bytes
from webhook_engine.rules.values import instant

__all__ = ["MAX_DELAY", "MESSAGE_PREFIX", "MessageDraft", "MessageValues"]

MESSAGE_PREFIX = "msg_"
MAX_DELAY = timedelta(days=31)
"""How far ahead ``deliver_at`` may be."""

_MAX_DELAY = microseconds(MAX_DELAY)


MessageValues = tuple[
    str,
    bytes,
    str | None,
    tuple[str, ...] | None,
    tuple[str, ...] | None,
    int | None,
    int | None,
    str | None,
    str | None,
]
"""A new message in its stored form.

These are: event type, payload, event id, channels, tags, the time from which it is delivered, the retention of its
payload (``None``: as configured), its content type (``None``: JSON), and its ordering key; times in microseconds.

A plain tuple, unpacked where it is read, because every message is one.
"""


class MessageDraft(NamedTuple):
    """A new message as the caller gave it, before any check."""

    event_type: str | None
    payload: Payload | None
    event_id: str | None = None
    channels: Collection[str] | None = None
    tags: Collection[str] | None = None
    deliver_at: datetime | None = None
    payload_retention_period: int | None = None
    payload_retention_hours: int | None = None
    content_type: str | None = None
    default: Default | None = None
    """Encodes values without a JSON type; tried before the built-in rules."""
    ordering_key: str | None = None
    """The key within which endpoints with ordered delivery keep the order."""

    @classmethod
    def of(cls, *, event: object | None = None, **fields: Any) -> Self:
        """A draft of a typed event, or of an event type and payload; may raise ``ValidationError``."""
        draft = cls(fields.pop("event_type", None), fields.pop("payload", None), **fields)
        if event is None:
            return draft
        event_type, payload = typed(event, draft.event_type, draft.payload, draft.default)
        return draft._replace(event_type=event_type, payload=payload)

    def checked(self, now: int, max_payload_bytes: int | None = None) -> MessageValues:
        """The values in their stored form; raises ``ValidationError`` for the first invalid one."""
        # Only given values are checked by a call, since every message passes through here.
        event_type, payload, event_id, channels, tags, deliver_at, days, hours, kind, default, ordering_key = self
        return (
            names.name("event_type", event_type),
            payload_bytes(payload, max_payload_bytes, default),
            None if event_id is None else names.uid("event_id", event_id, MESSAGE_PREFIX),
            None if channels is None else names.channels("channels", channels),
            None if tags is None else names.tags("tags", tags),
            None if deliver_at is None else _deliver_at(deliver_at, now),
            None if days is None and hours is None else payload_retention(days, hours),
            None if kind is None else content_type("content_type", kind),
            None if ordering_key is None else names.ordering_key("ordering_key", ordering_key),
        )


def _deliver_at(value: object, now: int) -> int:
    due = instant("deliver_at", value)
    if due > now + _MAX_DELAY:
        raise ValidationError("deliver_at", f"must be at most {MAX_DELAY.days} days ahead")
    return due
