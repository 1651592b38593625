"""Fingerprints of secrets, by which engines on one database check that they use the same secrets.

A fingerprint is made with HKDF-SHA256 (RFC 5869), with its own purpose: it reveals nothing of the secret, nor of any
key derived from it.
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
    """The setting that contains the secret."""
    fingerprint: str
    accepted: Collection[str]
    """The fingerprints that another engine may have: the current one, and those of older secrets."""

    @classmethod
    def of(cls, setting: str, secret: str, older: Sequence[str] = ()) -> SharedSecret:
        """The fingerprints of a secret and of the ``older`` ones that it replaced."""
        own, *before = (_fingerprint(setting, one) for one in (secret, *older))
        return cls(setting, own, frozenset({own, *before}))


def _fingerprint(setting: str, secret: str) -> str:
    purpose = f"webhook-engine/fingerprint/{setting}".encode()
    material = secret.encode("utf-8", "surrogatepass")
    return HKDF(algorithm=SHA256(), length=_BYTES, salt=None, info=purpose).derive(material).hex()
