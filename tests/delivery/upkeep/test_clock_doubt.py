from __future__ import annotations

from webhook_engine.delivery.upkeep.clock_doubt import ClockTrust

SECOND = 1_000_000
HOUR = 3_600 * SECOND
START = 1_700_000_000 * SECOND


def test_a_clock_that_runs_with_the_time_is_believed_however_long_nobody_asked() -> None:
    trust = ClockTrust()
    for hours in (0, 1, 2, 1_000):
        assert trust.believes(START + hours * HOUR, 3_600.0 * hours)


def test_a_clock_that_gains_a_little_is_believed() -> None:
    trust = ClockTrust()
    assert trust.believes(START, 0.0)
    assert trust.believes(START + HOUR // 2, 1.0)
    assert trust.believes(START + HOUR, 2.0)


def test_a_clock_that_was_set_ahead_is_believed_when_it_kept_to_it_for_an_hour() -> None:
    trust = ClockTrust()
    assert trust.believes(START, 0.0)
    ahead = START + 2_000 * HOUR
    assert [trust.believes(ahead + second * SECOND, float(second)) for second in (10, 60, 3_609, 3_610, 3_611)] == [
        False,
        False,
        False,
        True,
        True,
    ]


def test_a_clock_that_is_set_right_again_is_believed_at_once_and_doubted_anew_the_next_time() -> None:
    trust = ClockTrust()
    assert trust.believes(START, 0.0)
    assert not trust.believes(START + 2_000 * HOUR, 1_800.0)
    assert trust.believes(START + 1_801 * SECOND, 1_801.0)
    assert not trust.doubted
    assert not trust.believes(START + 2_000 * HOUR, 3_700.0)


def test_a_clock_that_is_set_back_is_believed() -> None:
    trust = ClockTrust()
    assert trust.believes(START, 0.0)
    assert trust.believes(START - 2_000 * HOUR, 1.0)
