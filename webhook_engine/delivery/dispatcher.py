"""The dispatcher: wakes lanes when something of theirs is due, fills them, and makes the attempts they may make."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection, Coroutine, Sequence
from typing import TYPE_CHECKING

from webhook_engine.clock import Clock, to_datetime
from webhook_engine.delivery.decision import DELETED, DISABLED, EXPIRED, Decision, Rules, Turn, decide
from webhook_engine.delivery.health import WELL, Signal
from webhook_engine.delivery.lane import Lane, Standing, Verdict
from webhook_engine.delivery.lanes import Lanes, Place
from webhook_engine.delivery.measures import LaneFigures, Measures, lane_figures
from webhook_engine.delivery.recorder import Outcome, Recorder
from webhook_engine.delivery.sender import Answer, FailureKind, Sender
from webhook_engine.delivery.service import Service
from webhook_engine.delivery.target import Target
from webhook_engine.delivery.timers import Timers
from webhook_engine.errors import StoreError
from webhook_engine.events import (
    EndpointDisabledEvent,
    EndpointFailingEvent,
    LastAttempt,
    MessageAttemptEvent,
    MessageAttemptExhaustedEvent,
    MessageAttemptFailingEvent,
    MessageAttemptRecoveredEvent,
    OperationalEvent,
)
from webhook_engine.ids import IdSource
from webhook_engine.log import get_logger
from webhook_engine.model import AttemptStatus, DeliveryStatus, TriggerType
from webhook_engine.store.records import (
    DeliveryChange,
    Due,
    EndpointCondition,
    RecordedAttempt,
    RoutedMessage,
    StoredEndpoint,
)
from webhook_engine.store.seam import DeliveryStore

if TYPE_CHECKING:
    from webhook_engine.delivery.tracing import Tracing

__all__ = ["Dispatcher"]

log = get_logger("delivery")

LONGEST_NAP_S = 0.1
"""How long a jump of the clock may go unnoticed."""
JUMP_BACK = 100_000
"""Microseconds that the clock may be set back without anybody waiting noticeably longer."""
REFILL = 512
REFILL_PAUSE = 1_000_000
"""Microseconds between two looks of a busy lane for its retries."""
SCAN_PAGE = 1_000
SETTLE_PAGE = 500
MAX_ERRANDS = 100
"""Lanes loaded or filled at once when many are due; the others wait in the timers."""
PAUSE_AFTER_ERROR_S = 1.0
QUICK_ANSWER_MS = 1_000
ASKING_FOR_LESS = frozenset({429, 502, 503, 504})

_TURN_EVENTS: dict[Turn, type[MessageAttemptEvent]] = {
    Turn.FAILING: MessageAttemptFailingEvent,
    Turn.EXHAUSTED: MessageAttemptExhaustedEvent,
    Turn.RECOVERED: MessageAttemptRecoveredEvent,
}


class Dispatcher(Service):
    """Owns timers and lanes. ``load_target`` reads an endpoint and prepares it, or raises a ``WebhookEngineError``."""

    def __init__(
        self,
        *,
        deliveries: DeliveryStore,
        sender: Sender,
        recorder: Recorder,
        load_target: Callable[[str], Coroutine[None, None, tuple[Target, StoredEndpoint]]],
        on_condition: Callable[[str], None],
        rules: Rules,
        clock: Clock,
        ids: IdSource,
        max_in_flight: int,
        max_in_flight_per_endpoint: int,
        measures: Measures,
        tracing: Tracing | None,
    ) -> None:
        super().__init__("dispatcher")
        self._deliveries = deliveries
        self._sender = sender
        self._recorder = recorder
        self._load_target = load_target
        self._on_condition = on_condition
        self._rules = rules
        self._clock = clock
        self._ids = ids
        self._max_in_flight = max_in_flight
        self._max_in_flight_per_endpoint = max_in_flight_per_endpoint
        self._measures = measures
        self._tracing = tracing
        self._forget_everything()
        self._max_backlog = 2 * max_in_flight
        self._attempting: set[asyncio.Task[None]] = set()
        self._errands: set[asyncio.Task[None]] = set()
        self._scanning = False
        self._just_expunged: set[str] = set()
        """Messages of which an attempt may be about to begin with a payload that is deleted."""
        self._stop_watching_clock: Callable[[], None] = lambda: None

    # What the rest of the flow tells it.

    def offer(self, batch: Sequence[RoutedMessage]) -> None:
        """New messages are committed: take their deliveries into the lanes, or note them as stored."""
        now = self._clock.now()
        for routed in batch:
            message = routed.message
            due_at, trace = message.deliver_at or message.created_at, message.trace_context
            if routed.manual_to is not None:
                self.offer_one(
                    Due(message.id, routed.manual_to, now, 0, 0, message.event_id, message.payload, message.id, trace)
                )
            for endpoint_id in routed.endpoint_ids:
                lane = self._lane(endpoint_id)
                if due_at > now or not lane.push_new(
                    Due(message.id, endpoint_id, due_at, 0, 0, message.event_id, message.payload, None, trace)
                ):
                    lane.note_stored(due_at)
                self._attend(lane)
        self._pump()

    def offer_one(self, due: Due) -> None:
        """A manual attempt was asked for and is committed."""
        lane = self._lane(due.endpoint_id)
        if not lane.push(due):
            lane.note_manual(due.due_at)
        self._attend(lane)
        self._pump()

    def manual_stored(self, endpoint_id: str, due_at: int) -> None:
        """A manual attempt was asked for and is committed, and is to be read from the database."""
        lane = self._lane(endpoint_id)
        lane.note_manual(due_at)
        self._attend(lane)

    def more_stored(self, endpoint_id: str, due_at: int) -> None:
        """Deliveries of this endpoint were scheduled in the database for ``due_at``."""
        lane = self._lane(endpoint_id)
        lane.note_stored(due_at)
        self._attend(lane)

    def recorded(self, batch: Sequence[Outcome]) -> None:
        """Outcomes are committed: what they scheduled can be found in the database from here on."""
        for outcome in batch:
            lane, due, change = outcome.lane, outcome.due, outcome.change
            lane.unrecorded -= 1
            lane.forget(due.manual_id or due.message_id)
            if due.manual_id and change.status is DeliveryStatus.SUCCEEDED:
                lane.drop(due.message_id)
            if change.due_at is not None:
                lane.note_stored(change.due_at, older=True)
            if outcome.condition is not None:
                health, disabled_at = outcome.condition.health, outcome.condition.disabled_at
                if disabled_at is not None:
                    # A target that is being read just now may be the one from before.
                    lane.target = None
                    lane.edits += 1
                    lane.note_stored(disabled_at)
                # Callers see the start of a window, and its end; what moves within it, nobody sees.
                if disabled_at is not None or health.first_failure_at in {None, health.last_failure_at}:
                    self._on_condition(outcome.application_id)
            if lane.stored_from is not None:
                self._attend(lane)
        self._pump()

    def endpoint_changed(self, stored: StoredEndpoint) -> None:
        """An endpoint was edited, enabled, disabled or deleted: the next attempt sees it."""
        lane = self._lanes.get(stored.endpoint.id)
        if lane is None:
            return
        if lane.target is None or lane.target.closed or stored.endpoint.disabled:
            lane.health = stored.health
        lane.target = None
        lane.edits += 1
        if stored.endpoint.disabled or stored.deleted:
            lane.clear()
        self._attend(lane)

    def application_changed(self, application_id: str) -> None:
        """An application was edited: its rate limit may be another."""
        for lane in self._lanes:
            if lane.target is not None and lane.target.application.id == application_id:
                lane.target = None
                lane.edits += 1
                self._attend(lane)

    def drop(self, endpoint_id: str, message_id: str) -> None:
        """A delivery was cancelled."""
        lane = self._lanes.get(endpoint_id)
        if lane is not None:
            lane.drop(message_id)
            self._attend(lane)

    def expunged(self, message_ids: Collection[str]) -> None:
        """The payloads of these messages are deleted, and committed: no attempt that begins from now on sends them."""
        ids = frozenset(message_ids)
        for lane in self._lanes:
            lane.expunge(ids)
        # Attempts that have their place already begin in the order in which they got it, before this is forgotten.
        self._just_expunged |= ids
        asyncio.get_running_loop().call_soon(self._just_expunged.difference_update, ids)

    async def settle(self, endpoint_id: str, *, deleted: bool) -> None:
        """End all that is scheduled for an endpoint that is disabled or deleted."""
        status = DeliveryStatus.CANCELLED if deleted else DeliveryStatus.FAILED
        lane = self._lane(endpoint_id)
        lane.settling += 1
        try:
            lane.clear()
            settled = SETTLE_PAGE
            while settled:
                settled = await self._deliveries.settle_pending(
                    endpoint_id, status, DELETED if deleted else DISABLED, self._clock.now(), SETTLE_PAGE
                )
        finally:
            lane.settling -= 1
        self._attend(lane)

    def quiet(self) -> bool:
        """Whether nothing is due, in flight or unrecorded. What is scheduled for later does not count."""
        if self._attempting or self._errands or self._scanning or self._recorder.backlog:
            return False
        next_at, now = self._timers.next_at(), self._clock.now()
        if next_at is not None and next_at <= now:
            return False
        return all(
            lane.idle and not lane.troubled and (lane.stored_from is None or lane.stored_from > now)
            for lane in self._lanes
        )

    def lane_figures(self) -> LaneFigures:
        """How the lanes stand at this moment."""
        return lane_figures(self._lanes, self._clock.monotonic())

    # Its own work.

    async def start(self) -> None:
        """Begin with everything that is scheduled in the database."""
        self._forget_everything()
        self._stop_watching_clock = self._clock.on_jump(self.nudge)
        self._timers.horizon = 0
        await super().start()

    def _forget_everything(self) -> None:
        """What a run before this one let go of is in the database, and only there."""
        self._timers = Timers()
        self._lanes = Lanes(self._max_in_flight, self._max_in_flight_per_endpoint, self._wake_later)

    async def run(self) -> None:
        """Wake lanes when their time has come."""
        before = self._clock.now()
        while not self.stopping:
            now = self._clock.now()
            if now < before - JUMP_BACK:
                self._wake_all(now)
            before = now
            if self._timers.horizon is not None and self._timers.horizon <= now and not self._scanning:
                self._scanning = True
                self._timers.horizon = None
                self._errand(self._scan())
            for endpoint_id in self._timers.pop_due(now, max(0, MAX_ERRANDS - len(self._errands))):
                self._wake(endpoint_id)
            self._pump()
            next_at = self._timers.next_at()
            if next_at is None or self._scanning or len(self._errands) >= MAX_ERRANDS:
                await self.nap(LONGEST_NAP_S)
            else:
                await self.nap(min(max(0.001, (next_at - now) / 1_000_000), LONGEST_NAP_S))

    async def drain(self, grace_s: float) -> None:
        """Send nothing new; let what is in flight finish for so long, then let go of it, to be made after start."""
        await self.stop()
        self._stop_watching_clock()
        for errand in self._errands:
            errand.cancel()
        if self._attempting:
            _, late = await asyncio.wait(self._attempting, timeout=grace_s)
            if late:
                log.warning("attempts.let_go", count=len(late), consequence="they are made again after start")
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await asyncio.gather(*self._errands, return_exceptions=True)

    def _lane(self, endpoint_id: str) -> Lane:
        """The lane of an endpoint; a new one is told what the timers know of it."""
        lane = self._lanes.get(endpoint_id)
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
        """The clock was set back: what paused until an instant must not wait until the clock gets there once more."""
        for lane in self._lanes:
            lane.note_stored(now)
            self._attend(lane)

    def _wake_later(self, lane: Lane, seconds: float) -> None:
        self._timers.schedule(lane.endpoint_id, self._clock.now() + round(seconds * 1_000_000))
        self.nudge()

    def _attend(self, lane: Lane) -> None:
        """See to what a lane needs: its target, more from the database, a place in line, or waking later."""
        if self.stopping:
            return
        lane.troubled = False
        if lane.target is None:
            if not lane.loading:
                lane.loading = True
                self._errand(self._load(lane))
            return
        if lane.target.closed and (lane.scheduled or lane.stored_from is not None) and not lane.settling:
            lane.stored_from = None
            lane.settling += 1
            self._errand(self._close(lane, deleted=lane.target.deleted))
            return
        if lane.stored_from is not None:
            if lane.wants_refill(self._clock.now()):
                lane.begin_refill()
                self._errand(self._refill(lane))
            elif not lane.refilling and lane.queued <= lane.max_limit:
                self._timers.schedule(lane.endpoint_id, lane.stored_from)
                self.nudge()
        self._lanes.offer(lane)

    def _errand(self, work: Coroutine[None, None, None]) -> None:
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

    def _later_again(self, lane: Lane, error: Exception) -> None:
        """A lane could not get what it needs: see to it again soon."""
        log.error("lane.waiting", endpoint_id=lane.endpoint_id, error=repr(error), again_in_s=PAUSE_AFTER_ERROR_S)
        lane.troubled = True
        again_at = self._clock.now() + round(PAUSE_AFTER_ERROR_S * 1_000_000)
        lane.note_stored(again_at)
        self._timers.schedule(lane.endpoint_id, again_at)

    async def _scan(self) -> None:
        """Find all endpoints with something scheduled, page by page, so that the first can start at once."""
        after: str | None = None
        try:
            while not self.stopping:
                page = await self._deliveries.endpoints_with_due(after, SCAN_PAGE)
                for endpoint_id, due_at in page:
                    lane = self._lanes.get(endpoint_id)
                    if lane is not None:
                        lane.note_stored(due_at, older=True)
                    self._timers.schedule(endpoint_id, due_at)
                self.nudge()
                if len(page) < SCAN_PAGE:
                    return
                after = page[-1][0]
        except StoreError as error:
            log.error("schedule.unreadable", error=str(error), again_in_s=PAUSE_AFTER_ERROR_S)
            self._timers.horizon = 0
        finally:
            if self._timers.horizon is not None:
                # More endpoints than the heap holds are due at once: give those it holds the time to be served.
                await asyncio.sleep(PAUSE_AFTER_ERROR_S)
            self._scanning = False
            self.nudge()

    async def _load(self, lane: Lane) -> None:
        edits = -1
        try:
            while edits != lane.edits:
                edits = lane.edits
                target, stored = await self._load_target(lane.endpoint_id)
            if not (lane.in_flight or lane.unrecorded) and lane.health is WELL:
                lane.health = stored.health
            if stored.health.first_failure_at is not None and lane.standing is Standing.UNTRIED:
                # It was failing before the engine started: it must not take the place of one that may be well.
                lane.standing = Standing.SUSPECT
            lane.target = target
        except Exception as error:  # noqa: BLE001 (one endpoint that cannot be read must not stop the others)
            self._later_again(lane, error)
            return
        finally:
            lane.loading = False
        self._attend(lane)
        self._pump()

    async def _close(self, lane: Lane, *, deleted: bool) -> None:
        try:
            await self.settle(lane.endpoint_id, deleted=deleted)
            if not deleted and not lane.refilling:
                lane.begin_refill()
                await self._refill(lane)
        except StoreError as error:
            self._later_again(lane, error)
        finally:
            lane.settling -= 1
        self._attend(lane)

    async def _refill(self, lane: Lane) -> None:
        now = self._clock.now()
        limit, size = lane.refill_size(REFILL)
        hurried = lane.queued > lane.max_limit
        try:
            rows = await self._deliveries.due(lane.endpoint_id, now, limit, payload_bytes=size)
            if not all(lane.push(due) for due in rows) or not _is_all(rows, limit, size):
                lane.note_stored(now)
                if hurried:
                    lane.note_stored(now + REFILL_PAUSE, older=True)
            else:
                lane.caught_up()
                if (later := await self._deliveries.next_due_at(lane.endpoint_id, now)) is not None:
                    lane.note_stored(later, older=True)
        except StoreError as error:
            self._later_again(lane, error)
        finally:
            lane.end_refill()
        self._attend(lane)
        self._pump()

    def _pump(self) -> None:
        """Start as many attempts as may be made now."""
        while not self.stopping and self._recorder.backlog < self._max_backlog:
            place = self._lanes.take(self._clock.monotonic())
            if place is None:
                return
            task = asyncio.create_task(self._work(place))
            self._attempting.add(task)
            task.add_done_callback(self._attempting.discard)

    async def _work(self, place: Place | None) -> None:
        """Make attempts, one after the other, as long as there is one to make."""
        while place is not None:
            lane = place.lane
            try:
                await self._attempt(lane, place.due)
            except Exception as error:
                # A fault of the engine's own: the delivery is where it was, in the database, and is tried again.
                log.exception("attempt.broken", message_id=place.due.message_id, endpoint_id=lane.endpoint_id)
                lane.forget(place.due.manual_id or place.due.message_id)
                self._later_again(lane, error)
            finally:
                self._lanes.release(place)
            if lane.target is None or lane.stored_from is not None:
                self._attend(lane)
            if self.stopping or self._recorder.backlog >= self._max_backlog:
                return
            place = self._lanes.take(self._clock.monotonic())

    async def _attempt(self, lane: Lane, due: Due) -> None:
        """One attempt from beginning to end: look up, sign, send, judge, hand over to be recorded."""
        target = lane.target
        if target is None or (target.closed and (target.deleted or due.manual_id is None)):
            self._abandon(lane, due)
            return
        if due.payload is None or due.message_id in self._just_expunged:
            self._settle_without_payload(lane, target, due)
            return
        started_at = self._clock.now()
        attempt_id = self._ids.new("atmpt_", started_at)
        try:
            signed = target.signed_headers(due.message_id, started_at, due.payload)
            if self._tracing is None:
                answer = await self._sender.send(target.destination, signed, due.payload)
            else:
                answer = await self._tracing.send(self._sender, target, due, due.payload, attempt_id, signed)
        except Exception as error:
            # Whatever is wrong with this one, it takes its way down the ladder like any failure, and is looked into.
            log.exception("attempt.not_made", message_id=due.message_id, endpoint_id=due.endpoint_id)
            answer = Answer(0, f"the request could not be made: {type(error).__name__}", FailureKind.PROTOCOL, 0)
        self._measures.attempt_made(due, answer, started_at)
        now = self._clock.now()
        closed = lane.target.closed if lane.target is not None else False
        decision = decide(
            due,
            answer,
            self._rules,
            before=lane.health,
            disabled=closed,
            now=now,
            random=random.random(),  # noqa: S311
        )
        lane.learn(_verdict(answer))
        condition = self._apply(lane, target, decision, now)
        attempt = RecordedAttempt(
            attempt_id,
            due.message_id,
            due.endpoint_id,
            target.endpoint.url,
            AttemptStatus.SUCCESS if answer.failure is None else AttemptStatus.FAIL,
            answer.status_code,
            answer.duration_ms,
            TriggerType.MANUAL if due.manual_id else TriggerType.SCHEDULED,
            answer.response,
            target.shown_headers,
        )
        eventful = decision.turn is not Turn.NONE or decision.signal is not Signal.NONE
        events = _events(target, due, attempt, decision, started_at, now) if eventful else ()
        lane.unrecorded += 1
        self._recorder.add(Outcome(lane, due, target.application.id, attempt, decision.change, condition, events))
        if answer.failure is not None:
            _log_failure(due, attempt, decision, answer.failure)

    def _settle_without_payload(self, lane: Lane, target: Target, due: Due) -> None:
        change = DeliveryChange(
            due.message_id,
            due.endpoint_id,
            DeliveryStatus.FAILED,
            None,
            due.step,
            EXPIRED,
            self._clock.now(),
            due.manual_id,
            attempted=False,
        )
        lane.unrecorded += 1
        self._recorder.add(Outcome(lane, due, target.application.id, None, change, None, ()))

    def _apply(self, lane: Lane, target: Target, decision: Decision, now: int) -> EndpointCondition | None:
        """Let the endpoint's new state count from now on; returns it if it must be recorded."""
        changed = decision.health is not lane.health and decision.health != lane.health
        lane.health = decision.health
        if decision.signal is Signal.DISABLE:
            lane.target = target.disabled(decision.disabled_reason)
            lane.clear()
            return EndpointCondition(health=decision.health, disabled_at=now, disabled_reason=decision.disabled_reason)
        return EndpointCondition(health=decision.health) if changed else None

    def _abandon(self, lane: Lane, due: Due) -> None:
        """What cannot be sent (any more) leaves memory; the database knows what becomes of it."""
        lane.forget(due.manual_id or due.message_id)
        lane.note_stored(due.due_at)
        self._attend(lane)


def _is_all(rows: Sequence[Due], limit: int, size: int) -> bool:
    """Whether a read that was bounded in number and in bytes of payload has met neither bound."""
    return len(rows) < limit and sum(len(due.payload or b"") for due in rows) < size


def _verdict(answer: Answer) -> Verdict:
    if answer.failure is FailureKind.TIMEOUT:
        return Verdict.TIMEOUT
    if answer.status_code in ASKING_FOR_LESS or answer.status_code == 0:
        return Verdict.OVERLOADED
    return Verdict.QUICK if answer.duration_ms < QUICK_ANSWER_MS else Verdict.SLOW


def _events(
    target: Target, due: Due, attempt: RecordedAttempt, decision: Decision, started_at: int, now: int
) -> list[OperationalEvent]:
    events: list[OperationalEvent] = []
    application, endpoint = target.application, target.endpoint
    kind = _TURN_EVENTS.get(decision.turn)
    if kind is not None:
        events.append(
            kind(
                organization_id=application.organization_id,
                application_id=application.id,
                application_uid=application.uid,
                timestamp=to_datetime(now),
                message_id=due.message_id,
                message_event_id=due.event_id,
                endpoint_id=endpoint.id,
                last_attempt=LastAttempt(
                    id=attempt.id, response_status_code=attempt.status_code, timestamp=to_datetime(started_at)
                ),
            )
        )
    if decision.signal is not Signal.NONE:
        since = to_datetime(decision.health.first_failure_at or now)
        if decision.signal is Signal.WARN:
            events.append(
                EndpointFailingEvent(
                    organization_id=application.organization_id,
                    application_id=application.id,
                    application_uid=application.uid,
                    timestamp=to_datetime(now),
                    endpoint_id=endpoint.id,
                    endpoint_uid=endpoint.uid,
                    first_failure_at=since,
                )
            )
        else:
            events.append(
                EndpointDisabledEvent(
                    organization_id=application.organization_id,
                    application_id=application.id,
                    application_uid=application.uid,
                    timestamp=to_datetime(now),
                    endpoint_id=endpoint.id,
                    endpoint_uid=endpoint.uid,
                    first_failure_at=since,
                    reason=decision.disabled_reason or "",
                )
            )
    return events


def _log_failure(due: Due, attempt: RecordedAttempt, decision: Decision, failure: FailureKind) -> None:
    log.info(
        "attempt.failed",
        attempt_id=attempt.id,
        message_id=due.message_id,
        endpoint_id=due.endpoint_id,
        status_code=attempt.status_code,
        failure=failure.value,
        duration_ms=attempt.duration_ms,
        next_attempt_at=decision.change.due_at and to_datetime(decision.change.due_at).isoformat(),
    )
