"""Durations and sizes, as they are read and written."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook_engine.config.values import (
    database_url,
    format_duration,
    format_size,
    parse_duration,
    parse_listen,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("250ms", timedelta(milliseconds=250)),
        ("15s", timedelta(seconds=15)),
        ("5m", timedelta(minutes=5)),
        ("2h", timedelta(hours=2)),
        ("5d", timedelta(days=5)),
        ("1.5s", timedelta(milliseconds=1500)),
        ("0.001s", timedelta(milliseconds=1)),
        ("15 s", timedelta(seconds=15)),
        ("0s", timedelta(0)),
        ("0ms", timedelta(0)),
    ],
)
def test_durations_are_read(text: str, expected: timedelta) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("15", "a duration needs a unit"),
        ("1.5", "a duration needs a unit"),
        ("", "not a duration"),
        ("s", "not a duration"),
        ("-1s", "not a duration"),
        ("15 weeks", "not a duration"),
        ("15S", "not a duration"),
        ("1h30m", "not a duration"),
        ("1e3s", "not a duration"),
        ("\u0661s", "not a duration"),
        (" 15s", "not a duration"),
        ("15s\n", "not a duration"),
        ("0.5ms", "whole milliseconds"),
        ("999999999999999d", "too long"),
    ],
)
def test_what_is_no_duration_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0B", 0),
        ("500B", 500),
        ("20kB", 20_000),
        ("1KiB", 1024),
        ("1MB", 10**6),
        ("1MiB", 2**20),
        ("1.5MiB", 3 * 2**19),
        ("2GB", 2 * 10**9),
        ("1 GiB", 2**30),
    ],
)
def test_sizes_are_read(text: str, expected: int) -> None:
    assert parse_size(text) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1000", "a size needs a unit"),
        ("", "not a size"),
        ("1KB", "not a size"),
        ("1mb", "not a size"),
        ("-1kB", "not a size"),
        ("0.5B", "whole bytes"),
    ],
)
def test_what_is_no_size_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_size(text)


@given(st.integers(min_value=0, max_value=36500 * 86_400_000))
def test_every_duration_survives_being_written_and_read(milliseconds: int) -> None:
    value = timedelta(milliseconds=milliseconds)
    assert parse_duration(format_duration(value)) == value


@given(st.integers(min_value=0, max_value=2**40))
def test_every_size_survives_being_written_and_read(size_bytes: int) -> None:
    assert parse_size(format_size(size_bytes)) == size_bytes


@given(st.decimals(min_value=0, max_value=10_000, places=3), st.sampled_from(["s", "m", "h", "d"]))
def test_decimals_are_exact(amount: Decimal, unit: str) -> None:
    factor = {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit]
    assert parse_duration(f"{amount}{unit}") == timedelta(milliseconds=int(amount * 1000 * factor))


@given(st.text(max_size=12))
def test_no_text_breaks_the_reading_otherwise_than_with_a_value_error(text: str) -> None:
    for parse in (parse_duration, parse_size, parse_listen, database_url):
        try:
            parse(text)
        except ValueError:
            continue


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(0, "0s"), (250, "250ms"), (1500, "1500ms"), (90_000, "90s"), (60_000, "1m"), (432_000_000, "5d")],
)
def test_durations_are_written_in_the_largest_whole_unit(milliseconds: int, text: str) -> None:
    assert format_duration(timedelta(milliseconds=milliseconds)) == text


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(0, "0B"), (1, "1B"), (20_000, "20kB"), (256_000, "256kB"), (65_536, "64KiB"), (2**20, "1MiB"), (10**9, "1GB")],
)
def test_sizes_are_written_in_the_shortest_form(size_bytes: int, text: str) -> None:
    assert format_size(size_bytes) == text
