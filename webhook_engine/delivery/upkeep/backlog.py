"""Detects endpoints that do not keep up: their due deliveries have waited for too long."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import timedelta

from webhook_engine.clock import microseconds, to_datetime
from webhook_engine.delivery.publishing import Publisher
from webhook_engine.delivery.service import Service
from webhook_engine.errors import StoreError
from webhook_engine.events import EndpointBacklogEvent
from webhook_engine.log import get_logger
from webhook_engine.store.directory import Directory
from webhook_engine.store.seam import Store

__all__ = ["Backlog", "newly_late"]

log = get_logger("backlog")

LOOK_EVERY_S = 60.0
PAGE = 500
MOST_TOLD = 10_000
"""Late endpoints tracked at once; further ones are not reported until some have caught up."""


def newly_late(
    scheduled: Sequence[tuple[str, int]], told: Collection[str], before: int
) -> tuple[Sequence[tuple[str, int]], Collection[str]]:
    """From the earliest due instants of endpoints: the late ones not reported yet, and all late ones. Pure.

    Late means due before ``before``.
    """
    late = [(endpoint_id, due_at) for endpoint_id, due_at in scheduled if due_at < before]
    return [each for each in late if each[0] not in told], [endpoint_id for endpoint_id, _ in late]


class Backlog(Service):
    """Publishes ``endpoint.backlog`` once for each endpoint of this engine that falls behind by more than ``after``."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        publisher: Publisher,
        after: timedelta,
        *,
        now: Callable[[], int],
        ours: Callable[[], Collection[int]],
    ) -> None:
        super().__init__("backlog")
        self._store = store
        self._directory = directory
        self._publisher = publisher
        self._after = microseconds(after)
        self._now = now
        self._ours = ours
        self._told: set[str] = set()
        self.looks = 0
        """The number of checks done."""

    async def run(self) -> None:
        """Check regularly."""
        while not self.stopping:
            await self.nap(LOOK_EVERY_S)
            if self.stopping:
                return
            try:
                await self._look()
            except StoreError as error:
                log.warning("backlog.not_looked", error=str(error))
            self.looks += 1

    async def _look(self) -> None:
        before = self._now() - self._after
        oldest = (await self._store.upkeep.figures(1)).oldest_due_at
        if oldest is None or oldest >= before:
            self._told.clear()
            return
        still: set[str] = set()
        after: str | None = None
        while page := await self._store.deliveries.endpoints_with_due(after, PAGE, frozenset(self._ours())):
            after = page[-1][0]
            new, late = newly_late(page, self._told, before)
            still.update(late)
            for endpoint_id, due_at in new[: MOST_TOLD - len(self._told)]:
                await self._tell(endpoint_id, due_at)
        self._told &= still

    async def _tell(self, endpoint_id: str, due_at: int) -> None:
        stored = await self._store.endpoints.load(endpoint_id)
        if stored is None or stored.deleted or stored.endpoint.disabled:
            return
        endpoint = stored.endpoint
        application = await self._directory.application(endpoint.organization_id, endpoint.application_id)
        if application is None:
            return
        event = EndpointBacklogEvent(
            organization_id=endpoint.organization_id,
            application_id=endpoint.application_id,
            application_uid=application.uid,
            timestamp=to_datetime(self._now()),
            endpoint_id=endpoint.id,
            endpoint_uid=endpoint.uid,
            waiting_since=to_datetime(due_at),
        )
        async with self._publisher.publishing([event]) as publication:
            if publication.webhooks:
                await self._store.messages.add(publication.webhooks)
        self._told.add(endpoint_id)
