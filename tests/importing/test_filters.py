"""Filters of other servers: what becomes of them, and that it means the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from webhook_engine.delivery.accept.payload_filter import Content, PayloadFilter
from webhook_engine.importing.filters import InexpressibleError, convoy_filter, outpost_filter


def passes(converted: dict[str, object], *payloads: object) -> list[bool]:
    made = PayloadFilter(converted)
    return [made.passes(Content(json.dumps(payload).encode())) for payload in payloads]


@pytest.mark.parametrize(
    ("said", "converted"),
    [
        ({"a": 1, "b": {"c": "x"}}, {"a": 1, "b": {"c": "x"}}),
        ({"a.b": {"$gte": 5}}, {"a.b": {"$gte": 5}}),
        ({"a": {"$neq": "x"}}, {"a": {"$exist": True, "$neq": "x"}}),
        ({"a": {"$in": ["x", "y"]}}, {"a": {"$in": ["x", "y"]}}),
        ({"a": {"$in": "x"}}, {"a": ["x"]}),
        ({"a": {"$nin": [1, 2]}}, {"a": {"$exist": True, "$nin": [1, 2]}}),
        ({"a": {"b": {"$exist": False}}}, {"a": {"b": {"$exist": False}}}),
        ({"$or": [{"a": 1}, {"$and": [{"b": {"$lt": 3}}, {"c": "x"}]}]}, None),
    ],
)
def test_what_convoy_says(said: dict[str, Any], converted: dict[str, Any] | None) -> None:
    assert convoy_filter(said) == (converted or said)


@pytest.mark.parametrize(
    "said",
    [
        {"a": {"$regex": "^x"}},
        {"a.$.b": 1},
        {"a": None},
        {"a": [1]},
        {"a": {"$gt": "text"}},
        {"a": {"$gt": 1, "$lt": 5}},
        {"a": {"$gt": 1, "b": 2}},
        {"a": {"$nin": "x"}},
        {"a": {"$eq": {"b": 1}}},
        {"a": {"$or": [{"b": 1}]}},
        {"$or": [{"a": 1}], "b": 2},
        {"$or": "x"},
        {"a": {}},
        {"a": {"$exist": "yes"}},
        {f"a{number}": 1 for number in range(65)},
    ],
)
def test_what_convoy_says_and_cannot_be_said_here(said: dict[str, Any]) -> None:
    with pytest.raises(InexpressibleError):
        convoy_filter(said)


@pytest.mark.parametrize(
    ("said", "converted"),
    [
        ({"data": {"a": 1}}, {"a": 1}),
        ({"data": {"a": {"b": {"$startsWith": "x"}}}}, {"a": {"b": {"$startsWith": "x"}}}),
        ({"data": {"a": {"$startsWith": ["x", "y"]}}}, {"a": {"$or": [{"$startsWith": "x"}, {"$startsWith": "y"}]}}),
        ({"data": {"a": {"$gt": 1, "$lt": 5}}}, {"a": {"$gt": 1, "$lt": 5}}),
        ({"data": {"a": {"$neq": 1}}}, {"a": {"$exist": True, "$neq": 1}}),
        ({"data": {"a": {"$or": [1, {"$gt": 5}]}}}, {"a": {"$or": [{"$eq": 1}, {"$gt": 5}]}}),
        ({"data": {"a": ["x", {"b": 1}]}}, {"a": ["x", {"b": 1}]}),
        ({"data": {"$or": [{"a": 1}, {"b": {"$exist": False}}]}}, {"$or": [{"a": 1}, {"b": {"$exist": False}}]}),
        ({"$or": [{"data": {"a": 1}}, {"data": {"a": 2}}]}, {"$or": [{"a": 1}, {"a": 2}]}),
        ({"$not": {"data": {"a": 1}}}, {"$not": {"a": 1}}),
        ({"data": {"a": 1}, "$not": {"data": {"b": 1}}}, {"a": 1, "$not": {"b": 1}}),
        ({"data": {"a": {"b": {"$exist": False}}}}, {"a": {"$exist": True, "b": {"$exist": False}}}),
    ],
)
def test_what_outpost_says(said: dict[str, Any], converted: dict[str, Any]) -> None:
    assert outpost_filter(said) == converted


@pytest.mark.parametrize(
    "said",
    [
        {"topic": "a"},
        {"data": {"a": 1}, "metadata": {"b": 1}},
        {"data": "text"},
        {"data": {}},
        {"data": {"$or": [{"a": 1}], "b": 1}},
        {"data": {"a": {"$or": [1], "b": 1}}},
        {"data": {"a": {"$or": [[1]]}}},
        {"data": {"a": {"$not": {"$eq": 1}}}},
        {"data": {"a": {"$and": [{"$gt": 1}]}}},
        {"data": {"a": {"$gt": 1, "b": 1}}},
        {"data": {"a": {"$exist": False, "$eq": 1}}},
        {"data": {"a": {"$in": 5}}},
        {"data": {"a": {"$in": [{"b": 1}]}}},
        {"data": {"a.b": 1}},
        {"data": {"0": 1}},
        {"data": {"a": []}},
        {"data": {"a": [[1]]}},
        {"data": {"a": {"$startsWith": 5}}},
        {"$or": []},
    ],
)
def test_what_outpost_says_and_cannot_be_said_here(said: dict[str, Any]) -> None:
    with pytest.raises(InexpressibleError):
        outpost_filter(said)


def test_what_is_missing_meets_no_comparison_as_there() -> None:
    for converted in (convoy_filter({"a": {"$neq": 1}}), outpost_filter({"data": {"a": {"$neq": 1}}})):
        assert passes(converted, {"a": 2}, {"a": 1}, {}) == [True, False, False]
    nested = outpost_filter({"data": {"a": {"$or": [{"b": {"$exist": False}}, {"c": 1}]}}})
    assert passes(nested, {"a": {}}, {"a": {"b": 1}}, {"a": {"b": 1, "c": 1}}, {}) == [True, False, True, False]
