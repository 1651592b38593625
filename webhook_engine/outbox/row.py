"""Converts the arguments of ``enqueue`` to an outbox row, with all checks that need no database."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple, TypedDict

from webhook_engine.clock import Clock, to_datetime
from webhook_engine.errors import ValidationError
from webhook_engine.ids import IdSource
from webhook_engine.rules import names
from webhook_engine.rules.encoding import Default
from webhook_engine.rules.message import MESSAGE_PREFIX, MessageDraft
from webhook_engine.rules.payload import Payload

__all__ = ["MessageFields", "NewRow", "make_row"]

_clock = Clock()
_ids = IdSource()


class MessageFields(TypedDict, total=False):
    """The arguments of :func:`webhook_engine.outbox.enqueue` about the message, for functions that pass them on."""

    event: object | None
    event_type: str | None
    payload: Payload | None
    event_id: str | None
    channels: Collection[str] | None
    tags: Collection[str] | None
    deliver_at: datetime | None
    default: Default | None
    ordering_key: str | None


class NewRow(NamedTuple):
    """The columns that a writer fills; the engine fills the others."""

    message_id: str
    organization: str | None
    application: str
    event_type: str
    payload: bytes
    event_id: str | None
    channels: str | None
    tags: str | None
    deliver_at: str | None


def make_row(draft: MessageDraft, *, application: str, organization: str | None) -> NewRow:
    """A row with a new message id; raises ``ValidationError`` for a value that the engine would refuse."""
    now = _clock.now()
    for field in ("payload_retention_period", "payload_retention_hours", "content_type"):
        if getattr(draft, field) is not None:
            raise ValidationError(field, "is not kept in the outbox; say it with messages.create")
    tenant = None if organization is None else names.organization("organization", organization)
    consumer = names.name("application", application)
    event_type, payload, event_id, channels, tags, deliver_at, *_, ordering_key = draft.checked(now)
    return NewRow(
        message_id=_ids.new(MESSAGE_PREFIX, now),
        organization=tenant,
        application=consumer,
        event_type=event_type,
        payload=payload,
        event_id=event_id,
        channels=_json(channels),
        tags=_json(tags) if ordering_key is None else _with_key(tags, ordering_key),
        deliver_at=None if deliver_at is None else _rfc3339(deliver_at),
    )


def _json(texts: Sequence[str] | None) -> str | None:
    return None if texts is None else json.dumps(texts, separators=(",", ":"))


def _with_key(tags: Sequence[str] | None, ordering_key: str) -> str:
    # It has no column of its own, since tables in other programs' databases may have been created long ago.
    return json.dumps({"orderingKey": ordering_key, "tags": tags}, separators=(",", ":"))


def _rfc3339(instant: int) -> str:
    return to_datetime(instant).isoformat().replace("+00:00", "Z")
