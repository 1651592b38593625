"""The rules for names, channels, tags, ids and uids."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import pytest

from webhook_engine.errors import ValidationError
from webhook_engine.rules import names
from webhook_engine.rules.problems import Rule

Check = Callable[[str, object], object]


def uid(field: str, value: object) -> object:
    return names.uid(field, value, "app_")


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
    ],
)
def test_what_is_allowed_is_kept_in_one_form(rule: Check, value: object, kept: object) -> None:
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
    ],
)
def test_what_is_not_allowed_is_refused_by_name(rule: Check, value: object, field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        rule("field", value)
    assert caught.value.field == field
    assert caught.value.problem
    assert len(str(caught.value)) < 300


def test_a_name_is_something_that_can_be_looked_up() -> None:
    assert names.is_name("app_1")
    assert not names.is_name("a\x00")
    assert not names.is_name(["a"])


@pytest.mark.parametrize("value", ["org_1", "org_23rb8YdGqMT0qIzpgGwdXfHirMu", "org_" + "a" * 252])
def test_an_organization(value: str) -> None:
    assert names.organization("organization", value) == value


@pytest.mark.parametrize("value", ["", "org_", "acme", "org_a b", "org_" + "a" * 253, 5, None])
def test_what_is_no_organization(value: object) -> None:
    with pytest.raises(ValidationError, match="must be 'org_'"):
        names.organization("organization", value)


@pytest.mark.parametrize(
    ("check", "value", "broken"),
    [
        (names.name, "", Rule.NAME_EMPTY),
        (names.channel, "", Rule.NAME_EMPTY),
        (names.name, "a" * 257, Rule.NAME_LENGTH),
        (names.name, "a:b", Rule.NAME_ALPHABET),
        (names.channel, "a/b", Rule.CHANNEL_ALPHABET),
        (names.tag, "", Rule.TAG_FORM),
        (names.tags, ["a", "b c"], Rule.TAG_FORM),
        (uid, "app_1", Rule.LIKE_AN_ID),
        (names.channels, [], Rule.CHANNEL_COUNT),
        (names.tags, list("abcdef"), Rule.TAG_COUNT),
        (names.name, 5, None),
    ],
)
def test_it_is_said_which_rule_was_broken(check: Check, value: object, broken: Rule | None) -> None:
    with pytest.raises(ValidationError) as caught:
        check("field", value)
    assert caught.value.rule is broken
