"""From what a caller gives as payload to the exact bytes that are stored, signed and sent. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from webhook_engine.errors import ValidationError

__all__ = ["Payload", "payload_bytes"]

Payload = Mapping[str, object] | Sequence[object] | bytes | str
"""A JSON object or array as Python values, or the body itself."""


def payload_bytes(payload: object, most: int | None = None) -> bytes:
    """The body of a message, of at most ``most`` bytes where there is such a bound.

    ``bytes`` are the body as they stand, JSON or not; a ``str`` is its UTF-8; a mapping or a list is written once as
    compact JSON. Raises ``ValidationError`` if JSON cannot say it (NaN, infinity, other types, lone surrogates).
    """
    if isinstance(payload, bytes):
        body = payload
    elif isinstance(payload, str):
        body = _utf8(payload)
    elif isinstance(payload, bytearray | memoryview):
        body = bytes(payload)
    elif isinstance(payload, Mapping | Sequence):
        body = _json(payload)
    else:
        raise ValidationError("payload", f"must be a mapping, a list, bytes or a string, not {_type(payload)}")
    if most is not None and len(body) > most:
        raise ValidationError("payload", f"must be at most {most} bytes, not {len(body)}")
    return body


def _json(payload: object) -> bytes:
    try:
        return _utf8(_ENCODER.encode(payload))
    except RecursionError:
        raise ValidationError("payload", "must not be nested so deeply") from None
    except (TypeError, ValueError) as error:
        raise ValidationError("payload", f"must be serializable as JSON: {error}") from None


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


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain)
