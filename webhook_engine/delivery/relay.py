"""The relay: moves outbox rows into the flow, each exactly once, and sets aside what can never be delivered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from webhook_engine.clock import Clock
from webhook_engine.delivery.router import Router
from webhook_engine.delivery.service import Service
from webhook_engine.errors import ConflictError, EngineNotRunningError, StoreError, WebhookEngineError
from webhook_engine.log import get_logger
from webhook_engine.store.records import NewMessage, OutboxRow, OutboxVerdict
from webhook_engine.store.seam import OutboxStore

__all__ = ["Admit", "Relay"]

log = get_logger("outbox")

Admit = Callable[[OutboxRow], Awaitable[NewMessage]]
"""Makes a message of a row, by the same rules as ``messages.create``; raises a ``WebhookEngineError`` if it cannot."""

LOOK_EVERY_S = 0.05
PAGE = 500
LONGEST_PAUSE_S = 5.0


class Relay(Service):
    """Watches the outbox of the engine's own database."""

    def __init__(self, outbox: OutboxStore, router: Router, admit: Admit, clock: Clock) -> None:
        super().__init__("relay")
        self._outbox = outbox
        self._router = router
        self._admit = admit
        self._clock = clock
        self._rounds = 0
        self._asked = False

    async def start(self) -> None:
        """Begin, with what was left in the outbox."""
        self._asked = True
        await super().start()

    async def catch_up(self) -> None:
        """Return when every row that was committed before the call has been moved or set aside."""
        # The round that is under way may have looked before the call; the one after it has not.
        target = self._rounds + 2
        while self._rounds < target and not self.stopping:
            self._asked = True
            self.nudge()
            await asyncio.sleep(0.001)

    async def run(self) -> None:
        """Look, move, nap."""
        pause = LOOK_EVERY_S
        while not self.stopping:
            asked, self._asked = self._asked, False
            try:
                changed = await self._outbox.changed()
                if asked or changed:
                    await self._move_all()
                self._rounds += 1
                pause = LOOK_EVERY_S
            except StoreError as error:
                self._asked = True
                log.error("outbox.unreadable", error=str(error), again_in_s=pause)
                pause = min(pause * 2, LONGEST_PAUSE_S)
            await self.nap(pause)

    async def _move_all(self) -> None:
        while not self.stopping:
            rows = await self._outbox.waiting(PAGE)
            if rows:
                await self._move(rows)
            if len(rows) < PAGE:
                return

    async def _move(self, rows: Sequence[OutboxRow]) -> None:
        results = await asyncio.gather(*(self._move_one(row) for row in rows))
        verdicts = [verdict for verdict in results if verdict is not None]
        if verdicts:
            await self._outbox.set_aside(verdicts, self._clock.now())

    async def _move_one(self, row: OutboxRow) -> OutboxVerdict | None:
        try:
            message = await self._admit(row)
            await self._router.accept(message, outbox_id=row.id)
        except ConflictError:
            # The same event is there already, and the row went with the attempt to add it once more.
            log.info("outbox.duplicate", outbox_id=row.id, application=row.application, event_id=row.event_id)
        except EngineNotRunningError:
            log.debug("outbox.left", outbox_id=row.id)
        except StoreError:
            raise
        except WebhookEngineError as error:
            log.error("outbox.set_aside", outbox_id=row.id, application=row.application, error=str(error))
            return OutboxVerdict(row.id, str(error))
        return None
