"""The signing secrets in the database of a Svix server. Pure.

A stored secret is 24 bytes (an HMAC key, from the first versions), or a byte for its kind followed by the secret: 1 for
an HMAC key, 2 for an Ed25519 key pair, plus 128 if it is encrypted. The encryption is XChaCha20-Poly1305, with a nonce
of 24 bytes before the ciphertext; the key is the HMAC-SHA256 of the word ``main`` under the server's main secret.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from base64 import b64encode
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

from webhook_engine.importing.source import SourceError

__all__ = ["SvixSecrets"]

_NONCE_BYTES: Final = 24
_OLDEST_BYTES: Final = 24
_ENCRYPTED: Final = 0x80
_PREFIXES: Final = {1: "whsec_", 2: "whsk_"}
_CONSTANTS: Final = struct.unpack("<4I", b"expand 32-byte k")


class SvixSecrets:
    """Reads the secrets, with the server's main secret if it has one."""

    def __init__(self, main_secret: str | None = None) -> None:
        self._key = None if main_secret is None else hmac.digest(main_secret.encode(), b"main", hashlib.sha256)

    def read(self, stored: bytes) -> str:
        """Convert a stored secret to ``whsec_…`` or ``whsk_…``; raises ``SourceError``."""
        if len(stored) == _OLDEST_BYTES:
            return _PREFIXES[1] + b64encode(stored).decode()
        if len(stored) < _OLDEST_BYTES:
            raise SourceError("a signing secret in the database is too short to be one; is it that of a Svix server?")
        kind, secret = stored[0] & ~_ENCRYPTED, stored[1:]
        if kind not in _PREFIXES:
            raise SourceError(f"a signing secret in the database is of a kind that is not known ({kind})")
        if stored[0] & _ENCRYPTED:
            secret = self._decrypted(secret)
        return _PREFIXES[kind] + b64encode(secret).decode()

    def _decrypted(self, secret: bytes) -> bytes:
        if self._key is None:
            raise SourceError(
                "the signing secrets in the database are encrypted; give the main_secret of the Svix server "
                "(SVIX_MAIN_SECRET there) in WEBHOOK_ENGINE_IMPORT_MAIN_SECRET or with --main-secret"
            )
        nonce, ciphertext = secret[:_NONCE_BYTES], secret[_NONCE_BYTES:]
        try:
            subkey = _hchacha20(self._key, nonce[:16])
            return ChaCha20Poly1305(subkey).decrypt(bytes(4) + nonce[16:], ciphertext, None)
        except (InvalidTag, ValueError):
            raise SourceError(
                "the signing secrets in the database were encrypted with another main secret than the one given; it "
                "is main_secret in the configuration of the Svix server"
            ) from None


def _hchacha20(key: bytes, nonce: bytes) -> bytes:
    """The subkey of XChaCha20 (draft-irtf-cfrg-xchacha, section 2.2).

    A ChaCha20 block is the state after the rounds plus the state before them, and the former is needed here.
    """
    block = Cipher(ChaCha20(key, nonce), mode=None).encryptor().update(bytes(64))
    words, last = struct.unpack("<16I", block), struct.unpack("<4I", nonce)
    before = [*_CONSTANTS, *last]
    after = [*words[:4], *words[12:]]
    return struct.pack("<8I", *((a - b) % 2**32 for a, b in zip(after, before, strict=True)))
