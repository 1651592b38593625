"""The signing secrets in the database of a Svix server, plain and encrypted."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from webhook_engine.importing.source import SourceError
from webhook_engine.importing.svix_secrets import SvixSecrets, _hchacha20

KEY = b"k" * 24


def encrypted(secret: bytes, main_secret: str, kind: int = 1) -> bytes:
    """As a Svix server writes it."""
    key = hmac.digest(main_secret.encode(), b"main", hashlib.sha256)
    nonce = bytes(range(24))
    sealed = ChaCha20Poly1305(_hchacha20(key, nonce[:16])).encrypt(bytes(4) + nonce[16:], secret, None)
    return bytes([kind | 0x80]) + nonce + sealed


def test_the_subkey_is_that_of_the_draft() -> None:
    # draft-irtf-cfrg-xchacha-03, section 2.2.1.
    key = bytes(range(32))
    nonce = bytes.fromhex("000000090000004a0000000031415927")
    wanted = "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"
    assert _hchacha20(key, nonce).hex() == wanted


def test_xchacha20_poly1305_is_that_of_the_draft() -> None:
    # The same, appendix A.3.1; with associated data there, so only the ciphertext without its tag is compared.
    key = bytes(range(0x80, 0xA0))
    nonce = bytes(range(0x40, 0x58))
    sealed = ChaCha20Poly1305(_hchacha20(key, nonce[:16])).encrypt(
        bytes(4) + nonce[16:], b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip", None
    )
    assert sealed.hex().startswith("bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb")


def test_what_is_stored_is_read() -> None:
    text = base64.b64encode(KEY).decode()
    plain = SvixSecrets()
    assert plain.read(KEY) == f"whsec_{text}"  # from the first versions
    assert plain.read(b"\x01" + KEY) == f"whsec_{text}"
    pair = bytes(range(64))
    assert plain.read(b"\x02" + pair) == f"whsk_{base64.b64encode(pair).decode()}"
    assert SvixSecrets("main").read(encrypted(KEY, "main")) == f"whsec_{text}"
    assert SvixSecrets("main").read(b"\x01" + KEY) == f"whsec_{text}"


@pytest.mark.parametrize(
    ("main_secret", "stored", "text"),
    [
        (None, encrypted(KEY, "main"), "WEBHOOK_ENGINE_IMPORT_MAIN_SECRET"),
        ("other", encrypted(KEY, "main"), "another main secret"),
        ("main", encrypted(KEY, "main")[:-1], "another main secret"),
        ("main", bytes([0x81]) + b"x" * 24, "another main secret"),
        (None, b"short", "too short"),
        (None, b"\x05" + KEY, "not known"),
    ],
)
def test_what_cannot_be_read_says_why(main_secret: str | None, stored: bytes, text: str) -> None:
    with pytest.raises(SourceError, match=text) as caught:
        SvixSecrets(main_secret).read(stored)
    assert "kkkk" not in str(caught.value)
