from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook_engine.clock import microseconds
from webhook_engine.delivery.attempt.health import WELL, Signal, after_failure, after_success
from webhook_engine.model import Health

DAY = microseconds(timedelta(days=1))
WINDOW = 5 * DAY
START = 20_000 * DAY


RAN = 300 * DAY
"""For how long the engine had run at ``START``."""


def failing(since: int, last: int, *, warned: bool = False) -> Health:
    """A window in which clock and engine ran alike."""
    return Health(START + since, START + last, warned, RAN + since, RAN + last)


@pytest.mark.parametrize(
    ("before", "at", "after", "signal"),
    [
        pytest.param(WELL, 0, failing(0, 0), Signal.NONE, id="the first failure opens the window"),
        pytest.param(failing(0, 0), DAY, failing(0, DAY), Signal.NONE, id="a failure soon after says nothing"),
        pytest.param(
            failing(0, 2 * DAY),
            5 * DAY // 2 - 1,
            failing(0, 5 * DAY // 2 - 1),
            Signal.NONE,
            id="just before half of the window there is no warning",
        ),
        pytest.param(
            failing(0, 2 * DAY),
            5 * DAY // 2,
            failing(0, 5 * DAY // 2, warned=True),
            Signal.WARN,
            id="at half of the window there is a warning",
        ),
        pytest.param(
            failing(0, 3 * DAY, warned=True),
            4 * DAY,
            failing(0, 4 * DAY, warned=True),
            Signal.NONE,
            id="it warns once",
        ),
        pytest.param(
            failing(0, 4 * DAY, warned=True),
            5 * DAY - 1,
            failing(0, 5 * DAY - 1, warned=True),
            Signal.NONE,
            id="just before the end nothing happens",
        ),
        pytest.param(
            failing(0, 4 * DAY, warned=True),
            5 * DAY,
            failing(0, 5 * DAY, warned=True),
            Signal.DISABLE,
            id="at the end the endpoint is disabled",
        ),
        pytest.param(
            failing(0, 0),
            9 * DAY,
            failing(0, 9 * DAY, warned=True),
            Signal.DISABLE,
            id="a long silence of less than two windows does not hide the crossing",
        ),
        pytest.param(
            failing(0, 0),
            10 * DAY,
            failing(0, 10 * DAY, warned=True),
            Signal.DISABLE,
            id="a silence of exactly two windows does not either",
        ),
        pytest.param(
            failing(0, 0),
            10 * DAY + 1,
            failing(10 * DAY + 1, 10 * DAY + 1),
            Signal.NONE,
            id="a longer silence ends the window and the failure opens another",
        ),
        pytest.param(
            failing(0, 4 * DAY, warned=True),
            15 * DAY,
            failing(15 * DAY, 15 * DAY),
            Signal.NONE,
            id="a window that had warned and fell silent warns anew later",
        ),
    ],
)
def test_a_failure(before: Health, at: int, after: Health, signal: Signal) -> None:
    assert after_failure(before, START + at, RAN + at, WINDOW) == (after, signal)


@pytest.mark.parametrize(
    ("before", "signal"),
    [(WELL, Signal.NONE), (failing(0, DAY), Signal.NONE), (failing(0, 4 * DAY, warned=True), Signal.RECOVER)],
)
def test_a_success_ends_the_window(before: Health, signal: Signal) -> None:
    assert after_success(before) == (Health(), signal)


def test_a_window_that_began_in_the_future_begins_now() -> None:
    before = Health(START + 365 * DAY, START + 365 * DAY, False, RAN, RAN)
    after, signal = after_failure(before, START, RAN, WINDOW)
    assert (after, signal) == (failing(0, 0), Signal.NONE)


def test_an_endpoint_is_disabled_in_time_although_the_clock_was_a_year_ahead_for_a_moment() -> None:
    health, _ = after_failure(WELL, START + 365 * DAY, RAN, WINDOW)
    signals = []
    for hour in range(0, 24 * 5 + 1, 10):
        health, signal = after_failure(health, START + hour * DAY // 24, RAN + hour * DAY // 24, WINDOW)
        signals.append(signal)
    assert signals.count(Signal.WARN) == 1
    assert signals[-1] is Signal.DISABLE


@pytest.mark.parametrize("jump", [6 * DAY, 365 * DAY, -6 * DAY])
def test_a_clock_that_is_set_neither_disables_nor_warns_nor_ends_a_window(jump: int) -> None:
    before = failing(0, DAY)
    after, signal = after_failure(before, START + jump, RAN + DAY + 1, WINDOW)
    assert signal is Signal.NONE
    assert (after.first_failure_ran, after.last_failure_ran) == (RAN, RAN + DAY + 1)


def test_time_in_which_the_engine_did_not_run_counts_toward_no_window() -> None:
    """It stands still for three weeks, which is more than a silence of two windows."""
    off = 21 * DAY
    health, signal = after_failure(failing(0, 4 * DAY, warned=True), START + 4 * DAY + off, RAN + 4 * DAY, WINDOW)
    assert (signal, health.first_failure_at) == (Signal.NONE, START)
    _, signal = after_failure(health, START + 5 * DAY + off, RAN + 5 * DAY, WINDOW)
    assert signal is Signal.DISABLE


def test_an_endpoint_that_fails_every_ten_hours_warns_once_and_is_disabled_once_after_five_days() -> None:
    health, told = WELL, []
    for hour in range(0, 131, 10):
        health, signal = after_failure(health, START + hour * DAY // 24, RAN + hour * DAY // 24, WINDOW)
        if signal is not Signal.NONE:
            told.append((hour, signal))
        if signal is Signal.DISABLE:
            break
    assert told == [(60, Signal.WARN), (120, Signal.DISABLE)]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3 * DAY), st.integers(-30 * DAY, 30 * DAY)), max_size=60))
def test_nothing_is_disabled_unless_it_failed_for_the_whole_window_without_a_success(
    events: list[tuple[bool, int, int]],
) -> None:
    """Time passes, and the clock is set, between one attempt and the next."""
    health, now, ran, first_failure = WELL, START, RAN, None
    warned = False
    for success, passed, jump in events:
        now += passed + jump
        ran += passed
        if success:
            health, first_failure, warned = after_success(health)[0], None, False
            continue
        health, signal = after_failure(health, now, ran, WINDOW)
        first_failure = ran if first_failure is None else first_failure
        assert (health.last_failure_at, health.last_failure_ran) == (now, ran)
        assert health.first_failure_at is not None
        assert health.first_failure_at <= now
        assert (signal is Signal.DISABLE) == (ran - first_failure >= WINDOW)
        if signal is Signal.WARN:
            assert not warned
            assert ran - first_failure >= WINDOW // 2
        warned = health.warned
