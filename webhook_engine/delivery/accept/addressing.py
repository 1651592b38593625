"""Addressing a message: the endpoints that it goes to, and their shards. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from webhook_engine.delivery.accept.matching import plan_of, recipients
from webhook_engine.store.kept_responses import KeptResponse
from webhook_engine.store.records import AddressedMessage, NewMessage, Routes

__all__ = ["addressed"]


def addressed(
    message: NewMessage,
    routes: Routes,
    *,
    among: Sequence[str] | None = None,
    manual_to: str | None = None,
    outbox_id: int | None = None,
    response: KeptResponse | None = None,
) -> AddressedMessage:
    """Address a message to all endpoints that match, or to the one that a person named.

    ``among``: the matching ones, if they are known already.
    """
    plan = plan_of(routes)
    ids: Sequence[str] = ()
    if manual_to is None:
        ids = among if among is not None else recipients(plan, message.event_type, message.channels, message.payload)
    ordered = [one for one in ids if one in plan.ordered] if plan.ordered else ()
    if routes.revision is None:
        return AddressedMessage(message, ids, manual_to, outbox_id, response, ordered=ordered)
    of = ids if manual_to is None else (manual_to,)
    return AddressedMessage(
        message, ids, manual_to, outbox_id, response, routes.revision, [plan.shards.get(one, 0) for one in of], ordered
    )
