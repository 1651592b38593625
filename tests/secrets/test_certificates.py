"""Certificates and keys in PEM."""

from __future__ import annotations

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from webhook_engine.errors import ValidationError
from webhook_engine.secrets.certificates import check_authorities, check_pair, locked_key

CA = trustme.CA()


def pem(issued: trustme.LeafCert) -> tuple[str, str]:
    return "".join(blob.bytes().decode() for blob in issued.cert_chain_pems), issued.private_key_pem.bytes().decode()


ONE, OTHER = pem(CA.issue_cert("a.example")), pem(CA.issue_cert("b.example"))


def test_a_certificate_and_its_key_are_a_pair() -> None:
    check_pair("tls", *ONE)
    check_pair("tls", ONE[0] + CA.cert_pem.bytes().decode(), ONE[1])
    check_authorities("tls.ca", CA.cert_pem.bytes().decode() * 2)


@pytest.mark.parametrize(
    ("certificate", "key", "field", "words"),
    [
        (ONE[0], OTHER[1], "tls.key", "key of the certificate"),
        ("nothing", ONE[1], "tls.certificate", "in PEM"),
        (ONE[1], ONE[1], "tls.certificate", "in PEM"),
        (ONE[0], ONE[0], "tls.key", "private key"),
        (ONE[0], locked_key(ONE[1])[0].decode(), "tls.key", "protected by a password"),
    ],
)
def test_what_is_none_says_which_part(certificate: str, key: str, field: str, words: str) -> None:
    with pytest.raises(ValidationError, match=words) as raised:
        check_pair("tls", certificate, key)
    assert raised.value.field == field
    assert "PRIVATE" not in str(raised.value)


def test_authorities_are_certificates_and_not_too_many() -> None:
    for text in ("", "nothing", CA.cert_pem.bytes().decode() * 101):
        with pytest.raises(ValidationError):
            check_authorities("tls.ca", text)


def test_a_locked_key_opens_with_its_password_only() -> None:
    locked, password = locked_key(ONE[1])
    assert b"ENCRYPTED" in locked
    load_pem_private_key(locked, password.encode())
    with pytest.raises(ValueError, match="password"):
        load_pem_private_key(locked, b"another")
