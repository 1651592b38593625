"""Encryption of an endpoint's secrets, each bound to its endpoint.

The secrets are signing keys, own headers, the user name and password of the URL, and credentials.

An encrypted value can only be decrypted with the context it was encrypted with, so that a value copied to another row
is detected.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from webhook_engine.rules import user_info as user_info_rules
from webhook_engine.rules.headers import each_once
from webhook_engine.secrets.encryption import Cipher
from webhook_engine.store.upkeep import UpkeepStore

__all__ = [
    "decrypt_credentials",
    "decrypt_headers",
    "decrypt_secret",
    "decrypt_user_info",
    "encrypt_again",
    "encrypt_credentials",
    "encrypt_headers",
    "encrypt_secret",
    "encrypt_urls",
    "encrypt_user_info",
]

ENDPOINTS_AT_ONCE = 200


def encrypt_secret(cipher: Cipher, endpoint_id: str, secret: str) -> bytes:
    """Encrypt a signing secret (``whsec_…`` or ``whsk_…``) of an endpoint."""
    return cipher.encrypt(secret.encode(), endpoint_id)


def decrypt_secret(cipher: Cipher, endpoint_id: str, encrypted: bytes) -> str:
    """The signing secret; raises ``SecretsUnreadableError`` if the main secret is another one."""
    return cipher.decrypt(encrypted, endpoint_id).decode()


def encrypt_headers(cipher: Cipher, endpoint_id: str, headers: Mapping[str, str]) -> bytes | None:
    """Encrypt the endpoint's own headers; ``None`` if there are none."""
    if not headers:
        return None
    return cipher.encrypt(json.dumps(dict(headers)).encode(), _headers_context(endpoint_id))


def decrypt_headers(cipher: Cipher, endpoint_id: str, encrypted: bytes | None) -> dict[str, str]:
    """The endpoint's own headers, in the order they were given; raises ``SecretsUnreadableError``."""
    if encrypted is None:
        return {}
    headers = msgspec.json.decode(cipher.decrypt(encrypted, _headers_context(endpoint_id)), type=dict[str, str])
    # Earlier versions stored a header under each spelling of its name, and sent the last.
    return each_once(headers)


def encrypt_user_info(cipher: Cipher, endpoint_id: str, user_info: str | None) -> bytes | None:
    """Encrypt user name and password of the endpoint's URL; ``None`` if it has none."""
    return None if user_info is None else cipher.encrypt(user_info.encode(), _url_context(endpoint_id))


def decrypt_user_info(cipher: Cipher, endpoint_id: str, encrypted: bytes | None) -> str | None:
    """User name and password of the endpoint's URL, percent-encoded; raises ``SecretsUnreadableError``."""
    return None if encrypted is None else cipher.decrypt(encrypted, _url_context(endpoint_id)).decode()


def encrypt_credentials(cipher: Cipher, endpoint_id: str, credentials: Mapping[str, object]) -> bytes | None:
    """Encrypt the credentials of an endpoint, by option; ``None`` if there are none."""
    if not credentials:
        return None
    return cipher.encrypt(json.dumps(dict(credentials)).encode(), _credentials_context(endpoint_id))


def decrypt_credentials(cipher: Cipher, endpoint_id: str, encrypted: bytes | None) -> dict[str, dict[str, str]]:
    """The credentials of an endpoint, by option; raises ``SecretsUnreadableError``."""
    if encrypted is None:
        return {}
    plain = cipher.decrypt(encrypted, _credentials_context(endpoint_id))
    return msgspec.json.decode(plain, type=dict[str, dict[str, str]])


async def encrypt_again(upkeep: UpkeepStore, cipher: Cipher) -> int:
    """Re-encrypt with the current main secret what an earlier one has encrypted; returns for how many endpoints."""

    def again(encrypted: bytes, context: str) -> bytes | None:
        return cipher.encrypt(cipher.decrypt(encrypted, context), context) if cipher.is_outdated(encrypted) else None

    return await _page_by_page(lambda after: upkeep.encrypt_again(again, after, ENDPOINTS_AT_ONCE))


async def encrypt_urls(upkeep: UpkeepStore, cipher: Cipher) -> int:
    """Encrypt passwords in URLs that earlier versions stored in clear; returns for how many endpoints."""

    def encrypt(endpoint_id: str, url: str) -> tuple[str, bytes] | None:
        shown, user_info = user_info_rules.split(url)
        encrypted = encrypt_user_info(cipher, endpoint_id, user_info)
        return None if encrypted is None else (shown, encrypted)

    return await _page_by_page(lambda after: upkeep.encrypt_urls(encrypt, after, ENDPOINTS_AT_ONCE))


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


def _credentials_context(endpoint_id: str) -> str:
    return f"{endpoint_id}/credentials"


def _headers_context(endpoint_id: str) -> str:
    return f"{endpoint_id}/headers"
