"""Which payloads a filter lets through."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from stores import no_engine

from webhook_engine.delivery.accept.payload_filter import Content, PayloadFilter
from webhook_engine.errors import ValidationError
from webhook_engine.rules.payload_filter import MAX_CONDITIONS, checked

pytestmark = no_engine

ABSENT = object()


def passes(said: Mapping[str, object], payload: object) -> bool:
    return PayloadFilter(checked("filter", said)).passes(Content(json.dumps(payload).encode()))


INVOICE = {
    "id": 7,
    "amount": 120.5,
    "paid": True,
    "note": None,
    "currency": "EUR",
    "customer": {"name": "Acme GmbH", "tags": ["vip", "b2b"], "address": {"country": "DE"}},
    "lines": [{"sku": "a-1", "qty": 2}, {"sku": "b-2", "qty": 0, "of": [{"n": 1}]}],
    "a.b": "literal",
}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"currency": "EUR"}, True),
        ({"currency": "USD"}, False),
        ({"id": 7.0}, True),
        ({"id": "7"}, False),
        ({"id": True}, False),
        ({"paid": 1}, False),
        ({"paid": True}, True),
        ({"note": None}, True),
        ({"nothing": None}, False),
        ({"customer": {"name": "Acme GmbH", "address": {"country": "DE"}}}, True),
        ({"customer.address.country": "DE"}, True),
        ({"customer.address": {"country": "FR"}}, False),
        ({"a.b": "literal"}, True),
        ({"customer": {"tags": "vip"}}, True),
        ({"customer.tags": ["b2b", "vip"]}, True),
        ({"customer.tags": ["b2b", "new"]}, False),
        ({"currency": ["EUR"]}, False),
        ({"lines": {"sku": "a-1", "qty": 2}}, True),
        ({"lines": {"sku": "a-1", "qty": 0}}, False),
        ({"lines.sku": "a-1", "lines.qty": 0}, True),
        ({"lines.0.sku": "a-1"}, True),
        ({"lines": {"1": {"sku": "a-1"}}}, False),
        ({"lines.9.sku": {"$exist": False}}, True),
        ({"lines": [{"sku": {"$startsWith": "a"}}, {"qty": 0}]}, True),
        ({"lines.of.n": 1}, True),
        ({"lines": {"qty": {"$gt": 1}}}, True),
        ({"lines": {"qty": {"$gt": 2}}}, False),
        ({"amount": {"$gt": 120, "$lte": 120.5}}, True),
        ({"amount": {"$lt": 120}}, False),
        ({"amount": {"$gt": "1"}}, False),
        ({"currency": {"$gte": "EUR"}}, True),
        ({"currency": {"$in": ["EUR", "USD"]}}, True),
        ({"currency": {"$nin": ["EUR", "USD"]}}, False),
        ({"currency": {"$in": "UR"}}, True),
        ({"customer.tags": {"$in": ["x", "vip"]}}, True),
        ({"customer.tags": {"$in": "vip"}}, True),
        ({"customer.tags": {"$in": "vi"}}, False),
        ({"customer.tags": {"$eq": ["vip", "b2b"]}}, True),
        ({"customer.tags": {"$eq": ["b2b", "vip"]}}, False),
        ({"customer.address": {"$eq": {"country": "DE"}}}, True),
        ({"customer.address": {"$in": [{"country": "DE"}]}}, True),
        ({"currency": {"$neq": "USD"}}, True),
        ({"nothing": {"$neq": "USD"}}, True),
        ({"customer.tags": {"$neq": "vip"}}, False),
        ({"customer.name": {"$startsWith": "Acme", "$endsWith": "GmbH"}}, True),
        ({"id": {"$startsWith": "7"}}, False),
        ({"note": {"$exist": True}}, True),
        ({"nothing": {"$exist": True}}, False),
        ({"nothing.at.all": {"$exist": False}}, True),
        ({"$or": [{"id": 1}, {"paid": True}]}, True),
        ({"$or": [{"id": 1}, {"paid": False}]}, False),
        ({"$and": [{"id": 7}, {"paid": True}]}, True),
        ({"$not": {"currency": "EUR"}}, False),
        ({"currency": {"$not": {"$in": ["USD"]}}}, True),
        ({"amount": {"$or": [{"$lt": 1}, {"$gt": 100}]}}, True),
    ],
)
def test_what_it_lets_through(said: dict[str, object], expected: bool) -> None:
    assert passes(said, INVOICE) is expected
    assert reference(said, INVOICE) is expected


def test_a_payload_that_is_no_json_has_nothing_in_it() -> None:
    for payload in (b"<xml/>", b"\xff", b"", None, b"[" * 100_000):
        assert not PayloadFilter({"a": 1}).passes(Content(payload))
        assert PayloadFilter({"a": {"$exist": False}}).passes(Content(payload))


def test_the_first_condition_that_does_not_hold_is_named() -> None:
    said = {"currency": "EUR", "amount": {"$gt": 200}, "id": 8}
    content = Content(json.dumps(INVOICE).encode())
    assert PayloadFilter(said).refused_by(content) == {"amount": {"$gt": 200}}
    assert PayloadFilter({"id": 7}).refused_by(content) is None


# A second reading of the same words, without a thought for speed.


def reference(said: Mapping[str, Any], value: Any) -> bool:
    """Whether all that a filter says holds of a value."""
    here, members = [], {}
    for name, wanted in said.items():
        if name.startswith("$"):
            here.append(of_operator(name, wanted, value))
        elif name.split(".")[0].isdecimal():
            here.append(of_member(name, wanted, value))
        else:
            members[name] = wanted
    of_items = True
    if members:
        candidates = [one for one in value if isinstance(one, dict)] if isinstance(value, list) else [value]
        of_items = any(all(of_member(name, wanted, one) for name, wanted in members.items()) for one in candidates)
    return all(here) and of_items


def of_member(name: str, wanted: Any, value: Any) -> bool:
    if isinstance(value, dict) and name in value:
        return of_value(wanted, value[name])
    first, dot, rest = name.partition(".")
    found = ABSENT
    if isinstance(value, dict):
        found = value.get(first, ABSENT)
    elif isinstance(value, list) and first.isdecimal() and int(first) < len(value):
        found = value[int(first)]
    if not dot:
        return of_value(wanted, found)
    if isinstance(found, list) and not rest.split(".")[0].isdecimal():
        return any(of_member(rest, wanted, one) for one in found if isinstance(one, dict))
    return of_member(rest, wanted, found)


def of_value(wanted: Any, value: Any) -> bool:
    if isinstance(wanted, dict):
        return reference(wanted, value)
    if isinstance(wanted, list):
        return isinstance(value, list) and all(any(of_value(one, item) for item in value) for one in wanted)
    return of_operator("$eq", wanted, value)


def of_operator(name: str, wanted: Any, value: Any) -> bool:
    items = value if isinstance(value, list) else [value]
    if name == "$and":
        return all(reference(one, value) for one in wanted)
    if name == "$or":
        return any(reference(one, value) for one in wanted)
    if name == "$not":
        return not reference(wanted, value)
    if name == "$exist":
        return (value is not ABSENT) == wanted
    if name == "$neq":
        return not of_operator("$eq", wanted, value)
    if name == "$nin":
        return not of_operator("$in", wanted, value)
    if name == "$eq":
        return same(value, wanted) or (
            not isinstance(wanted, list | dict) and any(same(item, wanted) for item in items)
        )
    if name == "$in" and isinstance(wanted, str):
        return wanted in value if isinstance(value, str) else isinstance(value, list) and wanted in value
    if name == "$in":
        return any(same(one, other) for one in [value, *items] for other in wanted)
    if name in ("$startsWith", "$endsWith"):
        return any(isinstance(item, str) and getattr(item, name[1:].lower())(wanted) for item in items)
    kinds = (str,) if isinstance(wanted, str) else (int, float)
    compared = {"$gt": "__gt__", "$gte": "__ge__", "$lt": "__lt__", "$lte": "__le__"}[name]
    return any(
        type(item) in kinds and getattr(float(item) if kinds != (str,) else item, compared)(wanted) is True
        for item in items
    )


def same(value: Any, wanted: Any) -> bool:
    if value is ABSENT:
        return False
    return json.dumps(normal(value), sort_keys=True) == json.dumps(normal(wanted), sort_keys=True)


def normal(value: Any) -> Any:
    if isinstance(value, list):
        return [normal(one) for one in value]
    if isinstance(value, dict):
        return {name: normal(one) for name, one in value.items()}
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


NAMES = st.sampled_from(["a", "b", "a.b", "0", "0.a", "a.0"])
SCALARS = (
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.5, 1.0]) | st.sampled_from(["", "a", "ab"])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=10
)
ORDERED = st.integers(-2, 2) | st.sampled_from(["a", "ab"])
COMPARED = st.one_of(
    st.tuples(st.sampled_from(["$eq", "$neq"]), VALUES),
    st.tuples(st.sampled_from(["$gt", "$gte", "$lt", "$lte"]), ORDERED),
    st.tuples(st.sampled_from(["$in", "$nin"]), st.lists(VALUES, max_size=3) | st.sampled_from(["a", "ab"])),
    st.tuples(st.sampled_from(["$startsWith", "$endsWith"]), st.sampled_from(["", "a", "b"])),
    st.tuples(st.just("$exist"), st.booleans()),
)


def filters(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    wanted = SCALARS | inner | st.lists(SCALARS | inner, min_size=1, max_size=2)
    return st.one_of(
        st.dictionaries(NAMES, wanted, min_size=1, max_size=2),
        st.tuples(st.sampled_from(["$and", "$or"]), st.lists(inner, min_size=1, max_size=2)).map(
            lambda one: dict([one])
        ),
        inner.map(lambda one: {"$not": one}),
        st.tuples(inner, inner).map(lambda two: {**two[0], **two[1]}),
    )


FILTERS = st.recursive(COMPARED.map(lambda one: dict([one])), filters, max_leaves=8)


@given(FILTERS, VALUES)
@example({"a": {"b": 1, "$exist": True}}, {"a": [{"b": 0}, {"b": 1}]})
def test_it_says_what_a_plain_reading_of_it_says(said: dict[str, Any], payload: Any) -> None:
    try:
        checked("filter", said)
    except ValidationError:
        return
    assert passes(said, payload) is reference(said, payload)


@pytest.mark.parametrize(
    ("said", "payload"),
    [
        # Each condition looks through a list that is as long as can be, in vain.
        ({f"l.m{n}": 1 for n in range(MAX_CONDITIONS)}, {"l": [{}] * 300_000}),
        ({"l": {"$or": [{"$eq": n} for n in range(40)]}}, {"l": [-1] * 500_000}),
        ({"l": [{"x": n} for n in range(30)]}, {"l": [{"x": -1}] * 100_000}),
        ({"l": {"$and": [{"$nin": "q" * n} for n in range(1, 30)]}}, {"l": "p" * 1_000_000}),
    ],
)
def test_the_worst_filter_on_the_worst_payload_takes_little_longer_than_to_read_it(
    said: dict[str, object], payload: object
) -> None:
    filter_, body = PayloadFilter(checked("filter", said)), json.dumps(payload).encode()
    content = Content(body)
    began = time.process_time()
    assert content.value
    read = time.process_time()
    filter_.passes(content)
    spent, reading = time.process_time() - read, read - began
    assert spent < 20 * reading + 0.2
    # However many more filters there are, what is left for them does not grow with the payload.
    again = time.process_time()
    for _ in range(50):
        filter_.passes(content)
    assert time.process_time() - again < 20 * reading + 0.5
