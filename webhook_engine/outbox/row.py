"""From the arguments of ``enqueue`` to the values of a row of the outbox, checked as far as that needs no database."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from webhook_engine.clock import Clock, from_datetime, microseconds
from webhook_engine.errors import ValidationError
from webhook_engine.ids import IdSource

__all__ = ["OutboxRow", "Payload", "make_row"]

Payload = Mapping[str, object] | Sequence[object] | bytes | str
"""A JSON object or array as Python values, or the body itself."""

MAX_CHANNELS = 10
MAX_TAGS = 5
MAX_DELAY = timedelta(days=31)

# What the engine allows; a value that passes here is not refused there (tests/outbox/test_agreement.py).
_NAME = re.compile(r"[a-zA-Z0-9\-_.]{1,256}")
_CHANNEL = re.compile(r"[a-zA-Z0-9\-_.:+]{1,256}")
_TAG = re.compile(r"[a-zA-Z0-9\-_./\\#]{1,128}")
_ORGANIZATION = re.compile(r"org_[a-zA-Z0-9\-_.]{1,252}")

_clock = Clock()
_ids = IdSource()


class OutboxRow(NamedTuple):
    """The columns that a writer fills; the others are the engine's."""

    message_id: str
    organization: str | None
    application: str
    event_type: str
    payload: bytes
    event_id: str | None
    channels: str | None
    tags: str | None
    deliver_at: str | None


def make_row(
    *,
    application: str,
    event_type: str,
    payload: Payload,
    event_id: str | None,
    channels: Collection[str] | None,
    tags: Collection[str] | None,
    deliver_at: datetime | None,
    organization: str | None,
) -> OutboxRow:
    """A row with a fresh message id; raises ``ValidationError`` for a value that the engine would refuse."""
    now = _clock.now()
    return OutboxRow(
        message_id=_ids.new("msg_", now),
        organization=None if organization is None else _organization(organization),
        application=_name("application", application),
        event_type=_name("event_type", event_type),
        payload=_body(payload),
        event_id=None if event_id is None else _event_id(event_id),
        channels=None if channels is None else _channels(channels),
        tags=None if tags is None else _tags(tags),
        deliver_at=None if deliver_at is None else _rfc3339(deliver_at, now),
    )


def _name(field: str, value: object) -> str:
    return _matching(_NAME, field, value, "1 to 256 characters out of letters, digits, '-', '_' and '.'")


def _event_id(value: object) -> str:
    event_id = _name("event_id", value)
    if event_id.startswith("msg_"):
        raise ValidationError("event_id", "must not begin with 'msg_', as ids do; put '_' before it")
    return event_id


def _organization(value: object) -> str:
    return _matching(
        _ORGANIZATION, "organization", value, "'org_' and 1 to 252 characters out of letters, digits, '-', '_' and '.'"
    )


def _channels(value: object) -> str:
    names = _texts("channels", value, _CHANNEL, "1 to 256 characters out of letters, digits and '-_.:+'")
    if not 1 <= len(names) <= MAX_CHANNELS:
        raise ValidationError("channels", f"must have 1 to {MAX_CHANNELS} items, or be None, not {len(names)} items")
    return _compact(names)


def _tags(value: object) -> str | None:
    names = _texts("tags", value, _TAG, "1 to 128 characters out of letters, digits and '-_./\\#'")
    if len(names) > MAX_TAGS:
        raise ValidationError("tags", f"must have at most {MAX_TAGS} items, not {len(names)}")
    return _compact(names) if names else None


def _rfc3339(value: object, now: int) -> str:
    if not isinstance(value, datetime):
        raise ValidationError("deliver_at", f"must be a datetime, not {_type(value)}")
    if from_datetime(value) > now + microseconds(MAX_DELAY):
        raise ValidationError("deliver_at", f"must be at most {MAX_DELAY.days} days ahead")
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _body(payload: object) -> bytes:
    """As UTF-8 bytes whatever it was, so that what is stored is what is signed and sent."""
    if isinstance(payload, str):
        return _utf8(payload)
    if isinstance(payload, bytes | bytearray | memoryview):
        return bytes(payload)
    if not isinstance(payload, Mapping | Sequence):
        raise ValidationError("payload", f"must be a mapping, a list, bytes or a string, not {_type(payload)}")
    try:
        return _utf8(_compact(payload))
    except RecursionError:
        raise ValidationError("payload", "must not be nested so deeply") from None
    except (TypeError, ValueError) as error:
        raise ValidationError("payload", f"must be serializable as JSON: {error}") from None


def _texts(field: str, value: object, form: re.Pattern[str], rule: str) -> list[str]:
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Collection):
        raise ValidationError(field, f"must be a list of strings, not {_type(value)}")
    # A set has no order of its own; sorted, it is at least always the same.
    items = sorted(value, key=str) if isinstance(value, AbstractSet) else value
    return list(dict.fromkeys(_matching(form, f"{field}[{index}]", item, rule) for index, item in enumerate(items)))


def _matching(form: re.Pattern[str], field: str, value: object, rule: str) -> str:
    if not isinstance(value, str):
        raise ValidationError(field, f"must be a string, not {_type(value)}")
    if not form.fullmatch(value):
        shown = repr(value) if len(value) <= 40 else f"{value[:40]!r}… ({len(value)} characters)"
        raise ValidationError(field, f"must be {rule}, not {shown}")
    # A driver may refuse a subclass of str (an enumeration, a marked-safe string), though it is the same text.
    return str.__str__(value)


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ValidationError("payload", "must be valid Unicode: it contains a lone surrogate") from None


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{_type(value)} has no JSON form; convert it to a string or a number first")


def _type(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"


_compact: Callable[[Any], str] = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain
).encode
