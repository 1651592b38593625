import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook_engine.delivery.throttle import CATCH_UP_S, Throttle


def test_without_a_rate_nobody_waits() -> None:
    throttle = Throttle(None)
    for _ in range(1_000):
        assert throttle.wait(5.0) == 0
        throttle.spend(5.0)


def test_the_first_message_goes_at_once_even_when_the_clock_begins_at_zero() -> None:
    assert Throttle(1).wait(0.0) == 0


def test_what_somebody_else_may_have_sent_counts() -> None:
    throttle = Throttle(4)
    throttle.resume(100.0)
    assert throttle.wait(100.0) == pytest.approx(0.25)
    throttle.resume(50.0)
    assert throttle.wait(100.2) == pytest.approx(0.05)
    throttle.resume(100.0)
    assert throttle.wait(100.25) == 0
    Throttle(None).resume(100.0)


def test_messages_are_spaced_evenly() -> None:
    throttle = Throttle(4)
    throttle.spend(100.0)
    assert throttle.wait(100.0) == pytest.approx(0.25, abs=CATCH_UP_S)
    throttle.spend(100.25)
    assert throttle.wait(100.25) == pytest.approx(0.25, abs=CATCH_UP_S)


def test_a_long_silence_saves_up_no_burst() -> None:
    throttle = Throttle(2)
    throttle.spend(0.0)
    throttle.spend(1_000.0)
    assert throttle.wait(1_000.0) > 0.4


@given(
    rate=st.integers(1, 100),
    steps=st.lists(st.floats(0, 0.2), min_size=1, max_size=40),
)
def test_no_stretch_of_time_sees_more_than_the_rate(rate: int, steps: list[float]) -> None:
    throttle, now, sent = Throttle(rate), 50.0, []
    for step in steps:
        now += step
        while throttle.wait(now) == 0:
            throttle.spend(now)
            sent.append(now)
    for first, begun in enumerate(sent):
        for last in range(first, len(sent)):
            allowed = rate * (sent[last] - begun + CATCH_UP_S) + 1
            assert last - first + 1 <= allowed + 1e-3


@given(rate=st.integers(1, 1_000))
def test_whoever_always_waits_as_told_reaches_the_rate(rate: int) -> None:
    throttle, now = Throttle(rate), 7.0
    for _ in range(rate):
        now += throttle.wait(now)
        throttle.spend(now)
    assert now - 7.0 <= 1.0


@given(
    rate=st.integers(1, 10_000),
    begin=st.floats(0, 1e6),
    rounds=st.integers(1, 30),
)
def test_after_waiting_in_whole_microseconds_as_long_as_told_the_message_may_go(
    rate: int, begin: float, rounds: int
) -> None:
    # Otherwise the dispatcher asks again and again within one microsecond, for ever under a clock that stands still.
    throttle, now = Throttle(rate), begin
    for _ in range(rounds):
        now += round(throttle.wait(now) * 1_000_000) / 1_000_000
        assert throttle.wait(now) == 0
        throttle.spend(now)
