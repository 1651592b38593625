"""The dispatcher wakes lanes when their deliveries are due, fills them, and makes as many attempts as are allowed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection, Coroutine, Sequence

import msgspec

from webhook_engine.clock import Clock
from webhook_engine.delivery.attempt.attempt import Attempter
from webhook_engine.delivery.attempt.batch import (
    MAX_BATCH_BYTES,
    body_of,
    gathered,
    of_the_others,
    request_of,
    waits_until,
)
from webhook_engine.delivery.attempt.decision import DELETED, DISABLED
from webhook_engine.delivery.attempt.outcome import Outcome, Postponed
from webhook_engine.delivery.attempt.recorder import Recorder
from webhook_engine.delivery.attempt.target import Batch, Target
from webhook_engine.delivery.attempt.targets import Targets
from webhook_engine.delivery.measures import Measures
from webhook_engine.delivery.ownership import Ownership
from webhook_engine.delivery.schedule.figures import LaneFigures, lane_figures
from webhook_engine.delivery.schedule.lane import Lane, Load
from webhook_engine.delivery.schedule.lanes import Lanes, Slot
from webhook_engine.delivery.schedule.pauses import pause_s
from webhook_engine.delivery.schedule.timers import Timers
from webhook_engine.delivery.service import Service
from webhook_engine.delivery.timekeeper import Timekeeper
from webhook_engine.delivery.troubles import lack_of
from webhook_engine.errors import StoreError, WebhookEngineError
from webhook_engine.ids import IdSource
from webhook_engine.log import get_logger
from webhook_engine.model import DeliveryStatus
from webhook_engine.store.directory import Directory
from webhook_engine.store.members import Given
from webhook_engine.store.order import OrderedDelivery, Turns
from webhook_engine.store.records import AddressedMessage, Due, NewMessage, StoredEndpoint
from webhook_engine.store.seam import DeliveryStore

__all__ = ["Dispatcher"]

log = get_logger("delivery")

LONGEST_NAP_S = 0.1
"""Seconds that a jump of the clock may go undetected."""
REFILL = 512
REFILL_PAUSE = 1_000_000
"""Microseconds between two reads of a busy lane's retries."""
SCAN_PAGE = 1_000
SETTLE_PAGE = 500
NO_TURNS = Turns()
MAX_ERRANDS = 100
"""Lanes loaded or filled concurrently when many are due; the others wait in the timers."""
PAUSE_AFTER_ERROR_S = 1.0
LOGGED_EACH = 10
"""A repeated reason for holding a lane is logged once in so many times."""


class Dispatcher(Service):
    """Owns timers and lanes."""

    def __init__(
        self,
        *,
        deliveries: DeliveryStore,
        attempter: Attempter,
        recorder: Recorder,
        targets: Targets,
        directory: Directory,
        clock: Clock,
        timekeeper: Timekeeper,
        measures: Measures,
        ownership: Ownership,
        ids: IdSource,
        max_in_flight: int,
        max_in_flight_per_endpoint: int,
    ) -> None:
        super().__init__("dispatcher")
        self._ownership = ownership
        self._looks_again = 0
        """Counts changes of the shards; a scan that began before a change has to start again."""
        self._deliveries = deliveries
        self._attempter = attempter
        self._recorder = recorder
        self._targets = targets
        self._directory = directory
        self._clock = clock
        self._ids = ids
        self._timekeeper = timekeeper
        self._set_back = False
        self._measures = measures
        self._max_in_flight = max_in_flight
        self._max_in_flight_per_endpoint = max_in_flight_per_endpoint
        self._forget_everything()
        self._max_backlog = 2 * max_in_flight
        self._attempting: set[asyncio.Task[None]] = set()
        self._errands: set[asyncio.Task[None]] = set()
        self._held: dict[Lane, asyncio.TimerHandle] = {}
        """Lanes on hold, because something that they need is unavailable."""
        self._scanning = False
        self._just_expunged: set[str] = set()
        """Messages with deleted payloads of which an attempt may be about to begin."""
        self._left_meanwhile: set[tuple[str, str]] | None = None
        """Deliveries (endpoint and message ids) that were recorded or dropped during a read for :meth:`take_up`."""
        self._expunged_meanwhile: set[str] = set()
        self._stop_watching_clock: Callable[[], None] = lambda: None

    # Called by the rest of the flow.

    def schedule(self, batch: Sequence[AddressedMessage]) -> None:
        """Queue the deliveries of new, committed messages in their lanes, or note them as stored."""
        now = self._clock.now()
        touched: dict[str, Lane] = {}
        for addressed in batch:
            message = addressed.message
            # Deliveries due at once are due from their creation, even if the clock was set back since.
            due_at = message.deliver_at or min(message.created_at, now)
            if addressed.manual_to is not None and self._is_ours(addressed):
                self.schedule_manual(_due(message, addressed.manual_to, now, message.id))
            for endpoint_id in addressed.endpoint_ids if addressed.shards is None else self._ours(addressed):
                lane = touched.get(endpoint_id)
                if lane is None:
                    lane = touched[endpoint_id] = self._lane(endpoint_id)
                if endpoint_id in addressed.ordered:
                    # Only the database knows whether it has the turn.
                    if not lane.orders.joined(message.ordering_key or "", now):
                        lane.note_stored(due_at)
                        self._attend(lane)
                elif due_at > now or not lane.push_new(_due(message, endpoint_id, due_at)):
                    # At once, because a lane with nothing in memory may be evicted when another one is opened.
                    lane.note_stored(due_at)
                    self._attend(lane)
        for lane in touched.values():
            self._attend(lane)
        self._pump()

    def schedule_manual(self, due: Due) -> None:
        """Queue a manual attempt that was requested and committed."""
        lane = self._lane(due.endpoint_id)
        if not lane.push(due):
            lane.note_manual(due.due_at)
        self._attend(lane)
        self._pump()

    def manual_stored(self, endpoint_id: str, due_at: int) -> None:
        """Note a manual attempt that was requested and committed, to be read from the database."""
        lane = self._lane(endpoint_id)
        lane.note_manual(due_at)
        self._attend(lane)

    def more_stored(self, endpoint_id: str, due_at: int, *, may_join: bool = False) -> None:
        """Note deliveries of an endpoint that were scheduled in the database for ``due_at``.

        ``may_join``: they may complete batches that wait for more messages.
        """
        lane = self._lane(endpoint_id)
        lane.note_stored(due_at)
        if may_join:
            lane.orders.stop_gathering()
        self._attend(lane)

    def more_accepted(self, given: Given) -> None:
        """Note deliveries that another engine has just accepted."""
        lane, now = self._lane(given.endpoint_id), self._clock.now()
        lane.note_accepted(given.due_at, now)
        if given.order_keys is None:
            lane.orders.stop_gathering()
        for key in given.order_keys or ():
            lane.orders.joined(key, now)
        self._attend(lane)

    def begin_to_take_up(self) -> int:
        """Announce a read of deliveries stored by other engines; returns the ``since`` of :meth:`take_up`."""
        self._left_meanwhile = set()
        self._expunged_meanwhile = set()
        return self._looks_again

    def take_up(self, wanted: Sequence[Given], found: Sequence[Due], since: int) -> None:
        """Queue the deliveries that were read, unless something changed meanwhile; lanes read the rest themselves."""
        left, expunged = self._left_meanwhile or set(), self._expunged_meanwhile
        self._left_meanwhile = None
        if self.stopping:
            return
        read = {} if since != self._looks_again else {(due.endpoint_id, due.message_id): due for due in found}
        touched: dict[str, Lane] = {}
        for one in wanted:
            if not self._ownership.holds(one.shard):
                continue
            lane = touched[one.endpoint_id] = self._lane(one.endpoint_id)
            for message_id in one.message_ids:
                key = (one.endpoint_id, message_id)
                due = None if key in left or message_id in expunged else read.get(key)
                if due is None or not lane.push_new(due):
                    # At once, because a lane with nothing in memory may be evicted when another one is opened.
                    lane.note_accepted(one.due_at, self._clock.now())
                    self._attend(lane)
        for lane in touched.values():
            self._attend(lane)
        self._pump()

    def look_for_due(self) -> None:
        """Scan the database for endpoints of shards that this engine has gained."""
        self._look_again()

    def losing(self, shards: Collection[int]) -> None:
        """Begin nothing more for shards that this engine loses."""
        for lane in self._lanes:
            if lane.shard is not None and lane.shard in shards:
                self._let_go(lane)
        # The timers may have endpoints whose shards are unknown here.
        self._timers = Timers()
        self._look_again()

    def busy_shards(self) -> set[int]:
        """Shards with attempts in flight, or with outcomes that are not recorded."""
        return {
            lane.shard
            for lane in self._lanes
            if lane.shard is not None and (lane.in_flight or lane.unrecorded or lane.load is not Load.RESTING)
        }

    def look_again(self, endpoint_id: str, *, ours: bool) -> None:
        """Reload an endpoint that any engine has edited, which may have moved it to another shard."""
        lane = self._lanes.get(endpoint_id)
        if lane is not None and not lane.gone:
            lane.outdate()
            self._attend_now(lane)
        elif ours:
            self.more_stored(endpoint_id, self._clock.now())

    def outdate_all(self) -> None:
        """Reload all endpoints, any of which may have been edited."""
        for lane in self._lanes:
            if not lane.gone:
                lane.outdate()
                self._attend_now(lane)

    def recorded(self, batch: Sequence[Outcome], turns: Turns = NO_TURNS) -> None:
        """Handle committed outcomes: from now on the database has what they scheduled."""
        for outcome in batch:
            if self._left_meanwhile is not None:
                self._left_meanwhile.add((outcome.due.endpoint_id, outcome.due.message_id))
            lane = self._lanes.get(outcome.due.endpoint_id)
            if lane is None:
                continue
            lane.recorded(outcome)
            if outcome.condition is not None:
                health = outcome.condition.health
                # Only the start and the end of a window are visible to callers, not changes within it.
                moved = health.first_failure_at in {None, health.last_failure_at} or outcome.breaker is not None
                if outcome.closed is not None or moved:
                    self._directory.forget_endpoints(outcome.application_id)
            if lane.stored_from is not None or lane.gone:
                self._attend(lane)
        self.given(turns)
        self._pump()

    def given(self, turns: Turns) -> None:
        """Schedule deliveries that got their turns, after the commit."""
        for due in turns.due:
            lane = self._lanes.get(due.endpoint_id)
            if lane is not None and lane.gone:
                continue
            lane = self._lane(due.endpoint_id)
            if not lane.push(due):
                lane.note_stored(due.due_at)
            self._attend(lane)
        for endpoint_id, due_at in turns.later:
            self.more_stored(endpoint_id, due_at)
        if turns.due:
            self._pump()

    def endpoint_changed(self, stored: StoredEndpoint) -> None:
        """Apply an edit, enabling, disabling or deletion of an endpoint from the next attempt."""
        lane = self._lanes.get(stored.endpoint.id)
        if lane is not None:
            lane.edited(stored)
            self._attend_now(lane)

    def application_changed(self, application_id: str) -> None:
        """Apply an edit of an application, whose rate limit may have changed."""
        for lane in self._lanes:
            if lane.target is not None and lane.target.endpoint.application_id == application_id:
                lane.outdate()
                self._attend_now(lane)

    def drop(self, endpoint_id: str, message_id: str) -> None:
        """Remove a cancelled delivery."""
        if self._left_meanwhile is not None:
            self._left_meanwhile.add((endpoint_id, message_id))
        lane = self._lanes.get(endpoint_id)
        if lane is not None:
            lane.drop(message_id)
            self._attend(lane)

    def expunged(self, message_ids: Collection[str]) -> None:
        """Forget payloads whose deletion is committed: no attempt that begins from now on sends them."""
        ids = frozenset(message_ids)
        for lane in self._lanes:
            lane.expunge(ids)
        # Attempts that have a slot already begin before this set is cleared.
        self._just_expunged |= ids
        self._expunged_meanwhile |= ids if self._left_meanwhile is not None else set()
        self.loop.call_soon(self._just_expunged.difference_update, ids)

    def clock_set_back(self) -> None:
        """Recheck everything after the clock was set back, or the due times in the database were adjusted to that."""
        self._set_back = True
        self.nudge()

    async def settle(self, endpoint_id: str, *, deleted: bool) -> None:
        """Settle everything scheduled for a disabled or deleted endpoint."""
        lane = self._lane(endpoint_id)
        lane.clear()
        await self._settle(endpoint_id, deleted=deleted)
        self._attend(lane)

    def quiet(self) -> bool:
        """Whether nothing is due, in flight or unrecorded. What is scheduled for later does not count."""
        if self._attempting or self._errands or self._scanning or self._recorder.backlog:
            return False
        next_at, now = self._timers.next_at(), self._timekeeper.look().now
        if self._timekeeper.busy or self._set_back:
            return False
        if next_at is not None and next_at <= now:
            return False
        return all(
            lane.idle and not lane.held and (lane.stored_from is None or lane.stored_from > now) for lane in self._lanes
        )

    def rate_limited(self, endpoint_id: str) -> bool:
        """Whether due deliveries of the endpoint wait for its rate limit, or its application's."""
        lane = self._lanes.get(endpoint_id)
        if lane is None or lane.target is None or not lane.queued:
            return False
        now = self._clock.monotonic()
        return max(lane.target.throttle.wait(now), lane.target.application_throttle.wait(now)) > 0

    def lane_figures(self) -> LaneFigures:
        """The present figures of the lanes."""
        return lane_figures(self._lanes, self._clock.monotonic())

    # Its own task.

    async def start(self) -> None:
        """Start with everything scheduled in the database."""
        self._forget_everything()
        self._stop_watching_clock = self._clock.on_jump(self.nudge)
        self._timers.horizon = 0
        await super().start()

    def _forget_everything(self) -> None:
        """Forget the state of an earlier run: what it dropped is only in the database."""
        self._timers = Timers()
        self._lanes: Lanes = Lanes(self._max_in_flight, self._max_in_flight_per_endpoint, self._wake_later)

    async def run(self) -> None:
        """Wake lanes when they are due."""
        while not self.stopping:
            now = self._timekeeper.look().now
            if self._set_back:
                self._set_back = False
                self._wake_all(now)
            if self._timers.horizon is not None and self._timers.horizon <= now and not self._scanning:
                self._scanning = True
                self._timers.horizon = None
                self.errand(self._scan())
            for endpoint_id in self._timers.pop_due(now, max(0, MAX_ERRANDS - len(self._errands))):
                self._wake(endpoint_id)
            self._pump()
            next_at = self._timers.next_at()
            if next_at is None or self._scanning or len(self._errands) >= MAX_ERRANDS:
                await self.nap(LONGEST_NAP_S)
            else:
                await self.nap(min(max(0.001, (next_at - now) / 1_000_000), LONGEST_NAP_S))

    async def drain(self, grace_s: float) -> None:
        """Send nothing new; let attempts in flight finish within ``grace_s`` seconds, then drop them."""
        await self.stop()
        self._stop_watching_clock()
        for errand in self._errands:
            errand.cancel()
        while self._held:
            self._held.popitem()[1].cancel()
        if self._attempting:
            _, late = await asyncio.wait(self._attempting, timeout=grace_s)
            if late:
                log.warning("attempts.let_go", count=len(late), consequence="they are made again after start")
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await asyncio.gather(*self._errands, return_exceptions=True)

    def _lane(self, endpoint_id: str) -> Lane:
        """The lane of an endpoint; a new one gets its due time from the timers."""
        lane = self._lanes.get(endpoint_id)
        if lane is not None and lane.gone:
            lane.come_back()
        if lane is None:
            lane = self._lanes.open(endpoint_id)
            stored_from = self._timers.due_at(endpoint_id)
            if stored_from is not None:
                lane.note_stored(stored_from, older=True)
        return lane

    def _wake(self, endpoint_id: str) -> None:
        known = self._lanes.get(endpoint_id) is not None
        lane = self._lane(endpoint_id)
        if not known:
            lane.note_stored(self._clock.now(), older=True)
        self._attend(lane)

    def _wake_all(self, now: int) -> None:
        """Wake all lanes, so that none waits until the clock reaches an earlier instant again."""
        self._timers.horizon = 0
        for lane in self._lanes:
            lane.note_stored(now)
            self._attend(lane)

    def _wake_later(self, lane: Lane, seconds: float) -> None:
        self._timers.schedule(lane.endpoint_id, self._clock.now() + round(seconds * 1_000_000))
        self.nudge()

    def _attend(self, lane: Lane) -> None:
        """Give a lane what it needs: its target, stored deliveries, a place in line, or a timer."""
        if self.stopping:
            return
        if lane.gone:
            self._lanes.close(lane)
            return
        if lane.held:
            self._lanes.line_up(lane)
            return
        if lane.target is None:
            if lane.load is Load.RESTING:
                lane.begin_loading()
                self.errand(self._load(lane))
            return
        if lane.disabling:
            # Until the disabling is committed, the database has the old state; scheduled deliveries are settled then.
            self._lanes.line_up(lane)
            return
        if lane.target.closed and (lane.scheduled or lane.stored_from is not None) and lane.load is Load.RESTING:
            lane.begin_settling()
            self.errand(self._close(lane, deleted=lane.target.deleted))
            return
        if lane.stored_from is not None:
            if lane.wants_refill(self._clock.now()):
                lane.begin_refill()
                self.errand(self._refill(lane))
            elif lane.load is Load.RESTING and lane.queued <= lane.max_limit:
                self._timers.schedule(lane.endpoint_id, lane.stored_from)
                self.nudge()
        self._lanes.line_up(lane)

    def errand(self, work: Coroutine[None, None, None]) -> None:
        """Run work that a lane waits for in a task, which is cancelled when the engine stops."""
        task = asyncio.create_task(work)
        self._errands.add(task)
        task.add_done_callback(self._errand_done)

    def _errand_done(self, task: asyncio.Task[None]) -> None:
        self._errands.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and self.on_crash:
            log.critical("service.crashed", service=self.name, exc_info=error)
            self.on_crash(self, error)
        self.nudge()

    def _hold(self, lane: Lane, error: Exception | None = None) -> None:
        """Hold a lane that could not get what it needs, and retry soon, by the loop's clock, which cannot be set."""
        times = lane.hold()
        if error is not None and (lack := lack_of(error)) is not None:
            self._measures.troubles.met(lack, str(error) or type(error).__name__, self._clock.now())
        if lane in self._held:
            return
        pause = pause_s(times, len(self._held) + 1, random.random())  # noqa: S311
        if error is not None and times % LOGGED_EACH == 1:
            log.error("lane.waiting", endpoint_id=lane.endpoint_id, error=repr(error), again_in_s=round(pause, 1))
        self._release_in(lane, pause)

    def _put_off(self, lane: Lane, due: Due, error: Exception | None = None) -> None:
        """Put a delivery back after its attempt could not be made: it stays in the database, and its lane is held."""
        lane.postpone(due)
        self._hold(lane, error)

    def _release_in(self, lane: Lane, pause: float) -> None:
        if (timer := self._held.pop(lane, None)) is not None:
            timer.cancel()
        self._held[lane] = self.loop.call_later(pause, self._release, lane)
        # Lanes with nothing in memory may be evicted; timers are not.
        self._timers.schedule(lane.endpoint_id, self._clock.now() + round(pause * 1_000_000))
        self._lanes.line_up(lane)

    def _attend_now(self, lane: Lane) -> None:
        """Attend to a lane whose endpoint was edited: what it needed may be available now."""
        if (timer := self._held.pop(lane, None)) is not None:
            timer.cancel()
        self._attend(lane)

    def _release(self, lane: Lane) -> None:
        self._held.pop(lane).cancel()
        lane.release()
        if self._lanes.get(lane.endpoint_id) is lane:
            self._attend(lane)
            self._pump()

    async def _scan(self) -> None:
        """Find all endpoints with scheduled deliveries, page by page, so that the first ones can start at once."""
        after: str | None = None
        began_at = self._looks_again
        try:
            while not self.stopping:
                page = await self._deliveries.endpoints_with_due(after, SCAN_PAGE, self._ownership.shards)
                if self._looks_again != began_at:
                    return
                for endpoint_id, due_at in page:
                    lane = self._lanes.get(endpoint_id)
                    if lane is not None:
                        lane.note_stored(due_at, older=True)
                    self._timers.schedule(endpoint_id, due_at)
                self.nudge()
                if len(page) < SCAN_PAGE:
                    return
                after = page[-1][0]
        except (StoreError, MemoryError) as error:
            log.error("schedule.unreadable", error=str(error) or repr(error), again_in_s=PAUSE_AFTER_ERROR_S)
            self._timers.horizon = 0
        finally:
            if self._timers.horizon is not None and self._looks_again == began_at:
                # More endpoints are due than the heap holds: give those in the heap time to be served.
                await asyncio.sleep(PAUSE_AFTER_ERROR_S)
            self._scanning = False
            self.nudge()

    async def _load(self, lane: Lane) -> None:
        edits = -1
        try:
            while edits != lane.edits:
                edits = lane.edits
                target, stored = await self._targets.load(lane.endpoint_id)
            lane.loaded(target, stored)
            self._protect(lane)
            if not self._ownership.holds(stored.shard):
                self._let_go(lane)
            else:
                self._take_over(lane, target, stored)
        except Exception as error:  # noqa: BLE001 (one endpoint that cannot be read must not stop the others)
            lane.note_stored(self._clock.now())
            self._hold(lane, error)
            return
        finally:
            lane.end_loading()
        self._attend(lane)
        self._pump()

    def _take_over(self, lane: Lane, target: Target, stored: StoredEndpoint) -> None:
        """Take over an endpoint: count what another engine has sent, and wait for what it may still be sending."""
        since = self._ownership.gained_at(stored.shard)
        target.throttle.resume(since)
        target.application_throttle.resume(since)
        if (wait_s := self._ownership.wait_s(stored)) > 0:
            lane.note_stored(self._clock.now(), older=True)
            lane.hold()
            self._release_in(lane, wait_s)

    async def _close(self, lane: Lane, *, deleted: bool) -> None:
        reopened = False
        try:
            reopened = await self._reopened(lane)
            if not reopened:
                await self._settle(lane.endpoint_id, deleted=deleted)
        except (WebhookEngineError, MemoryError) as error:
            lane.note_stored(self._clock.now())
            self._hold(lane, error)
            return
        finally:
            lane.end_settling()
        if deleted or reopened:
            self._attend(lane)
            self._pump()
        else:
            # Manual attempts are still made.
            lane.begin_refill()
            await self._refill(lane)

    async def _reopened(self, lane: Lane) -> bool:
        """Whether another engine has enabled the endpoint again, of which this one had no notice yet."""
        if self._ownership.alone:
            return False
        edits = lane.edits
        target, stored = await self._targets.load(lane.endpoint_id)
        if target.closed:
            return False
        if edits == lane.edits:
            lane.loaded(target, stored)
        lane.note_stored(self._clock.now())
        return True

    async def _settle(self, endpoint_id: str, *, deleted: bool) -> None:
        status, reason = (DeliveryStatus.CANCELLED, DELETED) if deleted else (DeliveryStatus.FAILED, DISABLED)
        settled = SETTLE_PAGE
        while settled:
            now = self._clock.now()
            settled = await self._deliveries.settle_pending(
                endpoint_id, status, reason, now, SETTLE_PAGE, while_closed=not self._ownership.alone
            )

    async def _refill(self, lane: Lane) -> None:
        now = self._clock.now()
        limit, size = lane.refill_size(REFILL)
        hurried = lane.queued > lane.max_limit
        try:
            rows = await self._deliveries.due(lane.endpoint_id, now, limit, payload_bytes=size)
            if not all(lane.push(due) for due in lane.without_gathering(rows, now)) or not _is_all(rows, limit, size):
                lane.note_stored(now)
                if hurried:
                    lane.note_stored(now + REFILL_PAUSE, older=True)
            else:
                lane.caught_up()
                if (later := await self._deliveries.next_due_at(lane.endpoint_id, now)) is not None:
                    lane.note_stored(later, older=True)
        except (StoreError, MemoryError) as error:
            lane.note_stored(now, older=True)
            self._hold(lane, error)
        finally:
            lane.end_refill()
        self._attend(lane)
        self._pump()

    def _pump(self) -> None:
        """Start as many attempts as are allowed now."""
        while not self.stopping and self._recorder.backlog < self._max_backlog and self._ownership.may_begin():
            slot = self._lanes.take(self._clock.monotonic())
            if slot is None:
                return
            task = self.loop.create_task(self._work(slot))
            self._attempting.add(task)
            task.add_done_callback(self._attempting.discard)

    async def _work(self, slot: Slot | None) -> None:
        """Make attempts, one after another, as long as there are any."""
        while slot is not None:
            lane = slot.lane
            try:
                await self._attempt(lane, slot.due)
            except Exception as error:
                # The engine's own fault: the delivery stays in the database, and is tried again.
                log.exception("attempt.broken", message_id=slot.due.message_id, endpoint_id=lane.endpoint_id)
                self._put_off(lane, slot.due, error)
            finally:
                self._lanes.release(slot)
            if lane.target is None or lane.stored_from is not None:
                self._attend(lane)
            if self.stopping or self._recorder.backlog >= self._max_backlog or not self._ownership.may_begin():
                return
            slot = self._lanes.take(self._clock.monotonic())

    async def _attempt(self, lane: Lane, due: Due) -> None:
        target = self._target(lane, due)
        if target is not None and target.goes_by_event_type and not due.event_type:
            try:
                due = await self._attempter.with_event_type(due)
            except (StoreError, MemoryError) as error:
                self._put_off(lane, due, error)
                return
            # Meanwhile the lease may have expired, or the endpoint been edited.
            target = self._target(lane, due)
        if target is None:
            self._abandon(lane, due)
            return
        if due.payload is None or due.message_id in self._just_expunged:
            self._record(lane, self._attempter.give_up(target, due), self._ownership.member_id)
            return
        if target.batch is not None and due.order_key is not None and due.manual_id is None:
            await self._attempt_together(lane, due, target.batch)
            return
        member_id = self._ownership.member_id
        made = await self._attempter.attempt(target, due, due.payload, lane.state)
        if isinstance(made, Postponed):
            self._put_off(lane, due)
        else:
            self._record(lane, made, member_id)

    async def _attempt_together(self, lane: Lane, due: Due, batch: Batch) -> None:
        """Make one attempt of a batch: a delivery and those that are sent with it."""
        try:
            members = await self._gathered(lane, due, batch)
        except (StoreError, MemoryError) as error:
            self._put_off(lane, due, error)
            return
        if not members:
            return
        target, member_id = self._target(lane, due), self._ownership.member_id
        if target is None:
            self._abandon(lane, due)
            return
        now = self._clock.now()
        other_ids = [self._ids.new("atmpt_", now) for _ in members[1:]]
        payload = body_of(members)
        made = await self._attempter.attempt(target, due, payload, lane.state, request_of(members, payload))
        if isinstance(made, Postponed):
            self._put_off(lane, due)
            return
        # Before the first one, so that a member recorded with it does not get its turn and is sent again.
        for other in of_the_others(made, members[1:], other_ids):
            self._record(lane, other, member_id)
        self._record(lane, made, member_id)

    def _target(self, lane: Lane, due: Due) -> Target | None:
        """The target of a delivery; ``None`` if no attempt of it may begin now. Check again after any ``await``."""
        target = lane.target
        if target is None or not self._ownership.may_begin():
            return None
        return None if target.closed and (target.deleted or due.manual_id is None) else target

    def _record(self, lane: Lane, outcome: Outcome, member_id: str | None) -> None:
        """Apply the outcome of an attempt to its lane, and record it."""
        if member_id is not None:
            outcome = msgspec.structs.replace(outcome, member_id=member_id)
        lane.apply(outcome)
        if outcome.breaker is not None:
            lane.pause(self._timekeeper.look().ran, self._clock.monotonic())
        self._recorder.add(outcome)

    async def _gathered(self, lane: Lane, due: Due, batch: Batch) -> Sequence[OrderedDelivery]:
        """The members of a delivery's batch, itself first; empty if it waits for more, or has lost its turn."""
        now = self._clock.now()
        if (until := lane.orders.gathering_until(due.order_key, now)) is None:
            line = (lane.endpoint_id, due.order_key or "")
            found = await self._deliveries.first_in_order(line, batch.size, MAX_BATCH_BYTES)
            if not found or found[0].due.message_id != due.message_id:
                self._abandon(lane, due)
                return ()
            members = gathered(found, now)
            until = waits_until(found, batch, now)
            if until is None or not lane.orders.gather(due, batch.size - len(members), until):
                return members
        lane.put_back(due, until)
        return ()

    def _protect(self, lane: Lane) -> None:
        if lane.breaker is not None or (lane.target is not None and lane.target.breaks):
            moment = self._timekeeper.look()
            lane.protect(moment.now, moment.ran, self._clock.monotonic())

    def _ours(self, addressed: AddressedMessage) -> list[str]:
        """Those of its endpoints that this engine sends to; the holders of the others are notified."""
        holds = self._ownership.holds
        if addressed.manual_to is not None:
            return []
        return [one for one, shard in zip(addressed.endpoint_ids, addressed.shards or (), strict=True) if holds(shard)]

    def _is_ours(self, addressed: AddressedMessage) -> bool:
        return addressed.shards is None or all(map(self._ownership.holds, addressed.shards))

    def _let_go(self, lane: Lane) -> None:
        """Give up the lane of an endpoint that now belongs to another engine."""
        lane.leave()
        if (timer := self._held.pop(lane, None)) is not None:
            timer.cancel()
        self._attend(lane)

    def _look_again(self) -> None:
        self._looks_again += 1
        self._timers.horizon = 0
        self.nudge()

    def _abandon(self, lane: Lane, due: Due) -> None:
        """Remove from memory what cannot be sent (any more); the database has its state."""
        lane.over(due)
        lane.note_stored(due.due_at)
        self._attend(lane)


def _is_all(rows: Sequence[Due], limit: int, size: int) -> bool:
    """Whether a read that is limited by number and bytes of payload has reached neither limit."""
    return len(rows) < limit and sum(len(due.payload or b"") for due in rows) < size


def _due(message: NewMessage, endpoint_id: str, due_at: int, manual_id: str | None = None) -> Due:
    """The first attempt of a delivery of a new message."""
    return Due(
        message.id,
        endpoint_id,
        due_at,
        0,
        0,
        message.event_id,
        message.payload,
        manual_id,
        message.trace_context,
        message.content_type,
        event_type=message.event_type,
    )
