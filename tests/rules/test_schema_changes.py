"""Which changes of a schema break consumers."""

from __future__ import annotations

import pytest

from webhook_engine.rules.schema_changes import breaking_changes


def obj(required: str = "", **properties: object) -> dict[str, object]:
    return {"type": "object", "properties": properties, "required": required.split()}


INT, TEXT, NUMBER, NULL = ({"type": name} for name in ("integer", "string", "number", "null"))
LINE = {"$ref": "#/definitions/Line"}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (obj("id", id=INT), obj("", a=TEXT), ["id: was always there, and is gone now"]),
        (obj("id", id=INT), obj("", id=INT), ["id: was always there, and may be missing now"]),
        (obj("id", id=INT), obj("id", id=TEXT), ["id: was integer, and may be string now"]),
        (obj("id", id=INT), obj("id", id=NUMBER), ["id: was integer, and may be number now"]),
        (obj("id", id=INT), obj("id", id={"anyOf": [INT, NULL]}), ["id: was integer, and may be null now"]),
        (obj("id", id=INT), obj("id", id={"type": ["integer", "null"]}), ["id: was integer, and may be null now"]),
        (obj("id", id=INT), obj("id", id={"enum": ["a", 1]}), ["id: was integer, and may be string now"]),
        (obj("id", id=INT), obj("id", id={}), ["id: was integer, and may be anything now"]),
        (obj("", a=obj("b", b=INT)), obj("", a=obj("")), ["a.b: was always there, and is gone now"]),
        (obj("", a={"items": INT}), obj("", a={"items": TEXT}), ["a[]: was integer, and may be string now"]),
        ({"type": "object"}, {"type": "array"}, ["the payload itself: was object, and may be array now"]),
        (
            {**obj("l", l=LINE), "definitions": {"Line": obj("p", p=INT)}},
            {**obj("l", l=LINE), "definitions": {"Line": obj("", p=INT)}},
            ["l.p: was always there, and may be missing now"],
        ),
    ],
)
def test_what_breaks_consumers(before: object, after: object, said: list[str]) -> None:
    found = breaking_changes(before, after)
    assert len(found) == len(said)
    assert all(line.startswith(start) for line, start in zip(found, said, strict=True))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (obj("id", id=INT), obj("id more", id=INT, more=TEXT)),
        (obj("id", id=NUMBER), obj("id", id=INT)),
        (obj("id", id={"anyOf": [INT, NULL]}), obj("id", id=INT)),
        (obj("", a=TEXT), obj("")),
        (obj("id", id={}), obj("id", id=TEXT)),
        (obj("c", c={"enum": ["a", "b"]}), obj("c", c={"enum": ["a", "b", "c"]})),
        (obj("id", id=INT), {**obj("id", id={"$ref": "#/definitions/Id"}), "definitions": {"Id": INT}}),
        ({"$ref": "#"}, {"$ref": "#"}),
        (True, {}),
        (None, obj("id", id=INT)),
    ],
)
def test_what_is_new_or_narrower_breaks_nobody(before: object, after: object) -> None:
    assert breaking_changes(before, after) == []


def test_a_schema_that_contains_itself_twice_is_compared_once() -> None:
    def tree(required: str) -> dict[str, object]:
        node = {"anyOf": [{"$ref": "#/definitions/Node"}, {"$ref": "#"}, NULL]}
        return {
            **obj(required, left=node, right=node, more={"type": "array", "items": {"$ref": "#"}}),
            "definitions": {"Node": obj("left", left=node, right=node)},
        }

    assert breaking_changes(tree("left right"), tree("left right")) == []
    assert breaking_changes(tree("left right"), tree("left")) == ["right: was always there, and may be missing now"]
    assert breaking_changes({"anyOf": [{"$ref": "#"}]}, {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}) == []


def test_a_schema_that_contains_itself_is_compared_to_a_depth() -> None:
    tree = {**obj("child", child={"$ref": "#"})}
    assert breaking_changes(tree, tree) == []
    assert breaking_changes(tree, {**tree, "required": []}) != []
