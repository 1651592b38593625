"""Encryption of secrets at rest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook_engine.errors import SecretsUnreadableError, ValidationError
from webhook_engine.secrets.encryption import Cipher

MAIN = "a main secret of the tests"
OTHER = "another main secret of the tests"
PLAIN = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


# Encryption


@given(plain=st.binary(max_size=300), context=st.text(max_size=40), main_secret=st.text("abc é雪", min_size=1))
def test_what_was_encrypted_can_be_opened(plain: bytes, context: str, main_secret: str) -> None:
    if not main_secret.strip():
        return
    encrypted = Cipher(main_secret).encrypt(plain, context)
    assert Cipher(main_secret).decrypt(encrypted, context) == plain


def test_encryption_hides_the_content_and_never_repeats_itself() -> None:
    cipher = Cipher(MAIN)
    encrypted = {cipher.encrypt(PLAIN, "ep_1") for _ in range(100)}
    assert len(encrypted) == 100
    assert not any(PLAIN[6:14] in one or MAIN.encode() in one for one in encrypted)


def test_the_format_is_version_key_id_nonce_and_ciphertext() -> None:
    one, two = Cipher(MAIN).encrypt(PLAIN, "ep_1"), Cipher(MAIN).encrypt(PLAIN, "ep_1")
    assert len(one) == 1 + 4 + 12 + len(PLAIN) + 16
    assert one[0] == 1
    assert one[:5] == two[:5]
    assert one[:5] != Cipher(OTHER).encrypt(PLAIN, "ep_1")[:5]
    assert one[5:17] != two[5:17]


@given(data=st.data())
def test_a_flipped_bit_is_noticed(data: st.DataObject) -> None:
    cipher = Cipher(MAIN, older=[OTHER])
    encrypted = bytearray(cipher.encrypt(PLAIN, "ep_1"))
    encrypted[data.draw(st.integers(0, len(encrypted) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(SecretsUnreadableError):
        cipher.decrypt(bytes(encrypted), "ep_1")


def test_a_cut_value_is_noticed() -> None:
    cipher = Cipher(MAIN)
    encrypted = cipher.encrypt(b"", "ep_1")
    for length in range(len(encrypted)):
        with pytest.raises(SecretsUnreadableError):
            cipher.decrypt(encrypted[:length], "ep_1")
    assert cipher.decrypt(encrypted, "ep_1") == b""


@given(st.binary(max_size=100), st.booleans())
def test_garbage_is_noticed(garbage: bytes, with_key_id: bool) -> None:
    cipher = Cipher(MAIN)
    prefix = cipher.encrypt(b"", "")[:5] if with_key_id else b""
    with pytest.raises(SecretsUnreadableError):
        cipher.decrypt(prefix + garbage, "ep_1")


def test_a_value_does_not_open_in_another_context() -> None:
    cipher = Cipher(MAIN)
    encrypted = cipher.encrypt(PLAIN, "ep_1")
    for context in ("ep_2", "", "ep_1 ", "EP_1"):
        with pytest.raises(SecretsUnreadableError, match="another record"):
            cipher.decrypt(encrypted, context)


def test_another_main_secret_is_told_from_damage_and_says_what_to_do() -> None:
    encrypted = Cipher(MAIN).encrypt(PLAIN, "ep_1")
    with pytest.raises(SecretsUnreadableError, match=r"another main secret.*set security\.main_secret"):
        Cipher(OTHER).decrypt(encrypted, "ep_1")


def test_a_newer_format_is_told_from_another_key() -> None:
    encrypted = b"\x02" + Cipher(MAIN).encrypt(PLAIN, "ep_1")[1:]
    with pytest.raises(SecretsUnreadableError, match="newer version"):
        Cipher(MAIN).decrypt(encrypted, "ep_1")


def test_the_main_secret_can_be_rotated() -> None:
    old, new = Cipher(MAIN), Cipher(OTHER, older=[MAIN])
    encrypted = old.encrypt(PLAIN, "ep_1")
    assert not old.is_outdated(encrypted)
    assert new.decrypt(encrypted, "ep_1") == PLAIN
    assert new.is_outdated(encrypted)
    encrypted_again = new.encrypt(new.decrypt(encrypted, "ep_1"), "ep_1")
    assert not new.is_outdated(encrypted_again)
    assert Cipher(OTHER).decrypt(encrypted_again, "ep_1") == PLAIN
    with pytest.raises(SecretsUnreadableError):
        old.decrypt(encrypted_again, "ep_1")


def test_a_main_secret_given_twice_does_no_harm() -> None:
    cipher = Cipher(MAIN, older=[MAIN])
    assert cipher.decrypt(cipher.encrypt(PLAIN, "ep_1"), "ep_1") == PLAIN
    with pytest.raises(SecretsUnreadableError):
        cipher.decrypt(cipher.encrypt(PLAIN, "ep_1"), "ep_2")


@pytest.mark.parametrize(
    ("main_secret", "older", "field"),
    [("", [], "main_secret"), (" \n", [], "main_secret"), (MAIN, [MAIN, ""], "older[1]")],
)
def test_an_empty_main_secret_is_refused(main_secret: str, older: list[str], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Cipher(main_secret, older=older)
    assert caught.value.field == field


def test_no_secret_in_repr_str_and_errors() -> None:
    cipher = Cipher(MAIN, older=[OTHER])
    texts = [repr(cipher), str(cipher)]
    for bad in (b"", Cipher("third").encrypt(PLAIN, "ep_1"), cipher.encrypt(PLAIN, "ep_2")):
        with pytest.raises(SecretsUnreadableError) as caught:
            cipher.decrypt(bad, "ep_1")
        texts.append(repr(caught.value))
    assert not any(secret in text for text in texts for secret in (MAIN, OTHER, "third", PLAIN.decode()))
    assert not hasattr(cipher, "__dict__")
