"""A message with the endpoints that it goes to, and the shards that these belong to. Pure."""

from __future__ import annotations

from webhook_engine.delivery.accept.matching import keeping_order, recipients
from webhook_engine.store.kept_responses import KeptResponse
from webhook_engine.store.records import AddressedMessage, NewMessage, Routes

__all__ = ["addressed"]


def addressed(
    message: NewMessage,
    routes: Routes,
    *,
    manual_to: str | None = None,
    outbox_id: int | None = None,
    response: KeptResponse | None = None,
) -> AddressedMessage:
    """Whom a message goes to: all endpoints that it matches, or the one that a person named."""
    ids = () if manual_to is not None else recipients(routes, message.event_type, message.channels, message.payload)
    ordered = keeping_order(routes.endpoints, ids)
    if routes.revision is None:
        return AddressedMessage(message, ids, manual_to, outbox_id, response, ordered=ordered)
    shards = {stored.endpoint.id: stored.shard for stored in routes.endpoints}
    of = ids if manual_to is None else (manual_to,)
    return AddressedMessage(
        message, ids, manual_to, outbox_id, response, routes.revision, [shards.get(one, 0) for one in of], ordered
    )
