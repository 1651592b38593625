"""The relay: moves outbox rows into the flow, each exactly once, and sets aside what can never be delivered.

In the engine's own database a row goes in the commit that stores its message. What comes from other databases is
moved by a :class:`~webhook_engine.delivery.accept.source_relay.SourceRelay` for each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from webhook_engine.clock import Clock
from webhook_engine.delivery.accept.intake import Intake
from webhook_engine.delivery.accept.outbox_watcher import OutboxWatcher, messages_of
from webhook_engine.delivery.accept.router import Router
from webhook_engine.delivery.accept.source_relay import SourceRelay
from webhook_engine.delivery.ownership import Ownership
from webhook_engine.errors import ConflictError, EngineNotRunningError, StoreError
from webhook_engine.log import get_logger
from webhook_engine.store.records import NewMessage, OutboxRow
from webhook_engine.store.seam import OutboxStore
from webhook_engine.store.sources import OutboxSource

__all__ = ["Relay"]

log = get_logger("outbox")

LOOK_EVERY_S = 0.05
PAGE = 500
LONGEST_PAUSE_S = 5.0


class Relay(OutboxWatcher):
    """Watches the outbox of the engine's own database, and sees to those of the other sources."""

    def __init__(
        self,
        outbox: OutboxStore,
        router: Router,
        intake: Intake,
        clock: Clock,
        ownership: Ownership,
        sources: Sequence[OutboxSource] = (),
    ) -> None:
        super().__init__("relay")
        self._ownership = ownership
        self._outbox = outbox
        self._router = router
        self._intake = intake
        self._clock = clock
        self._others = [SourceRelay(source, router, intake, ownership) for source in sources]

    async def start(self) -> None:
        """Begin, with what was left in the outboxes. Other databases may be out of reach yet."""
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

    async def run(self) -> None:
        """Look, move, nap."""
        pause = LOOK_EVERY_S
        while not self.stopping:
            asked, self.asked = self.asked, False
            try:
                changed = await self._outbox.changed()
                if asked or changed:
                    await self._move_all()
                self.looked()
                pause = LOOK_EVERY_S
            except StoreError as error:
                self.asked = True
                log.error("outbox.unreadable", error=str(error), again_in_s=pause)
                pause = min(pause * 2, LONGEST_PAUSE_S)
            await self.rest(pause)

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
            await self._router.accept(message, outbox_id=row.id)
        except ConflictError:
            # The same event is there already, and the row went with the attempt to add it once more.
            log.info("outbox.duplicate", outbox_id=row.id, application=row.application, event_id=row.event_id)
        except EngineNotRunningError:
            log.debug("outbox.left", outbox_id=row.id)
