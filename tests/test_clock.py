from datetime import UTC, datetime, timedelta, timezone

import pytest
from freezegun import freeze_time
from hypothesis import given
from hypothesis import strategies as st

from webhook_engine.clock import Clock, ManualClock, from_datetime, microseconds, to_datetime

NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)


def test_a_manual_clock_stands_still() -> None:
    clock = ManualClock(NOON)
    assert clock.now() == clock.now() == from_datetime(NOON)
    assert clock.monotonic() == clock.monotonic() == 0.0


@pytest.mark.parametrize("step", [timedelta(seconds=90), 90, 90.0])
def test_time_that_passes_moves_both_clocks(step: timedelta | float) -> None:
    clock = ManualClock(NOON)
    clock.advance(step)
    assert to_datetime(clock.now()) == NOON + timedelta(seconds=90)
    assert clock.monotonic() == 90.0


@pytest.mark.parametrize("jump", [timedelta(days=5), -timedelta(days=5)])
def test_a_jump_moves_the_wall_clock_alone(jump: timedelta) -> None:
    clock = ManualClock(NOON)
    clock.set(NOON + jump)
    assert to_datetime(clock.now()) == NOON + jump
    assert clock.monotonic() == 0.0


def test_whoever_waits_is_woken_by_each_move_until_he_ends_it() -> None:
    clock, seen = ManualClock(NOON), []
    end = clock.on_jump(lambda: seen.append(to_datetime(clock.now())))
    clock.advance(1)
    clock.set(NOON)
    end()
    clock.advance(1)
    assert seen == [NOON + timedelta(seconds=1), NOON]


def test_several_may_wait_and_one_may_end_while_all_are_woken() -> None:
    clock, seen = ManualClock(NOON), []
    ends = [clock.on_jump(lambda: (seen.append("first"), ends[0]())), clock.on_jump(lambda: seen.append("second"))]
    clock.advance(1)
    clock.advance(1)
    assert seen == ["first", "second", "second"]


def test_the_real_clock_agrees_with_the_system() -> None:
    clock = Clock()
    before = datetime.now(UTC)
    now = to_datetime(clock.now())
    assert before - timedelta(milliseconds=1) <= now <= datetime.now(UTC)
    assert clock.monotonic() <= clock.monotonic()
    clock.on_jump(lambda: None)()


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)))
def test_an_instant_survives_the_way_to_microseconds_and_back(value: datetime) -> None:
    assert to_datetime(from_datetime(value)) == value


def test_a_naive_datetime_is_taken_as_utc_and_another_zone_is_converted() -> None:
    assert from_datetime(datetime(2026, 8, 1, 12)) == from_datetime(NOON)
    assert from_datetime(datetime(2026, 8, 1, 14, tzinfo=timezone(timedelta(hours=2)))) == from_datetime(NOON)


def test_a_duration_is_whole_microseconds() -> None:
    assert microseconds(timedelta(milliseconds=1.5)) == 1_500
    assert microseconds(timedelta(days=5)) == 5 * 86_400 * 1_000_000


def test_the_time_of_the_process_runs_on_whatever_a_test_does_with_the_clocks() -> None:
    clock, manual = Clock(), ManualClock(NOON)
    with freeze_time("2026-01-01") as frozen:
        before = clock.process(), manual.process()
        frozen.tick(timedelta(days=1))
        manual.advance(timedelta(days=1))
        assert before <= (clock.process(), manual.process())
        assert clock.process() - before[0] < 3_600
        assert manual.process() - before[1] < 3_600
