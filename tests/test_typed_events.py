"""Typed events: what a class declares, its schema, and what is no instance of it."""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

import attrs
import jsonschema_rs
import msgspec
import pydantic
import pytest

from webhook_engine import ValidationError, event
from webhook_engine.resources.json_schema import fault
from webhook_engine.rules.event_class import declaration_of, typed
from webhook_engine.typed_events import Declaration, declarations, declared_in


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Line:
    """A line of an invoice."""

    price: Decimal


@event("invoice.paid", version=2, group_name="billing")
@dataclass
class InvoicePaid:
    """An invoice was paid."""

    id: int = field(metadata={"description": "Its number", "examples": [7]})
    at: datetime
    lines: list[Line] = field(default_factory=list)
    colour: Colour = Colour.RED


@event("struct.made")
class Made(msgspec.Struct, rename="camel"):
    """A struct was made."""

    made_by: Annotated[str, msgspec.Meta(description="Who")]


@event("model.made")
class Model(pydantic.BaseModel):
    """A model was made."""

    count: int = pydantic.Field(description="How many")
    price: Decimal = Decimal(1)


@event("thing.made", description="By hand", deprecated=True)
@attrs.define
class Thing:
    """A thing."""

    id: int = attrs.field(metadata={"description": "Its number"})


@event("tree.grew")
@dataclass
class Tree:
    """A tree grew."""

    branches: list[Tree]


NEW_YEAR = datetime(2030, 1, 1, tzinfo=UTC)
INSTANCES = [
    (InvoicePaid(1, NEW_YEAR, [Line(Decimal(2))]), "invoice.paid"),
    (Made("me"), "struct.made"),
    (Model(count=3), "model.made"),
    (Thing(1), "thing.made"),
    (Tree([Tree([])]), "tree.grew"),
]


def declared(kind: type) -> Declaration:
    found = declaration_of(kind)
    assert isinstance(found, Declaration)
    return found


@pytest.mark.parametrize(("instance", "name"), INSTANCES)
def test_what_is_sent_of_an_instance_obeys_the_schema_of_its_class(instance: object, name: str) -> None:
    said, body = typed(instance, None, None, None)
    schema = declared(type(instance)).schema
    assert said == name
    assert fault(schema) is None
    assert jsonschema_rs.is_valid(schema, json.loads(body))
    assert not jsonschema_rs.is_valid(schema, {})


def test_the_schema_tells_consumers_what_the_class_says() -> None:
    schema = declared(InvoicePaid).schema
    assert schema["description"] == "An invoice was paid."
    assert schema["required"] == ["id", "at", "lines", "colour"]
    assert schema["properties"]["id"] == {"type": "integer", "description": "Its number", "examples": [7]}
    assert schema["definitions"]["Line"]["description"] == "A line of an invoice."
    assert declared(Made).schema["properties"] == {"madeBy": {"type": "string", "description": "Who"}}
    assert declared(Model).schema["properties"]["count"]["description"] == "How many"
    assert declared(Thing).schema["properties"]["id"]["description"] == "Its number"


def test_what_is_declared_beside_the_schema() -> None:
    assert (declared(InvoicePaid).version, declared(InvoicePaid).group_name) == ("2", "billing")
    assert (declared(Thing).description, declared(Thing).deprecated) == ("By hand", True)

    @event("a.b")
    @dataclass
    class Silent:
        id: int

    assert declared(Silent).description == ""

    @event("a.b", examples=[Silent(1), {"id": 2}])
    @dataclass
    class Shown(Silent):
        """With examples."""

    assert declared(Shown).schema["examples"] == [{"id": 1}, {"id": 2}]


@pytest.mark.parametrize(
    ("instance", "said"),
    [
        (InvoicePaid("x", NEW_YEAR), 'event: is no InvoicePaid as invoice.paid has it: id: "x"'),  # type: ignore[arg-type]
        (InvoicePaid(1, NEW_YEAR, [Line(None)]), r"lines\[0\]\.price: null"),  # type: ignore[arg-type]
        (Made(5), "madeBy: 5"),  # type: ignore[arg-type]
        (Line(Decimal(1)), "event: must be of a class declared with @event, not a Line"),
        ({"id": 1}, "event: must be of a class declared with @event, not a dict"),
    ],
)
def test_what_is_no_instance_is_refused(instance: object, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        typed(instance, None, None, None)


def test_an_instance_of_a_subclass_that_was_not_declared_is_refused() -> None:
    @dataclass
    class More(Thing):
        more: int = 1

    with pytest.raises(ValidationError, match="not a More"):
        typed(More(1), None, None, None)


def test_event_type_and_payload_are_not_given_beside_it() -> None:
    for event_type, payload in (("a.b", None), (None, {})):
        with pytest.raises(ValidationError, match="must not be given together"):
            typed(Thing(1), event_type, payload, None)


@pytest.mark.parametrize("arguments", [{"name": "a b"}, {"name": "a", "version": 0}, {"name": "a", "group_name": "!"}])
def test_a_declaration_that_cannot_be_is_refused_where_it_stands(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        event(**arguments)(type("Anything", (), {}))


def test_a_field_that_json_schema_cannot_describe_is_named() -> None:
    @event("a.b")
    @dataclass
    class Strange:
        field: complex

    with pytest.raises(ValidationError, match=r"Strange has a field that JSON Schema cannot describe: .*complex"):
        _ = declared(Strange).schema


def test_a_registry_has_declared_classes_each_version_once() -> None:
    assert [one.name for one in declarations([InvoicePaid, Thing, Thing])] == ["invoice.paid", "thing.made"]
    assert declared_in({"a": Thing, "b": Thing, "c": Line, "d": 5}) == [Thing]
    again = event("thing.made")(type("Again", (Line,), {}))
    with pytest.raises(ValidationError, match=r"Thing and Again are both version 1 of thing\.made"):
        declarations([Thing, again])
    for other in (Line, 5):
        with pytest.raises(ValidationError, match="must be classes declared with @event"):
            declarations([other])  # type: ignore[list-item]
