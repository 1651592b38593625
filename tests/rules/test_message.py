"""A new message as a caller says it, and as it is kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from webhook_engine.clock import from_datetime, microseconds
from webhook_engine.errors import ValidationError
from webhook_engine.rules.message import MAX_DELAY, MessageDraft

START = datetime(2030, 6, 1, tzinfo=UTC)
NOW = from_datetime(START)


def test_each_value_is_kept_in_one_form() -> None:
    draft = MessageDraft("a", {"id": 1}, "e", ["c", "c"], {"t"}, START - timedelta(days=1), 2, None, "text/csv")
    assert draft.checked(NOW) == (
        "a",
        b'{"id":1}',
        "e",
        ("c",),
        ("t",),
        NOW - microseconds(timedelta(days=1)),
        microseconds(timedelta(days=2)),
        "text/csv",
        None,
    )


def test_what_is_not_said_is_none() -> None:
    assert MessageDraft("a", b"").checked(NOW) == ("a", b"", *[None] * 7)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("event_type", ""),
        ("payload", 5),
        ("event_id", "msg_1"),
        ("channels", []),
        ("tags", "t"),
        ("deliver_at", "now"),
        ("deliver_at", START + MAX_DELAY + timedelta(microseconds=1)),
        ("payload_retention_period", 91),
        ("payload_retention_hours", 0),
        ("content_type", ""),
    ],
)
def test_the_first_that_is_not_allowed_is_named(field: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        MessageDraft(**{"event_type": "a", "payload": b"", field: value}).checked(NOW)  # type: ignore[arg-type]
    assert caught.value.field == field


def test_the_size_of_the_payload_is_bounded_by_who_takes_it() -> None:
    draft = MessageDraft("a", b"12")
    assert draft.checked(NOW, 2)
    with pytest.raises(ValidationError, match="payload"):
        draft.checked(NOW, 1)
