"""The page and the document that consumers get of the event types; schemas that refer to themselves come to an end."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from webhook_engine.model import EventType
from webhook_engine.resources.event_catalogue import catalogue_page, openapi_document

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def event_type(schema: dict[str, Any] | None, name: str = "tree.grew", **more: Any) -> EventType:
    schemas = None if schema is None else {"1": {"type": "object"}, "2": schema}
    values = {"description": "", "archived": False, "deprecated": False, "feature_flags": (), "group_name": None}
    return EventType(
        name=name, organization_id="org_1", schemas=schemas, created_at=NOW, updated_at=NOW, **{**values, **more}
    )


def test_a_page_has_each_event_type_with_its_fields_and_an_example() -> None:
    schema = {
        "type": "object",
        "required": ["lines"],
        "properties": {
            "lines": {"type": "array", "items": {"$ref": "#/definitions/Line"}, "description": "What was <bought>"},
            "colour": {"enum": ["red", None]},
        },
        "definitions": {"Line": {"type": "object", "properties": {"price": {"type": ["number", "null"]}}}},
        "examples": [{"lines": []}],
    }
    page = catalogue_page([event_type(schema, group_name="Sales", deprecated=True), event_type(None, "a.b")], "Shop")
    for text in (
        "<h2>Sales</h2>",
        "tree.grew <small>deprecated</small>",
        "<td><code>lines</code></td><td>array of object</td><td>yes</td><td>What was &lt;bought&gt;</td>",
        "<td><code>lines[].price</code></td><td>number | null</td><td>no</td>",
        '<td>"red" | null</td>'.replace('"', "&quot;"),
        "&quot;lines&quot;: []",
        '<a href="#a.b">a.b</a>',
    ):
        assert text in page, text


def test_an_example_is_made_where_the_schema_has_none() -> None:
    schema = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string", "examples": ["in_7"]}}}
    assert "&quot;id&quot;: &quot;in_7&quot;" in catalogue_page([event_type(schema)], "Shop")
    # Where none can be, or it would say nothing, there is none.
    impossible = {**schema, "not": {}}
    for one in (impossible, {"description": "Anything"}, None):
        assert "<pre>" not in catalogue_page([event_type(one)], "Shop")


def test_a_schema_that_refers_to_itself_comes_to_an_end() -> None:
    node = {"anyOf": [{"$ref": "#/definitions/Node"}, {"type": "null"}]}
    many = {f"child{number}": {"$ref": "#/definitions/Node"} for number in range(30)}
    schema = {"properties": many, "definitions": {"Node": {"properties": {**many, "again": node}, **node}}}
    page = catalogue_page([event_type(schema)], "Trees")
    assert page.count("<tr>") <= 501
    assert json.loads(json.dumps(openapi_document([event_type(schema)], "Trees", "1")))["openapi"] == "3.1.0"


def test_the_document_has_the_newest_schema_of_each() -> None:
    document = openapi_document(
        [event_type({"title": "Second"}, description="It grew"), event_type(None, "a.b")], "T", "7"
    )
    assert document["info"] == {"title": "T", "version": "7"}
    operation = document["webhooks"]["tree.grew"]["post"]
    assert operation["description"] == "It grew"
    assert operation["requestBody"]["content"]["application/json"]["schema"] == {"title": "Second"}
    assert "requestBody" not in document["webhooks"]["a.b"]["post"]
