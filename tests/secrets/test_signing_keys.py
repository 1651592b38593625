"""Signing secrets: which texts are one, what they show, and what they never show."""

from __future__ import annotations

import base64
import hmac
import traceback
from contextlib import suppress

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from webhook_engine.errors import ValidationError, WebhookEngineError
from webhook_engine.secrets.signing import SigningKey, VerifyingKey

HMAC_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PRIVATE = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
PUBLIC = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="


def encoded(prefix: str, key: bytes) -> str:
    return prefix + base64.b64encode(key).decode()


def refusal(text: object) -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        SigningKey.parse(text)  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize("secret", [HMAC_SECRET, PRIVATE])
def test_a_secret_is_given_back_as_it_was_read(secret: str) -> None:
    assert SigningKey.parse(secret).secret == secret


def test_consumers_see_the_hmac_secret_itself_but_only_the_public_half_of_ed25519() -> None:
    assert SigningKey.parse(HMAC_SECRET).public == HMAC_SECRET
    assert SigningKey.parse(PRIVATE).public == PUBLIC


@pytest.mark.parametrize(("length", "allowed"), [(0, False), (23, False), (24, True), (75, True), (76, False)])
def test_an_hmac_secret_has_24_to_75_bytes(length: int, allowed: bool) -> None:
    secret = encoded("whsec_", b"k" * length)
    if allowed:
        assert SigningKey.parse(secret).secret == secret
    else:
        problem = refusal(secret)
        assert problem.field == "secret"
        assert "length invalid" in problem.problem
        assert str(length) in problem.problem


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "invalid prefix"),
        ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "invalid prefix"),
        ("WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "invalid prefix"),
        (" " + HMAC_SECRET, "invalid prefix"),
        (PUBLIC, "invalid prefix"),
        ("whsec_", "length invalid"),
        (HMAC_SECRET + "\n", "base64"),
        (HMAC_SECRET[:-1], "base64"),
        (HMAC_SECRET + "=", "base64"),
        ("whsec_" + "-_" * 20, "base64"),
        ("whsec_ä" + HMAC_SECRET[7:], "base64"),
        ("whsec_\ud800" + HMAC_SECRET[7:], "base64"),
        (PRIVATE[:-2], "base64"),
        (PRIVATE[:-3] + "h==", "base64"),
        (encoded("whsk_", b"k" * 63), "length invalid"),
        (encoded("whsk_", b"k" * 32), "length invalid"),
        (encoded("whsk_", b"k" * 64), "public half"),
        (None, "must be text"),
        (HMAC_SECRET.encode(), "must be text"),
    ],
)
def test_what_is_no_signing_secret_is_refused_with_the_reason(text: object, word: str) -> None:
    assert word in refusal(text).problem


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("v1," + HMAC_SECRET, "remove the version"),
        (f'"{HMAC_SECRET}"', "remove the quotes"),
        (HMAC_SECRET + "\n", "remove the white space"),
        (HMAC_SECRET.removeprefix("whsec_"), "put whsec_ in front"),
        ("whsec_" + "-_" * 20, "URL-safe base64"),
        ("ab" * 32, "hexadecimal"),
        ("SECRET=" + HMAC_SECRET, "remove the name"),
        ("whsec_" + HMAC_SECRET, "twice"),
    ],
)
def test_a_secret_that_was_pasted_wrongly_is_refused_with_what_to_do(text: str, hint: str) -> None:
    assert hint in refusal(text).problem


def test_a_key_pair_whose_halves_do_not_belong_together_is_refused() -> None:
    mine, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    mixed = mine.private_bytes_raw() + other.public_key().public_bytes_raw()
    assert "public half" in refusal(encoded("whsk_", mixed)).problem


@given(st.text(max_size=200))
def test_any_text_is_a_secret_or_a_validation_error(text: str) -> None:
    for candidate in (text, "whsec_" + text, "whsk_" + text):
        with suppress(ValidationError):
            assert SigningKey.parse(candidate).secret == candidate


@given(st.binary(min_size=24, max_size=75))
def test_every_key_of_an_allowed_length_is_read(key: bytes) -> None:
    secret = encoded("whsec_", key)
    assert SigningKey.parse(secret).secret == secret


def test_a_generated_hmac_secret_has_24_random_bytes() -> None:
    secrets = {SigningKey.generate("hmac256").secret for _ in range(50)}
    assert len(secrets) == 50
    assert {len(base64.b64decode(secret.removeprefix("whsec_"))) for secret in secrets} == {24}


def test_a_generated_ed25519_key_is_read_again_and_shows_another_public_key_each_time() -> None:
    keys = [SigningKey.generate("ed25519") for _ in range(5)]
    assert [SigningKey.parse(key.secret).public for key in keys] == [key.public for key in keys]
    assert len({key.public for key in keys}) == 5


def test_only_the_two_known_kinds_can_be_generated() -> None:
    with pytest.raises(ValidationError, match="hmac256"):
        SigningKey.generate("rsa")  # type: ignore[arg-type]


def test_a_public_key_checks_what_its_private_key_signed_and_nothing_else() -> None:
    key = VerifyingKey.parse(PUBLIC)
    signature = base64.b64decode(SigningKey.parse(PRIVATE).signature(b"content").removeprefix("v1a,"))
    assert key.matches(b"content", signature)
    assert not key.matches(b"Content", signature)
    assert not key.matches(b"content", signature[:-1])
    assert not key.matches(b"content", b"")


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_public_key_has_32_bytes(length: int) -> None:
    with pytest.raises(ValidationError, match="32 bytes"):
        VerifyingKey.parse(encoded("whpk_", b"k" * length))


@pytest.mark.parametrize("secret", [HMAC_SECRET, PRIVATE])
def test_neither_repr_nor_str_shows_the_secret(secret: str) -> None:
    key = SigningKey.parse(secret)
    for shown in (repr(key), str(key), f"{[key]}", f"{key!r}"):
        assert secret.partition("_")[2][:6] not in shown
    assert not hasattr(key, "__dict__")


@pytest.mark.parametrize(
    "secret",
    [
        HMAC_SECRET + "!",
        HMAC_SECRET[:-4],
        HMAC_SECRET.removeprefix("whsec_"),
        PRIVATE[:-4] + "AA==",
        PRIVATE[:-8],
    ],
)
def test_no_error_shows_the_secret(secret: str) -> None:
    problem: WebhookEngineError = refusal(secret)
    text = "".join(traceback.format_exception(problem))
    assert secret.rpartition("_")[2][:8] not in text


@pytest.mark.parametrize("size", [24, 63, 64, 65, 75])
def test_keys_shorter_and_longer_than_a_block_sign_as_hmac_says(size: int) -> None:
    key, content = bytes(range(size)), b"msg_1.1700000000." + b"x" * 500
    signature = SigningKey.parse(encoded("whsec_", key)).signature(content)
    assert base64.b64decode(signature.removeprefix("v1,")) == hmac.digest(key, content, "sha256")
