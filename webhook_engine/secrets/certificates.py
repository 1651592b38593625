"""Certificates, private keys and CA certificates in PEM: checking them, and encrypting keys."""

from __future__ import annotations

import secrets

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from webhook_engine.errors import ValidationError

__all__ = ["check_authorities", "check_pair", "locked_key"]

MOST_AUTHORITIES = 100
_PUBLIC = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def check_pair(field: str, certificate: str, key: str) -> None:
    """Raise ``ValidationError`` unless these are a certificate, with or without its chain, and its unencrypted key.

    This takes a few milliseconds.
    """
    chain = _certificates(f"{field}.certificate", certificate)
    if _key(f"{field}.key", key).public_key().public_bytes(*_PUBLIC) != chain[0].public_key().public_bytes(*_PUBLIC):
        raise ValidationError(f"{field}.key", "must be the key of the certificate, of the first one if it is a chain")


def check_authorities(field: str, authorities: str) -> None:
    """Raise ``ValidationError`` unless these are CA certificates."""
    _certificates(field, authorities)


def locked_key(key: str) -> tuple[bytes, str]:
    """Encrypt a key with a random password, so that it can be written to a file briefly; returns both."""
    password = secrets.token_urlsafe(24)
    loaded = load_pem_private_key(key.encode(), None, unsafe_skip_rsa_key_validation=True)
    return (
        loaded.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password.encode())),
        password,
    )


def _certificates(field: str, text: str) -> list[x509.Certificate]:
    try:
        found = x509.load_pem_x509_certificates(text.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise ValidationError(
            field, "must be certificates in PEM, each between BEGIN CERTIFICATE and END CERTIFICATE"
        ) from None
    if len(found) > MOST_AUTHORITIES:
        raise ValidationError(field, f"must be at most {MOST_AUTHORITIES} certificates, not {len(found)}")
    return found


def _key(field: str, text: str) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(text.encode(), None, unsafe_skip_rsa_key_validation=True)
    except TypeError:
        raise ValidationError(field, "must not be protected by a password; the engine encrypts it itself") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValidationError(field, "must be a private key in PEM, without a password") from None
