"""How values without a JSON type are written in a payload, the same for all ways to send a message. Pure.

=========================================  =============================================================
value                                      in JSON
=========================================  =============================================================
``datetime``                               ISO 8601, ``Z`` for UTC: ``"2030-01-31T12:00:00.5Z"``
``date``, ``time``                         ISO 8601
``timedelta``                              ISO 8601: ``"P1DT2H3M4.5S"``
``Decimal``, ``UUID``                      their text
a member of an ``Enum``                    its value
a dataclass or attrs class                 an object of its fields
a pydantic model                           the result of ``model_dump(mode="json")``
a msgspec ``Struct``                       the result of ``to_builtins``
=========================================  =============================================================

Numbers stay exact: a ``Decimal`` becomes text, since most JSON readers turn a number into a float.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from enum import Enum
from math import isfinite
from typing import Any

__all__ = ["Default", "as_json", "where_json_fails"]

Default = Callable[[object], object]
"""A caller's own encoder for values without a JSON type; ``NotImplemented`` falls back to the rules above."""

MOST_LOOKED_AT = 100_000
"""The most parts of a payload that are searched for the reason why it cannot be encoded."""


def as_json(value: object) -> object:
    """Convert a value without a JSON type one step towards JSON; raises ``TypeError`` for any other."""
    for kind, write in _WAYS:
        if isinstance(value, kind):
            return write(value)
    for module, class_name, write in _LOADED:
        if (loaded := sys.modules.get(module)) and isinstance(value, getattr(loaded, class_name)):
            return write(value)
    for module, is_one, fields in _DECLARED:
        if (loaded := sys.modules.get(module)) and not isinstance(value, type) and is_one(loaded, value):
            return {name: getattr(value, name) for name in fields(loaded, value)}
    raise TypeError(f"a {type(value).__name__} has no JSON form; convert it to a string or a number first")


def where_json_fails(payload: object, write: Default) -> str | None:
    """The path of a part that cannot be encoded, and why; ``None`` if none is found."""
    waiting: list[tuple[str, object]] = [("", payload)]
    for _ in range(MOST_LOOKED_AT):
        if not waiting:
            break
        path, value = waiting.pop()
        try:
            waiting += reversed([(path + step, part) for step, part in _parts(value, write)])
        except (TypeError, ValueError) as error:
            return f"{path.lstrip('.') or 'the payload itself'}: {error}"
    return None


def _parts(value: object, write: Default) -> Iterator[tuple[str, object]]:
    """The parts of a value, each with its path step; raises for what JSON cannot represent."""
    if isinstance(value, str):
        _check_text(value, "a string")
    elif isinstance(value, float):
        if not isfinite(value):
            raise ValueError(f"{value} is no number in JSON")
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str | int | float | None):
                raise TypeError(f"a key must be a string, not a {type(key).__name__}")
            _check_text(str(key), "a key")
            yield f".{key}", item
    elif isinstance(value, list | tuple):
        yield from ((f"[{index}]", item) for index, item in enumerate(value))
    elif not isinstance(value, int | None):
        yield "", write(value)


def _check_text(text: str, what: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{what} with a lone surrogate") from None


def _datetime(value: datetime) -> str:
    return value.isoformat().removesuffix("+00:00") + "Z" if value.utcoffset() == timedelta(0) else value.isoformat()


def _duration(value: timedelta) -> str:
    sign, value = ("-", -value) if value < timedelta(0) else ("", value)
    minutes, seconds = divmod(value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{value.microseconds:06d}".rstrip("0") if value.microseconds else ""
    return f"{sign}P{value.days}DT{hours}H{minutes}M{seconds}{fraction}S"


def _decimal(value: Any) -> str:
    if not value.is_finite():
        raise ValueError(f"{value} is no number in JSON")
    return str(value)


def _pydantic(value: Any) -> object:
    return value.model_dump(mode="json")


def _struct(value: object) -> object:
    return sys.modules["msgspec"].to_builtins(value)


_WAYS: tuple[tuple[type, Callable[[Any], object]], ...] = (
    (Mapping, dict),
    (datetime, _datetime),
    (date, date.isoformat),
    (time, time.isoformat),
    (timedelta, _duration),
    (Enum, lambda member: member.value),
)

# These types are recognised without an import: if the library is not loaded, there are no values of them.

_LOADED: tuple[tuple[str, str, Callable[[Any], object]], ...] = (
    ("uuid", "UUID", str),
    ("decimal", "Decimal", _decimal),
    ("pydantic", "BaseModel", _pydantic),
    ("msgspec", "Struct", _struct),
)

_DECLARED: tuple[tuple[str, Callable[[Any, object], bool], Callable[[Any, object], list[str]]], ...] = (
    (
        "dataclasses",
        lambda module, value: module.is_dataclass(value),
        lambda module, value: [field.name for field in module.fields(value)],
    ),
    (
        "attr",
        lambda module, value: module.has(type(value)),
        lambda module, value: [field.name for field in module.fields(type(value))],
    ),
)
