"""The rules for texts, numbers, times and members of enumerations."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest

from webhook_engine.errors import ValidationError
from webhook_engine.model import AttemptStatus, TaskStatus
from webhook_engine.rules import values

Rule = Callable[[str, object], object]


def text(field: str, value: object) -> object:
    return values.text(field, value, least=1, most=10)


def day(field: str, value: object) -> object:
    return values.duration(field, value, timedelta(days=1))


@pytest.mark.parametrize(
    ("rule", "value", "kept"),
    [
        (text, "Ünïcode\n", "Ünïcode\n"),
        (values.boolean, True, True),
        (values.instant, datetime(1970, 1, 1, 0, 0, 1), 1_000_000),
        (values.instant, datetime(1970, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))), 0),
        (day, timedelta(0), 0),
        (day, timedelta(days=1), 86_400_000_000),
    ],
)
def test_what_is_allowed_is_kept_in_one_form(rule: Rule, value: object, kept: object) -> None:
    got = rule("field", value)
    assert got == kept
    assert type(got) is type(kept)


@pytest.mark.parametrize(
    ("rule", "value", "field"),
    [
        *((text, value, "field") for value in ["", "a" * 11, "a\x00", "\x08", "\ud800", None, 5]),
        *((values.boolean, value, "field") for value in [0, 1, None, "true"]),
        *((values.instant, value, "field") for value in ["2030-01-01", 5, None, timedelta(1)]),
        *((day, value, "field") for value in [timedelta(-1), timedelta(days=1, microseconds=1), 5, None]),
    ],
)
def test_what_is_not_allowed_is_refused_by_name(rule: Rule, value: object, field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        rule("field", value)
    assert caught.value.field == field
    assert caught.value.problem
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(("value", "kept"), [(2, AttemptStatus.FAIL), (AttemptStatus.FAIL, AttemptStatus.FAIL)])
def test_a_member_may_be_given_as_its_value(value: object, kept: AttemptStatus) -> None:
    assert values.member("status", value, AttemptStatus) is kept


@pytest.mark.parametrize("value", [True, 9, "fail", None, [], "2"])
def test_what_is_no_member_is_refused(value: object) -> None:
    with pytest.raises(ValidationError, match="2 \\(fail\\)"):
        values.member("status", value, AttemptStatus)


def test_a_member_of_strings() -> None:
    assert values.member("status", "running", TaskStatus) is TaskStatus.RUNNING


def test_utc_is_assumed_where_no_zone_is_given() -> None:
    instant = datetime(2030, 1, 1)
    assert values.instant("x", instant) == values.instant("x", instant.replace(tzinfo=UTC))
