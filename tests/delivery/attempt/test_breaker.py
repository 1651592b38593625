from hypothesis import given
from hypothesis import strategies as st

from webhook_engine.delivery.attempt.breaker import (
    CLOSED,
    FEWEST,
    FIRST_PAUSE,
    LONGEST_PAUSE,
    SPAN,
    Breaker,
    after_failure,
    after_success,
    resumed,
)


def met(*failed: bool, breaker: Breaker = CLOSED, ran: int = 0) -> Breaker:
    for one in failed:
        breaker = after_failure(breaker, ran) if one else after_success(breaker, ran)
    return breaker


def test_it_waits_when_half_of_enough_attempts_failed() -> None:
    assert met(*[True] * (FEWEST - 1)).until is None
    assert met(*[True] * FEWEST).until == FIRST_PAUSE
    assert met(*[False, True] * (FEWEST // 2)).until == FIRST_PAUSE
    assert met(*[False, False, True] * FEWEST).until is None


def test_what_was_long_ago_counts_less() -> None:
    well = met(*[False] * 100)
    assert met(*[True] * 30, breaker=well).until is None
    assert met(*[True] * 30, breaker=well, ran=3 * SPAN).until == 3 * SPAN + FIRST_PAUSE
    assert met(*[True] * (FEWEST - 1), breaker=well, ran=1_000 * SPAN).until is None


def test_each_failed_probe_doubles_the_pause_up_to_a_bound() -> None:
    breaker, pauses = met(*[True] * FEWEST), []
    for _ in range(12):
        assert breaker.until is not None
        before = breaker.until
        assert after_failure(breaker, before - 1) is breaker  # it was under way when the pause began
        breaker = after_failure(breaker, before)
        assert breaker.until is not None
        pauses.append(breaker.until - before)
    assert pauses[:3] == [2 * FIRST_PAUSE, 4 * FIRST_PAUSE, 8 * FIRST_PAUSE]
    assert pauses[-1] == LONGEST_PAUSE


def test_any_success_ends_the_pause() -> None:
    paused = met(*[True] * FEWEST)
    assert after_success(paused, 5) is CLOSED


def test_a_pause_goes_on_in_another_run() -> None:
    assert resumed(100, 7).until == 107
    assert resumed(100, -7).until == 100
    assert resumed(0, 10 * LONGEST_PAUSE).until == LONGEST_PAUSE


@given(steps=st.lists(st.tuples(st.booleans(), st.integers(0, 5 * SPAN)), max_size=60))
def test_it_pauses_only_after_failures_and_never_for_ever(steps: list[tuple[bool, int]]) -> None:
    breaker, ran = CLOSED, 0
    for failed, passed in steps:
        ran += passed
        before = breaker
        breaker = after_failure(breaker, ran) if failed else after_success(breaker, ran)
        assert failed or breaker.until is None
        if breaker.until is not None:
            assert breaker.until - ran <= LONGEST_PAUSE
            assert before.until is not None or failed
