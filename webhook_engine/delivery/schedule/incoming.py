"""Deliveries that other engines have accepted for this engine's endpoints: read in batches, and queued in their lanes.

A notice names the messages, so that one query reads the deliveries of many endpoints. What is not read by it, because
there is too much or something changed meanwhile, is noted as stored, and each lane reads its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from webhook_engine.delivery.schedule.dispatcher import Dispatcher
from webhook_engine.errors import StoreError
from webhook_engine.log import get_logger
from webhook_engine.store.members import Given
from webhook_engine.store.records import Due

__all__ = ["Incoming"]

log = get_logger("delivery")

AT_ONCE = 500
"""Deliveries read in one query."""
MOST_WAITING = 20_000
"""Deliveries that may wait to be read; beyond that, each lane reads its own."""


class Incoming:
    """Takes up deliveries stored by other engines; ``read`` gets their endpoint and message ids."""

    def __init__(
        self, dispatcher: Dispatcher, read: Callable[[Sequence[tuple[str, str]]], Awaitable[Sequence[Due]]]
    ) -> None:
        self._dispatcher = dispatcher
        self._read = read
        self._waiting: list[Given] = []
        self._taking_up = False

    def add(self, given: Sequence[Given]) -> None:
        """Add deliveries for endpoints of this engine."""
        for one in given:
            if not one.message_ids or len(self._waiting) >= MOST_WAITING:
                self._dispatcher.more_accepted(one)
            else:
                self._waiting.append(one)
        if self._waiting and not self._taking_up:
            self._taking_up = True
            self._dispatcher.errand(self._take_up())

    async def _take_up(self) -> None:
        try:
            while self._waiting and not self._dispatcher.stopping:
                wanted = self._next()
                pairs = [(one.endpoint_id, message_id) for one in wanted for message_id in one.message_ids]
                since = self._dispatcher.begin_to_take_up()
                found: Sequence[Due] = ()
                try:
                    found = await self._read(pairs)
                except (StoreError, MemoryError) as error:
                    log.debug("incoming.unreadable", error=str(error) or repr(error), consequence="lanes look for it")
                finally:
                    self._dispatcher.take_up(wanted, found, since)
        finally:
            self._taking_up = False

    def _next(self) -> Sequence[Given]:
        wanted: list[Given] = []
        count = 0
        for one in self._waiting:
            if wanted and count + len(one.message_ids) > AT_ONCE:
                break
            wanted.append(one)
            count += len(one.message_ids)
        del self._waiting[: len(wanted)]
        return wanted
