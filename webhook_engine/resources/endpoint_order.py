"""The order of an endpoint's messages: its state, and skipping a message that holds it up."""

from __future__ import annotations

from collections.abc import Sequence

from webhook_engine.errors import NotFoundError
from webhook_engine.model import DeliveryStatus, EndpointOrder
from webhook_engine.resources.endpoint_editor import EndpointEditor
from webhook_engine.resources.lookup import find_message
from webhook_engine.resources.services import Services
from webhook_engine.rules import values
from webhook_engine.shielded import shielded
from webhook_engine.store.order import LineHead, scheduled_at

__all__ = ["Orders"]

MOST_COUNTED = 1_000
MAX_ORDERS = 250
SKIPPED = "skipped by hand"


class Orders:
    """The orders of an endpoint, one for each ordering key with waiting messages."""

    def __init__(self, editor: EndpointEditor) -> None:
        self._editor = editor
        self._services = editor.services

    async def list(self, application: str, endpoint: str, *, after: str | None, limit: int) -> Sequence[EndpointOrder]:
        """Sorted by ordering key; messages without a key come first."""
        most = values.integer("limit", limit, 1, MAX_ORDERS)
        _, stored = await self._editor.find(application, endpoint)
        heads = await self._services.store.deliveries.line_heads(stored.endpoint.id, after, most, MOST_COUNTED)
        return [_shown(head) for head in heads]

    async def skip(self, application: str, endpoint: str, message: str) -> None:
        """Let an order go on without a message; raises ``NotFoundError`` if the message is in no order."""
        found, stored = await self._editor.find(application, endpoint)
        skipped = await find_message(self._services, found, message)
        if not await shielded(_skip(self._services, skipped.id, stored.endpoint.id)):
            raise NotFoundError("message in the order of the endpoint", message)


async def _skip(services: Services, message_id: str, endpoint_id: str) -> bool:
    turns = await services.store.deliveries.skip(message_id, endpoint_id, SKIPPED, services.clock.now())
    if turns is None:
        return False
    services.flow.cancelled(endpoint_id, message_id)
    services.flow.turns_given(turns)
    return True


def _shown(head: LineHead) -> EndpointOrder:
    attempted = "retrying" if head.attempt_count else "sending"
    return EndpointOrder(
        ordering_key=head.ordering_key or None,
        message_id=head.message_id,
        state="stopped" if head.status is DeliveryStatus.FAILED else attempted,
        attempt_count=head.attempt_count,
        next_attempt=scheduled_at(head.due_at),
        waiting=head.waiting,
    )
