"""Enqueueing in Django's present transaction."""

from __future__ import annotations

from typing import Unpack

from django.db import DEFAULT_DB_ALIAS, connections

from webhook_engine import outbox
from webhook_engine.outbox.row import MessageFields

__all__ = ["enqueue"]


def enqueue(
    *,
    application: str,
    organization: str | None = None,
    using: str = DEFAULT_DB_ALIAS,
    **message: Unpack[MessageFields],
) -> str:
    """Write a message to the outbox of the database ``using``, in its present transaction; returns its id.

    ``transaction.on_commit`` is not needed: the row is committed or rolled back with everything else. The other
    arguments are those of :func:`webhook_engine.outbox.enqueue`.
    """
    return outbox.enqueue(connections[using], application=application, organization=organization, **message)
