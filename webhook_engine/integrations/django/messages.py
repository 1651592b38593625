"""Enqueueing in Django's current transaction."""

from __future__ import annotations

from typing import Unpack

from asgiref.sync import sync_to_async
from django.core.exceptions import SynchronousOnlyOperation
from django.db import DEFAULT_DB_ALIAS, connections

from webhook_engine import outbox
from webhook_engine.outbox.row import MessageFields

__all__ = ["aenqueue", "enqueue"]


def enqueue(
    *,
    application: str,
    organization: str | None = None,
    using: str = DEFAULT_DB_ALIAS,
    **message: Unpack[MessageFields],
) -> str:
    """Write a message to the outbox of the database ``using``, in its current transaction; returns its id.

    ``transaction.on_commit`` is not needed: the row is committed or rolled back with everything else. The other
    arguments are those of :func:`webhook_engine.outbox.enqueue`.
    """
    try:
        return outbox.enqueue(connections[using], application=application, organization=organization, **message)
    except SynchronousOnlyOperation as error:
        error.add_note(
            "In an asynchronous view, `await aenqueue(…)` commits a message by itself. Where it belongs to a change, "
            "make both in one function with transaction.atomic() and enqueue(…), and call that through sync_to_async."
        )
        raise


async def aenqueue(
    *,
    application: str,
    organization: str | None = None,
    using: str = DEFAULT_DB_ALIAS,
    **message: Unpack[MessageFields],
) -> str:
    """Like :func:`enqueue`, for an asynchronous view; the message is committed on its own.

    Django has no transactions in asynchronous code. If the message belongs to a change, make both in one function with
    ``transaction.atomic()`` and :func:`enqueue`, and call that through ``sync_to_async``.
    """
    message_id: str = await sync_to_async(enqueue)(
        application=application, organization=organization, using=using, **message
    )
    return message_id
