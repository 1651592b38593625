"""Every row of the behaviour table that is about what an answer means."""

from datetime import timedelta

import pytest
from flow_parts import make_due
from hypothesis import given
from hypothesis import strategies as st

from webhook_engine.clock import microseconds
from webhook_engine.delivery.attempt.decision import ABORTED, DISABLED, EXHAUSTED, Decision, Rules, Turn, decide
from webhook_engine.delivery.attempt.health import WELL, Signal
from webhook_engine.delivery.attempt.retry import RetrySchedule
from webhook_engine.delivery.elapsed import Moment
from webhook_engine.delivery.http.response import FailureKind, Response
from webhook_engine.model import DeliveryStatus, Health

SECOND = 1_000_000
DAY = 86_400 * SECOND
NOW = 20_000 * DAY
STEPS_S = [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000]
RULES = Rules(
    schedule=RetrySchedule([timedelta(seconds=step) for step in STEPS_S], 0.2),
    failure_window=microseconds(timedelta(days=5)),
    disable_on_gone=True,
)
LENIENT = Rules(schedule=RULES.schedule, failure_window=RULES.failure_window, disable_on_gone=False)
RAN = 300 * DAY
"""For how long the engine has run by now."""
MOMENT = Moment(NOW, RAN)


def since(first: int, last: int, *, warned: bool = False) -> Health:
    """A failure window with its first and last failure so long ago."""
    return Health(NOW - first, NOW - last, warned, RAN - first, RAN - last)


ALMOST_OVER = since(5 * DAY, DAY, warned=True)


def answer(status: int = 200, *, control: str | None = None, asks: str | None = None) -> Response:
    failure = None if 200 <= status <= 299 else FailureKind.STATUS if status else FailureKind.TIMEOUT
    return Response(status, "", failure, 12, asks, control)


def judge(
    got: Response,
    *,
    step: int = 0,
    manual: bool = False,
    before: Health = WELL,
    disabled: bool = False,
    rules: Rules = RULES,
) -> Decision:
    due = make_due(step=step, manual_id="man_1" if manual else None)
    return decide(due, got, rules, before=before, disabled=disabled, moment=MOMENT, random=0.5)


@pytest.mark.parametrize("status", [200, 201, 204, 299])
@pytest.mark.parametrize("step", range(8))
def test_a_success_settles_the_delivery_on_whatever_attempt(status: int, step: int) -> None:
    change = judge(answer(status), step=step).change
    assert (change.status, change.due_at, change.settled_at) == (DeliveryStatus.SUCCEEDED, None, NOW)
    assert change.reason is None


@pytest.mark.parametrize("status", [0, 301, 302, 304, 400, 401, 404, 409, 418, 429, 500, 502, 503, 504, 599])
def test_anything_else_is_tried_again_by_the_ladder(status: int) -> None:
    for step, delay in enumerate(STEPS_S):
        change = judge(answer(status), step=step).change
        assert (change.status, change.due_at) == (DeliveryStatus.PENDING, NOW + delay * SECOND)
        assert (change.step, change.settled_at, change.reason) == (step + 1, None, None)


def test_the_eighth_failure_exhausts_the_delivery() -> None:
    decision = judge(answer(500), step=7)
    assert decision.change.status is DeliveryStatus.FAILED
    assert (decision.change.due_at, decision.change.reason) == (None, EXHAUSTED)
    assert decision.change.settled_at == NOW
    assert decision.turn is Turn.EXHAUSTED


def test_without_a_ladder_the_first_failure_exhausts_the_delivery() -> None:
    rules = Rules(schedule=RetrySchedule([], 0), failure_window=DAY, disable_on_gone=True)
    decision = judge(answer(500), rules=rules)
    assert (decision.change.status, decision.turn) == (DeliveryStatus.FAILED, Turn.EXHAUSTED)


@pytest.mark.parametrize(
    ("step", "turn"),
    [(step, Turn.FAILING if step == 3 else Turn.EXHAUSTED if step == 7 else Turn.NONE) for step in range(8)],
)
def test_the_fourth_failure_is_reported_and_the_last(step: int, turn: Turn) -> None:
    assert judge(answer(500), step=step).turn is turn


def test_a_fourth_failure_that_is_the_last_is_reported_as_exhausted_alone() -> None:
    rules = Rules(schedule=RetrySchedule([timedelta(seconds=1)] * 3, 0), failure_window=DAY, disable_on_gone=True)
    assert judge(answer(500), step=3, rules=rules).turn is Turn.EXHAUSTED


@pytest.mark.parametrize("step", range(8))
def test_a_delivery_that_was_reported_as_failing_is_reported_as_recovered(step: int) -> None:
    assert judge(answer(), step=step).turn is (Turn.RECOVERED if step >= 4 else Turn.NONE)


@pytest.mark.parametrize("step", range(8))
def test_a_manual_attempt_is_never_reported(step: int) -> None:
    assert judge(answer(), step=step, manual=True).turn is Turn.NONE
    assert judge(answer(500), step=step, manual=True).turn is Turn.NONE


@pytest.mark.parametrize(("asks", "delay_s"), [("1", 300), ("400", 400), ("9999999", 600), ("soon", 300)])
def test_the_receiver_may_ask_for_a_later_retry(asks: str, delay_s: int) -> None:
    due_at = judge(answer(503, asks=asks), step=1).change.due_at
    assert due_at is not None
    assert NOW + delay_s * SECOND <= due_at <= NOW + min(delay_s * 1.2, 600) * SECOND


def test_a_retry_after_on_a_success_means_nothing() -> None:
    assert judge(answer(200, asks="600")).change.due_at is None


# 410 Gone


def test_an_endpoint_that_is_gone_is_disabled_at_once() -> None:
    decision = judge(answer(410))
    assert decision.signal is Signal.DISABLE
    assert decision.disabled_reason is not None
    assert "410" in decision.disabled_reason
    assert (decision.change.status, decision.change.reason) == (DeliveryStatus.FAILED, DISABLED)
    assert decision.health.first_failure_at == NOW


def test_an_endpoint_that_is_gone_after_failing_keeps_the_start_of_its_failures() -> None:
    before = since(DAY, DAY // 2)
    assert judge(answer(410), before=before).health == since(DAY, 0)


def test_gone_is_a_failure_like_any_other_where_so_configured() -> None:
    decision = judge(answer(410), rules=LENIENT)
    assert (decision.signal, decision.change.status) == (Signal.NONE, DeliveryStatus.PENDING)


def test_a_manual_attempt_can_find_an_endpoint_gone_too() -> None:
    decision = judge(answer(410), manual=True)
    assert decision.signal is Signal.DISABLE
    assert decision.health.first_failure_at == NOW


# The delivery-control header


@pytest.mark.parametrize("control", ["disable", " Disable ", "DISABLE"])
@pytest.mark.parametrize("status", [200, 400, 410, 500])
def test_any_answer_may_disable_the_endpoint(control: str, status: int) -> None:
    decision = judge(answer(status, control=control), rules=LENIENT)
    assert decision.signal is Signal.DISABLE
    assert decision.disabled_reason is not None
    assert "webhook-delivery" in decision.disabled_reason
    assert decision.health.first_failure_at == NOW
    expected = DeliveryStatus.SUCCEEDED if status == 200 else DeliveryStatus.FAILED
    assert decision.change.status is expected


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_any_failure_may_end_the_delivery(status: int) -> None:
    decision = judge(answer(status, control="abort-message"))
    assert (decision.change.status, decision.change.reason) == (DeliveryStatus.FAILED, ABORTED)
    assert (decision.change.due_at, decision.change.settled_at) == (None, NOW)
    assert (decision.signal, decision.turn) == (Signal.NONE, Turn.NONE)


def test_a_delivery_that_is_aborted_with_success_has_succeeded() -> None:
    assert judge(answer(200, control="abort-message")).change.status is DeliveryStatus.SUCCEEDED


def test_a_delivery_that_is_aborted_by_an_endpoint_that_is_gone_is_aborted() -> None:
    decision = judge(answer(410, control="abort-message"))
    assert (decision.change.reason, decision.signal) == (ABORTED, Signal.DISABLE)


@pytest.mark.parametrize("control", ["", "later", "disabled", "abort"])
def test_a_control_header_that_says_something_else_says_nothing(control: str) -> None:
    assert judge(answer(500, control=control)) == judge(answer(500))


# The failure window


def test_the_first_failure_opens_the_window() -> None:
    assert judge(answer(500)).health == since(0, 0)


def test_half_of_the_window_warns_and_the_delivery_goes_on() -> None:
    decision = judge(answer(500), before=since(3 * DAY, DAY))
    assert (decision.signal, decision.change.status) == (Signal.WARN, DeliveryStatus.PENDING)


def test_the_whole_window_disables_the_endpoint_and_fails_the_delivery() -> None:
    decision = judge(answer(500), before=ALMOST_OVER)
    assert decision.signal is Signal.DISABLE
    assert decision.disabled_reason
    assert (decision.change.status, decision.change.reason) == (DeliveryStatus.FAILED, DISABLED)
    assert decision.health.first_failure_at == NOW - 5 * DAY


def test_a_last_failure_that_disables_the_endpoint_is_failed_for_that_reason() -> None:
    decision = judge(answer(500), step=7, before=ALMOST_OVER)
    assert (decision.change.reason, decision.turn) == (DISABLED, Turn.NONE)


@pytest.mark.parametrize("manual", [False, True])
def test_any_success_ends_the_window(manual: bool) -> None:
    assert judge(answer(), manual=manual, before=ALMOST_OVER).health == WELL


@pytest.mark.parametrize("before", [WELL, since(3 * DAY, DAY), ALMOST_OVER])
def test_a_manual_failure_neither_opens_nor_moves_nor_crosses_a_window(before: Health) -> None:
    decision = judge(answer(500), manual=True, before=before)
    assert (decision.health, decision.signal) == (before, Signal.NONE)


# A disabled endpoint


@pytest.mark.parametrize("got", [answer(500), answer(410), answer(500, control="disable"), answer(0)])
def test_a_failure_after_the_endpoint_was_disabled_settles_and_reports_nothing_more(got: Response) -> None:
    decision = judge(got, disabled=True, before=ALMOST_OVER)
    assert (decision.change.status, decision.change.reason) == (DeliveryStatus.FAILED, DISABLED)
    assert (decision.signal, decision.disabled_reason) == (Signal.NONE, None)


def test_a_success_after_the_endpoint_was_disabled_counts() -> None:
    assert judge(answer(), disabled=True).change.status is DeliveryStatus.SUCCEEDED


# Manual attempts


def test_a_manual_success_settles_the_delivery_and_fulfils_the_request() -> None:
    change = judge(answer(), manual=True, step=3).change
    assert (change.status, change.manual_id, change.step) == (DeliveryStatus.SUCCEEDED, "man_1", 3)


@pytest.mark.parametrize("got", [answer(500), answer(410), answer(503, asks="900")])
def test_a_manual_failure_schedules_nothing_and_takes_no_step_of_the_ladder(got: Response) -> None:
    change = judge(got, manual=True, step=3).change
    assert (change.due_at, change.step, change.manual_id) == (None, 3, "man_1")
    assert change.status is DeliveryStatus.FAILED


@given(
    status=st.sampled_from([0, 200, 204, 302, 404, 410, 429, 500, 503]),
    control=st.sampled_from([None, "disable", "abort-message", "?"]),
    asks=st.none() | st.text(max_size=8) | st.integers(0, 10**12).map(str),
    step=st.integers(0, 9),
    manual=st.booleans(),
    disabled=st.booleans(),
    window=st.none() | st.tuples(st.integers(-DAY, 30 * DAY), st.integers(-DAY, 30 * DAY), st.booleans()),
    rules=st.sampled_from([RULES, LENIENT]),
    random=st.floats(0, 1, exclude_max=True),
)
def test_whatever_comes_the_decision_is_whole(
    status: int,
    control: str | None,
    asks: str | None,
    step: int,
    manual: bool,
    disabled: bool,
    window: tuple[int, int, bool] | None,
    rules: Rules,
    random: float,
) -> None:
    before = WELL if window is None else since(window[0], window[1], warned=window[2])
    due = make_due(step=step, manual_id="man_1" if manual else None)
    decision = decide(
        due,
        answer(status, control=control, asks=asks),
        rules,
        before=before,
        disabled=disabled,
        moment=MOMENT,
        random=random,
    )
    change = decision.change
    assert (change.status is DeliveryStatus.PENDING) == (change.due_at is not None) == (change.settled_at is None)
    assert change.due_at is None or change.due_at > NOW
    assert change.due_ran == (None if change.due_at is None else RAN + change.due_at - NOW)
    assert (change.status is DeliveryStatus.SUCCEEDED) == (status in (200, 204))
    assert (decision.signal is Signal.DISABLE) == (decision.disabled_reason is not None)
    if decision.signal is Signal.DISABLE:
        assert decision.health.first_failure_at is not None
        assert change.status is not DeliveryStatus.PENDING
    if disabled:
        assert decision.signal is Signal.NONE
        assert change.status is not DeliveryStatus.PENDING
