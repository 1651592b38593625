"""An example is made from a schema, is allowed by it, and costs little, whatever the schema asks for."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook_engine.resources.json_schema import fault
from webhook_engine.resources.schema_examples import NoExampleError, example_from

TREE = {"$ref": "#/definitions/node", "definitions": {"node": {
    "type": "object", "required": ["name"],
    "properties": {"name": {"type": "string"}, "children": {"type": "array", "items": {"$ref": "#/definitions/node"}}},
}}}  # fmt: skip


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({}, {}),
        ({"type": "object"}, {}),
        (
            {"type": "object", "properties": {"id": {"type": "integer"}, "paid": {"type": "boolean"}}},
            {"id": 1, "paid": True},
        ),
        ({"properties": {"a": {"type": "string"}}, "required": ["a", "b"]}, {"a": "string", "b": {}}),
        ({"type": "array", "items": {"type": "number"}, "minItems": 3}, [1, 1, 1]),
        ({"type": "array", "items": [{"type": "null"}, {"const": 5}]}, [None, 5]),
        ({"type": ["null", "string"], "format": "date-time"}, "2030-01-31T12:00:00Z"),
        ({"type": "string", "minLength": 10}, "stringxxxx"),
        ({"type": "string", "maxLength": 3}, "str"),
        ({"type": "string", "format": "uuid"}, "00000000-0000-4000-8000-000000000000"),
        ({"enum": ["b", "a"]}, "b"),
        ({"type": "integer", "minimum": 7}, 7),
        ({"type": "integer", "maximum": -7}, -7),
        ({"type": "integer", "exclusiveMinimum": 10, "multipleOf": 5}, 15),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.5),
        ({"type": "number", "minimum": 0, "maximum": 0.25}, 0.25),
        ({"type": "integer", "default": 42}, 42),
        ({"properties": {"a": {"examples": ["here"]}, "b": {"example": "there"}}}, {"a": "here", "b": "there"}),
        ({"allOf": [{"properties": {"a": {"const": 1}}}, {"properties": {"b": {"const": 2}}}]}, {"a": 1, "b": 2}),
        ({"oneOf": [{"type": "null"}, {"type": "string"}]}, "string"),
        ({"anyOf": [{"properties": {"x": {"type": "integer"}}, "required": ["x"]}, {"type": "string"}]}, {"x": 1}),
        ({"allOf": [{"$ref": "#/definitions/A"}], "definitions": {"A": {"properties": {"n": {"const": 0}}}}}, {"n": 0}),
        ({"properties": {"a~/b": {"$ref": "#/properties/c"}, "c": {"const": 1}}}, {"a~/b": 1, "c": 1}),
        ({"properties": {"a": False, "b": True}}, {"b": {}}),
        ({"allOf": [{"$ref": "#"}]}, {}),
    ],
)  # fmt: skip
def test_the_plainest_value_that_is_allowed(schema: dict[str, Any], value: object) -> None:
    assert example_from(schema) == value


def test_a_schema_that_refers_to_itself_comes_to_an_end() -> None:
    made: Any = example_from(TREE)
    jsonschema_rs.validate(TREE, made)
    assert made["children"][0]["children"][0]["name"] == "string"


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": "string", "pattern": "^[0-9]{5}$"}, "not allowed by it, at the root"),
        ({"properties": {"a": {"type": "string", "pattern": "^x$"}}}, "at a"),
        ({"$ref": "https://example.com/schema.json"}, "another document"),
        ({"properties": {"a": {"$ref": "other.json#/a"}}}, "another document"),
        ({"$ref": "#/definitions/none"}, "not there"),
        ({"$ref": "#/definitions/a", "definitions": {"a": {"$ref": "#/definitions/a"}}}, "more than an example"),
        ({"allOf": [{"$ref": "#/definitions/a"}], "definitions": {"a": {"$ref": "#/definitions/a"}}}, "in a circle"),
        ({"type": "array", "items": {"type": "string"}, "minItems": 10**9}, "more than an example"),
        ({"type": "string", "minLength": 10**9}, "more than an example"),
        ({"not": {}}, "not allowed"),
        ({"oneOf": [{"$ref": "#"}, {}]}, "not allowed"),
        ({"properties": {"a": False}, "required": ["a"]}, "not allowed"),
        ({"required": ["me"], "properties": {"me": {"$ref": "#"}}}, "more than an example"),
        ({"allOf": [{"$ref": "#"}, {"$ref": "#"}]}, "more than an example"),
        ({"allOf": [{"anyOf": [{"$ref": "#"}]}, {"$ref": "#/allOf/0"}, {"$ref": "#"}]}, "more than an example"),
        (
            {"type": "array", "items": {"default": "x" * 100_000}, "minItems": 1_000, "examples": []},
            "more than an example",
        ),
    ],
)
def test_what_cannot_be_made_is_said(schema: dict[str, Any], why: str) -> None:
    with pytest.raises(NoExampleError, match=why):
        example_from(schema)


_WORDS = st.sampled_from(["a", "b", "c"])
_SCHEMAS: Any = st.recursive(
    st.booleans()
    | st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["object", "array", "string", "integer", "number", "boolean", "null"]),
            "minimum": st.integers(-5, 5), "maximum": st.integers(-5, 5), "multipleOf": st.sampled_from([1, 0.5, 3]),
            "exclusiveMinimum": st.integers(-5, 5), "minLength": st.integers(0, 9), "maxLength": st.integers(0, 9),
            "minItems": st.integers(0, 3), "maxItems": st.integers(0, 3), "required": st.lists(_WORDS, unique=True),
            "$ref": st.sampled_from(["#", "#/properties/a", "#/allOf/0", "#/x", "http://127.0.0.1:1/x"]),
            "enum": st.lists(_WORDS, min_size=1, unique=True), "format": st.sampled_from(["date", "uuid", "other"]),
        },
    ),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "properties": st.dictionaries(_WORDS, inner, max_size=3), "items": inner | st.lists(inner, max_size=2),
            "allOf": st.lists(inner, min_size=1, max_size=2), "anyOf": st.lists(inner, min_size=1, max_size=2),
            "oneOf": st.lists(inner, min_size=1, max_size=2),
        },
    ),
    max_leaves=10,
)  # fmt: skip


@given(_SCHEMAS.filter(lambda schema: isinstance(schema, dict)))
def test_every_schema_has_an_example_that_it_allows_or_says_why_not(schema: dict[str, Any]) -> None:
    if fault(schema) is not None:
        return
    try:
        value = example_from(schema)
    except NoExampleError:
        return
    jsonschema_rs.Draft7Validator(schema).validate(value)
