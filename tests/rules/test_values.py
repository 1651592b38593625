"""The rules for names, texts, numbers and times."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum

import pytest

from webhook_engine.errors import ValidationError
from webhook_engine.model import AttemptStatus, TaskStatus
from webhook_engine.rules import documents, limits, names, values

Rule = Callable[[str, object], object]


def uid(field: str, value: object) -> object:
    return names.uid(field, value, "app_")


def text(field: str, value: object) -> object:
    return values.text(field, value, least=1, most=10)


def day(field: str, value: object) -> object:
    return values.duration(field, value, timedelta(days=1))


class Kind(StrEnum):
    PAID = "invoice.paid"


@pytest.mark.parametrize(
    ("rule", "value", "kept"),
    [
        (names.name, "invoice.paid", "invoice.paid"),
        (names.name, Kind.PAID, "invoice.paid"),
        (names.name, "a" * 256, "a" * 256),
        (uid, None, None),
        (uid, "_app_1", "_app_1"),
        (uid, "App_1", "App_1"),
        (uid, "ep_1", "ep_1"),
        (names.channel, "project:1+2", "project:1+2"),
        (names.tag, "a/b\\c#d", "a/b\\c#d"),
        (names.channels, None, None),
        (names.channels, ["b", "a", "b"], ("b", "a")),
        (names.channels, {"b", "a"}, ("a", "b")),
        (names.channels, ["a"] * 11, ("a",)),
        (names.channels, [str(n) for n in range(10)], tuple(str(n) for n in range(10))),
        (names.tags, ["a"], ("a",)),
        (names.tags, [], None),
        (names.event_types, None, None),
        (names.event_types, ("a.b",), ("a.b",)),
        (text, "Ünïcode\n", "Ünïcode\n"),
        (limits.throttle_rate, None, None),
        (limits.throttle_rate, 1, 1),
        (limits.throttle_rate, 65_535, 65_535),
        (values.boolean, True, True),
        (documents.metadata, None, {}),
        (documents.metadata, {"k": "ü" * 2044}, {"k": "ü" * 2044}),
        (documents.schemas, None, None),
        (documents.schemas, {"1": {"type": "object"}}, {"1": {"type": "object"}}),
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
        *((names.name, value, "field") for value in ["", "a b", "ü", "a\n", "a" * 257, "\ud800", None, 5, b"a"]),
        *((uid, value, "field") for value in ["", "app_", "app_1", "a:b", 5, ["a"]]),
        *((names.channels, value, "field") for value in [[], "abc", b"a", {"a": 1}, 5, iter("ab")]),
        (names.channels, [str(n) for n in range(11)], "field"),
        (names.channels, ["a", "b c"], "field[1]"),
        (names.channels, ["a", None], "field[1]"),
        (names.channels, {"a", 5}, "field[0]"),
        (names.tags, [str(n) for n in range(6)], "field"),
        (names.tags, ["a" * 129], "field[0]"),
        (names.tags, ["a b"], "field[0]"),
        (names.event_types, [], "field"),
        (names.event_types, [""], "field[0]"),
        (names.event_types, [f"t{n}" for n in range(1001)], "field"),
        *((text, value, "field") for value in ["", "a" * 11, "a\x00", "\x08", "\ud800", None, 5]),
        *((limits.throttle_rate, value, "field") for value in [0, -1, 65_536, 1.0, True, "5", 10**40]),
        *((values.boolean, value, "field") for value in [0, 1, None, "true"]),
        *((documents.metadata, value, "field") for value in [{"k": 1}, {1: "v"}, {"k": None}, [("k", "v")], "x"]),
        (documents.metadata, {"k": "ü" * 2045}, "field"),
        (documents.metadata, {"k": "\ud800"}, "field"),
        *((documents.schemas, value, "field") for value in [[], "x", {1: {}}, {"a b": {}}, {"1": {"x": {1}}}]),
        (documents.schemas, {"1": {"x": float("nan")}}, "field"),
        (documents.schemas, {"1": {"x": "\ud800"}}, "field"),
        (documents.schemas, {"1": True}, 'field["1"]'),
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


def test_a_number_too_long_to_be_written_is_refused_like_any_other() -> None:
    with pytest.raises(ValidationError):
        limits.throttle_rate("field", 10**5000)


def test_a_schema_is_copied_so_that_later_changes_do_not_reach_it() -> None:
    given = {"1": {"examples": [{"a": 1}]}}
    kept = documents.schemas("schemas", given)
    given["1"]["examples"].clear()
    assert kept == {"1": {"examples": [{"a": 1}]}}


@pytest.mark.parametrize(("value", "kept"), [(2, AttemptStatus.FAIL), (AttemptStatus.FAIL, AttemptStatus.FAIL)])
def test_a_member_may_be_given_as_its_value(value: object, kept: AttemptStatus) -> None:
    assert values.member("status", value, AttemptStatus) is kept


@pytest.mark.parametrize("value", [True, 9, "fail", None, [], "2"])
def test_what_is_no_member_is_refused(value: object) -> None:
    with pytest.raises(ValidationError, match="2 \\(fail\\)"):
        values.member("status", value, AttemptStatus)


def test_a_member_of_strings() -> None:
    assert values.member("status", "running", TaskStatus) is TaskStatus.RUNNING


def test_a_name_is_something_that_can_be_looked_up() -> None:
    assert names.is_name("app_1")
    assert not names.is_name("a\x00")
    assert not names.is_name(["a"])


def test_utc_is_assumed_where_no_zone_is_given() -> None:
    instant = datetime(2030, 1, 1)
    assert values.instant("x", instant) == values.instant("x", instant.replace(tzinfo=UTC))
