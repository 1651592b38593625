"""The relay moves outbox rows into the flow, each exactly once, and sets aside rows that can never be delivered.

In the engine's own database, the commit that stores a message deletes its row. If several engines share the database,
each moves the rows of its own shards, but only one polls for new rows all the time, and notifies the others of theirs.
Rows of other databases are moved by one :class:`~webhook_engine.delivery.accept.source_relay.SourceRelay` each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

from webhook_engine.clock import Clock
from webhook_engine.delivery.accept.intake import Intake
from webhook_engine.delivery.accept.outbox_watcher import OutboxWatcher, messages_of
from webhook_engine.delivery.accept.router import Router
from webhook_engine.delivery.accept.source_relay import SourceRelay
from webhook_engine.delivery.ownership import Ownership
from webhook_engine.delivery.wakeups import Wakeups
from webhook_engine.errors import ConflictError, EngineNotRunningError, StoreError
from webhook_engine.log import get_logger
from webhook_engine.store.members import SHARD_OF_ALL, Notice
from webhook_engine.store.records import NewMessage, OutboxRow
from webhook_engine.store.seam import OutboxStore
from webhook_engine.store.sources import OutboxSource

__all__ = ["Relay"]

log = get_logger("outbox")

LOOK_EVERY_S = 0.05
LOOK_IF_NOT_TOLD_EVERY_S = 2.0
"""Seconds between polls of the other engines, since the one that polls all the time may have died."""
PAGE = 500
LONGEST_PAUSE_S = 5.0


class Relay(OutboxWatcher):
    """Watches the outbox of the engine's own database, and starts and stops the relays of the other sources."""

    def __init__(
        self,
        outbox: OutboxStore,
        router: Router,
        intake: Intake,
        clock: Clock,
        ownership: Ownership,
        wakeups: Wakeups,
        sources: Sequence[OutboxSource] = (),
    ) -> None:
        super().__init__("relay")
        self._ownership = ownership
        self._wakeups = wakeups
        self._told = False
        """Whether another engine requested the next poll, and has notified all engines concerned."""
        self._outbox = outbox
        self._router = router
        self._intake = intake
        self._clock = clock
        self._others = [SourceRelay(source, router, intake, ownership) for source in sources]

    async def start(self) -> None:
        """Start, with the rows left in the outboxes. Other databases may still be unreachable."""
        await super().start()
        for other in self._others:
            other.on_crash = self.on_crash
            await other.start()

    async def stop(self) -> None:
        """End, when what is begun is finished."""
        await asyncio.gather(super().stop(), *(other.stop() for other in self._others))

    async def catch_up(self) -> None:
        """Return when every row that was committed before the call has been moved or set aside."""
        await asyncio.gather(super().catch_up(), *(other.catch_up() for other in self._others))

    def told(self, shards: Collection[int]) -> None:
        """Poll soon: another engine saw rows for these shards."""
        if not self._ownership.shards.isdisjoint(shards):
            self._told = True
            self.nudge()

    async def run(self) -> None:
        """Poll, move rows, wait."""
        pause = LOOK_EVERY_S
        while not self.stopping:
            asked, self.asked = self.asked, False
            told, self._told = self._told, False
            try:
                changed = await self._outbox.changed()
                if changed and not told:
                    await self._tell_others()
                if asked or changed:
                    await self._move_all()
                self.looked()
                pause = self._look_every_s()
            except StoreError as error:
                self.asked = True
                log.error("outbox.unreadable", error=str(error), again_in_s=pause)
                pause = min(pause * 2, LONGEST_PAUSE_S)
            await self.rest(pause)

    def _look_every_s(self) -> float:
        """Seconds between polls. Engines other than the polling one are notified of their rows while there are any."""
        looks_for_all = self._ownership.holds(SHARD_OF_ALL)
        return LOOK_EVERY_S if looks_for_all or not self._wakeups.are_heard else LOOK_IF_NOT_TOLD_EVERY_S

    async def _tell_others(self) -> None:
        if self._ownership.members > 1:
            elsewhere = await self._outbox.waited_for(PAGE) - self._ownership.shards
            if elsewhere:
                self._wakeups.tell(Notice(outbox=sorted(elsewhere)))

    async def _move_all(self) -> None:
        while not self.stopping:
            rows = await self._outbox.waiting(PAGE, self._ownership.shards)
            if rows:
                await self._move(rows)
            if len(rows) < PAGE:
                return

    async def _move(self, rows: Sequence[OutboxRow]) -> None:
        made, refused = await messages_of(rows, self._intake)
        await asyncio.gather(*(self._accept(row, message) for row, message in made))
        if refused:
            await self._outbox.set_aside(refused, self._clock.now())

    async def _accept(self, row: OutboxRow, message: NewMessage) -> None:
        try:
            await self._router.accept(message, outbox_id=row.id, is_row=True)
        except ConflictError:
            # A message with this event id exists already; the row was deleted all the same.
            log.info("outbox.duplicate", outbox_id=row.id, application=row.application, event_id=row.event_id)
        except EngineNotRunningError:
            log.debug("outbox.left", outbox_id=row.id)
