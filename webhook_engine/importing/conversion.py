"""Converts names, secrets, headers, rates and ids of other servers to valid ones of ours. Pure."""

from __future__ import annotations

import hashlib
import math
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from webhook_engine.clock import from_datetime
from webhook_engine.errors import ValidationError
from webhook_engine.ids import derived_id
from webhook_engine.rules import headers as header_rules
from webhook_engine.rules import names
from webhook_engine.rules.limits import MAX_RATE
from webhook_engine.secrets.signing import SigningKey

__all__ = ["allowed_headers", "as_rate", "as_secret", "as_time", "as_uid", "duration", "message_id"]

_FOREIGN = re.compile(r"[^a-zA-Z0-9\-_.]+")


def as_uid(text: str, prefix: str) -> str:
    """A uid from a name of another server: the name itself if it is a valid uid, else one derived from it."""
    try:
        if found := names.uid("uid", text, prefix):
            return found
    except ValidationError:
        pass
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"_{_FOREIGN.sub('-', text)[:200]}-{digest}"


def as_secret(text: str | None) -> str | None:
    """A signing secret from one whose text another server uses as the key; ``None`` if it is too short or too long.

    A valid ``whsec_`` secret is kept; for any other text, its bytes are the key.
    """
    if not text:
        return None
    for candidate in (text, "whsec_" + b64encode(text.encode("utf-8", "surrogatepass")).decode()):
        try:
            return SigningKey.parse(candidate).secret
        except ValidationError:
            continue
    return None


def allowed_headers(headers: Mapping[str, object]) -> tuple[dict[str, str], dict[str, str]]:
    """The headers that an endpoint may have here, and why each of the others may not."""
    kept: dict[str, str] = {}
    left: dict[str, str] = {}
    for name, value in headers.items():
        try:
            kept |= header_rules.checked("headers", {name: value})
        except ValidationError as error:
            left[name] = error.problem
    return kept, left


def as_rate(count: float | None, seconds: float) -> int | None:
    """Messages per second, at least 1, for ``count`` per ``seconds``; ``None`` for no limit."""
    if not count or count <= 0 or seconds <= 0:
        return None
    return min(MAX_RATE, max(1, math.ceil(count / seconds)))


def as_time(text: object) -> datetime | None:
    """A timezone-aware time from JSON; ``None`` if it is missing, or a placeholder."""
    if not isinstance(text, str) or not text or text.startswith("0001-"):
        return None
    # PostgreSQL and Go write as many digits of a second as needed, up to nine.
    trimmed = re.sub(r"\.(\d+)", lambda match: f".{match[1][:6]:0<6}", text)
    try:
        found = datetime.fromisoformat(trimmed)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def message_id(created_at: datetime, *words: str) -> str:
    """The id of a message from another server; the same for each import."""
    return derived_id("msg_", from_datetime(created_at), "\n".join(words))


def duration(value: object) -> float:
    """Seconds, from a number of seconds or a Go duration (``1m30s``); 0 for any other value."""
    if isinstance(value, int | float):
        return float(value)
    if not isinstance(value, str):
        return 0.0
    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
    return sum(float(number) * units[unit] for number, unit in _parts(value))


def _parts(text: str) -> Iterator[tuple[str, str]]:
    yield from re.findall(r"(\d+(?:\.\d+)?)(ms|h|m|s)", text)
