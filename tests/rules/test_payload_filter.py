"""What a filter on payloads may say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook_engine.errors import ValidationError
from webhook_engine.rules.payload_filter import MAX_CONDITIONS, checked

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=3) | st.sampled_from(["$or", "$not", "$in", "$eq", "$gt"]), inner, max_size=3
        )
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    "said",
    [
        {"a": 1},
        {"a.b.0": None, "c": {"d": [1, "x", {"e": {"$gt": 2}}]}},
        {"$or": [{"a": 1}, {"$and": [{"b": {"$not": {"c": True}}}]}]},
        {"a": {"$gte": 1, "$lt": "z", "$in": [1, None], "$nin": "text", "$startsWith": "a", "$endsWith": "b"}},
        {"a": {"$exist": False, "$eq": {"deep": [[]]}, "$neq": 1.5}},
    ],
)
def test_what_is_allowed_is_kept_as_it_is(said: dict[str, object]) -> None:
    assert checked("filter", said) == said


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ([], "filter: must be an object of conditions, not a list"),
        ({}, "filter: must have at least one condition"),
        ({"a": {}}, "filter.a: must have at least one condition"),
        ({"a": []}, "filter.a: must have at least one item"),
        ({"a": [[1]]}, "filter.a[0]: must not be a list in a list"),
        ({"a": {"$like": "x"}}, "filter.a.$like: is no operator; these are: $eq,"),
        ({"$ref": "x"}, "filter.$ref: is no operator"),
        ({"$or": []}, "filter.$or: must be a list of at least one filter"),
        ({"$or": {"a": 1}}, "filter.$or: must be a list"),
        ({"$and": [{"a": 1}, 2]}, "filter.$and[1]: must be an object"),
        ({"$not": [{"a": 1}]}, "filter.$not: must be an object"),
        ({"a": {"$gt": True}}, "filter.a.$gt: must be a number or a string"),
        ({"a": {"$startsWith": 1}}, "filter.a.$startsWith: must be a string"),
        ({"a": {"$in": 1}}, "filter.a.$in: must be a list"),
        ({"a": {"$exist": 1}}, "filter.a.$exist: must be true or false"),
        ({"a": float("nan")}, "filter: must be an object that JSON can say"),
        ({"a": object()}, "filter: must be an object that JSON can say"),
        ({"a": "x" * 4096}, "filter: must be at most 4096 bytes of JSON, not 4104"),
        ({str(n): 1 for n in range(MAX_CONDITIONS + 1)}, "filter: must have at most 64 conditions, not 65"),
        ({"a.b.c.d.e.f.g.h.i.j.k": 1}, "filter: must be at most 10 levels deep"),
    ],
)
def test_what_is_not_allowed_is_refused_with_its_place(said: object, problem: str) -> None:
    with pytest.raises(ValidationError) as caught:
        checked("filter", said)
    assert str(caught.value).startswith(problem)


def test_what_is_compared_with_has_a_bound_in_depth_too() -> None:
    deep: object = 1
    for _ in range(600):
        deep = [deep]
    with pytest.raises(ValidationError, match="at most 24 objects and lists deep"):
        checked("filter", {"a": {"$eq": deep}})


@given(JSON)
def test_whatever_it_is_it_is_kept_or_refused(said: object) -> None:
    try:
        kept = checked("filter", said)
    except ValidationError:
        return
    assert checked("filter", kept) == kept
