"""An endpoint's own request headers. Pure.

Names that differ only in case are one header (RFC 9110, section 5.1): the last one given counts, in its spelling.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from webhook_engine.errors import ValidationError
from webhook_engine.rules.values import kind_of

__all__ = [
    "MAX_HEADERS",
    "MAX_HEADER_VALUE",
    "changed",
    "checked",
    "content_type",
    "each_once",
    "is_sensitive",
    "user_agent",
]

MAX_HEADERS = 50
"""Headers per endpoint."""
MAX_HEADER_NAME = 256
MAX_USER_AGENT = 256
MAX_HEADER_VALUE = 4096
"""Characters."""

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_VALUE = re.compile(r"[\t\x20-\x7e]*").fullmatch

_FORBIDDEN = frozenset(
    {
        *("age", "cache-control", "clear-site-data", "expires", "pragma", "user-agent", "warning"),
        *("content-encoding", "content-language", "content-length", "content-location", "content-type"),
        *("expect", "keep-alive", "te", "trailer", "trailers", "transfer-encoding", "upgrade"),
        *("proxy-authenticate", "proxy-authorization"),
    }
)
_FORBIDDEN_PREFIXES = (
    *("svix-", "webhook-", "x-svix-"),
    *("x-amz-", "x-amzn-", "x-azure-", "x-fd-", "x-gfe", "x-goog-", "x-google"),
)
_SENSITIVE = frozenset(
    {"x-auth-token", "x-api-key", "www-authenticate", "authorization", "proxy-authenticate", "proxy-authorization"}
)


def checked(field: str, value: object) -> dict[str, str]:
    """Headers that may be sent, as given; raises ``ValidationError`` for ``headers`` or ``headers["Name"]``."""
    headers: dict[str, str] = {}
    for key, text in _items(field, value):
        name = _name(field, key)
        headers[name] = _value(f'{field}["{name}"]', text)
    return _few(field, each_once(headers))


def changed(field: str, before: Mapping[str, str], changes: object) -> dict[str, str]:
    """Headers with some replaced, and those with the value ``None`` removed."""
    after = {name.lower(): (name, value) for name, value in before.items()}
    for key, text in _items(field, changes):
        name = _name(field, key)
        after.pop(name.lower(), None)
        if text is not None:
            after[name.lower()] = name, _value(f'{field}["{name}"]', text)
    return _few(field, dict(after.values()))


def each_once(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers without earlier duplicates that differ only in case."""
    return dict({name.lower(): (name, value) for name, value in headers.items()}.values())


def content_type(field: str, value: object) -> str:
    """The content type of a message's payload, such as ``application/xml``; raises ``ValidationError``."""
    text = _value(field, value)
    if not text or text != text.strip():
        raise ValidationError(field, "must be a media type, such as 'text/plain; charset=utf-8', without blanks around")
    return text


def user_agent(field: str, value: object) -> str:
    """The ``User-Agent`` value of a client; raises ``ValidationError``."""
    text = _value(field, value)
    if not text or text != text.strip() or len(text) > MAX_USER_AGENT:
        raise ValidationError(field, f"must be 1 to {MAX_USER_AGENT} characters, without blanks around")
    return text


def is_sensitive(header: str) -> bool:
    """Whether the value of a request header is never shown."""
    return header.lower() in _SENSITIVE


def _items(field: str, value: object) -> list[tuple[object, object]]:
    if not isinstance(value, Mapping):
        raise ValidationError(field, f"must be a mapping of names to values, not {kind_of(value)}")
    return list(value.items())


def _few(field: str, headers: dict[str, str]) -> dict[str, str]:
    if len(headers) > MAX_HEADERS:
        raise ValidationError(field, f"must have at most {MAX_HEADERS} items, not {len(headers)}")
    return headers


def _name(field: str, name: object) -> str:
    if not isinstance(name, str) or not _NAME(name) or len(name) > MAX_HEADER_NAME:
        raise ValidationError(field, f"must have header names of 1 to {MAX_HEADER_NAME} letters, digits and '-'")
    lower = name.lower()
    if lower in _FORBIDDEN:
        raise ValidationError(f'{field}["{name}"]', "must not be set: this header is the engine's own")
    if lower.startswith(_FORBIDDEN_PREFIXES):
        prefixes = ", ".join(_FORBIDDEN_PREFIXES)
        raise ValidationError(f'{field}["{name}"]', f"must not begin with a reserved prefix ({prefixes})")
    return str.__str__(name)


def _value(field: str, value: object) -> str:
    if not isinstance(value, str):
        raise ValidationError(field, f"must be a string, not {kind_of(value)}")
    if not _VALUE(value):
        raise ValidationError(field, "must contain printable ASCII characters only, and no line breaks")
    if len(value) > MAX_HEADER_VALUE:
        raise ValidationError(field, f"must have at most {MAX_HEADER_VALUE} characters, not {len(value)}")
    return str.__str__(value)
