import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook_engine.delivery.schedule.pauses import LONGEST_S, pause_s

NO_CHANCE = 0.5


@pytest.mark.parametrize(
    ("times", "waiting", "seconds"),
    [(1, 1, 0.5), (2, 1, 1.0), (3, 1, 2.0), (5, 1, 8.0), (6, 1, 10.0), (10_000, 1, 10.0), (1, 1_000, 10.0)],
)
def test_a_pause_doubles_up_to_a_bound(times: int, waiting: int, seconds: float) -> None:
    assert pause_s(times, waiting, NO_CHANCE) == seconds


@given(st.integers(1, 10**9), st.integers(1, 10**9), st.floats(0, 1, exclude_max=True))
def test_a_pause_is_bounded_on_both_sides(times: int, waiting: int, random: float) -> None:
    assert 0.3 < pause_s(times, waiting, random) < 80


@given(st.integers(1, 1_000), st.integers(1, 6_000))
def test_lanes_that_wait_try_a_hundred_times_a_second_at_most(times: int, waiting: int) -> None:
    assert waiting / pause_s(times, waiting, NO_CHANCE) <= 100.001


@given(st.integers(1, 1_000))
def test_a_thousand_lanes_all_try_again_within_a_quarter_of_a_minute(waiting: int) -> None:
    assert pause_s(1_000, waiting, 0.99) < LONGEST_S * 1.3
