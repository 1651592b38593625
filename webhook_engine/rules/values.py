"""Checks of basic values: booleans, numbers, texts, times, members of an enumeration. Pure.

Every rule takes the name of the argument and its value, and returns the value in its stored form, or raises
:class:`~webhook_engine.errors.ValidationError` with that name: ``uid``, ``channels[0]`` for an item of a list,
``headers["X-Foo"]`` for a header. A value of a wrong type is refused like any other.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from enum import Enum
from typing import TypeVar

from webhook_engine.clock import from_datetime, microseconds
from webhook_engine.errors import ValidationError
from webhook_engine.rules.problems import Rule

__all__ = [
    "boolean",
    "control_free",
    "duration",
    "encoded",
    "event_type_description",
    "instant",
    "integer",
    "kind_of",
    "member",
    "quoted",
    "text",
]

E = TypeVar("E", bound=Enum)

MAX_EVENT_TYPE_DESCRIPTION = 65_536
"""Characters."""

_CONTROL = re.compile(r"[\x00-\x08]").search


def boolean(field: str, value: object) -> bool:
    """``True`` or ``False``."""
    if not isinstance(value, bool):
        raise ValidationError(field, f"must be True or False, not {quoted(value)}")
    return value


def integer(field: str, value: object, least: int, most: int) -> int:
    """A whole number from ``least`` to ``most``."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValidationError(field, f"must be an integer from {least} to {most}, not {quoted(value)}")
    return int(value)


def text(field: str, value: object, *, least: int = 0, most: int) -> str:
    """A text of ``least`` to ``most`` characters that can be stored and shown."""
    if not isinstance(value, str):
        raise ValidationError(field, f"must be a string, not {quoted(value)}")
    plain = str.__str__(value)
    if not least <= len(plain) <= most:
        raise ValidationError(field, f"must have {least} to {most} characters, not {len(plain)}")
    encoded(field, control_free(field, plain))
    return plain


def event_type_description(field: str, value: object) -> str:
    """The description of an event type; it may be long."""
    return text(field, value, most=MAX_EVENT_TYPE_DESCRIPTION)


def control_free(field: str, value: str) -> str:
    """A text without the control characters that cannot be shown."""
    if _CONTROL(value):
        raise ValidationError(field, "must not contain the control characters 0x00 to 0x08", Rule.CONTROL_CHARACTERS)
    return value


def member(field: str, value: object, kind: type[E]) -> E:
    """A member of an enumeration, which may be given as its plain value."""
    for one in kind:
        if value == one.value and not isinstance(value, bool):
            return one
    allowed = ", ".join(f"{one.value!r} ({one.name.lower()})" for one in kind)
    raise ValidationError(field, f"must be one of {allowed}")


def instant(field: str, value: object) -> int:
    """A ``datetime`` as microseconds since the epoch; a naive one counts as UTC."""
    if not isinstance(value, datetime):
        raise ValidationError(field, f"must be a datetime, not {quoted(value)}")
    return from_datetime(value)


def duration(field: str, value: object, longest: timedelta) -> int:
    """A ``timedelta`` from zero to ``longest``, as microseconds."""
    if not isinstance(value, timedelta) or not timedelta(0) <= value <= longest:
        raise ValidationError(field, f"must be a timedelta from zero to {longest}, not {quoted(value)}")
    return microseconds(value)


def encoded(field: str, plain: str) -> bytes:
    """A text as UTF-8."""
    try:
        return plain.encode()
    except UnicodeEncodeError:
        raise ValidationError(field, "must be valid Unicode: it contains a lone surrogate") from None


def quoted(value: object) -> str:
    """A value for an error message: shortened, and with its type if that is the problem."""
    if isinstance(value, str):
        return repr(value) if len(value) <= 40 else f"{value[:40]!r}… ({len(value)} characters)"
    if isinstance(value, int) and value.bit_length() > 128:
        return "a number of that size"
    if isinstance(value, bool | int | float | timedelta):
        return str(value)[:40]
    return kind_of(value)


def kind_of(value: object) -> str:
    """The kind of a value, for an error message that must not quote it."""
    return "None" if value is None else f"a {type(value).__name__}"
