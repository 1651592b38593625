"""One attempt of a delivery, from beginning to end."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from webhook_engine.clock import Clock, to_datetime
from webhook_engine.delivery.attempt.decision import EXPIRED, Decision, Rules, decide
from webhook_engine.delivery.attempt.events import events_of
from webhook_engine.delivery.attempt.health import Signal
from webhook_engine.delivery.attempt.recorder import Outcome, Recorder
from webhook_engine.delivery.attempt.target import Target
from webhook_engine.delivery.http.response import FailureKind, Response
from webhook_engine.delivery.http.sender import Sender
from webhook_engine.delivery.measures import Measures
from webhook_engine.delivery.schedule.lane import Lane, Verdict
from webhook_engine.ids import IdSource
from webhook_engine.log import get_logger
from webhook_engine.model import AttemptStatus, DeliveryStatus, TriggerType
from webhook_engine.store.records import DeliveryChange, Due, EndpointCondition, RecordedAttempt

if TYPE_CHECKING:
    from webhook_engine.delivery.tracing import Tracing

__all__ = ["Attempter"]

log = get_logger("delivery")

QUICK_ANSWER_MS = 1_000
ASKING_FOR_LESS = frozenset({429, 502, 503, 504})


class Attempter:
    """Makes attempts, and hands what came of them over to be recorded."""

    def __init__(
        self,
        *,
        sender: Sender,
        recorder: Recorder,
        rules: Rules,
        clock: Clock,
        ids: IdSource,
        measures: Measures,
        tracing: Tracing | None,
    ) -> None:
        self._sender = sender
        self._recorder = recorder
        self._rules = rules
        self._clock = clock
        self._ids = ids
        self._measures = measures
        self._tracing = tracing

    async def attempt(self, lane: Lane, target: Target, due: Due, payload: bytes) -> None:
        """Sign, send, judge, and hand over."""
        started_at = self._clock.now()
        attempt_id = self._ids.new("atmpt_", started_at)
        response = await self._ask(target, due, payload, attempt_id, started_at)
        self._measures.attempt_made(due, response, started_at)
        now = self._clock.now()
        decision = decide(
            due,
            response,
            self._rules,
            before=lane.health,
            disabled=lane.target is not None and lane.target.closed,
            now=now,
            random=random.random(),  # noqa: S311
        )
        lane.learn(_verdict(response))
        condition = self._apply(lane, target, decision, now)
        attempt = RecordedAttempt(
            attempt_id,
            due.message_id,
            due.endpoint_id,
            target.endpoint.url,
            AttemptStatus.SUCCESS if response.failure is None else AttemptStatus.FAIL,
            response.status_code,
            response.duration_ms,
            TriggerType.MANUAL if due.manual_id else TriggerType.SCHEDULED,
            response.text,
            target.shown_headers,
        )
        events = events_of(target, due, attempt, decision, started_at, now)
        self._hand_over(Outcome(lane, due, target.application.id, attempt, decision.change, condition, events))
        if response.failure is not None:
            _log_failure(due, attempt, decision, response.failure)

    def give_up(self, lane: Lane, target: Target, due: Due) -> None:
        """End a delivery whose payload is gone; no attempt is made."""
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
        self._hand_over(Outcome(lane, due, target.application.id, None, change, None, ()))

    async def _ask(self, target: Target, due: Due, payload: bytes, attempt_id: str, started_at: int) -> Response:
        try:
            signed = target.signed_headers(due.message_id, started_at, payload)
            if self._tracing is None:
                return await self._sender.send(target.destination, signed, payload)
            return await self._tracing.send(self._sender, target, due, payload, attempt_id, signed)
        except Exception as error:
            # Whatever is wrong with this one, it takes its way down the ladder like any failure, and is looked into.
            log.exception("attempt.not_made", message_id=due.message_id, endpoint_id=due.endpoint_id)
            return Response(0, f"the request could not be made: {type(error).__name__}", FailureKind.PROTOCOL, 0)

    def _apply(self, lane: Lane, target: Target, decision: Decision, now: int) -> EndpointCondition | None:
        """Let the endpoint's new state count from now on; returns it if it must be recorded."""
        changed = decision.health is not lane.health and decision.health != lane.health
        lane.health = decision.health
        if decision.signal is Signal.DISABLE:
            lane.target = target.disabled(decision.disabled_reason)
            lane.clear()
            return EndpointCondition(health=decision.health, disabled_at=now, disabled_reason=decision.disabled_reason)
        return EndpointCondition(health=decision.health) if changed else None

    def _hand_over(self, outcome: Outcome) -> None:
        outcome.lane.unrecorded += 1
        self._recorder.add(outcome)


def _verdict(response: Response) -> Verdict:
    if response.failure is FailureKind.TIMEOUT:
        return Verdict.TIMEOUT
    if response.status_code in ASKING_FOR_LESS or response.status_code == 0:
        return Verdict.OVERLOADED
    return Verdict.QUICK if response.duration_ms < QUICK_ANSWER_MS else Verdict.SLOW


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
