"""Sealing of secrets at rest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook_engine.errors import SecretsUnreadableError, ValidationError
from webhook_engine.secrets.encryption import Sealer

MAIN = "a main secret of the tests"
OTHER = "another main secret of the tests"
PLAIN = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


# Sealing


@given(plain=st.binary(max_size=300), context=st.text(max_size=40), main_secret=st.text("abc é雪", min_size=1))
def test_what_was_sealed_can_be_opened(plain: bytes, context: str, main_secret: str) -> None:
    if not main_secret.strip():
        return
    sealed = Sealer(main_secret).seal(plain, context)
    assert Sealer(main_secret).open(sealed, context) == plain


def test_sealing_hides_the_content_and_never_repeats_itself() -> None:
    sealer = Sealer(MAIN)
    sealed = {sealer.seal(PLAIN, "ep_1") for _ in range(100)}
    assert len(sealed) == 100
    assert not any(PLAIN[6:14] in one or MAIN.encode() in one for one in sealed)


def test_the_format_is_version_key_id_nonce_and_ciphertext() -> None:
    one, two = Sealer(MAIN).seal(PLAIN, "ep_1"), Sealer(MAIN).seal(PLAIN, "ep_1")
    assert len(one) == 1 + 4 + 12 + len(PLAIN) + 16
    assert one[0] == 1
    assert one[:5] == two[:5]
    assert one[:5] != Sealer(OTHER).seal(PLAIN, "ep_1")[:5]
    assert one[5:17] != two[5:17]


@given(data=st.data())
def test_a_flipped_bit_is_noticed(data: st.DataObject) -> None:
    sealer = Sealer(MAIN, older=[OTHER])
    sealed = bytearray(sealer.seal(PLAIN, "ep_1"))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(SecretsUnreadableError):
        sealer.open(bytes(sealed), "ep_1")


def test_a_cut_value_is_noticed() -> None:
    sealer = Sealer(MAIN)
    sealed = sealer.seal(b"", "ep_1")
    for length in range(len(sealed)):
        with pytest.raises(SecretsUnreadableError):
            sealer.open(sealed[:length], "ep_1")
    assert sealer.open(sealed, "ep_1") == b""


@given(st.binary(max_size=100), st.booleans())
def test_garbage_is_noticed(garbage: bytes, with_key_id: bool) -> None:
    sealer = Sealer(MAIN)
    prefix = sealer.seal(b"", "")[:5] if with_key_id else b""
    with pytest.raises(SecretsUnreadableError):
        sealer.open(prefix + garbage, "ep_1")


def test_a_value_does_not_open_in_another_context() -> None:
    sealer = Sealer(MAIN)
    sealed = sealer.seal(PLAIN, "ep_1")
    for context in ("ep_2", "", "ep_1 ", "EP_1"):
        with pytest.raises(SecretsUnreadableError, match="another record"):
            sealer.open(sealed, context)


def test_another_main_secret_is_told_from_damage_and_says_what_to_do() -> None:
    sealed = Sealer(MAIN).seal(PLAIN, "ep_1")
    with pytest.raises(SecretsUnreadableError, match=r"another main secret.*set security\.main_secret"):
        Sealer(OTHER).open(sealed, "ep_1")


def test_a_newer_format_is_told_from_another_key() -> None:
    sealed = b"\x02" + Sealer(MAIN).seal(PLAIN, "ep_1")[1:]
    with pytest.raises(SecretsUnreadableError, match="newer version"):
        Sealer(MAIN).open(sealed, "ep_1")


def test_the_main_secret_can_be_rotated() -> None:
    old, new = Sealer(MAIN), Sealer(OTHER, older=[MAIN])
    sealed = old.seal(PLAIN, "ep_1")
    assert not old.needs_resealing(sealed)
    assert new.open(sealed, "ep_1") == PLAIN
    assert new.needs_resealing(sealed)
    resealed = new.seal(new.open(sealed, "ep_1"), "ep_1")
    assert not new.needs_resealing(resealed)
    assert Sealer(OTHER).open(resealed, "ep_1") == PLAIN
    with pytest.raises(SecretsUnreadableError):
        old.open(resealed, "ep_1")


def test_a_main_secret_given_twice_does_no_harm() -> None:
    sealer = Sealer(MAIN, older=[MAIN])
    assert sealer.open(sealer.seal(PLAIN, "ep_1"), "ep_1") == PLAIN
    with pytest.raises(SecretsUnreadableError):
        sealer.open(sealer.seal(PLAIN, "ep_1"), "ep_2")


@pytest.mark.parametrize(
    ("main_secret", "older", "field"),
    [("", [], "main_secret"), (" \n", [], "main_secret"), (MAIN, [MAIN, ""], "older[1]")],
)
def test_an_empty_main_secret_is_refused(main_secret: str, older: list[str], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Sealer(main_secret, older=older)
    assert caught.value.field == field


def test_no_secret_in_repr_str_and_errors() -> None:
    sealer = Sealer(MAIN, older=[OTHER])
    texts = [repr(sealer), str(sealer)]
    for bad in (b"", Sealer("third").seal(PLAIN, "ep_1"), sealer.seal(PLAIN, "ep_2")):
        with pytest.raises(SecretsUnreadableError) as caught:
            sealer.open(bad, "ep_1")
        texts.append(repr(caught.value))
    assert not any(secret in text for text in texts for secret in (MAIN, OTHER, "third", PLAIN.decode()))
    assert not hasattr(sealer, "__dict__")
