"""Converts payload filters of other servers to ours. Pure.

They look like ours, and differ for missing values: no comparison holds there, while here ``$neq`` and ``$nin`` do. What
cannot be expressed with the same meaning is refused. For single values and objects the meaning is the same; for a list
in the payload, ours holds if it holds for any item.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from webhook_engine.delivery.accept.payload_filter import Content, PayloadFilter
from webhook_engine.errors import ValidationError
from webhook_engine.rules import payload_filter

__all__ = ["FILTER_TAKEN_OVER", "InexpressibleError", "convoy_filter", "outpost_filter"]

FILTER_TAKEN_OVER = (
    "filter is taken over; where a payload has a list, a comparison holds here if it holds for some item, and $neq and "
    "$nin if for none"
)

ORDERED = frozenset({"$gt", "$gte", "$lt", "$lte"})
NEGATIVE = frozenset({"$neq", "$nin"})
TEXTUAL = frozenset({"$startsWith", "$endsWith"})
EVENT = "data"
"""The member of an Outpost event that becomes our payload."""

Filter = dict[str, object]


class InexpressibleError(ValueError):
    """A filter that cannot be expressed as ours."""


def outpost_filter(said: Mapping[str, object]) -> Filter:
    """Convert the filter of a destination, which is on the whole event. Raises ``InexpressibleError``."""
    return _checked(_of_event(said))


def convoy_filter(body: Mapping[str, object]) -> Filter:
    """Convert the filter of a subscription on bodies, flattened or not. Raises ``InexpressibleError``."""
    return _checked(_of_body(body))


def _checked(converted: Filter) -> Filter:
    try:
        return payload_filter.checked("filter", converted)
    except ValidationError as error:
        raise InexpressibleError(f"{error.field} {error.problem}") from None


def _is_scalar(value: object) -> bool:
    return not isinstance(value, dict | list)


def _every(filters: Sequence[Filter]) -> Filter:
    """A filter that holds if all of these hold."""
    [first, *rest] = filters
    if any(set(first) & set(one) for one in rest) or len({name for one in filters for name in one}) < sum(
        map(len, filters)
    ):
        return {"$and": list(filters)}
    return {name: wanted for one in filters for name, wanted in one.items()}


def _list(name: str, value: object, convert: Callable[[Mapping[str, object]], Filter]) -> Filter:
    if not isinstance(value, list) or not value or not all(isinstance(one, dict) for one in value):
        raise InexpressibleError(f"{name} without a list of filters")
    return {name: [convert(one) for one in value]}


# Outpost.


def _of_event(said: Mapping[str, object]) -> Filter:
    found: list[Filter] = []
    for name, wanted in said.items():
        if name == EVENT and isinstance(wanted, dict):
            found.append(_of_object(wanted))
        elif name in ("$or", "$and"):
            found.append(_list(name, wanted, _of_event))
        elif name == "$not" and isinstance(wanted, dict):
            found.append({"$not": _of_event(wanted)})
        else:
            raise InexpressibleError(f"{name} of an event, beside its data")
    if not found:
        raise InexpressibleError("nothing")
    return _every(found)


def _of_object(said: Mapping[str, object]) -> Filter:
    """Convert conditions on an object; only there the logical operators have their usual meaning."""
    if "$or" in said and len(said) > 1:
        raise InexpressibleError("$or beside other conditions of the data, which are not looked at then")
    found: Filter = {}
    for name, wanted in said.items():
        if name in ("$or", "$and"):
            found |= _list(name, wanted, _of_object)
        elif name == "$not" and isinstance(wanted, dict):
            found[name] = _of_object(wanted)
        else:
            found |= _member(name, wanted)
    return found


def _member(name: str, wanted: object) -> Filter:
    if name.startswith("$") or "." in name or name.isdecimal() or not name:
        raise InexpressibleError(f"a member of the name {name!r}")
    value = _value(wanted)
    if isinstance(value, dict) and wanted != {"$exist": False} and PayloadFilter({name: value}).passes(Content(b"{}")):
        value = {"$exist": True, **value}
    return {name: value}


def _value(wanted: object) -> object:
    if isinstance(wanted, list):
        if not all(_is_scalar(one) or isinstance(one, dict) for one in wanted):
            raise InexpressibleError("a list in a list")
        return [_value(one) for one in wanted]
    if not isinstance(wanted, dict):
        return wanted
    if "$or" in wanted:
        return _some_value(wanted)
    operators = [name for name in wanted if name in payload_filter.COMPARISONS]
    if not operators:
        found: Filter = {}
        for name, inner in wanted.items():
            found |= _member(name, inner)
        return found
    if len(operators) < len(wanted):
        raise InexpressibleError("a comparison beside other conditions of the same value, which are not looked at then")
    if wanted.get("$exist") is False and len(wanted) > 1:
        raise InexpressibleError("$exist false beside other comparisons")
    return _every([_compared(name, wanted[name]) for name in operators])


def _some_value(wanted: Mapping[str, object]) -> Filter:
    alternatives = wanted["$or"]
    if len(wanted) > 1 or not isinstance(alternatives, list):
        raise InexpressibleError("$or beside other conditions of the same value, which are not looked at then")
    found: list[object] = []
    for one in alternatives:
        value = _value(one)
        if isinstance(value, list):
            raise InexpressibleError("$or of lists")
        found.append(value if isinstance(value, dict) else {"$eq": value})
    return {"$or": found}


def _compared(name: str, wanted: object) -> Filter:
    if name in TEXTUAL and isinstance(wanted, list):
        return {"$or": [{name: one} for one in wanted]}
    if name in ("$in", "$nin") and isinstance(wanted, list) and not all(map(_is_scalar, wanted)):
        raise InexpressibleError(f"{name} of objects or lists")
    _checked({"value": {name: wanted}})
    return {"$exist": True, name: wanted} if name in NEGATIVE else {name: wanted}


# Convoy.


def _of_body(said: Mapping[str, object], *, within: bool = False) -> Filter:
    found: Filter = {}
    for name, wanted in said.items():
        if name in ("$or", "$and"):
            if len(said) > 1 or within:
                raise InexpressibleError(f"{name} beside other conditions, or within one")
            return _list(name, wanted, _of_body)
        if not name or "$" in name:
            raise InexpressibleError(f"a condition of the name {name!r}")
        found[name] = _of_body_value(wanted)
    if not found:
        raise InexpressibleError("an object without conditions")
    return found


def _of_body_value(wanted: object) -> object:
    if isinstance(wanted, list) or wanted is None:
        raise InexpressibleError("a list or null as a value")
    if not isinstance(wanted, dict):
        return wanted
    if not any(name.startswith("$") for name in wanted):
        return _of_body(wanted, within=True)
    if len(wanted) > 1:
        raise InexpressibleError("several comparisons, or a comparison beside other conditions, of one value")
    [(name, value)] = wanted.items()
    return _of_body_comparison(name, value)


def _of_body_comparison(name: str, wanted: object) -> object:
    scalars = isinstance(wanted, list) and all(_is_scalar(one) and one is not None for one in wanted)
    if name in ORDERED and isinstance(wanted, int | float) and not isinstance(wanted, bool):
        return {name: wanted}
    if name in ("$eq", "$neq") and wanted is not None and (scalars or _is_scalar(wanted)):
        return {"$exist": True, name: wanted} if name in NEGATIVE else {name: wanted}
    if name in ("$in", "$nin") and scalars:
        return {"$exist": True, name: wanted} if name in NEGATIVE else {name: wanted}
    if name == "$in" and wanted is not None and _is_scalar(wanted):
        return [wanted]
    if name == "$exist" and isinstance(wanted, bool):
        return {name: wanted}
    raise InexpressibleError(f"{name} of such a value")
