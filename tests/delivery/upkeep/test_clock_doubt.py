from __future__ import annotations

from stores import no_engine

from webhook_engine.delivery.upkeep.clock_doubt import ClockTrust

pytestmark = no_engine

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


def begun(believed_at: int, ran: float, doubted_since: float | None = None) -> ClockTrust:
    trust = ClockTrust()
    trust.remember(believed_at, ran, doubted_since)
    return trust


def test_at_a_start_the_clock_is_compared_with_what_it_said_last() -> None:
    assert begun(START, 500.0).believes(START + HOUR, 500.0)
    assert begun(START, 500.0).believes(START - 2_000 * HOUR, 500.0)
    trust = begun(START, 500.0)
    assert not trust.believes(START + 2_400 * HOUR, 500.0)
    assert not trust.believes(START + 2_400 * HOUR + 3 * SECOND, 503.0)
    assert trust.believed_at(START + 2_400 * HOUR + 3 * SECOND, 503.0) == START + 3 * SECOND
    assert trust.believes(START + 2_401 * HOUR, 4_100.0)
    assert trust.believed_at(START + 2_401 * HOUR, 4_100.0) == START + 2_401 * HOUR


def test_an_engine_that_is_stopped_while_it_doubts_goes_on_doubting_where_it_ended() -> None:
    first = begun(START, 0.0)
    ahead = START + 2_400 * HOUR
    assert not first.believes(ahead, 0.0)
    assert not first.believes(ahead + HOUR // 2, 1_800.0)
    second = begun(first.believed_at(ahead + HOUR // 2, 1_800.0), 1_800.0, first.doubted_since)
    assert not second.believes(ahead + 20 * HOUR, 1_800.0)
    assert not second.believes(ahead + 20 * HOUR + HOUR // 3, 3_000.0)
    assert second.believes(ahead + 21 * HOUR, 3_600.0)


def test_a_clock_that_is_ahead_at_two_starts_and_right_in_between_is_doubted_at_both() -> None:
    first = begun(START, 0.0)
    assert not first.believes(START + 2_400 * HOUR, 3_000.0)
    second = begun(first.believed_at(START + 2_400 * HOUR, 3_000.0), 3_000.0, first.doubted_since)
    assert second.believes(START + HOUR, 3_001.0)
    third = begun(second.believed_at(START + HOUR, 3_001.0), 3_001.0, second.doubted_since)
    assert not third.believes(START + 2_400 * HOUR, 4_000.0)
