"""The next state of a delivery after an attempt. Pure: no I/O; the caller gives the time and the random number.

::

      pending ──── 2xx ────────────────────────────────────► succeeded
         │  ▲
         │  └───── failure, ladder not used up (due later)
         ├──────── failure, ladder used up ────────────────► failed   "retries exhausted"
         ├──────── `webhook-delivery: abort-message` ──────► failed   "aborted by the receiver"
         ├──────── endpoint disabled ──────────────────────► failed   "endpoint disabled"
         └──────── endpoint deleted, message cancelled ────► cancelled

A manual attempt moves a delivery only when it succeeds, or when nothing was scheduled for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from enum import Enum

import msgspec

from webhook_engine.delivery.attempt import health
from webhook_engine.delivery.attempt.health import Signal
from webhook_engine.delivery.attempt.retry import RetrySchedule, retry_after
from webhook_engine.delivery.elapsed import Moment
from webhook_engine.delivery.http.response import Response
from webhook_engine.model import DeliveryStatus, Health
from webhook_engine.store.records import DeliveryChange, Due

__all__ = ["ABORTED", "DELETED", "DISABLED", "EXHAUSTED", "EXPIRED", "Decision", "Rules", "Turn", "decide"]

ABORTED = "aborted by the receiver"
DELETED = "endpoint deleted"
DISABLED = "endpoint disabled"
EXHAUSTED = "retries exhausted"
EXPIRED = "payload expired or expunged"

FAILING_AFTER = 4
"""The failed scheduled attempt that ``message.attempt.failing`` reports."""

GONE = 410

# Bound to names, since on Python 3.11 looking up an enum member costs as much as a call.
_SUCCEEDED = DeliveryStatus.SUCCEEDED
_NO_SIGNAL, _DISABLE = Signal.NONE, Signal.DISABLE


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that a decision depends on."""

    schedule: RetrySchedule
    failure_window: int
    """Microseconds."""
    disable_on_gone: bool

    def of(self, retry_schedule: Sequence[timedelta] | None) -> Rules:
        """These rules with an endpoint's own delays; ``None``: it has none."""
        if retry_schedule is None:
            return self
        return msgspec.structs.replace(self, schedule=self.schedule.with_delays(retry_schedule))


class Turn(Enum):
    """What to report about the delivery."""

    NONE = "none"
    FAILING = "failing"
    EXHAUSTED = "exhausted"
    RECOVERED = "recovered"


_NO_TURN = Turn.NONE


class Decision(msgspec.Struct, frozen=True, gc=False):
    """What to record after an attempt."""

    change: DeliveryChange
    turn: Turn
    health: Health
    """The endpoint's failure window after this attempt."""
    signal: Signal
    disabled_reason: str | None
    """Set when ``signal`` is ``DISABLE``."""


def decide(
    due: Due, response: Response, rules: Rules, *, before: Health, disabled: bool, moment: Moment, random: float
) -> Decision:
    """Judge one attempt.

    ``before`` is the endpoint's failure window before it; ``moment`` is now, after it; ``disabled`` says whether the
    endpoint is disabled or deleted by now; ``random`` is in [0, 1).
    """
    after, signal, reason = _judge_endpoint(due, response, rules, before, moment)
    if disabled:
        signal, reason = _NO_SIGNAL, None
    if response.failure is None:
        change, turn = _success(due, moment.now)
    else:
        change, turn = _failure(due, response, rules, disabled or signal is _DISABLE, moment, random)
    return Decision(change, turn, after, signal, reason)


def _success(due: Due, now: int) -> tuple[DeliveryChange, Turn]:
    change = DeliveryChange(due.message_id, due.endpoint_id, _SUCCEEDED, None, due.step, None, now, due.manual_id)
    recovered = due.manual_id is None and due.step >= FAILING_AFTER
    return change, Turn.RECOVERED if recovered else _NO_TURN


def _judge_endpoint(
    due: Due, response: Response, rules: Rules, before: Health, moment: Moment
) -> tuple[Health, Signal, str | None]:
    after, signal = before, _NO_SIGNAL
    if response.failure is None:
        after, signal = health.after_success(before)
    elif due.manual_id is None:
        after, signal = health.after_failure(before, moment.now, moment.ran, rules.failure_window)
    reason = "every attempt failed for the whole failure window" if signal is _DISABLE else None
    if _control(response) == "disable":
        signal, reason = _DISABLE, "the receiver asked for it (webhook-delivery: disable)"
    elif response.status_code == GONE and rules.disable_on_gone:
        signal, reason = _DISABLE, "the receiver answered 410 Gone"
    if signal is _DISABLE and after.first_failure_at is None:
        after = health.opened(moment.now, moment.ran)
    return after, signal, reason


def _failure(
    due: Due, response: Response, rules: Rules, gone: bool, moment: Moment, random: float
) -> tuple[DeliveryChange, Turn]:
    step = due.step if due.manual_id else due.step + 1
    now = moment.now

    def change(status: DeliveryStatus, due_at: int | None, reason: str | None) -> DeliveryChange:
        settled_at = None if status is DeliveryStatus.PENDING else now
        return DeliveryChange(due.message_id, due.endpoint_id, status, due_at, step, reason, settled_at, due.manual_id)

    if due.manual_id:
        return change(DeliveryStatus.FAILED, None, None), Turn.NONE
    if _control(response) == "abort-message":
        return change(DeliveryStatus.FAILED, None, ABORTED), Turn.NONE
    if gone:
        return change(DeliveryStatus.FAILED, None, DISABLED), Turn.NONE
    delay = rules.schedule.next_delay(step, random, retry_after(response.retry_after, now))
    if delay is None:
        return change(DeliveryStatus.FAILED, None, EXHAUSTED), Turn.EXHAUSTED
    turn = Turn.FAILING if step == FAILING_AFTER else Turn.NONE
    waiting = change(DeliveryStatus.PENDING, now + delay, None)
    return msgspec.structs.replace(waiting, due_ran=moment.ran + delay), turn


def _control(response: Response) -> str | None:
    return response.control.strip().lower() if response.control else None
