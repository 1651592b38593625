"""Payloads on the wire: read byte for byte, shown in canonical form. Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from itertools import accumulate
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from webhook_engine.server.api.canonical import canonical_json
from webhook_engine.server.errors import Problem

__all__ = ["EMPTY", "Encoding", "payload_problems", "shown_payload"]

MAX_DEPTH = 128

Encoding = Literal["utf-8", "base64"]
"""How the bytes of a payload that is not JSON are represented as a JSON string."""

EMPTY = msgspec.Raw(b"{}")
"""Replaces a payload that was not requested."""
EXPIRED = msgspec.Raw(b'{"expired":true}')

_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def payload_problems(payload: bytes) -> Sequence[Problem]:
    """Check the text of a payload that is known to be well-formed JSON."""
    if not payload.startswith(b"{"):
        problem = "Payload must be an object."
    elif not _is_utf8(payload):
        problem = "payload: the text is not valid UTF-8"
    elif payload.count(b"{") + payload.count(b"[") > MAX_DEPTH and _depth(payload) > MAX_DEPTH:
        problem = f"payload: at most {MAX_DEPTH} levels of nesting are allowed"
    else:
        return ()
    return [Problem(("body", "payload"), problem, "value_error.jsondecode")]


def shown_payload(payload: bytes | None) -> tuple[msgspec.Raw, Encoding | UnsetType]:
    """A payload as clients see it, and its encoding if it is not JSON; a deleted one is shown as expired."""
    if payload is None:
        return EXPIRED, UNSET
    text = canonical_json(payload)
    if text is not None:
        return msgspec.Raw(text), UNSET
    try:
        return msgspec.Raw(msgspec.json.encode(payload.decode())), "utf-8"
    except UnicodeDecodeError:
        return msgspec.Raw(b'"%b"' % base64.b64encode(payload)), "base64"


def _is_utf8(text: bytes) -> bool:
    if text.isascii():
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _depth(text: bytes) -> int:
    brackets = _STRINGS.sub(b"", text).translate(None, _NO_BRACKET)
    return max(accumulate(map(_STEP.__getitem__, brackets)))
