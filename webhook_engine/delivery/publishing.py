"""A change, and what the platform is told of it: stored together, then sent and published. Written once, for all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from webhook_engine.delivery.notifier import Notifier
from webhook_engine.events import OperationalEvent
from webhook_engine.store.records import RoutedMessage

__all__ = ["Publisher"]

T = TypeVar("T")


class Publisher:
    """Publishes events with the changes that they tell of; ``schedule`` gets their webhooks once they are stored."""

    def __init__(self, notifier: Notifier, schedule: Callable[[Sequence[RoutedMessage]], None]) -> None:
        self._notifier = notifier
        self._schedule = schedule

    async def publish(
        self,
        events: Sequence[OperationalEvent],
        commit: Callable[[Sequence[RoutedMessage]], Awaitable[T]],
        applied: Callable[[T], object] = lambda _: None,
    ) -> T:
        """Make a change, and publish events of it.

        ``commit`` stores the change with the webhooks that it is given, or raises and stores neither; if it returns
        ``False``, there was nothing to change, and nothing is published. ``applied`` gets what it returned, before
        anybody is told.
        """
        webhooks = await self._notifier.webhooks(events) if events else ()
        result = await commit(webhooks)
        if result is False:
            return result
        applied(result)
        if webhooks:
            self._schedule(webhooks)
        for event in events:
            self._notifier.publish(event)
        return result
