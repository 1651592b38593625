"""Converts a payload given by a caller to the exact bytes that are stored, signed and sent. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from webhook_engine.errors import ValidationError
from webhook_engine.rules.encoding import Default, as_json, where_json_fails
from webhook_engine.rules.values import encoded, kind_of

__all__ = ["LARGE", "Payload", "payload_bytes"]

Payload = Mapping[str, object] | Sequence[object] | bytes | str | object
"""A JSON object or array as Python values, or the body itself; ``rules.encoding`` says which values are allowed."""

LARGE = 64 * 1024
"""Bytes; a larger payload is not parsed or encoded in the event loop, since that takes about a millisecond."""


def payload_bytes(payload: object, most: int | None = None, default: Default | None = None) -> bytes:
    """The body of a message, of at most ``most`` bytes if that is given.

    ``bytes`` are used as they are, JSON or not, and a ``str`` as its UTF-8. A mapping, list, dataclass, model or the
    like is encoded once as compact JSON. ``default`` is called first for each value without a JSON type. Raises
    ``ValidationError`` with the path if JSON cannot represent a value (NaN, infinity, other types, lone surrogates), or
    if the body is too large.
    """
    if isinstance(payload, bytes):
        body = payload
    elif isinstance(payload, str):
        body = encoded("payload", payload)
    elif isinstance(payload, bytearray | memoryview):
        body = bytes(payload)
    else:
        body = _json(payload if isinstance(payload, Mapping | list | tuple) else _object(payload, default), default)
    if most is not None and len(body) > most:
        raise ValidationError("payload", f"must be at most {most} bytes, not {len(body)}")
    return body


def _object(payload: object, default: Default | None) -> object:
    """Convert a single value, which must become an object or an array."""
    try:
        value = _written(payload, default)
    except (TypeError, ValueError):
        value = None
    if not isinstance(value, Mapping | list | tuple):
        allowed = "a mapping, a list, bytes, a string, or an object such as a dataclass or a model"
        raise ValidationError("payload", f"must be {allowed}, not {kind_of(payload)}")
    return value


def _json(payload: object, default: Default | None) -> bytes:
    encode = _ENCODER.encode if default is None else _encoder(default).encode
    try:
        return encode(payload).encode()
    except RecursionError:
        raise ValidationError("payload", "must not be nested so deeply") from None
    except (TypeError, ValueError) as error:
        where = where_json_fails(payload, lambda value: _written(value, default))
        raise ValidationError("payload", f"must be serializable as JSON: {where or error}") from None


def _written(value: object, default: Default | None) -> object:
    if default is not None and (written := default(value)) is not NotImplemented:
        return written
    return as_json(value)


def _encoder(default: Default | None) -> json.JSONEncoder:
    return json.JSONEncoder(
        ensure_ascii=False,
        allow_nan=False,
        separators=(",", ":"),
        default=as_json if default is None else lambda value: _written(value, default),
    )


_ENCODER = _encoder(None)
