"""Checking whether anything is due on any engine of the database."""

from __future__ import annotations

from webhook_engine.delivery.attempt.batch import MAX_BATCH_BYTES, waits_until
from webhook_engine.delivery.attempt.target import batch_of
from webhook_engine.store.members import ALL_SHARDS
from webhook_engine.store.seam import DeliveryStore, EndpointStore

__all__ = ["Outstanding"]

PAGE = 1_000
MAX_LOOKED_AT = 4_097
"""Due deliveries of an endpoint that are checked one by one for waiting for a larger batch."""
MAX_LOOKED_AT_BYTES = 4 * 1024 * 1024


class Outstanding:
    """Repeated checks, until nothing is due any more.

    A delivery that waits for a larger batch counts as scheduled for later, though the database has it as due: only the
    sending engine knows when it will go.
    """

    def __init__(self, deliveries: DeliveryStore, endpoints: EndpointStore) -> None:
        self._deliveries = deliveries
        self._endpoints = endpoints
        self._gathering: dict[str, int] = {}
        """Endpoints whose due deliveries all wait for larger batches, and until when."""

    async def any(self, now: int) -> bool:
        """Whether something is due."""
        after: str | None = None
        while page := await self._deliveries.endpoints_with_due(after, PAGE, ALL_SHARDS):
            for endpoint_id, due_at in page:
                if due_at <= now and not await self._gathers(endpoint_id, now):
                    return True
            after = page[-1][0]
        return False

    async def _gathers(self, endpoint_id: str, now: int) -> bool:
        if self._gathering.get(endpoint_id, now) > now:
            return True
        stored = await self._endpoints.load(endpoint_id)
        batch = None if stored is None else batch_of(stored.endpoint)
        if batch is None or not batch.wait:
            return False
        found = await self._deliveries.due(endpoint_id, now, MAX_LOOKED_AT, payload_bytes=MAX_LOOKED_AT_BYTES)
        if len(found) == MAX_LOOKED_AT or sum(len(due.payload or b"") for due in found) >= MAX_LOOKED_AT_BYTES:
            return False
        until = now + batch.wait
        for due in found:
            if due.order_key is None or due.manual_id is not None:
                return False
            members = await self._deliveries.first_in_order((endpoint_id, due.order_key), batch.size, MAX_BATCH_BYTES)
            waits = waits_until(members, batch, now)
            if waits is None:
                return False
            until = min(until, waits)
        self._gathering[endpoint_id] = until
        return True
