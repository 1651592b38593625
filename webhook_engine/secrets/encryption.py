"""Encryption at rest: signing secrets and other small secrets are encrypted before they are stored.

The result is ``version (1 byte) | key id (4) | nonce (12) | ciphertext and tag``: AES-256-GCM with a random nonce (NIST
SP 800-38D), with a key that HKDF-SHA256 (RFC 5869) derives from the main secret. The key id, derived likewise,
identifies the main secret, so that the main secret can be rotated. The context, such as the id of the endpoint, is
authenticated but not stored: a value moved to another row cannot be decrypted there.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from webhook_engine.errors import EngineNotRunningError, SecretsUnreadableError, ValidationError

__all__ = ["Cipher"]

_VERSION: Final = b"\x01"
_KEY_ID_BYTES: Final = 4
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_PREFIX_BYTES: Final = len(_VERSION) + _KEY_ID_BYTES
_MIN_BYTES: Final = _PREFIX_BYTES + _NONCE_BYTES + _TAG_BYTES
_KEY_BYTES: Final = 32


class Cipher:
    """Encrypts and decrypts small secrets with the main secret; ``older`` main secrets only decrypt.

    Without a main secret it is locked, and unusable until :meth:`unlock`.
    """

    __slots__ = ("_keys", "_prefix")

    def __init__(self, main_secret: str | None = None, *, older: Sequence[str] = ()) -> None:
        self._keys: list[tuple[bytes, AESGCM]] = []
        self._prefix = b""
        if main_secret is not None:
            self.unlock(main_secret, older=older)

    def unlock(self, main_secret: str, *, older: Sequence[str] = ()) -> None:
        """Use this main secret from now on; raises :class:`ValidationError` for an empty one."""
        keys: list[tuple[bytes, AESGCM]] = []
        named = [("main_secret", main_secret), *((f"older[{i}]", secret) for i, secret in enumerate(older))]
        for field, secret in named:
            if not isinstance(secret, str) or not secret.strip():
                raise ValidationError(
                    field, "must be a text that is not empty; `generate_main_secret()` makes a good one"
                )
            material = secret.encode("utf-8", "surrogatepass")
            prefix = _VERSION + _derive(material, b"webhook-engine/sealing/key-id", _KEY_ID_BYTES)
            keys.append((prefix, AESGCM(_derive(material, b"webhook-engine/sealing/key", _KEY_BYTES))))
        self._keys = keys
        self._prefix = keys[0][0]

    def __repr__(self) -> str:
        return f"<Cipher with {len(self._keys)} main secret(s)>"

    def encrypt(self, plain: bytes, context: str) -> bytes:
        """Encrypt ``plain`` for ``context``; the same ``context`` is needed to decrypt it.

        Raises :class:`EngineNotRunningError` before :meth:`unlock`.
        """
        if not self._keys:
            raise EngineNotRunningError("no secret can be stored before the engine is started; use `async with`")
        nonce = os.urandom(_NONCE_BYTES)
        prefix, key = self._keys[0]
        return prefix + nonce + key.encrypt(nonce, plain, _associated(prefix, context))

    def decrypt(self, encrypted: bytes, context: str) -> bytes:
        """Decrypt what was encrypted for the same ``context``; raises :class:`SecretsUnreadableError` if it cannot."""
        if len(encrypted) < _MIN_BYTES or not encrypted.startswith(_VERSION):
            raise SecretsUnreadableError(
                "a stored secret is damaged, or was written by a newer version of Webhook Engine; "
                "restore the database from a backup, or rotate the secret"
            )
        prefix, nonce = encrypted[:_PREFIX_BYTES], encrypted[_PREFIX_BYTES : _PREFIX_BYTES + _NONCE_BYTES]
        keys = [key for known, key in self._keys if known == prefix]
        if not keys:
            raise SecretsUnreadableError(
                "a stored secret was encrypted with another main secret than the configured one; set "
                "security.main_secret to the one that was in use (if it was generated, its file was next to the "
                "database and belongs into the same backup), or rotate the secret"
            )
        for key in keys:
            try:
                return key.decrypt(nonce, encrypted[_PREFIX_BYTES + _NONCE_BYTES :], _associated(prefix, context))
            except InvalidTag:
                continue
        raise SecretsUnreadableError(
            "a stored secret was altered, or belongs to another record than the one it is stored with; "
            "restore the database from a backup, or rotate the secret"
        )

    def is_outdated(self, encrypted: bytes) -> bool:
        """Whether an older main secret encrypted it; encrypt it again to drop that secret."""
        return not encrypted.startswith(self._prefix)


def _derive(material: bytes, purpose: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=purpose).derive(material)


def _associated(prefix: bytes, context: str) -> bytes:
    return prefix + context.encode("utf-8", "surrogatepass")
