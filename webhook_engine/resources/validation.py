"""What callers may say: the rules for names, texts, numbers and times. Pure.

Every function takes the name of the argument and its value, and returns the value as it is kept, or raises
:class:`~webhook_engine.errors.ValidationError` with that name: ``uid``, ``channels[0]`` for an item of a list,
``headers["X-Foo"]`` for a header. A value of a wrong type is refused like any other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from enum import Enum
from typing import TypeVar

from webhook_engine.clock import from_datetime, microseconds
from webhook_engine.errors import ValidationError

__all__ = [
    "MAX_CHANNELS",
    "MAX_METADATA_BYTES",
    "MAX_RATE",
    "MAX_TAGS",
    "boolean",
    "channel",
    "channels",
    "duration",
    "event_types",
    "instant",
    "integer",
    "is_name",
    "member",
    "metadata",
    "name",
    "names",
    "optional_name",
    "schemas",
    "tag",
    "tags",
    "text",
    "throttle_rate",
    "uid",
]

E = TypeVar("E", bound=Enum)

MAX_CHANNELS = 10
"""Channels of a message, and of an endpoint."""
MAX_TAGS = 5
MAX_METADATA_BYTES = 4096
MAX_RATE = 65_535
"""Messages per second."""
MAX_EVENT_TYPES = 1000
"""Names in the filter of an endpoint or of a list."""
MAX_SCHEMAS_BYTES = 1024 * 1024

Form = Callable[[str], object]

_NAME = re.compile(r"[a-zA-Z0-9\-_.]{1,256}").fullmatch
_CHANNEL = re.compile(r"[a-zA-Z0-9\-_.:+]{1,256}").fullmatch
_TAG = re.compile(r"[a-zA-Z0-9\-_./\\#]{1,128}").fullmatch
_CONTROL = re.compile(r"[\x00-\x08]").search
_NAME_RULE = "must be 1 to 256 characters out of letters, digits, '-', '_' and '.'"
_CHANNEL_RULE = "must be 1 to 256 characters out of letters, digits and '-_.:+'"
_TAG_RULE = "must be 1 to 128 characters out of letters, digits and '-_./\\#'"


def is_name(value: object) -> bool:
    """Whether anything could be called so: the form of ids, uids and event types."""
    return isinstance(value, str) and _NAME(value) is not None


def name(field: str, value: object) -> str:
    """A name, such as an event type."""
    return _string(field, value, _NAME, _NAME_RULE)


def optional_name(field: str, value: object) -> str | None:
    """A name or ``None``."""
    return None if value is None else name(field, value)


def uid(field: str, value: object, prefix: str) -> str | None:
    """A uid or ``None``; it must not look like an id, which begins with ``prefix``."""
    if value is None:
        return None
    plain = name(field, value)
    if plain.startswith(prefix):
        raise ValidationError(field, f"must not begin with {prefix!r}, as ids do; put '_' before it")
    return plain


def channel(field: str, value: object) -> str:
    """The name of a channel."""
    return _string(field, value, _CHANNEL, _CHANNEL_RULE)


def tag(field: str, value: object) -> str:
    """A tag of a message."""
    return _string(field, value, _TAG, _TAG_RULE)


def channels(field: str, value: object) -> tuple[str, ...] | None:
    """1 to 10 channels without duplicates, or ``None``."""
    if value is None:
        return None
    found = _strings(field, value, _CHANNEL, _CHANNEL_RULE)
    if not 1 <= len(found) <= MAX_CHANNELS:
        raise ValidationError(field, f"must have 1 to {MAX_CHANNELS} items, or be None, not {len(found)} items")
    return found


def tags(field: str, value: object) -> tuple[str, ...] | None:
    """Up to 5 tags without duplicates, or ``None``; none at all is ``None``."""
    if value is None:
        return None
    found = _strings(field, value, _TAG, _TAG_RULE)
    if len(found) > MAX_TAGS:
        raise ValidationError(field, f"must have at most {MAX_TAGS} items, not {len(found)}")
    return found or None


def names(field: str, value: object, most: int) -> tuple[str, ...]:
    """Up to ``most`` names without duplicates."""
    found = _strings(field, value, _NAME, _NAME_RULE)
    if len(found) > most:
        raise ValidationError(field, f"must have at most {most} items, not {len(found)}")
    return found


def event_types(field: str, value: object) -> tuple[str, ...] | None:
    """At least one event type, or ``None`` for all."""
    if value is None:
        return None
    found = names(field, value, MAX_EVENT_TYPES)
    if not found:
        raise ValidationError(field, "must have at least one item, or be None for all event types")
    return found


def text(field: str, value: object, *, least: int = 0, most: int) -> str:
    """A text of ``least`` to ``most`` characters that can be stored and shown."""
    if not isinstance(value, str):
        raise ValidationError(field, f"must be a string, not {_shown(value)}")
    plain = str.__str__(value)
    if not least <= len(plain) <= most:
        raise ValidationError(field, f"must have {least} to {most} characters, not {len(plain)}")
    if _CONTROL(plain):
        raise ValidationError(field, "must not contain the control characters 0x00 to 0x08")
    _must_encode(field, plain)
    return plain


def integer(field: str, value: object, least: int, most: int) -> int:
    """A whole number from ``least`` to ``most``."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValidationError(field, f"must be an integer from {least} to {most}, not {_shown(value)}")
    return int(value)


def throttle_rate(field: str, value: object) -> int | None:
    """Messages per second, or ``None`` for no limit."""
    if value is None:
        return None
    return integer(field, value, 1, MAX_RATE)


def boolean(field: str, value: object) -> bool:
    """``True`` or ``False``."""
    if not isinstance(value, bool):
        raise ValidationError(field, f"must be True or False, not {_shown(value)}")
    return value


def member(field: str, value: object, kind: type[E]) -> E:
    """A member of an enumeration, also given as its plain value."""
    for one in kind:
        if value == one.value and not isinstance(value, bool):
            return one
    allowed = ", ".join(f"{one.value!r} ({one.name.lower()})" for one in kind)
    raise ValidationError(field, f"must be one of {allowed}")


def metadata(field: str, value: object) -> dict[str, str]:
    """Strings by string, at most 4096 bytes as JSON; ``None`` is none."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValidationError(field, f"must be a mapping of strings, not {_shown(value)}")
    for key, item in value.items():
        if not isinstance(key, str) or not isinstance(item, str):
            raise ValidationError(field, f"must hold strings only, not {_shown(key)}: {_shown(item)}")
    plain = {str.__str__(key): str.__str__(item) for key, item in value.items()}
    size = len(_must_encode(field, json.dumps(plain, ensure_ascii=False, separators=(",", ":"))))
    if size > MAX_METADATA_BYTES:
        raise ValidationError(field, f"must be at most {MAX_METADATA_BYTES} bytes as JSON, not {size}")
    return plain


def schemas(field: str, value: object) -> dict[str, object] | None:
    """JSON Schemas by version, or ``None``. Each must be a JSON object; it is not checked as a schema."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise ValidationError(field, f"must be a mapping of versions to JSON Schemas, not {_shown(value)}")
    for version, schema in value.items():
        if not is_name(version):
            raise ValidationError(field, f"must have versions as keys, such as '1', not {_shown(version)}")
        if not isinstance(schema, Mapping):
            raise ValidationError(f'{field}["{version}"]', f"must be a JSON object, not {_shown(schema)}")
    try:
        encoded = json.dumps(value, allow_nan=False, default=_as_dict)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValidationError(field, f"must be serializable as JSON: {error}") from None
    if len(encoded) > MAX_SCHEMAS_BYTES:
        raise ValidationError(field, f"must be at most {MAX_SCHEMAS_BYTES} bytes as JSON, not {len(encoded)}")
    copied: dict[str, object] = json.loads(encoded)
    _must_encode(field, json.dumps(copied, ensure_ascii=False))
    return copied


def instant(field: str, value: object) -> int:
    """A ``datetime`` as microseconds since the epoch; a naive one is taken as UTC."""
    if not isinstance(value, datetime):
        raise ValidationError(field, f"must be a datetime, not {_shown(value)}")
    return from_datetime(value)


def duration(field: str, value: object, longest: timedelta) -> int:
    """A ``timedelta`` from zero to ``longest``, as microseconds."""
    if not isinstance(value, timedelta) or not timedelta(0) <= value <= longest:
        raise ValidationError(field, f"must be a timedelta from zero to {longest}, not {_shown(value)}")
    return microseconds(value)


def _string(field: str, value: object, form: Form, rule: str) -> str:
    if not isinstance(value, str) or not form(value):
        raise ValidationError(field, f"{rule}, not {_shown(value)}")
    return str.__str__(value)


def _strings(field: str, value: object, form: Form, rule: str) -> tuple[str, ...]:
    """Strings of one form, without duplicates."""
    found: dict[str, None] = {}
    for index, item in enumerate(value if isinstance(value, list | tuple) else _items(field, value)):
        if not isinstance(item, str) or not form(item):
            raise ValidationError(f"{field}[{index}]", f"{rule}, not {_shown(item)}")
        found[str.__str__(item)] = None
    return tuple(found)


def _items(field: str, value: object) -> Iterable[object]:
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Collection):
        raise ValidationError(field, f"must be a list of strings, not {_shown(value)}")
    # A set has no order of its own; sorted, it is at least always the same.
    return sorted(value, key=str) if isinstance(value, AbstractSet) else value


def _as_dict(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _must_encode(field: str, plain: str) -> bytes:
    try:
        return plain.encode()
    except UnicodeEncodeError:
        raise ValidationError(field, "must be valid Unicode: it contains a lone surrogate") from None


def _shown(value: object) -> str:
    """A value in an error: short, and its type where that is what is wrong."""
    if isinstance(value, str):
        return repr(value) if len(value) <= 40 else f"{value[:40]!r}… ({len(value)} characters)"
    if isinstance(value, int) and value.bit_length() > 128:
        return "a number of that size"
    if value is None or isinstance(value, bool | int | float | timedelta):
        return str(value)[:40]
    return f"a {type(value).__name__}"
