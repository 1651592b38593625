"""Wake-ups by other engines: what they have committed for this one is read when notified, and regularly anyway."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from webhook_engine.delivery.service import Service
from webhook_engine.errors import StoreError
from webhook_engine.log import get_logger
from webhook_engine.store.members import Notice, WakeupStore

__all__ = ["Wakeups"]

log = get_logger("members")

LONGEST_PAUSE_S = 2.0
COALESCED_S = 0.005
"""Seconds within which notices are coalesced, when sent and when received."""
MAX_UNTOLD = 10_000


class Wakeups(Service):
    """Passes notices of other engines to ``on_notice``; calls ``on_missed`` if some may have been missed."""

    def __init__(
        self, store: WakeupStore | None, on_notice: Callable[[Notice], None], on_missed: Callable[[], None]
    ) -> None:
        super().__init__("wakeups")
        self._store = store
        self._on_notice = on_notice
        self._on_missed = on_missed
        self._untold: list[Notice] = []
        self._telling: asyncio.Task[None] | None = None

    @property
    def are_heard(self) -> bool:
        """Whether notices arrive at once, and not only at the next poll."""
        return self._store is not None and self._store.are_heard

    async def start(self) -> None:
        """Start to receive notices."""
        if self._store is not None:
            await self._store.start()
        await super().start()

    def tell(self, notice: Notice) -> None:
        """Notify the other engines soon."""
        if self._store is None:
            return
        self._untold.append(notice)
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell(self._store))

    def committed(self) -> None:
        """See :meth:`WakeupStore.committed`."""
        if self._store is not None:
            self._store.committed()

    async def run(self) -> None:
        """Wait for notices, read them and pass them on."""
        store, pause = self._store, COALESCED_S
        if store is None:
            while not self.stopping:
                await self.nap()
            return
        while not self.stopping:
            try:
                await store.wait(store.look_every_s)
                notices, missed = await store.read()
                pause = COALESCED_S
            except (StoreError, MemoryError) as error:
                pause = min(max(pause, 0.05) * 2, LONGEST_PAUSE_S)
                log.error("notices.unreadable", error=str(error) or repr(error), again_in_s=round(pause, 1))
                await self.nap(pause)
                continue
            if missed:
                self._on_missed()
            for notice in notices:
                self._on_notice(notice)
            await asyncio.sleep(pause)

    async def stop(self) -> None:
        """Stop after sending all notices."""
        if self._telling is not None:
            await asyncio.gather(self._telling, return_exceptions=True)
        self.stopping = True
        self.nudge()
        if self._store is not None:
            self._store.committed()
        await super().stop()

    async def _tell(self, store: WakeupStore) -> None:
        pause = COALESCED_S
        while self._untold:
            await asyncio.sleep(pause)
            batch, self._untold = self._untold, []
            try:
                await store.tell(_together(batch))
                pause = COALESCED_S
            except (StoreError, MemoryError) as error:
                log.error("notices.not_told", error=str(error) or repr(error), count=len(batch))
                self._untold = [*batch, *self._untold][:MAX_UNTOLD]
                pause = min(max(pause, 0.05) * 2, LONGEST_PAUSE_S)
                if self.stopping:
                    return


def _together(notices: list[Notice]) -> Notice:
    """Merge notices into one."""
    if len(notices) == 1:
        return notices[0]
    return Notice(
        deliveries=[one for notice in notices for one in notice.deliveries],
        manual=[one for notice in notices for one in notice.manual],
        endpoints=[one for notice in notices for one in notice.endpoints],
        applications=[one for notice in notices for one in notice.applications],
        cancelled=[one for notice in notices for one in notice.cancelled],
        expunged=[one for notice in notices for one in notice.expunged],
        tasks=any(notice.tasks for notice in notices),
        revocations=any(notice.revocations for notice in notices),
        members=any(notice.members for notice in notices),
        outbox=sorted({shard for notice in notices for shard in notice.outbox}),
    )
