"""The words of the wire for the rules that callers may break."""

from __future__ import annotations

from webhook_engine.rules.problems import Rule
from webhook_engine.server.api import checks


def told(problems) -> list[tuple[tuple[str, ...], str]]:
    return [(problem.loc, problem.msg) for problem in problems]


def test_there_are_words_for_every_rule() -> None:
    assert set(checks.WORDS) == set(Rule)


def test_all_that_is_wrong_is_told_at_once() -> None:
    place = ("body", "channels")
    assert told(checks.channels(place, [*"abcdefghij", "k l", ""])) == [
        ((*place, "__all__"), "Channels must have at least 1 and at most 10 items, or be set to null."),
        ((*place, "[10]", "__all__"), "String must match the following pattern: [a-zA-Z0-9\\-_.:+]."),
        ((*place, "[11]", "__all__"), "String must be at least one character"),
    ]
    assert told(checks.uid(("body", "uid"), "app_" + "x" * 256, "app_")) == [
        (("body", "uid", "__all__"), "String too long"),
        (("body", "uid", "__all__"), "Uids are not allowed to have the same prefix as the ID. Prefix with _?"),
    ]
    assert told(checks.tags(("body", "tags"), ["a b"])) == [
        (
            ("body", "tags", "[0]", "__all__"),
            "Tags must be 1 to 128 characters and match the following pattern: [a-zA-Z0-9\\-_./\\\\#].",
        ),
    ]


def test_what_is_null_or_allowed_is_no_problem() -> None:
    for found in (
        checks.uid((), None, "app_"),
        checks.channels((), None),
        checks.tags((), None),
        checks.metadata((), None),
        checks.content_type((), None),
        checks.payload_retention((), None),
        checks.iterator((), None, "app_", by_time=False),
        checks.at_least_one((), None, ""),
        checks.limited((), "a"),
        checks.control_free((), "a\n"),
    ):
        assert not list(found)
