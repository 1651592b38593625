"""Which schemas an event type may have."""

import pytest

from webhook_engine import ValidationError
from webhook_engine.resources import json_schema


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"], "examples": [{"id": 1}]},
        {"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": {"a": {"prefixItems": [{}]}}},
        {"$schema": "https://example.com/of-our-own", "x-anything": 1},
        {"$ref": "http://127.0.0.1:1/never-fetched"},
    ],
)
def test_a_schema_is_kept(schema: dict[str, object]) -> None:
    assert json_schema.checked("schemas", {"1": schema}) == {"1": schema}


def nested(levels: int) -> dict[str, object]:
    schema: dict[str, object] = {}
    for _ in range(levels):
        schema = {"not": schema}
    return schema


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"type": "objec"}, 'draft 7: at type: "objec" is not valid'),
        ({"properties": {"id": {"type": 5}}}, "draft 7: at properties/id/type: 5 is not valid"),
        ({"required": "id"}, 'at required: "id" is not of type "array"'),
        ({"pattern": "("}, 'at pattern: "\\(" is not a "regex"'),
        ({"exclusiveMinimum": True}, "at exclusiveMinimum: true is not of type"),
        (nested(200), "nested deeper than 200 levels"),
        ({"type": "x" * 10_000}, "…"),
    ],
)
def test_what_is_no_schema_is_refused_with_its_place(schema: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem) as caught:
        json_schema.checked("schemas", {"1": {}, "v2": schema})
    assert caught.value.field == 'schemas["v2"]'
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("deep", [nested(100_000), {"examples": [[[[nested(100_000)]]]]}])
def test_no_nesting_is_too_deep_to_be_refused(deep: dict[str, object]) -> None:
    assert "nested deeper" in (json_schema.fault(deep) or "")
