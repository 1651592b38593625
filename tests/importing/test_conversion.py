"""What others allow, as it is allowed here."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest

from webhook_engine.ids import timestamp_of
from webhook_engine.importing.conversion import (
    allowed_headers,
    as_rate,
    as_secret,
    as_time,
    as_uid,
    duration,
    message_id,
)


def test_a_uid_stays_or_is_made_of_what_it_was() -> None:
    assert as_uid("acme-1", "app_") == "acme-1"
    made = as_uid("a@example.com", "app_")
    assert made == as_uid("a@example.com", "app_") != as_uid("a#example.com", "app_")
    assert made.startswith("_a-example.com-")
    assert as_uid("app_1", "app_").startswith("_app_1-")
    assert len(as_uid("x" * 1000, "app_")) <= 256
    assert as_uid("", "app_").startswith("_-")


def test_a_secret_stays_or_its_text_is_the_key() -> None:
    whsec = "whsec_" + base64.b64encode(b"k" * 24).decode()
    assert as_secret(whsec) == whsec
    assert as_secret("t" * 24) == "whsec_" + base64.b64encode(b"t" * 24).decode()
    assert [as_secret(text) for text in (None, "", "short", "x" * 76)] == [None] * 4


def test_headers_that_cannot_be_sent_are_named() -> None:
    kept, left = allowed_headers({"X-One": "1", "webhook-id": "2", "X-Two": "ü", "X-Three": 3})
    assert kept == {"X-One": "1"}
    assert sorted(left) == ["X-Three", "X-Two", "webhook-id"]


@pytest.mark.parametrize(
    ("count", "seconds", "rate"),
    [(None, 1, None), (0, 1, None), (5, 1, 5), (60, 60, 1), (1, 60, 1), (90, 60, 2), (10**9, 1, 65535), (5, 0, None)],
)
def test_rates_are_per_second(count: float | None, seconds: float, rate: int | None) -> None:
    assert as_rate(count, seconds) == rate


def test_durations_as_numbers_and_as_go_writes_them() -> None:
    assert [duration(one) for one in (60, "60", "1m30s", "1h0m1s", "250ms", "1m", None)] == [
        60,
        0,
        90,
        3601,
        0.25,
        60,
        0,
    ]


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2030-01-02T03:04:05Z", datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2030-01-02T03:04:05.123456789Z", datetime(2030, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)),
        ("2030-01-02T03:04:05.5+00:00", datetime(2030, 1, 2, 3, 4, 5, 500000, tzinfo=UTC)),
        ("2030-01-02 03:04:05", datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", None),
        ("soon", None),
        (None, None),
        (5, None),
    ],
)
def test_times_as_others_write_them(text: object, time: datetime | None) -> None:
    assert as_time(text) == time


def test_a_message_has_the_same_id_again_and_its_time_in_it() -> None:
    when = datetime(2030, 1, 2, tzinfo=UTC)
    assert message_id(when, "convoy", "a", "b") == message_id(when, "convoy", "a", "b")
    assert message_id(when, "convoy", "a", "b") != message_id(when, "convoy", "ab", "")
    assert timestamp_of(message_id(when, "x")) == int(when.timestamp() * 1_000_000)
