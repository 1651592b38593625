"""The request that a transformation gets and may change, before it is signed and sent."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from webhook_engine.errors import ValidationError
from webhook_engine.rules import headers as header_rules
from webhook_engine.rules import user_info
from webhook_engine.rules.payload import payload_bytes
from webhook_engine.rules.urls import endpoint_url

__all__ = ["METHODS", "OutgoingWebhook", "Transformed", "is_json", "transformed"]

METHODS = ("POST", "PUT", "PATCH")
MAX_BODY = 2_000_000
"""Bytes that a transformed payload may have."""
JSON = "application/json"


class OutgoingWebhook(msgspec.Struct, kw_only=True, weakref=True):
    """One request that is about to be sent; a transformation changes it in place, or returns another."""

    payload: Any
    """The parsed JSON payload; ``bytes`` if the message has another content type.

    JSON values are sent as compact JSON, ``bytes`` and ``str`` as they are. An unchanged payload keeps its original
    bytes.
    """
    headers: dict[str, str]
    """The endpoint's own headers; the engine's are added afterwards."""
    url: str
    method: str = "POST"
    content_type: str | None = None
    """The content type of the payload; ``None``: JSON."""
    cancel: bool = False
    """Cancel the delivery: send nothing, now or later."""
    event_type: str
    message_id: str
    event_id: str | None = None
    endpoint_id: str
    application_id: str
    application_uid: str | None = None


class Transformed(msgspec.Struct, frozen=True):
    """A transformed request, validated."""

    body: bytes
    content_type: str | None
    url: str
    method: str
    headers: dict[str, str]


def is_json(content_type: str | None) -> bool:
    """Whether a content type means JSON."""
    if content_type is None:
        return True
    kind = content_type.partition(";")[0].strip().lower()
    return kind == JSON or kind.endswith("+json")


def transformed(before: bytes, webhook: OutgoingWebhook, *, https_only: bool) -> Transformed | None:
    """Validate a transformed webhook; ``None`` if nothing is to be sent. ``before`` is the stored payload.

    Raises ``ValidationError`` if it may not be sent.
    """
    if not isinstance(webhook.cancel, bool):
        raise ValidationError("cancel", f"must be true or false, not {type(webhook.cancel).__name__}")
    if webhook.cancel:
        return None
    if webhook.method not in METHODS:
        raise ValidationError("method", f"must be one of {', '.join(METHODS)}")
    url = endpoint_url("url", webhook.url, https_only=https_only)
    if user_info.split(url)[1] is not None:
        raise ValidationError("url", "must have no user name or password; set the authorization header")
    content_type = webhook.content_type
    return Transformed(
        _body(before, webhook.payload),
        None if content_type is None else header_rules.content_type("content_type", content_type),
        url,
        webhook.method,
        header_rules.checked("headers", webhook.headers),
    )


def _body(before: bytes, payload: object) -> bytes:
    if isinstance(payload, msgspec.Raw):
        text = bytes(payload)
        if text[:1] in b"{[":
            return payload_bytes(text, MAX_BODY)
        payload = msgspec.json.decode(text)
    if isinstance(payload, bytes | str):
        return payload_bytes(payload, MAX_BODY)
    if payload is None or isinstance(payload, bool | int | float):
        raise ValidationError("payload", f"must be an object, an array, or bytes, not {type(payload).__name__}")
    after = payload_bytes(payload, MAX_BODY)
    try:
        # An equal payload keeps its original bytes.
        return before if payload_bytes(json.loads(before)) == after else after
    except (ValueError, RecursionError, ValidationError):
        return after
