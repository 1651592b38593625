"""Values that JSON does not have: how each is written, and what is said of one that cannot be."""

from __future__ import annotations

import json
from collections import UserList
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from uuid import UUID

import attrs
import msgspec
import pydantic
import pytest
from django.core.serializers.json import DjangoJSONEncoder

from webhook_engine.errors import ValidationError
from webhook_engine.rules.payload import payload_bytes


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


@dataclass
class Line:
    price: Decimal
    colour: Colour = Colour.RED


@dataclass
class Invoice:
    id: UUID
    lines: list[Line] = field(default_factory=list)


class Model(pydantic.BaseModel):
    at: datetime
    price: Decimal


class Struct(msgspec.Struct, rename="camel"):
    paid_at: datetime
    price: Decimal


@attrs.define
class Attrs:
    id: int
    line: Line


NOON = datetime(2030, 1, 31, 12, tzinfo=UTC)
ID = UUID(int=1)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (NOON, "2030-01-31T12:00:00Z"),
        (NOON + timedelta(microseconds=500_001), "2030-01-31T12:00:00.500001Z"),
        (NOON.astimezone(timezone(timedelta(hours=2))), "2030-01-31T14:00:00+02:00"),
        (NOON.replace(tzinfo=None), "2030-01-31T12:00:00"),
        (date(2030, 1, 31), "2030-01-31"),
        (time(12, 30), "12:30:00"),
        (timedelta(days=1, hours=2, minutes=3, seconds=4, microseconds=500_000), "P1DT2H3M4.5S"),
        (-timedelta(seconds=1), "-P0DT0H0M1S"),
        (Decimal("10.00"), "10.00"),
        (ID, str(ID)),
        (Colour.RED, "red"),
        (Level.HIGH, 3),
        (Line(Decimal(1)), {"price": "1", "colour": "red"}),
        (Model(at=NOON, price=Decimal("1.5")), {"at": "2030-01-31T12:00:00Z", "price": "1.5"}),
        (Struct(NOON, Decimal("1.5")), {"paidAt": "2030-01-31T12:00:00Z", "price": "1.5"}),
        (Attrs(1, Line(Decimal(2))), {"id": 1, "line": {"price": "2", "colour": "red"}}),
    ],
)
def test_how_a_value_is_written(value: object, written: object) -> None:
    assert json.loads(payload_bytes({"x": [value]})) == {"x": [written]}


@pytest.mark.parametrize("value", [NOON, date(2030, 1, 31), time(12, 30), Decimal("1.10"), ID])
def test_django_and_pydantic_write_it_in_the_same_way(value: object) -> None:
    ours = json.loads(payload_bytes([value]))
    assert ours == json.loads(json.dumps([value], cls=DjangoJSONEncoder))
    assert ours == pydantic.TypeAdapter(list[type(value)]).dump_python([value], mode="json")  # type: ignore[misc]


@pytest.mark.parametrize(
    ("payload", "written"),
    [
        (Invoice(ID, [Line(Decimal(3))]), {"id": str(ID), "lines": [{"price": "3", "colour": "red"}]}),
        (Model(at=NOON, price=Decimal(1)), {"at": "2030-01-31T12:00:00Z", "price": "1"}),
        (Struct(NOON, Decimal(1)), {"paidAt": "2030-01-31T12:00:00Z", "price": "1"}),
        (Attrs(1, Line(Decimal(2))), {"id": 1, "line": {"price": "2", "colour": "red"}}),
    ],
)
def test_an_object_may_be_the_whole_payload(payload: object, written: object) -> None:
    assert json.loads(payload_bytes(payload)) == written


@pytest.mark.parametrize("payload", [NOON, ID, Decimal(1), Colour.RED, None, 5, True, {1}, object(), Line, Invoice])
def test_a_single_value_is_no_payload(payload: object) -> None:
    with pytest.raises(ValidationError, match="payload: must be a mapping, a list, bytes, a string, or an object"):
        payload_bytes(payload)


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ({"items": [{"price": 1}, {"price": {1}}]}, r"items\[1\]\.price: a set has no JSON form"),
        ([b"x"], r"\[0\]: a bytes has no JSON form"),
        ({"a": {"b": float("nan")}}, r"a\.b: nan is no number in JSON"),
        ({"a": [Decimal("Infinity")]}, r"a\[0\]: Infinity is no number in JSON"),
        ({"a": {("x",): 1}}, r"a: a key must be a string, not a tuple"),
        ({"a": "\ud800"}, r"a: a string with a lone surrogate"),
        ({"a": {"\ud800": 1}}, r"a: a key with a lone surrogate"),
        ({"\ud800": 1}, r"the payload itself: a key with a lone surrogate"),
        ({"invoice": Invoice(ID, [Line(object())])}, r"invoice\.lines\[0\]\.price: a object has no JSON form"),  # type: ignore[arg-type]
        ({"a": Line}, r"a: a type has no JSON form"),
    ],
)
def test_what_cannot_be_written_is_named_with_its_path(payload: object, said: str) -> None:
    with pytest.raises(ValidationError, match=said) as caught:
        payload_bytes(payload)
    assert caught.value.field == "payload"


def test_a_way_of_ones_own_is_asked_first_and_may_leave_it_to_the_others() -> None:
    def default(value: object) -> object:
        if isinstance(value, Decimal):
            return float(value)
        return sorted(value) if isinstance(value, set) else NotImplemented

    payload = {"price": Decimal("1.5"), "tags": {2, 1}, "at": NOON}
    assert json.loads(payload_bytes(payload, default=default)) == {
        "price": 1.5,
        "tags": [1, 2],
        "at": "2030-01-31T12:00:00Z",
    }
    with pytest.raises(ValidationError, match=r"a: a UserList has no JSON form"):
        payload_bytes({"a": UserList()}, default=default)
