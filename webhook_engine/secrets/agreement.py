"""What engines on one database tell each other of a secret, so that all of them have the same: its fingerprint.

A fingerprint is made with HKDF-SHA256 (RFC 5869), under a purpose of its own: it tells nothing of the secret, nor of
any key that is derived from it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import msgspec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

__all__ = ["SharedSecret"]

_BYTES: Final = 16


class SharedSecret(msgspec.Struct, frozen=True):
    """A secret that must be the same for all engines on a database."""

    setting: str
    """By which setting it is known."""
    fingerprint: str
    accepted: Collection[str]
    """Fingerprints that another engine may have: this one, and those of secrets before it."""

    @classmethod
    def of(cls, setting: str, secret: str, older: Sequence[str] = ()) -> SharedSecret:
        """What is told of this secret, where ``older`` ones were in use before it."""
        own, *before = (_fingerprint(setting, one) for one in (secret, *older))
        return cls(setting, own, frozenset({own, *before}))


def _fingerprint(setting: str, secret: str) -> str:
    purpose = f"webhook-engine/fingerprint/{setting}".encode()
    material = secret.encode("utf-8", "surrogatepass")
    return HKDF(algorithm=SHA256(), length=_BYTES, salt=None, info=purpose).derive(material).hex()
