"""Enqueueing in Django's present transaction."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db import DEFAULT_DB_ALIAS, connections

from webhook_engine import outbox
from webhook_engine.outbox import Payload

__all__ = ["enqueue"]


def enqueue(
    *,
    application: str,
    event_type: str,
    payload: Payload,
    event_id: str | None = None,
    channels: Collection[str] | None = None,
    tags: Collection[str] | None = None,
    deliver_at: datetime | None = None,
    organization: str | None = None,
    using: str = DEFAULT_DB_ALIAS,
) -> str:
    """Write a message to the outbox of the database ``using``, in its present transaction; returns its id.

    ``transaction.on_commit`` is not needed: the row is committed or rolled back with everything else. The other
    arguments are those of :func:`webhook_engine.outbox.enqueue`.
    """
    return outbox.enqueue(
        connections[using],
        application=application,
        event_type=event_type,
        payload=payload,
        event_id=event_id,
        channels=channels,
        tags=tags,
        deliver_at=deliver_at,
        organization=organization,
    )
