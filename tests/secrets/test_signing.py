"""Sign and verify: the published vectors, the standard libraries, rotation, and an error for each mistake."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
import standardwebhooks
import svix.webhooks
from hypothesis import given
from hypothesis import strategies as st

from webhook_engine.clock import Clock, ManualClock
from webhook_engine.errors import ValidationError, WebhookEngineError
from webhook_engine.secrets import signing
from webhook_engine.secrets.signing import (
    BodyAlteredError,
    BodyNotJsonError,
    MissingHeaderError,
    NoUsableSignatureError,
    SignatureMismatchError,
    SigningKey,
    TimestampError,
    TimestampTooNewError,
    TimestampTooOldError,
    Webhook,
    WebhookVerificationError,
    sign,
)

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PRIVATE = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
PUBLIC = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
TIMESTAMP = 1614265330
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
SIGNATURE_ED25519 = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
WHEN = datetime.fromtimestamp(TIMESTAMP, UTC)

KEY = SigningKey.parse(SECRET)
OTHER = SigningKey.generate("hmac256")
ED25519 = SigningKey.parse(PRIVATE)
LIBRARIES = [svix.webhooks.Webhook, standardwebhooks.Webhook]


def at(when: datetime = WHEN) -> Clock:
    return ManualClock(when)


def webhook(*secrets: str, clock: Clock | None = None) -> Webhook:
    first, *older = secrets or (SECRET,)
    return Webhook(first, *older, clock=clock or at())


def headers(signature: str = SIGNATURE, *, prefix: str = "webhook-", **changes: str) -> dict[str, str]:
    values = {"id": ID, "timestamp": str(TIMESTAMP), "signature": signature} | changes
    return {prefix + name: value for name, value in values.items()}


def signed(body: bytes, *keys: SigningKey, message_id: str = ID) -> dict[str, str]:
    return headers(sign(keys or (KEY,), message_id, TIMESTAMP, body), id=message_id)


# The published vectors


def test_the_published_vectors_are_signed() -> None:
    assert sign([KEY], ID, TIMESTAMP, BODY) == SIGNATURE
    assert sign([ED25519], ID, TIMESTAMP, BODY) == SIGNATURE_ED25519
    assert webhook(SECRET).sign(ID, WHEN, BODY) == SIGNATURE
    assert webhook(PRIVATE).sign(ID, WHEN, BODY) == SIGNATURE_ED25519


@pytest.mark.parametrize(
    ("secret", "signature"), [(SECRET, SIGNATURE), (PUBLIC, SIGNATURE_ED25519), (PRIVATE, SIGNATURE_ED25519)]
)
def test_the_published_vectors_verify(secret: str, signature: str) -> None:
    assert webhook(secret).verify(BODY, headers(signature)) == {"test": 2432232314}


# The standard libraries, both directions


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("body", ['{"test": 2432232314}', "{}", '{"name":"Zoë 雪 🦉"}', "[]", '"\\u0000"'])
def test_the_standard_libraries_accept_what_we_sign(library: type[standardwebhooks.Webhook], body: str) -> None:
    now = datetime.now(UTC)
    timestamp = int(now.timestamp())
    signature = sign([KEY, OTHER], ID, timestamp, body.encode())
    library(SECRET).verify(body, headers(signature, timestamp=str(timestamp)))
    library(OTHER.secret).verify(body.encode(), headers(signature, timestamp=str(timestamp)))
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        library(SigningKey.generate().secret).verify(body, headers(signature, timestamp=str(timestamp)))


@pytest.mark.parametrize("library", LIBRARIES)
def test_we_accept_what_the_standard_libraries_sign(library: type[standardwebhooks.Webhook]) -> None:
    body = '{"name": "Zoë 雪 🦉", "n": [1, 2.5, null, true]}'
    signature = library(SECRET).sign(ID, WHEN, body)
    assert webhook().verify(body, headers(signature)) == json.loads(body)
    assert webhook().sign(ID, WHEN, body) == signature
    with pytest.raises(SignatureMismatchError):
        webhook(OTHER.secret).verify(body, headers(signature))


# What is accepted


@pytest.mark.parametrize("secret", [SECRET, SECRET.removeprefix("whsec_"), f"  {SECRET}\n"])
def test_the_secret_may_lack_its_prefix_and_have_white_space_around_it(secret: str) -> None:
    webhook(secret).verify(BODY, headers())


@pytest.mark.parametrize(
    "secret",
    [
        f"v1,{SECRET}",
        f'"{SECRET}"',
        f"'v1,{SECRET}'",
        f"\u201c{SECRET}\u201d",
        f"{SECRET[:12]}\n  {SECRET[12:]}",
        f"`{SECRET}`\n",
        OTHER.secret.translate(str.maketrans("+/", "-_")),
        OTHER.secret.removeprefix("whsec_").translate(str.maketrans("+/", "-_")),
    ],
)
def test_the_secret_is_read_with_what_is_commonly_copied_around_it(secret: str) -> None:
    key = OTHER if SECRET[6:12] not in secret else SigningKey.parse(SECRET)
    webhook(secret).verify(BODY, signed(BODY, key))


@pytest.mark.parametrize(
    ("secret", "hint"),
    [
        ("ab" * 32, "hexadecimal"),
        ("AB" * 32, "hexadecimal"),
        (f"WEBHOOK_SECRET={SECRET}", "the name and the '='"),
        (f"whsec_{SECRET}", "twice"),
        ("", "must not be empty"),
        ('""', "must not be empty"),
        ("whsec_" + "ab" * 33, "hexadecimal"),
    ],
)
def test_what_cannot_be_a_secret_is_refused_with_a_word_on_what_it_looks_like(secret: str, hint: str) -> None:
    with pytest.raises(ValidationError) as caught:
        webhook(secret)
    assert hint in caught.value.problem
    assert "ab" * 8 not in str(caught.value)


def test_a_secret_of_hexadecimal_digits_with_its_prefix_is_base64_as_everywhere_else() -> None:
    key = SigningKey.parse("whsec_" + "ab" * 32)
    webhook(key.secret).verify(BODY, signed(BODY, key))


def test_the_secret_may_lack_its_padding() -> None:
    key = SigningKey.parse("whsec_" + "QUJD" * 8 + "QQ==")
    webhook(key.secret.rstrip("=")).verify(BODY, signed(BODY, key))


@pytest.mark.parametrize("prefix", ["webhook-", "svix-", "Webhook-", "SVIX-"])
def test_both_sets_of_headers_are_understood_in_any_case(prefix: str) -> None:
    assert webhook().verify(BODY, headers(prefix=prefix)) == {"test": 2432232314}


def test_the_webhook_set_counts_where_both_are_complete() -> None:
    wrong = sign([OTHER], ID, TIMESTAMP, BODY)
    webhook().verify(BODY, headers() | headers(wrong, prefix="svix-"))
    with pytest.raises(SignatureMismatchError):
        webhook().verify(BODY, headers(wrong) | headers(prefix="svix-"))


def test_an_incomplete_webhook_set_does_not_hide_a_complete_svix_set() -> None:
    webhook().verify(BODY, {"webhook-id": "another"} | headers(prefix="svix-"))


def test_the_two_sets_are_not_mixed() -> None:
    mixed = {**headers(prefix="svix-"), **headers()}
    del mixed["webhook-signature"], mixed["svix-id"]
    with pytest.raises(MissingHeaderError):
        webhook().verify(BODY, mixed)


def test_the_body_may_be_text_or_any_kind_of_bytes() -> None:
    for body in (BODY, BODY.decode(), bytearray(BODY), memoryview(BODY)):
        assert webhook().check(body, headers()) == BODY  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("body", "value"), [(b"null", None), (b"1", 1), (b'"x"', "x"), (b"[1]", [1]), (b'{"a":{}}', {"a": {}})]
)
def test_verify_returns_the_parsed_json(body: bytes, value: object) -> None:
    assert webhook().verify(body, signed(body)) == value


@pytest.mark.parametrize("body", [b"", b"not json", b"\xff\xfe\x00", b"[" * 200_000, b"9" * 5000])
def test_a_body_that_is_not_json_fails_to_verify_but_can_be_checked(body: bytes) -> None:
    with pytest.raises(BodyNotJsonError, match="signature is right"):
        webhook().verify(body, signed(body))
    assert webhook().check(body, signed(body)) == body


# Rotation


@pytest.mark.parametrize("secret", [SECRET, OTHER.secret, PUBLIC])
def test_any_one_of_several_signatures_is_enough(secret: str) -> None:
    header = sign([OTHER, ED25519, KEY], ID, TIMESTAMP, BODY)
    assert [entry.partition(",")[0] for entry in header.split(" ")] == ["v1", "v1a", "v1"]
    webhook(secret).verify(BODY, headers(header))


def test_the_current_key_signs_first() -> None:
    assert sign([KEY, OTHER], ID, TIMESTAMP, BODY).split(" ")[0] == SIGNATURE
    assert sign([OTHER, KEY], ID, TIMESTAMP, BODY).split(" ")[1] == SIGNATURE


def test_a_consumer_may_hold_older_secrets_too() -> None:
    webhook(OTHER.secret, SECRET).verify(BODY, headers())
    webhook(SECRET, PUBLIC).verify(BODY, headers(SIGNATURE_ED25519))
    assert webhook(OTHER.secret, SECRET).sign(ID, WHEN, BODY) == sign([OTHER, KEY], ID, TIMESTAMP, BODY)


@pytest.mark.parametrize(
    "entry",
    ["v1", "v1,", "v1,%%%", "v1,AA", "v2,AAAA", ",", "v1,a,b", "v1,\u00e9", "v1,AAAA", "\x00", "v1a," + "A" * 88],
)
def test_malformed_and_unknown_entries_are_skipped(entry: str) -> None:
    webhook().verify(BODY, headers(f"{entry} {SIGNATURE}"))
    webhook().verify(BODY, headers(f"{SIGNATURE}  {entry} "))


def test_the_number_of_entries_that_are_tried_is_bounded() -> None:
    wrong = sign([OTHER], ID, TIMESTAMP, BODY)
    webhook().verify(BODY, headers(" ".join([wrong] * 63 + [SIGNATURE])))
    with pytest.raises(SignatureMismatchError):
        webhook().verify(BODY, headers(" ".join([wrong] * 64 + [SIGNATURE])))


def test_an_empty_list_of_keys_does_not_sign() -> None:
    with pytest.raises(ValidationError, match="at least one"):
        sign([], ID, TIMESTAMP, BODY)


# An error for each mistake


@pytest.mark.parametrize("prefix", ["webhook-", "svix-"])
@pytest.mark.parametrize("name", ["id", "timestamp", "signature"])
@pytest.mark.parametrize("how", ["absent", "empty", "not a string"])
def test_a_missing_header_is_named(prefix: str, name: str, how: str) -> None:
    given_headers: dict[str, object] = dict(headers(prefix=prefix))
    if how == "absent":
        del given_headers[prefix + name]
    else:
        given_headers[prefix + name] = "" if how == "empty" else [SIGNATURE]
    with pytest.raises(MissingHeaderError, match=prefix + name) as caught:
        webhook().verify(BODY, given_headers)  # type: ignore[arg-type]
    assert caught.value.header == prefix + name


def test_without_any_header_the_first_one_is_missed() -> None:
    with pytest.raises(MissingHeaderError, match="webhook-id"):
        webhook().verify(BODY, {})


@pytest.mark.parametrize(
    "timestamp",
    [
        *("now", "-1", "+1614265330", "1614265330.0", "1614265330 ", "1_614_265_330", "1e9", "0x1", "nan", "inf"),
        *("9" * 14, "9" * 5000, "٣", "²", "\x00", "\ud800"),
    ],
)
def test_a_timestamp_that_is_no_whole_number_is_refused(timestamp: str) -> None:
    with pytest.raises(TimestampError, match="whole seconds") as caught:
        webhook().verify(BODY, headers(timestamp=timestamp))
    assert type(caught.value) is TimestampError
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("offset_s", [-300, -299, 0, 299, 300])
def test_five_minutes_either_way_are_tolerated(offset_s: int) -> None:
    webhook(clock=at(WHEN + timedelta(seconds=offset_s))).verify(BODY, headers())


@pytest.mark.parametrize(("sign_of_offset", "error"), [(1, TimestampTooOldError), (-1, TimestampTooNewError)])
def test_a_microsecond_more_is_not_tolerated(sign_of_offset: int, error: type[TimestampError]) -> None:
    with pytest.raises(error):
        webhook(clock=at(WHEN + sign_of_offset * timedelta(seconds=300, microseconds=1))).verify(BODY, headers())


def test_an_old_request_is_refused_with_by_how_much() -> None:
    with pytest.raises(TimestampTooOldError, match=r"too old, by 0:00:05 more .* 0:05:00.*clock") as caught:
        webhook(clock=at(WHEN + timedelta(seconds=305))).verify(BODY, headers())
    assert caught.value.by == timedelta(seconds=5)


def test_a_request_from_the_future_is_refused_with_by_how_much() -> None:
    with pytest.raises(TimestampTooNewError, match=r"too new, by 0:00:05 more .* 0:05:00.*clock") as caught:
        webhook(clock=at(WHEN - timedelta(seconds=305))).verify(BODY, headers())
    assert caught.value.by == timedelta(seconds=5)


def test_milliseconds_are_from_the_future() -> None:
    with pytest.raises(TimestampTooNewError, match="milliseconds"):
        webhook().verify(BODY, headers(timestamp=f"{TIMESTAMP}000"))


def test_the_largest_timestamp_that_is_read_is_still_a_typed_error() -> None:
    with pytest.raises(TimestampTooNewError):
        webhook().verify(BODY, headers(timestamp="9" * 13))


def test_the_tolerance_can_be_set() -> None:
    late = WHEN + timedelta(hours=1)
    Webhook(SECRET, tolerance=timedelta(hours=1), clock=at(late)).verify(BODY, headers())
    with pytest.raises(TimestampTooOldError):
        Webhook(SECRET, tolerance=timedelta(minutes=59), clock=at(late)).verify(BODY, headers())


@pytest.mark.parametrize("tolerance", [timedelta(0), timedelta(seconds=-1), 300, None])
def test_a_tolerance_must_be_a_span_of_time(tolerance: object) -> None:
    with pytest.raises(ValidationError, match="tolerance"):
        Webhook(SECRET, tolerance=tolerance)  # type: ignore[arg-type]


def test_the_system_clock_is_used_where_none_is_given() -> None:
    now = datetime.now(UTC)
    receiver = Webhook(SECRET)
    fresh = headers(receiver.sign(ID, now, BODY), timestamp=str(int(now.timestamp())))
    receiver.verify(BODY, fresh)
    with pytest.raises(TimestampTooOldError):
        receiver.verify(BODY, headers())


@pytest.mark.parametrize(
    ("secret", "signature", "names"),
    [
        (SECRET, SIGNATURE_ED25519, "version v1,"),
        (PUBLIC, SIGNATURE, "version v1a,"),
        (SECRET, "v2,AAAA", "version v1,"),
        (SECRET, "v1,not-base64", "well-formed"),
        (SECRET, "v1", "well-formed"),
        (SECRET, " ", "well-formed"),
        (SECRET, "\ud800\x00,é" * 1000, "well-formed"),
    ],
)
def test_no_signature_of_a_known_version_is_an_error_of_its_own(secret: str, signature: str, names: str) -> None:
    with pytest.raises(NoUsableSignatureError, match=names) as caught:
        webhook(secret).verify(BODY, headers(signature))
    assert len(str(caught.value)) < 700
    assert str(caught.value).isascii() or "…" in str(caught.value)


@pytest.mark.parametrize(
    ("secret", "body", "message_id"),
    [
        (OTHER.secret, BODY, ID),
        (SECRET, BODY.replace(b"2432", b"2433"), ID),
        (SECRET, BODY, ID + "x"),
        (SECRET, b"", ID),
        (SECRET, "\ud800", ID),
    ],
)
def test_a_wrong_secret_body_or_id_is_a_mismatch(secret: str, body: bytes | str, message_id: str) -> None:
    with pytest.raises(SignatureMismatchError, match="secret is not the one of this endpoint") as caught:
        webhook(secret).verify(body, headers(id=message_id))
    assert type(caught.value) is SignatureMismatchError


def test_a_changed_timestamp_is_a_mismatch() -> None:
    with pytest.raises(SignatureMismatchError):
        webhook().verify(BODY, headers(timestamp=str(TIMESTAMP + 1)))


VALUE = {"b": "Zoë", "a": [1, 2.5, None, {"z": True, "y": "\ud800"}]}


@pytest.mark.parametrize("key", [KEY, ED25519])
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize("ensure_ascii", [True, False])
@pytest.mark.parametrize("sort_keys", [True, False])
def test_a_body_that_was_parsed_and_written_again_is_told_from_a_wrong_secret(
    key: SigningKey, separators: tuple[str, str], ensure_ascii: bool, sort_keys: bool
) -> None:
    text = json.dumps(VALUE, separators=separators, ensure_ascii=ensure_ascii, sort_keys=sort_keys)
    sent = text.encode("utf-8", "surrogatepass")
    received = json.dumps(VALUE, indent=1).encode()
    with pytest.raises(BodyAlteredError, match="exactly as it was received"):
        webhook(key.public).verify(received, signed(sent, key))
    with pytest.raises(SignatureMismatchError) as caught:
        webhook(OTHER.secret if key is KEY else SigningKey.generate("ed25519").public).verify(
            received, signed(sent, key)
        )
    assert type(caught.value) is SignatureMismatchError


def test_white_space_that_was_added_around_a_body_is_noticed() -> None:
    with pytest.raises(BodyAlteredError):
        webhook().verify(b" plain text\r\n", signed(b"plain text"))


def test_a_large_body_is_not_searched_for_the_reason() -> None:
    value = ["x" * 100] * 1000
    with pytest.raises(SignatureMismatchError) as caught:
        webhook().verify(json.dumps(value, indent=1), signed(json.dumps(value).encode()))
    assert type(caught.value) is SignatureMismatchError


def test_a_nested_body_does_not_break_the_search_for_the_reason() -> None:
    with pytest.raises(SignatureMismatchError):
        webhook().verify(b"[" * 60_000, headers())


@pytest.mark.parametrize("body", [None, {"test": 1}, 5, [BODY]])
def test_a_body_that_is_not_a_body_is_the_programs_mistake(body: object) -> None:
    with pytest.raises(ValidationError, match=f"body: .*not {type(body).__name__}"):
        webhook().verify(body, headers())  # type: ignore[arg-type]


@pytest.mark.parametrize("given_headers", [None, [], "webhook-id", 5])
def test_headers_that_are_no_mapping_are_the_programs_mistake(given_headers: object) -> None:
    with pytest.raises(ValidationError, match="headers: must be a mapping"):
        webhook().verify(BODY, given_headers)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("secrets", "field"),
    [
        (["whsec_"], "secret"),
        ([""], "secret"),
        ([None], "secret"),
        ([b"x"], "secret"),
        (["whsec_!!!!"], "secret"),
        ([SECRET, "whpk_AAAA"], "older[0]"),
        ([SECRET, SECRET, "short"], "older[1]"),
    ],
)
def test_a_bad_secret_is_refused_at_once_and_named_by_its_place(secrets: list[str], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Webhook(*secrets)
    assert caught.value.field == field


def test_a_public_key_cannot_sign() -> None:
    for secrets in ([PUBLIC], [SECRET, PUBLIC]):
        with pytest.raises(ValidationError, match="can sign"):
            webhook(*secrets).sign(ID, WHEN, BODY)


def test_sign_takes_whole_seconds_and_a_naive_time_as_utc() -> None:
    receiver = webhook()
    assert receiver.sign(ID, WHEN + timedelta(microseconds=999_999), BODY) == SIGNATURE
    assert receiver.sign(ID, WHEN.replace(tzinfo=None), BODY) == SIGNATURE
    with pytest.raises(ValidationError, match="1970"):
        receiver.sign(ID, datetime(1969, 12, 31, tzinfo=UTC), BODY)
    with pytest.raises(ValidationError, match="message_id"):
        receiver.sign("\ud800", WHEN, BODY)


def test_every_error_is_one_that_a_consumer_can_catch() -> None:
    errors = [getattr(signing, name) for name in signing.__all__ if name.endswith("Error")]
    assert len(errors) == 9
    assert all(issubclass(error, WebhookVerificationError) for error in errors)
    assert issubclass(WebhookVerificationError, WebhookEngineError)


def test_no_error_and_no_repr_shows_a_secret() -> None:
    receiver = webhook(SECRET, OTHER.secret, PRIVATE)
    texts = [repr(receiver), str(receiver)]
    attacks: list[tuple[bytes, Mapping[str, str]]] = [
        (BODY + b"x", headers()),
        (BODY, headers(timestamp="x")),
        (BODY, headers("v9,x")),
        (BODY, {}),
        (b"x", signed(b"x")),
    ]
    for body, given_headers in attacks:
        with pytest.raises(WebhookVerificationError) as caught:
            receiver.verify(body, given_headers)
        texts += [str(caught.value), repr(caught.value)]
    for secret in (SECRET, OTHER.secret, PRIVATE):
        assert not any(secret.partition("_")[2][:8] in text for text in texts)


# Properties

keys = st.sampled_from([KEY, OTHER, ED25519])
any_text = st.text(st.characters(codec=None, exclude_categories=()), max_size=60)
written = st.text(min_size=1, max_size=60)


@given(body=st.binary(max_size=300), message_id=written, key=keys)
def test_whatever_is_signed_passes(body: bytes, message_id: str, key: SigningKey) -> None:
    assert webhook(key.public).check(body, signed(body, key, message_id=message_id)) == body


@given(body=st.binary(min_size=1, max_size=300), key=keys, data=st.data())
def test_a_flipped_bit_of_the_body_never_passes(body: bytes, key: SigningKey, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(body) - 1))
    flipped = bytearray(body)
    flipped[position] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(SignatureMismatchError):
        webhook(key.public).check(bytes(flipped), signed(body, key))


@given(key=keys, data=st.data())
def test_a_changed_character_of_the_signature_never_passes(key: SigningKey, data: st.DataObject) -> None:
    signature = sign([key], ID, TIMESTAMP, BODY)
    position = data.draw(st.integers(0, len(signature) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda character: character != signature[position]))
    with pytest.raises((SignatureMismatchError, NoUsableSignatureError)):
        webhook(key.public).check(BODY, headers(signature[:position] + other + signature[position + 1 :]))


@given(
    body=st.one_of(st.binary(max_size=100), any_text),
    message_id=any_text,
    timestamp=st.one_of(any_text, st.just(str(TIMESTAMP)), st.integers().map(str)),
    signature=st.one_of(
        any_text,
        st.lists(st.one_of(any_text, any_text.map("v1,".__add__), any_text.map("v1a,".__add__))).map(" ".join),
        st.binary(max_size=80).map(lambda raw: "v1," + raw.hex()),
    ),
    secret=st.sampled_from([SECRET, PUBLIC]),
)
def test_rubbish_is_refused_with_a_typed_error_only(
    body: bytes | str, message_id: str, timestamp: str, signature: str, secret: str
) -> None:
    with pytest.raises(WebhookVerificationError) as caught:
        webhook(secret).verify(body, headers(signature, id=message_id, timestamp=timestamp))
    str(caught.value).encode()


@given(given_headers=st.dictionaries(st.one_of(any_text, st.integers(), st.none()), st.one_of(any_text, st.binary())))
def test_rubbish_headers_are_refused_with_a_typed_error_only(given_headers: dict[object, object]) -> None:
    with pytest.raises(MissingHeaderError):
        webhook().verify(BODY, given_headers)  # type: ignore[arg-type]


@given(text=any_text)
def test_a_rubbish_secret_is_refused_with_a_typed_error_only(text: str) -> None:
    for candidate in (text, "whsec_" + text, "whpk_" + text, "whsk_" + text):
        with suppress(ValidationError):
            Webhook(candidate)
