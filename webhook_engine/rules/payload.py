"""From what a caller gives as payload to the exact bytes that are stored, signed and sent. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from webhook_engine.errors import ValidationError
from webhook_engine.rules.encoding import Default, as_json, where_json_fails
from webhook_engine.rules.values import encoded, kind_of

__all__ = ["LARGE", "Payload", "payload_bytes"]

Payload = Mapping[str, object] | Sequence[object] | bytes | str | object
"""A JSON object or array as Python values, or the body itself; which values JSON can say is in ``rules.encoding``."""

LARGE = 64 * 1024
"""Bytes of a payload above which it is not read or written in the event loop: that takes about a millisecond."""


def payload_bytes(payload: object, most: int | None = None, default: Default | None = None) -> bytes:
    """The body of a message, of at most ``most`` bytes where there is such a bound.

    ``bytes`` are the body as they stand, JSON or not; a ``str`` is its UTF-8; a mapping, a list, a dataclass, a model
    or the like is written once as compact JSON. ``default`` is asked first about each value that JSON does not have.
    Raises ``ValidationError`` if JSON cannot say it (NaN, infinity, other types, lone surrogates), with the path.
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
    """What a single value stands for, which must be an object or an array."""
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
