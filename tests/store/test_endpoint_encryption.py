"""The secrets of an endpoint, as they are kept."""

from __future__ import annotations

import pytest

from webhook_engine.errors import SecretsUnreadableError
from webhook_engine.secrets.encryption import Cipher
from webhook_engine.store.endpoint_encryption import decrypt_headers, decrypt_secret, encrypt_headers, encrypt_secret


def test_secrets_open_only_for_their_endpoint() -> None:
    cipher = Cipher("main")
    encrypted = encrypt_secret(cipher, "ep_1", "whsec_x")
    assert b"whsec" not in encrypted
    assert decrypt_secret(cipher, "ep_1", encrypted) == "whsec_x"
    with pytest.raises(SecretsUnreadableError):
        decrypt_secret(cipher, "ep_2", encrypted)
    with pytest.raises(SecretsUnreadableError):
        decrypt_headers(cipher, "ep_1", encrypted)


def test_headers_keep_their_order() -> None:
    cipher = Cipher("main")
    headers = {"b": "2", "A": "1"}
    encrypted = encrypt_headers(cipher, "ep_1", headers)
    assert list(decrypt_headers(cipher, "ep_1", encrypted).items()) == list(headers.items())
    assert encrypt_headers(cipher, "ep_1", {}) is None
    assert decrypt_headers(cipher, "ep_1", None) == {}


def test_what_was_kept_under_two_spellings_is_read_as_one_header() -> None:
    cipher = Cipher("main")
    encrypted = encrypt_headers(cipher, "ep_1", {"x-tenant": "1", "b": "2", "X-Tenant": "3"})
    assert decrypt_headers(cipher, "ep_1", encrypted) == {"X-Tenant": "3", "b": "2"}
