"""How long the engine ran between two looks at the clocks, and what is due by a clock that was set."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook_engine.delivery.elapsed import JUMP, PAUSE, Clocks, Elapsed, due_again, elapsed

SECOND = 1_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
YEAR = 365 * DAY
LOOK = SECOND // 10
LAST = Clocks(20_000 * DAY, 7 * DAY, 3 * DAY)


def after(wall: int, monotonic: int, process: int) -> Elapsed:
    return elapsed(LAST, Clocks(LAST.wall + wall, LAST.monotonic + monotonic, LAST.process + process))


@pytest.mark.parametrize(
    ("wall", "monotonic", "process", "ran", "jump"),
    [
        pytest.param(LOOK, LOOK, LOOK, LOOK, 0, id="time passes"),
        pytest.param(LOOK + 200, LOOK, LOOK, LOOK, 0, id="a clock that is slewed was not set"),
        pytest.param(LOOK + 6 * DAY, LOOK, LOOK, LOOK, 6 * DAY, id="set ahead"),
        pytest.param(LOOK - 12 * HOUR, LOOK, LOOK, LOOK, -12 * HOUR, id="set back"),
        pytest.param(LOOK + JUMP, LOOK, LOOK, LOOK, JUMP, id="set ahead by as much as is noticed"),
        pytest.param(8 * HOUR, LOOK, LOOK, LOOK, 8 * HOUR - LOOK, id="a machine was suspended, and its clocks with it"),
        pytest.param(8 * HOUR, 8 * HOUR, 8 * HOUR, PAUSE, 0, id="the process was stopped"),
        pytest.param(DAY, 2 * SECOND, 2 * SECOND, PAUSE, DAY - 2 * SECOND, id="stopped, and set meanwhile"),
        pytest.param(5 * DAY, 5 * DAY, LOOK, 5 * DAY, 0, id="a test makes five days pass"),
        pytest.param(YEAR + DAY, YEAR + DAY, LOOK, YEAR + DAY, 0, id="a test makes a year pass"),
        pytest.param(DAY, DAY, 3 * SECOND, DAY, 0, id="a test makes a day pass, slowly"),
        pytest.param(-DAY, -DAY, LOOK, 0, 0, id="a test moves both clocks back"),
        pytest.param(-200 * DAY, 56 * YEAR, LOOK, 0, 0, id="a test puts clocks of its own in their place"),
        pytest.param(200 * DAY, -56 * YEAR, LOOK, 0, 0, id="and takes them away again"),
    ],
)
def test_what_happened_between_two_looks(wall: int, monotonic: int, process: int, ran: int, jump: int) -> None:
    assert after(wall, monotonic, process) == Elapsed(ran, jump)


@given(st.integers(-YEAR, YEAR), st.integers(0, YEAR), st.integers(0, YEAR))
def test_no_more_ran_than_passed_whatever_the_clock_says(wall: int, monotonic: int, process: int) -> None:
    step = after(wall, monotonic, process)
    assert 0 <= step.ran <= monotonic
    assert step.jump in (0, wall - monotonic)
    assert step.ran == after(0, monotonic, process).ran, "the wall clock has no part in it"


@given(st.lists(st.tuples(st.integers(0, SECOND // 2), st.integers(-DAY, DAY)), max_size=30))
def test_jumps_sum_up_to_what_the_clock_is_off(steps: list[tuple[int, int]]) -> None:
    clocks, jumped, ran = LAST, 0, 0
    for passed, jump in steps:
        jump = jump if abs(jump) >= JUMP else 0
        following = Clocks(clocks.wall + passed + jump, clocks.monotonic + passed, clocks.process + passed)
        step = elapsed(clocks, following)
        jumped, ran, clocks = jumped + step.jump, ran + step.ran, following
    assert clocks.wall - LAST.wall == ran + jumped


NOW, RAN = 20_000 * DAY, 50 * DAY


@pytest.mark.parametrize(
    ("due_in", "waits", "promised", "again_in"),
    [
        pytest.param(5 * SECOND, 5 * SECOND, False, 5 * SECOND, id="nobody set the clock"),
        pytest.param(12 * HOUR + 5 * SECOND, 5 * SECOND, False, 5 * SECOND, id="set back by 12 h"),
        pytest.param(100 * DAY + HOUR, HOUR, False, HOUR, id="planned while it was 100 days ahead"),
        pytest.param(12 * HOUR, -HOUR, False, 0, id="overdue before it was set back"),
        pytest.param(12 * HOUR, None, False, 0, id="due at once before it was set back"),
        pytest.param(-HOUR, 6 * DAY, False, -HOUR, id="a clock that was set ahead puts nothing off"),
        pytest.param(-HOUR, None, False, -HOUR, id="overdue"),
        pytest.param(12 * HOUR, None, True, 12 * HOUR, id="promised for that instant"),
    ],
)
def test_a_retry_comes_after_the_time_that_it_was_given(
    due_in: int, waits: int | None, promised: bool, again_in: int
) -> None:
    due_ran = None if waits is None else RAN + waits
    assert due_again(NOW + due_in, due_ran, promised=promised, now=NOW, ran=RAN) == NOW + again_in


@given(
    planned=st.integers(0, 10 * HOUR),
    passed=st.integers(0, 20 * HOUR),
    off=st.integers(0, 30 * DAY),
    jump=st.integers(-YEAR, YEAR),
)
def test_no_jump_puts_a_retry_off_and_none_but_one_ahead_brings_it_forward(
    planned: int, passed: int, off: int, jump: int
) -> None:
    """Time passes, the engine is off for a while, and the clock is set."""
    now, ran = NOW + passed + off + jump, RAN + passed
    again = due_again(NOW + planned, RAN + planned, promised=False, now=now, ran=ran)
    left = max(0, planned - passed)
    assert again - now <= left + JUMP or again <= now
    if jump <= 0 and off == 0 and left > JUMP:
        assert again - now >= left - JUMP
    assert due_again(again, RAN + planned, promised=False, now=now, ran=ran) == again, "once is as good as twice"
