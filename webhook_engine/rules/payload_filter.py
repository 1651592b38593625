"""The filter of an endpoint on message payloads: its syntax and limits. Pure.

A filter is an object, and all its conditions must hold:

* the name of a member, with a scalar that it must equal, a list whose items it must all have, or a filter for its
  value. A name with dots is a path, unless there is a member with exactly that name; a number is a position in a
  list.
* ``$eq``, ``$neq``, ``$gt``, ``$gte``, ``$lt``, ``$lte``, ``$in``, ``$nin``, ``$startsWith``, ``$endsWith`` and
  ``$exist``, with the value to compare with;
* ``$and``, ``$or`` (a list of filters) and ``$not`` (one).

If a value is a list, a filter for its members or a comparison holds if it holds for any item.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from webhook_engine.errors import ValidationError
from webhook_engine.rules.problems import OptionRule
from webhook_engine.rules.values import kind_of

__all__ = ["COMPARISONS", "LOGICAL", "MAX_BYTES", "MAX_CONDITIONS", "MAX_DEPTH", "checked"]

MAX_BYTES = 4_096
"""The size of the filter as compact JSON."""
MAX_CONDITIONS = 64
MAX_DEPTH = 10
"""The maximum nesting of conditions; each part of a path counts as one level."""

MAX_NESTING = 24
"""The maximum nesting of the JSON, including the values compared with."""

LOGICAL = ("$and", "$or", "$not")
ORDERED = ("$gt", "$gte", "$lt", "$lte")
TEXTUAL = ("$startsWith", "$endsWith")
COMPARISONS = ("$eq", "$neq", *ORDERED, "$in", "$nin", *TEXTUAL, "$exist")


def checked(field: str, value: object) -> dict[str, object]:
    """A filter in its stored form; raises ``ValidationError`` with the place of the problem."""
    if not isinstance(value, Mapping):
        raise ValidationError(field, f"must be an object of conditions, not {kind_of(value)}", OptionRule.FILTER_OBJECT)
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        size = len(text.encode())
    except (TypeError, ValueError, RecursionError):
        raise ValidationError(field, "must be an object that JSON can say", OptionRule.FILTER_OBJECT) from None
    if size > MAX_BYTES:
        raise ValidationError(field, f"must be at most {MAX_BYTES} bytes of JSON, not {size}", OptionRule.FILTER_SIZE)
    plain: dict[str, object] = json.loads(text)
    _not_deeper(field, plain, MAX_NESTING)
    conditions = sum(1 for _ in _conditions(field, plain, 1))
    if conditions > MAX_CONDITIONS:
        raise ValidationError(
            field, f"must have at most {MAX_CONDITIONS} conditions, not {conditions}", OptionRule.FILTER_SIZE
        )
    return plain


def _not_deeper(field: str, value: object, levels: int) -> None:
    if isinstance(value, dict | list):
        if not levels:
            raise ValidationError(
                field, f"must be at most {MAX_NESTING} objects and lists deep", OptionRule.FILTER_SIZE
            )
        for one in value.values() if isinstance(value, dict) else value:
            _not_deeper(field, one, levels - 1)


def _conditions(field: str, value: Mapping[str, object], depth: int) -> Iterator[None]:
    """Yields once for each condition; raises ``ValidationError`` for an invalid one."""
    if not value:
        raise ValidationError(field, "must have at least one condition", OptionRule.FILTER_EMPTY)
    for name, wanted in value.items():
        place, deep = f"{field}.{name}", depth
        yield
        if name in LOGICAL:
            yield from _logical(place, name, wanted, depth)
        elif name.startswith("$"):
            _compared(place, name, wanted)
        else:
            deep += name.count(".")
            yield from _of_member(place, wanted, deep)
        if deep > MAX_DEPTH:
            raise ValidationError(field, f"must be at most {MAX_DEPTH} levels deep", OptionRule.FILTER_SIZE)


def _logical(place: str, name: str, wanted: object, depth: int) -> Iterator[None]:
    if name == "$not":
        yield from _conditions(place, _object(place, wanted), depth + 1)
        return
    if not isinstance(wanted, list) or not wanted:
        raise ValidationError(place, "must be a list of at least one filter", OptionRule.FILTER_FILTERS)
    for index, one in enumerate(wanted):
        yield from _conditions(f"{place}[{index}]", _object(f"{place}[{index}]", one), depth + 1)


def _of_member(place: str, wanted: object, depth: int) -> Iterator[None]:
    if isinstance(wanted, dict):
        yield from _conditions(place, wanted, depth + 1)
    elif isinstance(wanted, list):
        if not wanted:
            raise ValidationError(place, "must have at least one item", OptionRule.FILTER_EMPTY)
        for index, one in enumerate(wanted):
            yield
            if isinstance(one, list):
                raise ValidationError(f"{place}[{index}]", "must not be a list in a list", OptionRule.FILTER_NESTED)
            if isinstance(one, dict):
                yield from _conditions(f"{place}[{index}]", one, depth + 1)


def _object(place: str, value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ValidationError(place, f"must be an object of conditions, not {kind_of(value)}", OptionRule.FILTER_OBJECT)
    return value


def _compared(place: str, name: str, wanted: object) -> None:
    if name not in COMPARISONS:
        raise ValidationError(
            place, f"is no operator; these are: {', '.join((*COMPARISONS, *LOGICAL))}", OptionRule.FILTER_OPERATOR
        )
    if name in ORDERED and (isinstance(wanted, bool) or not isinstance(wanted, int | float | str)):
        raise ValidationError(place, "must be a number or a string", OptionRule.FILTER_ORDERED)
    if name in TEXTUAL and not isinstance(wanted, str):
        raise ValidationError(place, "must be a string", OptionRule.FILTER_STRING)
    if name in ("$in", "$nin") and not isinstance(wanted, list | str):
        raise ValidationError(place, "must be a list, or a string that is to be contained", OptionRule.FILTER_LIST)
    if name == "$exist" and not isinstance(wanted, bool):
        raise ValidationError(place, "must be true or false", OptionRule.FILTER_BOOLEAN)
