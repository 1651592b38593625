"""Publishing a change's events: their webhooks are stored with the change, then scheduled and published."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from webhook_engine.delivery.notifier import Notifier
from webhook_engine.events import OperationalEvent
from webhook_engine.store.records import AddressedMessage

__all__ = ["Publication", "Publisher"]


class Publication:
    """The events to publish once a change is stored."""

    def __init__(self, webhooks: Sequence[AddressedMessage]) -> None:
        self.webhooks = webhooks
        """The webhooks to store with the change."""
        self.withdrawn = False

    def withdraw(self) -> None:
        """Publish nothing, because nothing was changed."""
        self.withdrawn = True


class Publisher:
    """Publishes events with the changes that they are about; ``schedule`` gets their webhooks once they are stored."""

    def __init__(self, notifier: Notifier, schedule: Callable[[Sequence[AddressedMessage]], None]) -> None:
        self._notifier = notifier
        self._schedule = schedule

    @asynccontextmanager
    async def publishing(self, events: Sequence[OperationalEvent]) -> AsyncIterator[Publication]:
        """Publish the events of a change after the block, which stores the change and applies it.

        If the block raises, nothing is published.
        """
        publication = Publication(await self._notifier.webhooks(events) if events else ())
        yield publication
        if publication.withdrawn:
            return
        if publication.webhooks:
            self._schedule(publication.webhooks)
        for event in events:
            self._notifier.publish(event)
