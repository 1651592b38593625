from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from webhook_engine.clock import from_datetime
from webhook_engine.delivery.attempt.retry import RetrySchedule, retry_after

SECOND = 1_000_000
NOW = from_datetime(datetime(2026, 8, 1, 12, tzinfo=UTC))
LADDER = [
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=10),
]
LADDER_S = [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000]
RANDOM = st.floats(0, 1, exclude_max=True)


def test_the_default_ladder_makes_seven_retries_and_then_gives_up() -> None:
    schedule = RetrySchedule(LADDER, 0.2)
    middle = [schedule.next_delay(attempts, 0.5) for attempts in range(1, 9)]
    assert middle == [seconds * SECOND for seconds in LADDER_S] + [None]
    assert len(schedule) == 7


def test_a_schedule_without_steps_retries_never() -> None:
    assert RetrySchedule([], 0.2).next_delay(1, 0.5) is None


@pytest.mark.parametrize("attempts", [0, -1, 8, 1_000])
def test_there_is_no_retry_off_the_ladder(attempts: int) -> None:
    assert RetrySchedule(LADDER, 0.2).next_delay(attempts, 0.5) is None


def test_without_jitter_a_step_is_exactly_as_long_as_configured() -> None:
    schedule = RetrySchedule([timedelta(milliseconds=1)], 0.0)
    assert {schedule.next_delay(1, random) for random in (0.0, 0.3, 0.999)} == {1_000}


@given(attempts=st.integers(1, 7), random=RANDOM, jitter=st.floats(0, 1))
def test_jitter_spreads_a_step_by_at_most_its_share(attempts: int, random: float, jitter: float) -> None:
    base = LADDER_S[attempts - 1] * SECOND
    delay = RetrySchedule(LADDER, jitter).next_delay(attempts, random)
    assert delay is not None
    assert base * (1 - jitter) - 1 <= delay <= base * (1 + jitter) + 1


def test_jitter_spreads_both_ways() -> None:
    schedule = RetrySchedule([timedelta(seconds=100)], 0.2)
    assert schedule.next_delay(1, 0.0) == 80 * SECOND
    assert schedule.next_delay(1, 0.999999) == pytest.approx(120 * SECOND, rel=1e-5)


@given(asked=st.integers(0, 10**18), attempts=st.integers(1, 7), random=RANDOM, jitter=st.floats(0, 1))
@example(asked=36_000 * SECOND, attempts=7, random=0.0, jitter=0.2)
@example(asked=10**18, attempts=1, random=0.9, jitter=0.2)
def test_what_the_receiver_asks_for_counts_within_the_base_and_twice_the_base(
    asked: int, attempts: int, random: float, jitter: float
) -> None:
    base = LADDER_S[attempts - 1] * SECOND
    delay = RetrySchedule(LADDER, jitter).next_delay(attempts, random, asked)
    assert delay is not None
    assert max(base, min(asked, 2 * base)) <= delay <= 2 * base


def test_a_retry_that_the_receiver_asked_for_later_is_spread_later_only() -> None:
    schedule = RetrySchedule([timedelta(seconds=100)], 0.2)
    assert schedule.next_delay(1, 0.0, 150 * SECOND) == 150 * SECOND
    assert schedule.next_delay(1, 0.5, 150 * SECOND) == 165 * SECOND


def test_asking_for_a_retry_off_the_ladder_gets_none() -> None:
    assert RetrySchedule(LADDER, 0.2).next_delay(8, 0.5, 10 * SECOND) is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (" 120 ", 120),
        ("0", 0),
        ("-0", 0),
        ("1.5", 1.5),
        ("0.0000001", 0.000001),
        ("99999999999999999999", 10 * 365 * 86_400),
        ("1e300", 10 * 365 * 86_400),
        ("Sat, 01 Aug 2026 12:02:00 GMT", 120),
        ("Saturday, 01-Aug-26 12:02:00 GMT", 120),
        ("Sat, 01 Aug 2026 14:02:00 +0200", 120),
        ("Sat, 01 Aug 2026 11:00:00 GMT", 0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
    ],
)
def test_a_retry_after_header_is_read(header: str, seconds: float) -> None:
    assert retry_after(header, NOW) == round(seconds * SECOND)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "  ",
        "soon",
        "-5",
        "nan",
        "NaN",
        "inf",
        "-inf",
        "Infinity",
        "12 seconds",
        "Sat, 99 Aug 2026 12:02:00 GMT",
        "Sat, 01 Foo 2026 12:02:00 GMT",
        "Sat, 01 Aug 99999 12:02:00 GMT",
        "Sat, 01 Aug 2026 12:02:00 +9999999999",
        ",",
        "0x10",
    ],
)
def test_rubbish_in_a_retry_after_header_counts_as_no_header(header: str | None) -> None:
    assert retry_after(header, NOW) is None


@given(
    header=st.text(max_size=60)
    | st.text("0123456789 :,+-.GMTSatAug", max_size=40)
    | st.from_regex(
        r"[A-Z][a-z]{2}, \d{1,3} [A-Z][a-z]{2} \d{1,6} \d{1,3}:\d{1,3}:\d{1,3} [+-]?\w{1,12}", fullmatch=True
    )
)
def test_no_retry_after_header_can_break_an_attempt(header: str) -> None:
    asked = retry_after(header, NOW)
    assert asked is None or asked >= 0


@given(st.integers(0, 86_400 * 365))
def test_a_date_in_the_future_means_so_long_from_now(seconds: int) -> None:
    at = datetime(2026, 8, 1, 12, tzinfo=UTC) + timedelta(seconds=seconds)
    assert retry_after(format_datetime(at, usegmt=True), NOW) == seconds * SECOND
