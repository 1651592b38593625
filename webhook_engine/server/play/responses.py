"""The responses that an inbox may give. Pure.

They come from this server's own origin, so they must be mere data: no page, script or style sheet, no cookie, no
redirect, and nothing that a proxy on the way would act on.
"""

from __future__ import annotations

import re

from webhook_engine.errors import ValidationError
from webhook_engine.store.play import PlayResponse

__all__ = ["BODILESS", "MAX_DELAY_MS", "MAX_FAILURES", "MAX_HEADERS", "MAX_RESPONSE_BODY", "checked"]

MAX_DELAY_MS = 30_000
MAX_RESPONSE_BODY = 65_536
"""Bytes."""
MAX_HEADERS = 20
MAX_VALUE = 1_000
MAX_FAILURES = 100
BODILESS = frozenset({204, 205, 304})

_NAME = re.compile(r"(?:content-type|retry-after|(?:x|webhook|ratelimit)-[a-z0-9-]{1,60})", re.IGNORECASE).fullmatch
_VALUE = re.compile(r"[\x20-\x7e]*").fullmatch
_KIND = re.compile(
    r"(?:application/(?:json|problem\+json|octet-stream|x-www-form-urlencoded)|text/plain)(?:; ?charset=[a-z0-9-]+)?",
    re.IGNORECASE,
).fullmatch
_COMMANDS = (
    "x-accel-",
    "x-sendfile",
    "x-lighttpd-",
    "x-litespeed-",
    "x-reproxy-",
    "x-frame-options",
    "x-content-type-options",
    "x-xss-protection",
    "x-permitted-",
    "x-dns-",
)
"""Prefixes of headers that servers, proxies and browsers act on."""


def checked(response: PlayResponse) -> PlayResponse:
    """The response, if it is allowed; raises ``ValidationError``."""
    for field, status in (("status", response.status), ("failStatus", response.fail_status)):
        if not 200 <= status <= 599:
            raise ValidationError(field, "must be from 200 to 599")
    if not 0 <= response.delay_ms <= MAX_DELAY_MS:
        raise ValidationError("delayMs", f"must be from 0 to {MAX_DELAY_MS}")
    if not 0 <= response.failures_left <= MAX_FAILURES:
        raise ValidationError("failuresLeft", f"must be from 0 to {MAX_FAILURES}")
    if response.body is not None and len(response.body.encode("utf-8", "surrogatepass")) > MAX_RESPONSE_BODY:
        raise ValidationError("body", f"must have at most {MAX_RESPONSE_BODY} bytes")
    if len(response.headers) > MAX_HEADERS:
        raise ValidationError("headers", f"must be at most {MAX_HEADERS}")
    for name, value in response.headers:
        _check_header(name, value)
    return response


def _check_header(name: str, value: str) -> None:
    if not _NAME(name) or name.lower().startswith(_COMMANDS):
        raise ValidationError(
            "headers", "may be Content-Type, Retry-After, and those that begin with X-, Webhook- or RateLimit-"
        )
    if not _VALUE(value) or len(value) > MAX_VALUE:
        raise ValidationError("headers", f"must have values of at most {MAX_VALUE} printable ASCII characters")
    if name.lower() == "content-type" and not _KIND(value):
        raise ValidationError("headers", "must have a Content-Type of JSON, plain text, a form or plain bytes")
