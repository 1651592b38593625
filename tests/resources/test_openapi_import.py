"""Event types out of an OpenAPI document: each schema stands alone, and all together stay within bounds."""

from __future__ import annotations

import time
import tracemalloc
from typing import Any

import pytest

from webhook_engine.errors import ValidationError
from webhook_engine.resources.openapi_import import MAX_DEPTH, imported_event_types


def document(count: int, components: dict[str, Any], root: str = "Root") -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{root}"}
    post = {"post": {"requestBody": {"content": {"application/json": {"schema": schema}}}}}
    return {"webhooks": {f"event.{number}": post for number in range(count)}, "components": {"schemas": components}}


def test_each_schema_has_all_that_it_refers_to_and_no_more() -> None:
    components = {
        "Root": {"properties": {"a": {"$ref": "#/components/schemas/A"}}},
        "A": {"items": {"$ref": "#/components/schemas/Root"}, "$ref": "#/components/schemas/B/properties/b"},
        "B": {"properties": {"b": {"type": "string"}}},
        "Unused": {"type": "string"},
    }
    given = document(2, components)
    one, two = imported_event_types(given)
    schema: Any = (one.schemas or {})["1"]
    assert schema["allOf"] == [{"$ref": "#/definitions/Root"}]
    assert schema["definitions"] == {
        "Root": {"properties": {"a": {"$ref": "#/definitions/A"}}},
        "A": {"items": {"$ref": "#/definitions/Root"}, "$ref": "#/definitions/B/properties/b"},
        "B": {"properties": {"b": {"type": "string"}}},
    }
    assert two.schemas == one.schemas
    assert given == document(2, components)  # the document is left as it was


@pytest.mark.parametrize(
    "components",
    [
        {"Root": {"properties": {f"p{number}": {"type": "string"} for number in range(25_000)}}},
        {"Root": {"$ref": "#/components/schemas/c0"}}
        | {f"c{number}": {"$ref": f"#/components/schemas/c{(number + 1) % 10_000}"} for number in range(10_000)},
        {"Root": {"anyOf": [{"$ref": f"#/components/schemas/c{number}"} for number in range(5_000)]}}
        | {f"c{number}": {"title": "x" * 50} for number in range(5_000)},
    ],
    ids=["one large", "a long chain", "many"],
)
def test_a_component_shared_by_all_is_not_copied_beyond_the_bound(components: dict[str, Any]) -> None:
    given = document(1000, components)
    tracemalloc.start()
    begin = time.process_time()
    try:
        with pytest.raises(ValidationError, match="must not need more than 8 MiB"):
            imported_event_types(given)
        assert tracemalloc.get_traced_memory()[1] < 150 * 1024 * 1024  # it was gigabytes
    finally:
        tracemalloc.stop()
    assert time.process_time() - begin < 30  # while memory is traced; it was minutes without that


def test_what_is_shared_within_the_bound_is_imported() -> None:
    components = {"Root": {"properties": {f"p{number}": {"type": "string"} for number in range(100)}}}
    assert len(imported_event_types(document(1000, components))) == 1000


def test_depth_is_bounded() -> None:
    nested: dict[str, Any] = {}
    for _ in range(100_000):
        nested = {"a": nested}
    with pytest.raises(ValidationError, match=f"at most {MAX_DEPTH} levels"):
        imported_event_types(document(1, {"Root": nested}))


def test_the_work_can_be_stopped() -> None:
    def go_on() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        imported_event_types(document(1, {"Root": {}}), go_on=go_on)
