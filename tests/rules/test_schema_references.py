"""What ``$ref`` stands for in a schema."""

from __future__ import annotations

import pytest

from webhook_engine.rules.schema_references import resolved

ROOT = {
    "definitions": {
        "Money": {"type": "integer"},
        "Price": {"$ref": "#/definitions/Money"},
        "a/b~c": {"type": "null"},
        "Loop": {"$ref": "#/definitions/Loop"},
        "No": 5,
    }
}


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("#/definitions/Money", {"type": "integer"}),
        ("#/definitions/Price", {"type": "integer"}),
        ("#/definitions/a~1b~0c", {"type": "null"}),
        ("#/definitions/Loop", {}),
        ("#/definitions/No", {}),
        ("#/definitions/Missing", {}),
        ("#/nowhere/at/all", {}),
    ],
)
def test_a_reference_within_the_document_leads_to_its_part(reference: str, found: object) -> None:
    assert resolved({"$ref": reference}, ROOT) == found


@pytest.mark.parametrize("schema", [{}, {"type": "object"}, {"$ref": 5}, {"$ref": "https://example.com/a.json"}])
def test_what_refers_to_nothing_here_is_left_as_it_is(schema: dict[str, object]) -> None:
    assert resolved(schema, ROOT) is schema
