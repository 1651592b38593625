"""How the secrets of an endpoint are kept: encrypted, and each bound to its endpoint.

Signing keys, own headers, and the user name and password of the URL.

A sealed value opens only with the context it was sealed with, so that a value copied to another row is noticed.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from webhook_engine.rules import user_info as user_info_rules
from webhook_engine.rules.headers import each_once
from webhook_engine.secrets.encryption import Sealer
from webhook_engine.store.upkeep import UpkeepStore

__all__ = [
    "open_headers",
    "open_secret",
    "open_user_info",
    "seal_again",
    "seal_headers",
    "seal_secret",
    "seal_urls",
    "seal_user_info",
]

ENDPOINTS_AT_ONCE = 200


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
    headers = msgspec.json.decode(sealer.open(sealed, _headers_context(endpoint_id)), type=dict[str, str])
    # Earlier versions kept a header under each spelling of its name, and sent the last.
    return each_once(headers)


def seal_user_info(sealer: Sealer, endpoint_id: str, user_info: str | None) -> bytes | None:
    """Encrypt user name and password of the endpoint's URL; ``None`` if it has none."""
    return None if user_info is None else sealer.seal(user_info.encode(), _url_context(endpoint_id))


def open_user_info(sealer: Sealer, endpoint_id: str, sealed: bytes | None) -> str | None:
    """User name and password of the endpoint's URL, percent-encoded; raises ``SecretsUnreadableError``."""
    return None if sealed is None else sealer.open(sealed, _url_context(endpoint_id)).decode()


async def seal_again(upkeep: UpkeepStore, sealer: Sealer) -> int:
    """Encrypt with the main secret of today what one before it has encrypted; returns of how many endpoints."""

    def again(sealed: bytes, context: str) -> bytes | None:
        return sealer.seal(sealer.open(sealed, context), context) if sealer.needs_resealing(sealed) else None

    return await _page_by_page(lambda after: upkeep.reseal(again, after, ENDPOINTS_AT_ONCE))


async def seal_urls(upkeep: UpkeepStore, sealer: Sealer) -> int:
    """Encrypt what URLs of endpoints have in clear, as earlier versions stored it; returns of how many endpoints."""

    def seal(endpoint_id: str, url: str) -> tuple[str, bytes] | None:
        shown, user_info = user_info_rules.split(url)
        sealed = seal_user_info(sealer, endpoint_id, user_info)
        return None if sealed is None else (shown, sealed)

    return await _page_by_page(lambda after: upkeep.seal_urls(seal, after, ENDPOINTS_AT_ONCE))


async def _page_by_page(step: Callable[[str], Awaitable[tuple[int, str | None]]]) -> int:
    total, after = 0, ""
    while True:
        changed, cursor = await step(after)
        total += changed
        if cursor is None:
            return total
        after = cursor


def _url_context(endpoint_id: str) -> str:
    return f"{endpoint_id}/url"


def _headers_context(endpoint_id: str) -> str:
    return f"{endpoint_id}/headers"
