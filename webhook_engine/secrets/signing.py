"""Signing secrets: signing requests, and verifying them.

The scheme is that of the Standard Webhooks specification, v1.0.0: the signature covers the bytes ``{message
id}.{timestamp}.{body}``, and the signature header is a list, separated by spaces, of ``version,base64``.

========  ============================  =========================  =======================
version   scheme                        the sender's secret        the consumer's key
========  ============================  =========================  =======================
``v1``    HMAC-SHA256                   ``whsec_`` + 24-75 bytes   the same ``whsec_``
``v1a``   Ed25519                       ``whsk_`` + 64 bytes       ``whpk_`` + 32 bytes
========  ============================  =========================  =======================

The bytes are encoded as standard, padded base64. (The specification's limit is 64 bytes; Svix, and so we, allow 75.)
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from abc import ABC, abstractmethod
from base64 import b64encode
from binascii import a2b_base64, b2a_base64
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias, final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from webhook_engine.clock import Clock, from_datetime, microseconds
from webhook_engine.errors import ValidationError, WebhookEngineError

__all__ = [
    "BodyAlteredError",
    "BodyNotJsonError",
    "JsonValue",
    "MissingHeaderError",
    "NoUsableSignatureError",
    "SignatureKind",
    "SignatureMismatchError",
    "SigningKey",
    "TimestampError",
    "TimestampTooNewError",
    "TimestampTooOldError",
    "VerifyingKey",
    "Webhook",
    "WebhookVerificationError",
    "sign",
]

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
"""A parsed JSON value."""

SignatureKind: TypeAlias = Literal["hmac256", "ed25519"]
"""The names of the two schemes, as in ``security.default_signature``."""

_HMAC_PREFIX: Final = "whsec_"
_PRIVATE_PREFIX: Final = "whsk_"
_PUBLIC_PREFIX: Final = "whpk_"

_PREFIXES: Final = (_HMAC_PREFIX, _PRIVATE_PREFIX, _PUBLIC_PREFIX)

_HMAC_MIN_BYTES: Final = 24
_HMAC_MAX_BYTES: Final = 75
_GENERATED_BYTES: Final = 24
_SHA256_BLOCK: Final = 64
_ED25519_SEED_BYTES: Final = 32
_ED25519_PUBLIC_BYTES: Final = 32

_HEADER_SETS: Final = ("webhook-", "svix-")
_TIMESTAMP_MAX_DIGITS: Final = 13  # Far beyond any date, enough to recognize milliseconds, and fit for a timedelta.
_MAX_SIGNATURES: Final = 64  # A sender has at most eleven valid keys; more entries only cost the consumer CPU.
_DIAGNOSE_MAX_BYTES: Final = 64 * 1024  # Anybody can send a wrong signature, so finding out why must stay cheap.
_DIAGNOSE_MAX_SIGNATURES: Final = 4
_SHOWN_CHARACTERS: Final = 40

_QUOTES: Final = "\"'`\u2018\u2019\u201c\u201d"
_FROM_URL_SAFE: Final = str.maketrans("-_", "+/")
_SIGNATURE_VERSION: Final = re.compile(r"v1a?,").match
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_]+=[^=]").match
_HEXADECIMAL: Final = re.compile(r"[0-9a-f]{32,}|[0-9A-F]{32,}").fullmatch
"""Random base64 of this length never consists of these digits alone, although all are base64 characters."""
_URL_SAFE: Final = re.compile(r"[A-Za-z0-9_-]*[_-][A-Za-z0-9_-]*=*").fullmatch
_MICROSECONDS_PER_SECOND: Final = 1_000_000


class WebhookVerificationError(WebhookEngineError):
    """A request is not an authentic, recent webhook; answer it with status 400 or 401 and do not act on it."""


class MissingHeaderError(WebhookVerificationError):
    """A header that carries the signature, its timestamp or the message id is missing; ``header`` names it."""

    def __init__(self, header: str) -> None:
        super().__init__(
            f"the header {header} is missing (or empty, or not a string); pass all headers of the request, "
            "and see that no proxy in front removes it"
        )
        self.header = header


class TimestampError(WebhookVerificationError):
    """The timestamp header is not a whole number of seconds since the Unix epoch, or too far from now."""


class TimestampTooOldError(TimestampError):
    """The request was signed too long ago: replayed, delayed, or a clock is wrong; ``by`` is the excess."""

    def __init__(self, by: timedelta, tolerance: timedelta) -> None:
        super().__init__(
            f"the timestamp is too old, by {by} more than the tolerance of {tolerance}; check that this machine's "
            "clock is right; if it is, the request was held up or sent a second time by somebody else"
        )
        self.by = by
        self.tolerance = tolerance


class TimestampTooNewError(TimestampError):
    """The request's timestamp is in the future: a clock is wrong, here or at the sender; ``by`` is the excess."""

    def __init__(self, by: timedelta, tolerance: timedelta) -> None:
        super().__init__(
            f"the timestamp is too new, by {by} more than the tolerance of {tolerance}; check that this machine's "
            "clock is right; a timestamp in milliseconds instead of seconds looks like this too"
        )
        self.by = by
        self.tolerance = tolerance


class NoUsableSignatureError(WebhookVerificationError):
    """No well-formed signature in the list has a version that the given secret can check."""


class SignatureMismatchError(WebhookVerificationError):
    """No signature fits: the secret is another endpoint's, or the body, id or timestamp is not what was signed."""


class BodyAlteredError(SignatureMismatchError):
    """The secret is right, but the body was parsed and encoded again; pass the bytes exactly as received."""


class BodyNotJsonError(WebhookVerificationError):
    """The signature is right, but the body cannot be read as JSON; :meth:`Webhook.check` accepts any body."""


class VerifyingKey(ABC):
    """What a consumer needs to check signatures: ``whsec_…``, ``whpk_…`` or, in tests, ``whsk_…``."""

    __slots__ = ()

    version: str
    """The version of its signatures, ``v1`` or ``v1a``."""

    @classmethod
    def parse(cls, key: str) -> VerifyingKey:
        """Parse any of the three text forms, strictly."""
        return _parse(key, "key", public_allowed=True)

    @abstractmethod
    def matches(self, content: bytes, signature: bytes) -> bool:
        """Whether ``signature`` was made over ``content`` with this key; compares in constant time."""


class SigningKey(VerifyingKey):
    """A sender's signing secret, ready for use. Its ``repr`` does not show the secret."""

    __slots__ = ()

    kind: SignatureKind
    """The name of the scheme in the configuration."""

    @classmethod
    def parse(cls, secret: str) -> SigningKey:
        """Parse ``whsec_…`` or ``whsk_…`` strictly; the :class:`ValidationError` does not contain the secret."""
        key = _parse(secret, "secret", public_allowed=False)
        assert isinstance(key, SigningKey)  # noqa: S101 - a public key was not allowed
        return key

    @classmethod
    def generate(cls, kind: SignatureKind = "hmac256") -> SigningKey:
        """Make a new random secret: 24 bytes for HMAC-SHA256, or an Ed25519 key pair.

        Raises :class:`ValidationError` for an unknown ``kind``.
        """
        if kind == "hmac256":
            return _HmacKey(secrets.token_bytes(_GENERATED_BYTES))
        if kind == "ed25519":
            return _Ed25519Key(Ed25519PrivateKey.generate())
        raise ValidationError("kind", f"must be 'hmac256' or 'ed25519', not {kind!r}")

    @property
    @abstractmethod
    def secret(self) -> str:
        """The text form that :meth:`parse` reads; keep it confidential."""

    @property
    @abstractmethod
    def public(self) -> str:
        """The key that the consumer verifies with: the secret itself for HMAC, ``whpk_…`` for Ed25519."""

    @abstractmethod
    def signature(self, content: bytes) -> str:
        """One entry of the signature header, for the content ``{id}.{timestamp}.{body}``."""


@final
class _HmacKey(SigningKey):
    __slots__ = ("_inner", "_key", "_outer")

    version = "v1"
    kind = "hmac256"

    def __init__(self, key: bytes) -> None:
        self._key = key
        # The hashes of the padded key (RFC 2104) are computed once, and copied for each signature. For a body of some
        # hundred bytes this takes half as long as ``hmac``.
        block = (key if len(key) <= _SHA256_BLOCK else hashlib.sha256(key).digest()).ljust(_SHA256_BLOCK, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    @property
    def secret(self) -> str:
        return _HMAC_PREFIX + b64encode(self._key).decode()

    @property
    def public(self) -> str:
        return self.secret

    def signature(self, content: bytes) -> str:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(content)
        outer.update(inner.digest())
        return "v1," + b2a_base64(outer.digest(), newline=False).decode()

    def matches(self, content: bytes, signature: bytes) -> bool:
        return hmac.compare_digest(hmac.digest(self._key, content, "sha256"), signature)

    def __repr__(self) -> str:
        return f"<SigningKey {_HMAC_PREFIX}***>"


@final
class _Ed25519PublicKey(VerifyingKey):
    __slots__ = ("_key",)

    version = "v1a"

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key

    @property
    def text(self) -> str:
        return _PUBLIC_PREFIX + b64encode(self._key.public_bytes_raw()).decode()

    def matches(self, content: bytes, signature: bytes) -> bool:
        try:
            self._key.verify(signature, content)
        except InvalidSignature:
            return False
        return True

    def __repr__(self) -> str:
        return f"<VerifyingKey {self.text}>"


@final
class _Ed25519Key(SigningKey):
    __slots__ = ("_key", "_public")

    version = "v1a"
    kind = "ed25519"

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self._public = _Ed25519PublicKey(key.public_key())

    @property
    def secret(self) -> str:
        pair = self._key.private_bytes_raw() + self._key.public_key().public_bytes_raw()
        return _PRIVATE_PREFIX + b64encode(pair).decode()

    @property
    def public(self) -> str:
        return self._public.text

    def signature(self, content: bytes) -> str:
        return "v1a," + b2a_base64(self._key.sign(content), newline=False).decode()

    def matches(self, content: bytes, signature: bytes) -> bool:
        return self._public.matches(content, signature)

    def __repr__(self) -> str:
        return f"<SigningKey {_PRIVATE_PREFIX}***>"


def sign(keys: Sequence[SigningKey], message_id: str, timestamp_s: int, body: bytes) -> str:
    """The signature header of a request, signed with every key in the given order: the current one first.

    ``body`` are the exact bytes that will be sent, ``timestamp_s`` the time of this attempt. The id must not contain a
    full stop, which is the delimiter; the engine's own ids never do (Standard Webhooks v1.0.0, "Signature scheme").

    Raises :class:`ValidationError` without a key.
    """
    if not keys:
        raise ValidationError("keys", "must hold at least one signing key")
    content = f"{message_id}.{timestamp_s}.".encode() + body
    if len(keys) == 1:
        return keys[0].signature(content)
    return " ".join([key.signature(content) for key in keys])


class Webhook:
    """The consumer's side: checks that a request was sent by the holder of the secret, unchanged and recently.

    ``secret`` is the one shown for the endpoint: ``whsec_…`` (the prefix may be missing) or ``whpk_…``. During a
    rotation, pass the older ones too: ``Webhook(new, old)``. A request passes if any of its signatures matches any of
    the secrets. Timestamps may differ from now by ``tolerance``, into the past and the future.

    The rules are those of Standard Webhooks v1.0.0; ``svix-*`` headers are supported as well. If both sets of headers
    are present, ``webhook-*`` counts.
    """

    def __init__(
        self, secret: str, *older: str, tolerance: timedelta = timedelta(minutes=5), clock: Clock | None = None
    ) -> None:
        if not isinstance(tolerance, timedelta) or tolerance <= timedelta(0):
            raise ValidationError("tolerance", "must be a timedelta greater than zero")
        self._keys = [_parse_leniently(secret, "secret")]
        self._keys += [_parse_leniently(text, f"older[{position}]") for position, text in enumerate(older)]
        self._tolerance = tolerance
        self._clock = clock or Clock()

    def __repr__(self) -> str:
        return f"<Webhook {' '.join(key.version for key in self._keys)}>"

    def verify(self, body: bytes | str, headers: Mapping[str, str]) -> JsonValue:
        """Check the request and return its body, parsed as JSON.

        ``body`` must be what was received, before any parsing: the signature covers the bytes, and the same JSON
        encoded differently has other bytes. ``headers`` are all headers of the request; case does not matter.

        Raises a subclass of :class:`WebhookVerificationError` that says what is wrong; :class:`BodyNotJsonError` if
        only the body's format is. Raises :class:`ValidationError` if the program passes something other than a body.
        """
        raw = self.check(body, headers)
        try:
            value: JsonValue = json.loads(raw)
        except (ValueError, RecursionError) as problem:
            raise BodyNotJsonError(
                f"the signature is right, but the body cannot be read as JSON ({type(problem).__name__}); "
                "if other bodies are expected, use check() instead of verify()"
            ) from None
        return value

    def check(self, body: bytes | str, headers: Mapping[str, str]) -> bytes:
        """Check the request like :meth:`verify`, with a body of any format, and return the exact bytes."""
        raw = _raw_body(body)
        prefix, message_id, timestamp, signature_list = _signature_headers(headers)
        self._check_timestamp(prefix, timestamp)
        signatures = self._usable_signatures(prefix, signature_list)
        head = f"{message_id}.{timestamp}.".encode("utf-8", "surrogatepass")
        if self._any_matches(head + raw, signatures):
            return raw
        if self._fits_rewritten(head, raw, signatures):
            raise BodyAlteredError(
                "the secret is right, but the body was parsed and written again, which changes its bytes; "
                "pass the body exactly as it was received (request.body, await request.body(), request.get_data())"
            )
        raise SignatureMismatchError(
            "no signature fits: either the secret is not the one of this endpoint (each endpoint has its own), "
            "or the body is not, byte for byte, the one that was received"
        )

    def sign(self, message_id: str, timestamp: datetime, body: bytes | str) -> str:
        """The signature header that a sender would create with these secrets, for tests of a consumer.

        A naive ``timestamp`` counts as UTC; the header has whole seconds. Raises :class:`ValidationError` for a
        ``whpk_`` key, which cannot sign, a timestamp before 1970, or an id or body that cannot be encoded.
        """
        keys = [key for key in self._keys if isinstance(key, SigningKey)]
        if len(keys) < len(self._keys):
            raise ValidationError(
                "secret", "a whpk_ key can verify, but only the whsk_ key that it belongs to can sign"
            )
        timestamp_s = from_datetime(timestamp) // _MICROSECONDS_PER_SECOND
        if timestamp_s < 0:
            raise ValidationError("timestamp", "must not be before 1970")
        try:
            return sign(keys, message_id, timestamp_s, _raw_body(body))
        except UnicodeEncodeError:
            raise ValidationError("message_id", "must be text that can be written as UTF-8") from None

    def _check_timestamp(self, prefix: str, timestamp: str) -> None:
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _TIMESTAMP_MAX_DIGITS):
            raise TimestampError(
                f"{prefix}timestamp must be whole seconds since 1970-01-01 UTC, in digits, not {_shown(timestamp)}"
            )
        age = self._clock.now() - int(timestamp) * _MICROSECONDS_PER_SECOND
        tolerance = microseconds(self._tolerance)
        if age > tolerance:
            raise TimestampTooOldError(_duration(age - tolerance), self._tolerance)
        if -age > tolerance:
            raise TimestampTooNewError(_duration(-age - tolerance), self._tolerance)

    def _usable_signatures(self, prefix: str, signature_list: str) -> list[tuple[str, bytes]]:
        """The well-formed entries whose version one of the keys has, as pairs of version and bytes."""
        wanted = {key.version for key in self._keys}
        usable: list[tuple[str, bytes]] = []
        for entry in signature_list.split(maxsplit=_MAX_SIGNATURES)[:_MAX_SIGNATURES]:
            version, _, encoded = entry.partition(",")
            if version not in wanted:
                continue
            signature = _decode(encoded)
            if signature:
                usable.append((version, signature))
        if not usable:
            raise NoUsableSignatureError(
                f"{prefix}signature has no well-formed signature of version {' or '.join(sorted(wanted))}, which is "
                f"what this secret can check (v1 needs whsec_…, v1a needs whpk_…); it is {_shown(signature_list)}"
            )
        return usable

    def _any_matches(self, content: bytes, signatures: Sequence[tuple[str, bytes]]) -> bool:
        return any(
            key.matches(content, signature)
            for key in self._keys
            for version, signature in signatures
            if version == key.version
        )

    def _fits_rewritten(self, head: bytes, raw: bytes, signatures: Sequence[tuple[str, bytes]]) -> bool:
        """Whether a signature matches the same JSON in one of the encodings that senders commonly use."""
        if len(raw) > _DIAGNOSE_MAX_BYTES:
            return False
        few = signatures[:_DIAGNOSE_MAX_SIGNATURES]
        return any(self._any_matches(head + rewritten, few) for rewritten in _rewritings(raw))


def _parse(text: str, field: str, *, public_allowed: bool) -> VerifyingKey:
    if not isinstance(text, str):
        raise ValidationError(field, f"must be text, not {type(text).__name__}")
    if text.startswith(_HMAC_PREFIX):
        key = _decode_key(text, _HMAC_PREFIX, field)
        if not _HMAC_MIN_BYTES <= len(key) <= _HMAC_MAX_BYTES:
            raise ValidationError(
                field,
                f"secret length invalid: after {_HMAC_PREFIX} must come {_HMAC_MIN_BYTES} to {_HMAC_MAX_BYTES} bytes "
                f"in base64, not {len(key)}",
            )
        return _HmacKey(key)
    if text.startswith(_PRIVATE_PREFIX):
        return _parse_key_pair(_decode_key(text, _PRIVATE_PREFIX, field), field)
    if public_allowed and text.startswith(_PUBLIC_PREFIX):
        point = _decode_key(text, _PUBLIC_PREFIX, field)
        if len(point) != _ED25519_PUBLIC_BYTES:
            raise ValidationError(
                field, f"key length invalid: after {_PUBLIC_PREFIX} must come {_ED25519_PUBLIC_BYTES} bytes in base64"
            )
        return _Ed25519PublicKey(Ed25519PublicKey.from_public_bytes(point))
    allowed = f"{_HMAC_PREFIX} (HMAC-SHA256) or {_PRIVATE_PREFIX} (Ed25519)"
    if public_allowed:
        allowed = f"{_HMAC_PREFIX} (HMAC-SHA256) or {_PUBLIC_PREFIX} (Ed25519)"
    raise ValidationError(field, f"invalid prefix: must begin with {allowed}{_hint(text)}")


def _parse_key_pair(pair: bytes, field: str) -> SigningKey:
    if len(pair) != _ED25519_SEED_BYTES + _ED25519_PUBLIC_BYTES:
        raise ValidationError(
            field,
            f"secret length invalid: after {_PRIVATE_PREFIX} must come 64 bytes in base64, the Ed25519 seed and then "
            f"its public key, not {len(pair)}",
        )
    private = Ed25519PrivateKey.from_private_bytes(pair[:_ED25519_SEED_BYTES])
    if not hmac.compare_digest(private.public_key().public_bytes_raw(), pair[_ED25519_SEED_BYTES:]):
        raise ValidationError(field, "invalid key: its public half does not belong to its private half")
    return _Ed25519Key(private)


def _parse_leniently(text: str, field: str) -> VerifyingKey:
    """Parse a consumer's secret, with the variants that the standard libraries allow and that copying causes.

    White space, quotes, a leading version such as ``v1,``, the URL-safe alphabet, and a missing prefix or padding leave
    no doubt about the bytes. Anything else is refused.
    """
    if isinstance(text, str):
        text = _unwrapped(text)
        if not text:
            raise ValidationError(field, "must not be empty; is the setting that it comes from set?")
        prefix = next((one for one in _PREFIXES if text.startswith(one)), None)
        if prefix is None and (_HEXADECIMAL(text) or _ASSIGNMENT(text)):
            raise ValidationError(field, f"must be standard base64, with {_HMAC_PREFIX} in front of it{_hint(text)}")
        encoded = text.removeprefix(prefix or "")
        if not encoded.startswith(_PREFIXES):
            encoded = encoded.translate(_FROM_URL_SAFE)
        text = (prefix or _HMAC_PREFIX) + encoded + "=" * (-len(encoded) % 4)
    return _parse(text, field, public_allowed=True)


def _unwrapped(text: str) -> str:
    """A pasted secret without characters around it that were copied by mistake."""
    bare = "".join(text.split()).strip(_QUOTES)
    version = _SIGNATURE_VERSION(bare)
    return bare[version.end() :] if version else bare


def _hint(text: str) -> str:
    """A hint about an invalid secret, to add to an error; never contains any of it."""
    bare = "".join(text.split())
    key = next((bare.partition(prefix)[2] for prefix in _PREFIXES if prefix in bare), bare)
    hints = {
        "remove the version and the comma ('v1,') in front of it": _SIGNATURE_VERSION(bare),
        "remove the quotes around it": bare != bare.strip(_QUOTES),
        "remove the white space in it": bare != text,
        "remove the name and the '=' in front of it": _ASSIGNMENT(bare),
        "remove the prefix that it begins with twice": key.startswith(_PREFIXES),
        "it is written in hexadecimal digits, and must be base64": _HEXADECIMAL(key.rstrip("=")),
        "it is URL-safe base64: write '+' for '-' and '/' for '_'": _URL_SAFE(key),
        f"if it is the base64 of a secret, put {_HMAC_PREFIX} in front of it": bare == key and _decode(key),
    }
    found = next((hint for hint, applies in hints.items() if applies), None)
    return f"; {found}" if found else ""


def _decode_key(text: str, prefix: str, field: str) -> bytes:
    key = _decode(text[len(prefix) :])
    if key is None:
        raise ValidationError(field, f"must be standard, padded base64 after {prefix}{_hint(text)}")
    return key


def _decode(encoded: str) -> bytes | None:
    """Decode standard, padded base64; ``None`` for anything else, so that each value has only one text."""
    try:
        decoded = a2b_base64(encoded.encode("ascii"))
    except ValueError:
        return None
    return decoded if b64encode(decoded).decode() == encoded else None


def _raw_body(body: bytes | str) -> bytes:
    if isinstance(body, str):
        return body.encode("utf-8", "surrogatepass")
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body)
    raise ValidationError(
        "body", f"must be the bytes (or text) of the request as they were received, not {type(body).__name__}"
    )


def _signature_headers(headers: Mapping[str, str]) -> tuple[str, str, str, str]:
    """The prefix of the set of headers that counts, and its three values."""
    if not hasattr(headers, "items"):
        raise ValidationError("headers", f"must be a mapping of names to values, not {type(headers).__name__}")
    present = {
        name.lower(): value
        for name, value in headers.items()
        if isinstance(name, str) and isinstance(value, str) and value
    }
    missing: list[str] = []
    for prefix in _HEADER_SETS:
        names = (f"{prefix}id", f"{prefix}timestamp", f"{prefix}signature")
        absent = [name for name in names if name not in present]
        if not absent:
            message_id, timestamp, signature_list = (present[name] for name in names)
            return prefix, message_id, timestamp, signature_list
        if not missing or len(absent) < len(missing):
            missing = absent
    raise MissingHeaderError(missing[0])


def _rewritings(raw: bytes) -> Iterator[bytes]:
    """The same JSON in the common encodings, eight at most, and without surrounding white space."""
    yield raw.strip()
    try:
        value: JsonValue = json.loads(raw)
        for sort_keys in (False, True):
            for separators in ((",", ":"), (", ", ": ")):
                for ensure_ascii in (False, True):
                    text = json.dumps(value, separators=separators, sort_keys=sort_keys, ensure_ascii=ensure_ascii)
                    yield text.encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        return


def _duration(length: int) -> timedelta:
    return timedelta(microseconds=length)


def _shown(text: str) -> str:
    """A header's value for an error message: shortened, and in ASCII for any log."""
    return ascii(text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…")
