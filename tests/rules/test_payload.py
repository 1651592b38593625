"""The bytes that are sent, for what a caller gives as payload."""

from __future__ import annotations

import json
from collections import OrderedDict
from datetime import UTC, time
from decimal import Decimal
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook_engine.errors import ValidationError
from webhook_engine.rules.payload import payload_bytes


@pytest.mark.parametrize(
    ("payload", "body"),
    [
        (b'{ "a" : 1.0 }', b'{ "a" : 1.0 }'),
        (b"\xff not json", b"\xff not json"),
        (b"", b""),
        (bytearray(b"x"), b"x"),
        (memoryview(b"x"), b"x"),
        ('{"ü": 1}', '{"ü": 1}'.encode()),
        ({"ü": [1, 2.5, None, True, "x"]}, '{"ü":[1,2.5,null,true,"x"]}'.encode()),
        ({}, b"{}"),
        ([], b"[]"),
        ((1, 2), b"[1,2]"),
        (MappingProxyType({"a": MappingProxyType({})}), b'{"a":{}}'),
        (OrderedDict(b=1, a=2), b'{"b":1,"a":2}'),
        ({"n": 2**64, "f": 1e300}, b'{"n":18446744073709551616,"f":1e+300}'),
    ],
)
def test_the_bytes_that_are_sent(payload: object, body: bytes) -> None:
    got = payload_bytes(payload, 1000)
    assert got == body
    assert type(got) is bytes


def nested(depth: int) -> object:
    value: object = []
    for _ in range(depth):
        value = [value]
    return value


def circular() -> object:
    value: list[object] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    "payload",
    [
        *(
            {"x": value}
            for value in [
                float("nan"),
                float("inf"),
                float("-inf"),
                {1},
                b"x",
                Decimal("nan"),
                time(12, tzinfo=UTC).tzinfo,
                object(),
            ]
        ),
        *({"x": value} for value in ["\ud800", 10**5000]),
        {"\ud800": 1},
        {("a",): 1},
        *("\ud800", None, 5, 1.5, True, object(), {1, 2}, range(3)),
        nested(100_000),
        circular(),
    ],
)
def test_a_payload_that_json_cannot_say_is_refused(payload: object) -> None:
    with pytest.raises(ValidationError) as caught:
        payload_bytes(payload)
    assert caught.value.field == "payload"


@given(st.recursive(st.none() | st.integers() | st.text(), lambda x: st.dictionaries(st.text(), x), max_leaves=5))
def test_a_mapping_says_the_same_as_json(value: object) -> None:
    body = payload_bytes({"value": value}, 10**9)
    assert json.loads(body) == {"value": value}


def test_the_size_is_bounded_only_where_it_is_said() -> None:
    assert payload_bytes(b"x" * 100, 100) == payload_bytes(b"x" * 100)
    with pytest.raises(ValidationError, match="at most 99 bytes, not 100"):
        payload_bytes(b"x" * 100, 99)
