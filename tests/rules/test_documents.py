"""The rules for metadata and the JSON Schemas of an event type."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from webhook_engine.errors import ValidationError
from webhook_engine.rules import documents

Rule = Callable[[str, object], object]


@pytest.mark.parametrize(
    ("rule", "value", "kept"),
    [
        (documents.metadata, None, {}),
        (documents.metadata, {"k": "ü" * 2044}, {"k": "ü" * 2044}),
        (documents.schemas, None, None),
        (documents.schemas, {"1": {"type": "object"}}, {"1": {"type": "object"}}),
    ],
)
def test_what_is_allowed_is_kept_in_one_form(rule: Rule, value: object, kept: object) -> None:
    got = rule("field", value)
    assert got == kept
    assert type(got) is type(kept)


@pytest.mark.parametrize(
    ("rule", "value", "field"),
    [
        *((documents.metadata, value, "field") for value in [{"k": 1}, {1: "v"}, {"k": None}, [("k", "v")], "x"]),
        (documents.metadata, {"k": "ü" * 2045}, "field"),
        (documents.metadata, {"k": "\ud800"}, "field"),
        *((documents.schemas, value, "field") for value in [[], "x", {1: {}}, {"a b": {}}, {"1": {"x": {1}}}]),
        (documents.schemas, {"1": {"x": float("nan")}}, "field"),
        (documents.schemas, {"1": {"x": "\ud800"}}, "field"),
        (documents.schemas, {"1": True}, 'field["1"]'),
    ],
)
def test_what_is_not_allowed_is_refused_by_name(rule: Rule, value: object, field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        rule("field", value)
    assert caught.value.field == field
    assert caught.value.problem
    assert len(str(caught.value)) < 300


def test_a_schema_is_copied_so_that_later_changes_do_not_reach_it() -> None:
    given = {"1": {"examples": [{"a": 1}]}}
    kept = documents.schemas("schemas", given)
    given["1"]["examples"].clear()
    assert kept == {"1": {"examples": [{"a": 1}]}}
