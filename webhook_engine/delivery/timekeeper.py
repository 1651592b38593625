"""The timekeeper detects when the clock is set, and keeps that from affecting what elapsed time decides.

The clocks are read regularly, by the dispatcher at least every tenth of a second. A clock that was set back delays no
retry: scheduled retries are moved accordingly. The clock's time is stored in the database, so that the next start can
tell whether it was set meanwhile, and whether what is old by it may be deleted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial

from webhook_engine.clock import Clock, to_datetime
from webhook_engine.delivery.elapsed import JUMP, Clocks, Moment, due_again, elapsed
from webhook_engine.delivery.service import Service
from webhook_engine.delivery.upkeep.clock_doubt import DOUBTED_FOR_S, ClockTrust
from webhook_engine.errors import StoreError
from webhook_engine.ids import IdSource, id_bounds, text_of, timestamp_of
from webhook_engine.log import get_logger
from webhook_engine.store.records import ClockMark
from webhook_engine.store.seam import DeliveryStore
from webhook_engine.store.upkeep import UpkeepStore

__all__ = ["Timekeeper"]

log = get_logger("clock")

KEPT_EVERY_S = 60.0
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
PAGE = 500
SETTLED_AFTER = 2_000_000
"""Microseconds after the making of its id within which a message is stored, or known to be unstored."""
ID_MOMENT = 500_000
SOON = 50_000
"""Microseconds after a full check in which a quick one suffices, unless the clock was set."""
PLAUSIBLY_AHEAD = 3_600_000_000
"""Microseconds by which another engine's message id may be ahead of the clock and still be trusted."""


class Timekeeper(Service):
    """Gives the time. ``on_set_back`` is called when the clock was set back, and again when all retries are moved."""

    def __init__(
        self,
        clock: Clock,
        upkeep: UpkeepStore,
        deliveries: DeliveryStore,
        ids: IdSource,
        on_set_back: Callable[[], None],
    ) -> None:
        super().__init__("timekeeper")
        self._clock = clock
        self._upkeep = upkeep
        self._deliveries = deliveries
        self._ids = ids
        self._on_set_back = on_set_back
        self._trust = ClockTrust()
        self._clocks = self._read()
        self._ran = 0
        self._set_back = False
        self._putting_right = False
        self._seen_before = 0
        """The clock's time before it was set back, until the retries are moved."""
        self._jumped = False
        self._seen_ran = self._seen_id = 0
        """Running time and last id at the last reading."""
        self._ids_made: deque[tuple[int, int]] = deque()
        """Samples of the running time, each with the last id made shortly before or after it."""

    @property
    def busy(self) -> bool:
        """Whether retries are still to be moved after the clock was set back."""
        return self._set_back or self._putting_right

    async def start(self) -> None:
        """Start; running time continues from the last run, whatever the clock says now."""
        self._trust = ClockTrust()
        self._clocks = clocks = self._read()
        mark = await self._upkeep.clock_mark()
        if mark is None:
            mark = await self._guessed()
        if mark is not None:
            self._ran = max(self._ran, mark.ran)
            doubted_since = None if mark.doubted_ran is None else mark.doubted_ran / 1_000_000
            self._trust.remember(mark.believed_at, mark.ran / 1_000_000, doubted_since)
        newest = await self._upkeep.newest_id(
            id_bounds("msg_", max(clocks.wall, mark.seen_at if mark else 0) + PLAUSIBLY_AHEAD)[1]
        )
        for identifier in (mark.last_id if mark else "", newest):
            if identifier:
                self._ids.continue_after(identifier)
        self._seen_ran, self._seen_id = self._ran, self._ids.last_value
        self._ids_made = deque([(self._seen_ran, self._seen_id)])
        self._set_back = mark is not None and clocks.wall < mark.seen_at
        self._seen_before = mark.seen_at if self._set_back and mark is not None else 0
        if self._set_back and mark is not None and mark.seen_at - clocks.wall >= JUMP:
            _log_jump(clocks.wall - mark.seen_at, clocks.wall)
        self.believes()
        self._jumped = True
        await super().start()

    def look(self) -> Moment:
        """Read the clocks; detects whether the wall clock was set since the last reading."""
        clock, before = self._clock, self._clocks
        wall, passed = clock.now(), round(clock.monotonic() * 1_000_000) - before.monotonic
        if 0 <= passed < SOON and -JUMP < wall - before.wall - passed < JUMP:
            # Each attempt reads the time twice, and most readings need nothing else.
            self._seen_ran, self._seen_id = self._ran + passed, self._ids.last_value
            return Moment(wall, self._seen_ran)
        return self._look_closely()

    def _look_closely(self) -> Moment:
        before, after = self._clocks, self._read()
        self._clocks = after
        self._note_ids(self._seen_ran, self._seen_id)
        step = elapsed(before, after)
        self._ran += step.ran
        self._seen_ran, self._seen_id = self._ran, self._ids.last_value
        self._note_ids(self._ran, self._seen_id)
        if step.jump:
            self._noticed(step.jump, before.wall)
        return Moment(after.wall, self._ran)

    def _noticed(self, jump: int, wall_before: int) -> None:
        _log_jump(jump, self._clocks.wall)
        self._jumped = True
        self.nudge()
        if jump < 0:
            self._set_back = True
            self._seen_before = max(self._seen_before, wall_before)
            self._on_set_back()

    def believes(self) -> bool:
        """Whether what is old by the clock may be deleted."""
        moment, doubted = self._look_closely(), self._trust.doubted
        believed = self._trust.believes(moment.now, moment.ran / 1_000_000)
        if not believed and not doubted:
            log.warning(
                "clock.doubted",
                now=to_datetime(moment.now).isoformat(),
                reason="it is far ahead of what it said last",
                consequence="what is old by it is not deleted",
                believed_again_after_s=DOUBTED_FOR_S,
            )
        return believed

    def believed_now(self) -> int:
        """The clock's time without a doubted jump, in microseconds since the epoch."""
        self.believes()
        return self._trust.believed_at(self._clocks.wall, self._ran / 1_000_000)

    def settled_id(self) -> str | None:
        """The last id, without its prefix, made so long ago that all messages with lower ids are stored, or ``None``.

        Measured in running time, since after the clock was set back, ids are ahead of it.
        """
        self._look_closely()
        made_at, value = self._ids_made[0]
        return text_of(value) if made_at + ID_MOMENT + SETTLED_AFTER <= self._ran else None

    def settle(self) -> str:
        """Like :meth:`settled_id`, but if no id was made for long, advance the ids so that new ones are higher.

        Other engines wait for this value to advance, even while this engine is idle.
        """
        settled = self.settled_id() or ""
        reached = id_bounds("", max(0, self.believed_now() - ID_MOMENT - SETTLED_AFTER))[0]
        self._ids.continue_after(reached)
        return max(settled, reached)

    def mark(self) -> ClockMark:
        """The clock data to store for the next start."""
        moment, doubted_since = self._look_closely(), self._trust.doubted_since
        return ClockMark(
            ran=moment.ran,
            # A start after a crash must detect that the clock was set back until the retries are moved.
            seen_at=max(moment.now, self._seen_before),
            believed_at=self._trust.believed_at(moment.now, moment.ran / 1_000_000),
            doubted_ran=None if doubted_since is None else round(doubted_since * 1_000_000),
            last_id=self._ids.last,
        )

    async def run(self) -> None:
        """Store the clock data regularly, and at once when the clock was set."""
        again_s = FIRST_PAUSE_S
        while not self.stopping:
            pause = KEPT_EVERY_S
            try:
                self._jumped = False
                self.believes()
                await self._upkeep.keep_clock_mark(self.mark())
                if self._set_back:
                    await self._put_right()
                again_s = FIRST_PAUSE_S
            except (StoreError, MemoryError) as error:
                log.error("clock.not_kept", error=str(error) or repr(error), again_in_s=again_s)
                pause, again_s = again_s, min(again_s * 2, LONGEST_PAUSE_S)
            if not self.stopping and not self._jumped:
                await self.nap(pause)

    async def stop(self) -> None:
        """Stop, and store the clock data once more."""
        await super().stop()
        try:
            await self._upkeep.keep_clock_mark(self.mark())
        except StoreError as error:
            log.warning("clock.not_kept", error=str(error), again_in_s=None)

    async def _put_right(self) -> None:
        """Move deliveries that are scheduled too far ahead, page by page."""
        # If the clock is set again meanwhile, this starts again.
        self._set_back, self._putting_right = False, True
        after, moved, done = None, 0, False
        try:
            while not done and not self.stopping:
                moment = self.look()
                count, after = await self._deliveries.reschedule(after, PAGE, partial(_due, moment))
                moved, done = moved + count, after is None
        finally:
            self._putting_right = False
            self._set_back = self._set_back or not done
        if not self._set_back:
            self._seen_before = 0
        self._jumped = True
        if moved:
            log.info("clock.put_right", deliveries=moved)
        self._on_set_back()

    def _note_ids(self, ran: int, value: int) -> None:
        made = self._ids_made
        if made and ran - made[-1][0] < ID_MOMENT:
            made[-1] = (made[-1][0], value)
        else:
            made.append((ran, value))
        while len(made) > 1 and made[1][0] + ID_MOMENT + SETTLED_AFTER <= ran:
            made.popleft()

    async def _guessed(self) -> ClockMark | None:
        """Clock data derived from a database that has none stored yet."""
        ran, newest = await self._upkeep.longest_ran(), await self._upkeep.newest_id("msg_~")
        if newest is None:
            return None
        seen_at = timestamp_of(newest)
        return ClockMark(ran=ran, seen_at=seen_at, believed_at=seen_at, doubted_ran=None, last_id="")

    def _read(self) -> Clocks:
        clock = self._clock
        return Clocks(clock.now(), round(clock.monotonic() * 1_000_000), round(clock.process() * 1_000_000))


def _due(moment: Moment, due_at: int, due_ran: int | None, promised: bool) -> int:
    return due_again(due_at, due_ran, promised=promised, now=moment.now, ran=moment.ran)


def _log_jump(jump: int, now: int) -> None:
    log.warning(
        "clock.set",
        by_s=round(jump / 1_000_000, 1),
        now=to_datetime(now).isoformat(),
        consequence="retries keep their delays, failure windows count only time that passed",
    )
