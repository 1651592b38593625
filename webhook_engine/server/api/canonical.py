"""How responses show a payload: compact, keys sorted, numbers as written. Pure.

Numbers never go through a float, so that ``1.0``, ``1e400`` and integers of any length are kept. Endpoints get the
payload itself, never this form.
"""

from __future__ import annotations

import json

import msgspec

__all__ = ["canonical_json"]


def canonical_json(payload: bytes) -> bytes | None:
    """The JSON text in its canonical form, or ``None`` if it is not JSON that can be shown."""
    try:
        value = _DECODER.decode(payload.decode())
    except (ValueError, RecursionError):
        return None
    try:
        return _encoded(value)
    except UnicodeEncodeError:
        return _encoded(_without_surrogates(value))
    except RecursionError:
        return None


def _encoded(value: object) -> bytes:
    return msgspec.json.encode(value, order="sorted")


def _textual(number: str) -> msgspec.Raw:
    return msgspec.Raw(number.encode())


def _refused(constant: str) -> object:
    raise ValueError(f"{constant} is not JSON")


def _without_surrogates(value: object) -> object:
    """The value with lone surrogates, which UTF-8 cannot encode, replaced by U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value


_DECODER = json.JSONDecoder(parse_int=_textual, parse_float=_textual, parse_constant=_refused)
