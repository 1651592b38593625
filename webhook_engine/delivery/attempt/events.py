"""The operational events that an attempt causes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from webhook_engine.clock import to_datetime
from webhook_engine.delivery.attempt.decision import Decision, Turn
from webhook_engine.delivery.attempt.health import Signal
from webhook_engine.delivery.attempt.target import Target
from webhook_engine.events import (
    EndpointDisabledEvent,
    EndpointEvent,
    EndpointFailingEvent,
    EndpointRecoveredEvent,
    LastAttempt,
    MessageAttemptEvent,
    MessageAttemptExhaustedEvent,
    MessageAttemptFailingEvent,
    MessageAttemptRecoveredEvent,
    OperationalEvent,
)
from webhook_engine.model import Health
from webhook_engine.store.records import Due, RecordedAttempt

__all__ = ["events_of"]

_NO_TURN, _NO_SIGNAL = Turn.NONE, Signal.NONE
_TURN_EVENTS: dict[Turn, type[MessageAttemptEvent]] = {
    Turn.FAILING: MessageAttemptFailingEvent,
    Turn.EXHAUSTED: MessageAttemptExhaustedEvent,
    Turn.RECOVERED: MessageAttemptRecoveredEvent,
}


def events_of(
    target: Target,
    due: Due,
    attempt: RecordedAttempt,
    decision: Decision,
    *,
    before: Health,
    started_at: int,
    now: int,
) -> Sequence[OperationalEvent]:
    """The events of an attempt that was decided at ``now``; usually none.

    ``before`` is the endpoint's failure window before it.
    """
    if decision.turn is _NO_TURN and decision.signal is _NO_SIGNAL:
        return ()
    endpoint = target.endpoint
    events: list[OperationalEvent] = []
    if (kind := _TURN_EVENTS.get(decision.turn)) is not None:
        last = LastAttempt(id=attempt.id, response_status_code=attempt.status_code, timestamp=to_datetime(started_at))
        events.append(
            kind(
                organization_id=endpoint.organization_id,
                application_id=endpoint.application_id,
                application_uid=target.application_uid,
                timestamp=to_datetime(now),
                message_id=due.message_id,
                message_event_id=due.event_id,
                endpoint_id=endpoint.id,
                last_attempt=last,
            )
        )
    if decision.signal is not Signal.NONE:
        events.append(_of_endpoint(target, decision, before, now))
    return events


def _of_endpoint(target: Target, decision: Decision, before: Health, now: int) -> EndpointEvent:
    endpoint = target.endpoint
    common: dict[str, Any] = {
        "organization_id": endpoint.organization_id,
        "application_id": endpoint.application_id,
        "application_uid": target.application_uid,
        "timestamp": to_datetime(now),
        "endpoint_id": endpoint.id,
        "endpoint_uid": endpoint.uid,
        "first_failure_at": to_datetime((decision.health.first_failure_at or before.first_failure_at) or now),
    }
    match decision.signal:
        case Signal.WARN:
            return EndpointFailingEvent(**common)
        case Signal.RECOVER:
            return EndpointRecoveredEvent(**common)
        case _:
            return EndpointDisabledEvent(**common, reason=decision.disabled_reason or "")
