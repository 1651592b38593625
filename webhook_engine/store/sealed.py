"""How the secrets of an endpoint are kept: signing keys and own headers, encrypted, each bound to its endpoint.

A sealed value opens only with the context it was sealed with, so that a value copied to another row is noticed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import msgspec

from webhook_engine.secrets.encryption import Sealer

__all__ = ["is_sensitive", "open_headers", "open_secret", "seal_headers", "seal_secret"]

_SENSITIVE = frozenset({"x-auth-token", "x-api-key", "www-authenticate", "authorization"}) | frozenset(
    {"proxy-authenticate", "proxy-authorization"}
)


def seal_secret(sealer: Sealer, endpoint_id: str, secret: str) -> bytes:
    """Encrypt a signing secret (``whsec_…`` or ``whsk_…``) of an endpoint."""
    return sealer.seal(secret.encode(), endpoint_id)


def open_secret(sealer: Sealer, endpoint_id: str, sealed: bytes) -> str:
    """The signing secret; raises ``SecretsUnreadableError`` if the main secret is another one."""
    return sealer.open(sealed, endpoint_id).decode()


def seal_headers(sealer: Sealer, endpoint_id: str, headers: Mapping[str, str]) -> bytes | None:
    """Encrypt the endpoint's own headers; ``None`` if there are none."""
    if not headers:
        return None
    return sealer.seal(json.dumps(dict(headers)).encode(), _headers_context(endpoint_id))


def open_headers(sealer: Sealer, endpoint_id: str, sealed: bytes | None) -> dict[str, str]:
    """The endpoint's own headers, in the order they were given; raises ``SecretsUnreadableError``."""
    if sealed is None:
        return {}
    return msgspec.json.decode(sealer.open(sealed, _headers_context(endpoint_id)), type=dict[str, str])


def is_sensitive(header: str) -> bool:
    """Whether the value of a request header is never shown."""
    return header.lower() in _SENSITIVE


def _headers_context(endpoint_id: str) -> str:
    return f"{endpoint_id}/headers"
