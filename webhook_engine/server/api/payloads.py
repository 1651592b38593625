"""Payloads on the wire: taken in to the byte, shown in canonical form. Pure."""

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
"""How the bytes of a payload that is no JSON are written as a JSON string."""

EMPTY = msgspec.Raw(b"{}")
"""In place of a payload that was not asked for."""
EXPIRED = msgspec.Raw(b'{"expired":true}')

_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def payload_problems(payload: bytes) -> Sequence[Problem]:
    """What is wrong with the JSON text of a payload that was found well-formed."""
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
    """A payload as clients see it, and how it is written where it is no JSON; one that is gone is shown as expired."""
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
