"""Retention deletes old data in small steps, and frees the space.

It shares the database writer with deliveries. So a step takes a few milliseconds, and then leaves the writer to others
for several times as long. A pass goes from the oldest message to the newest expired one. The next pass begins at the
first message that this one had to keep because it still has scheduled attempts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from datetime import timedelta
from typing import TypeVar

import msgspec

from webhook_engine.clock import Clock, microseconds
from webhook_engine.delivery.measures import Measures
from webhook_engine.delivery.service import Service
from webhook_engine.errors import StoreError
from webhook_engine.ids import id_bounds
from webhook_engine.log import get_logger
from webhook_engine.store.audit import AUDIT_PREFIX
from webhook_engine.store.upkeep import Cleaned, UpkeepStore

__all__ = ["Retention", "RetentionPolicy"]

log = get_logger("retention")

T = TypeVar("T")

LONGEST_NAP_S = 60.0
SHORTEST_NAP_S = 0.05
FIRST_BATCH = 50
SMALLEST_BATCH, LARGEST_BATCH = 8, 1_000
STEP_S = 0.01
"""Seconds that a step should occupy the writer; the batch size adapts to it."""
SHARE = 0.2
"""Share of the time that may be spent on steps."""
RESERVE = 0.1
"""Share of the file that stays free for new data."""
SHRINK_BYTES = 256 * 1024


class RetentionPolicy(msgspec.Struct, frozen=True):
    """How long each kind of data is kept."""

    payload: timedelta
    attempts: timedelta
    audit: timedelta = timedelta(days=365)


class Retention(Service):
    """Deletes what is older than :attr:`policy`, which may be replaced at any time.

    ``is_ours`` says whether this engine does it, among those that share the database.
    """

    def __init__(
        self,
        upkeep: UpkeepStore,
        clock: Clock,
        policy: RetentionPolicy,
        measures: Measures,
        believes_clock: Callable[[], bool],
        *,
        on_expired: Callable[[Collection[str]], None],
        is_ours: Callable[[], bool] = lambda: True,
    ) -> None:
        super().__init__("retention")
        self.policy = policy
        self.passes = 0
        """The number of passes done."""
        self.looks = 0
        """The number of checks of the clock."""
        self._upkeep = upkeep
        self._clock = clock
        self._measures = measures
        self._on_expired = on_expired
        self._is_ours = is_ours
        self._batch = FIRST_BATCH
        self._payloads_from = ""
        self._believes_clock = believes_clock
        self._stop_watching_clock: Callable[[], None] = lambda: None

    async def start(self) -> None:
        """Start with a pass over everything."""
        self._payloads_from = ""
        self._stop_watching_clock = self._clock.on_jump(self.nudge)
        await super().start()

    async def stop(self) -> None:
        """Stop after the current step."""
        self._stop_watching_clock()
        await super().stop()

    async def run(self) -> None:
        """Make a pass regularly."""
        while not self.stopping:
            try:
                believed = self._believes_clock()
                self.looks += 1
                if believed and self._is_ours():
                    await self._pass()
                    self.passes += 1
            except (StoreError, MemoryError) as error:
                log.warning("retention.interrupted", error=str(error) or repr(error), again_in_s=self._nap_s())
            if not self.stopping:
                await self.nap(self._nap_s())

    def _nap_s(self) -> float:
        shortest = min(self.policy.payload, self.policy.attempts, self.policy.audit).total_seconds()
        return min(max(shortest / 10, SHORTEST_NAP_S), LONGEST_NAP_S)

    async def _pass(self) -> None:
        now, policy = self._clock.now(), self.policy
        attempts_until = id_bounds("atmpt_", now - microseconds(policy.attempts))[0]
        messages_until = id_bounds("msg_", now - microseconds(policy.attempts))[0]
        payloads_until = id_bounds("msg_", now - microseconds(min(policy.payload, policy.attempts)))[0]
        audit_until = id_bounds(AUDIT_PREFIX, now - microseconds(policy.audit))[0]
        tasks_until = id_bounds("qtask_", now - microseconds(policy.attempts))[0]

        deleted, _ = await self._walk(
            "", lambda after: self._upkeep.delete_messages(after, messages_until, attempts_until, self._batch)
        )
        dropped, kept = await self._walk(
            self._payloads_from, lambda after: self._upkeep.expire_payloads(after, payloads_until, self._batch)
        )
        if not self.stopping:
            # The next pass begins just before the first one kept, or where this one ended.
            self._payloads_from = _just_before(kept) if kept else max(payloads_until, self._payloads_from)
        dropped += await self._repeat(lambda: self._expire_own_payloads(now))
        await self._repeat(lambda: self._upkeep.purge(now, self._batch))
        await self._repeat(lambda: self._upkeep.delete_tasks(tasks_until, self._batch))
        await self._repeat(lambda: self._upkeep.delete_audit(audit_until, self._batch))
        freed = await self._repeat(lambda: self._upkeep.shrink(RESERVE, SHRINK_BYTES), sized=False)
        self._measures.retention.update(messages=deleted, payloads=dropped, bytes=freed)
        if deleted or dropped:
            log.info("retention.cleaned", messages=deleted, payloads=dropped, freed_bytes=freed)

    async def _expire_own_payloads(self, now: int) -> int:
        # Unlike payloads under the general retention, these expire even if an attempt is still scheduled, or in memory.
        expired = await self._upkeep.expire_own_payloads(now, self._batch)
        if expired:
            self._on_expired(expired)
        return len(expired)

    async def _walk(self, after: str, step: Callable[[str], Awaitable[Cleaned]]) -> tuple[int, str | None]:
        """Step through the messages; returns how many were changed, and the first that was kept."""
        changed, kept = 0, None
        cursor: str | None = after
        while cursor is not None and not self.stopping:
            at = cursor
            cleaned = await self._paced(lambda: step(at))  # noqa: B023 (it is awaited at once)
            changed += cleaned.changed
            kept = kept or cleaned.kept
            cursor = cleaned.cursor
        return changed, kept

    async def _repeat(self, step: Callable[[], Awaitable[int]], *, sized: bool = True) -> int:
        """Repeat a step until nothing is left; returns how many were changed."""
        total = 0
        while not self.stopping:
            done = await self._paced(step, sized=sized)
            total += done
            if done == 0:
                break
        return total

    async def _paced(self, step: Callable[[], Awaitable[T]], *, sized: bool = True) -> T:
        """Make one step, adapt the batch size to how long it took, and leave the writer to others for a while."""
        loop = asyncio.get_running_loop()
        began_at, spent_s = loop.time(), self._upkeep.spent_s
        result = await step()
        took = loop.time() - began_at
        if sized:
            # The time of the commit itself does not count: on a slow disk a small batch takes as long.
            self._batch = _next_batch(self._batch, self._upkeep.spent_s - spent_s)
        await asyncio.sleep(took * (1 / SHARE - 1))
        return result


def _next_batch(batch: int, spent_s: float) -> int:
    if spent_s > STEP_S:
        return max(batch // 2, SMALLEST_BATCH)
    return min(batch + batch // 4, LARGEST_BATCH) if spent_s < STEP_S / 2 else batch


def _just_before(identifier: str) -> str:
    """A text that sorts just before this id, after every lower one."""
    return identifier[:-1] + chr(ord(identifier[-1]) - 1) + "~"
