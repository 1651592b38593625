"""The source relay moves the outbox rows of another database into the flow, each exactly once.

::

    row ─► message id, kept in the row ─► message stored ─► row removed

Each step is durable before the next. After a crash in between, the message id in the row tells the next process
whether the message is stored already.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from webhook_engine.delivery.accept.intake import Intake
from webhook_engine.delivery.accept.outbox_watcher import OutboxWatcher, messages_of
from webhook_engine.delivery.accept.router import Router
from webhook_engine.delivery.ownership import Ownership
from webhook_engine.errors import ConflictError, EngineNotRunningError, StoreError
from webhook_engine.log import get_logger
from webhook_engine.store.members import shard_of
from webhook_engine.store.records import NewMessage, OutboxRow
from webhook_engine.store.sources import OutboxSource

__all__ = ["SourceRelay"]

log = get_logger("outbox")

PAGE = 100
"""Rows in memory at once; the largest payload is a megabyte."""
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0


class SourceRelay(OutboxWatcher):
    """Watches the outbox of another database, and keeps retrying while it is unreachable."""

    def __init__(self, source: OutboxSource, router: Router, intake: Intake, ownership: Ownership) -> None:
        super().__init__(f"relay of {source.name}")
        self._ownership = ownership
        self._shard = shard_of(source.name)
        self._source = source
        self._router = router
        self._intake = intake

    async def run(self) -> None:
        """Poll, move rows, wait."""
        problem, pause = "", FIRST_PAUSE_S
        try:
            while not self.stopping:
                try:
                    await self._round()
                except StoreError as error:
                    self.asked = True
                    if str(error) != problem:
                        problem = str(error)
                        log.error("outbox.unreachable", source=self._source.name, error=problem)
                    await self.nap(pause)
                    pause = min(pause * 2, LONGEST_PAUSE_S)
                    continue
                if problem:
                    log.info("outbox.reachable", source=self._source.name)
                problem, pause = "", FIRST_PAUSE_S
                self.looked()
                await self._rest()
        finally:
            await self._source.close()

    async def _round(self) -> None:
        if not self._ownership.holds(self._shard):
            # Another engine moves them. When this one takes over, it polls even if the source reports no change.
            self.asked = True
            return
        await self._source.open()
        asked, self.asked = self.asked, False
        changed = await self._source.changed()
        while (asked or changed) and not self.stopping:
            rows = await self._source.waiting(PAGE)
            if rows:
                try:
                    await self._move(rows)
                finally:
                    await self._source.release()
            if len(rows) < PAGE:
                return

    async def _rest(self) -> None:
        unwatch = self._source.watch(self.nudge)
        try:
            await self.rest(self._source.look_every_s)
        finally:
            unwatch()

    async def _move(self, rows: Sequence[OutboxRow]) -> None:
        made, refused = await messages_of(rows, self._intake, self._source.name)
        nameless = [(row.id, message.id) for row, message in made if row.message_id is None]
        if nameless:
            gone = set(await self._source.identify(nameless))
            made = [(row, message) for row, message in made if row.id not in gone]
            refused = [row for row in refused if row.id not in gone]
        results = await asyncio.gather(*(self._accept(row, message) for row, message in made))
        stored = [row.id for (row, _), done in zip(made, results, strict=True) if done is True]
        if stored:
            await self._source.remove(stored)
        if refused:
            await self._source.set_aside(refused)
        for done in results:
            if isinstance(done, StoreError):
                raise done

    async def _accept(self, row: OutboxRow, message: NewMessage) -> bool | StoreError:
        """Store a message; returns whether it is stored, now or earlier, or the error of the engine's own database."""
        try:
            await self._router.accept(message, is_row=True)
        except ConflictError:
            log.info("outbox.duplicate", outbox_id=row.id, application=row.application, source=self._source.name)
        except EngineNotRunningError:
            return False
        except StoreError as error:
            return error
        return True
