"""Targets: an endpoint's destination, headers and keys, prepared once and used for many attempts."""

from __future__ import annotations

import asyncio
import base64
import gzip
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import unquote

import msgspec
from multidict import CIMultiDict
from yarl import URL

from webhook_engine.clock import microseconds
from webhook_engine.delivery.attempt.access_tokens import TokenClient
from webhook_engine.delivery.attempt.decision import Rules
from webhook_engine.delivery.http.request import Destination
from webhook_engine.delivery.http.tls import Identity
from webhook_engine.delivery.throttle import Throttle
from webhook_engine.model import Application, Endpoint
from webhook_engine.rules.endpoint_options import OptionBounds, for_event_type, schedule_within, timeout_within
from webhook_engine.rules.headers import is_sensitive
from webhook_engine.rules.mail import mail_address_in
from webhook_engine.rules.names import nearest
from webhook_engine.rules.user_info import MASK
from webhook_engine.secrets.encryption import Cipher
from webhook_engine.secrets.signing import SigningKey, sign
from webhook_engine.store.endpoint_encryption import (
    decrypt_credentials,
    decrypt_headers,
    decrypt_secret,
    decrypt_user_info,
)
from webhook_engine.store.records import Due, StoredEndpoint

__all__ = ["Batch", "Body", "Target", "Transforming", "batch_of", "lines_of", "prepare"]

JSON = "application/json"


GZIP = "gzip"
WORTH_COMPRESSING = 512
"""Bytes; for smaller payloads the extra header costs more than compression saves."""
MUCH_TO_COMPRESS = 32 * 1024
"""Bytes; larger payloads would block the event loop for more than a millisecond."""
COMPRESSION_LEVEL = 6


class Body(NamedTuple):
    """The body of a request: the bytes that are signed and sent."""

    content: bytes
    encoding: str | None = None
    """``content-encoding``."""


class Batch(msgspec.Struct, frozen=True):
    """An endpoint's batch settings."""

    size: int
    """Messages in one request, at most."""
    wait: int
    """Microseconds for which an incomplete batch waits."""


class Transforming(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint's transformations, and what is needed to rebuild its requests."""

    name: str | None
    """The name of a function registered by the platform."""
    script: str | None
    """The consumer's script, in JavaScript."""
    variables: Mapping[str, str]
    """The script's variables."""
    headers: Mapping[str, str]
    """The endpoint's own headers."""
    authorization: str | None
    """The ``authorization`` header, if it is the same for every request."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint, prepared for sending."""

    endpoint: Endpoint
    application_uid: str | None
    destination: Destination
    """The URL, with the headers of every request."""
    headers: Mapping[str, str]
    """The headers as shown, with the default content type; sensitive values are masked."""
    keys: Sequence[tuple[SigningKey, int | None]]
    """Current key first, each with the instant at which it expires."""
    content_type: str
    """For payloads whose message has none."""
    compressed: bool
    """Whether to compress payloads if that makes them smaller."""
    lines: Sequence[tuple[str, str, str]]
    """For each set of signature headers, the text before the id, the timestamp and the signature."""
    rules: Rules
    """The rules that the decision after an attempt follows."""
    by_event_type: Mapping[str, tuple[Destination, Rules]] | None
    """Destination and rules for some event types; ``None``: the same for all."""
    throttle: Throttle
    application_throttle: Throttle
    deleted: bool
    token_client: TokenClient | None = None
    """The client that requests access tokens; ``None`` if requests carry none."""
    batch: Batch | None = None
    """The batch settings; ``None``: one message per request."""
    breaks: bool = False
    """Whether it has a circuit breaker."""
    transforming: Transforming | None = None
    """The transformations of each request before it is signed; ``None`` if there are none."""
    mail_to: str | None = None
    """The address that gets e-mails instead of requests."""

    @property
    def goes_by_event_type(self) -> bool:
        """Whether the event type of a message must be known before it is sent."""
        return self.by_event_type is not None or self.transforming is not None

    def of_event_type(self, event_type: str) -> Target:
        """The target for messages of this event type."""
        if self.by_event_type is None:
            return self
        name = nearest(self.by_event_type, event_type)
        if name is None:
            return self
        destination, rules = self.by_event_type[name]
        return msgspec.structs.replace(self, destination=destination, rules=rules)

    @property
    def throttled(self) -> bool:
        """Whether it has a rate limit, its own or its application's."""
        return self.throttle.rate is not None or self.application_throttle.rate is not None

    @property
    def closed(self) -> bool:
        """Whether only manual attempts may be sent."""
        return self.endpoint.disabled or self.deleted

    def disabled(self, reason: str | None) -> Target:
        """The target of the endpoint once it is disabled."""
        endpoint = msgspec.structs.replace(self.endpoint, disabled=True, disabled_reason=reason)
        return msgspec.structs.replace(self, endpoint=endpoint)

    async def body(self, payload: bytes) -> Body:
        """The body for a payload; a large one is compressed in a thread."""
        if not self.compressed or len(payload) < WORTH_COMPRESSING:
            return Body(payload)
        if len(payload) < MUCH_TO_COMPRESS:
            return _compressed(payload)
        return await asyncio.to_thread(_compressed, payload)

    def signature(self, due: Due, now: int, body: bytes) -> str:
        """The signatures of one attempt over its body, with every valid key."""
        keys = [self.keys[0][0]] if len(self.keys) == 1 else _valid(self.keys, now)
        return sign(keys, due.message_id, now // 1_000_000, body)

    def header_lines(self, due: Due, now: int, signature: str, encoding: str | None = None) -> str:
        """The header lines of one attempt: content type and encoding, and the signatures."""
        lines = f"content-type: {due.content_type or self.content_type}\r\n"
        if encoding is not None:
            lines = f"content-encoding: {encoding}\r\n{lines}"
        timestamp = now // 1_000_000
        for before_id, before_timestamp, before_signature in self.lines:
            lines += f"{before_id}{due.message_id}{before_timestamp}{timestamp}{before_signature}{signature}\r\n"
        return lines

    def shown_headers(self, due: Due, encoding: str | None = None) -> Mapping[str, str]:
        """The headers of an attempt as shown: sensitive values are masked, signatures left out."""
        shown = self.headers if due.content_type is None else {**self.headers, "content-type": due.content_type}
        return shown if encoding is None else {**shown, "content-encoding": encoding}


def _valid(keys: Sequence[tuple[SigningKey, int | None]], now: int) -> Sequence[SigningKey]:
    return [key for key, expires_at in keys if expires_at is None or expires_at > now]


def _compressed(payload: bytes) -> Body:
    body = gzip.compress(payload, COMPRESSION_LEVEL, mtime=0)
    return Body(body, GZIP) if len(body) < len(payload) else Body(payload)


def _by_event_type(
    endpoint: Endpoint, usual: Destination, rules: Rules, bounds: OptionBounds
) -> Mapping[str, tuple[Destination, Rules]] | None:
    timeouts, schedules = endpoint.timeout_by_event_type or {}, endpoint.retry_schedule_by_event_type or {}
    found = {}
    for event_type in {**timeouts, **schedules}:
        # Settings for an event type and for its prefix are combined.
        timeout = for_event_type(event_type, timeouts, endpoint.timeout)
        schedule = for_event_type(event_type, schedules, endpoint.retry_schedule)
        within = timeout_within(timeout, bounds)
        timeout_s = None if within is None else within.total_seconds()
        found[event_type] = (usual.with_timeout(timeout_s), rules.of(schedule_within(schedule, bounds)))
    return found or None


def lines_of(prefixes: Sequence[str]) -> Sequence[tuple[str, str, str]]:
    """The fixed parts of the signature headers of an attempt: for each prefix the three names."""
    return [(f"{prefix}-id: ", f"\r\n{prefix}-timestamp: ", f"\r\n{prefix}-signature: ") for prefix in prefixes]


def prepare(
    stored: StoredEndpoint,
    application: Application | None,
    *,
    cipher: Cipher,
    user_agent: str,
    prefixes: Sequence[str],
    rules: Rules,
    bounds: OptionBounds,
    application_throttle: Throttle,
    circuit_breaker: bool = False,
) -> Target:
    """Decrypt and prepare what sending to an endpoint needs.

    ``application`` is ``None`` if it was deleted with its endpoints. Raises ``SecretsUnreadableError`` if the
    endpoint's secrets were encrypted with another main secret.
    """
    endpoint = stored.endpoint
    keys: list[tuple[SigningKey, int | None]] = [
        (SigningKey.parse(decrypt_secret(cipher, endpoint.id, stored.encrypted_key)), None)
    ]
    keys += [
        (SigningKey.parse(decrypt_secret(cipher, endpoint.id, old.encrypted)), old.expires_at)
        for old in stored.old_keys
    ]
    mail_to = mail_address_in(endpoint.url)
    url = URL(endpoint.url, encoded=True)
    if mail_to is None:
        url = url.with_user(None)
    if endpoint.query:
        url = url.extend_query(endpoint.query)
    user_info = decrypt_user_info(cipher, endpoint.id, stored.encrypted_user_info)
    credentials = decrypt_credentials(cipher, endpoint.id, stored.encrypted_credentials)
    authentication, tls = credentials.get("authentication"), credentials.get("tls")
    own = decrypt_headers(cipher, endpoint.id, stored.encrypted_headers)
    content_type = endpoint.content_type or JSON
    headers = CIMultiDict({"user-agent": endpoint.user_agent or user_agent})
    if user_info is not None:
        name, _, password = user_info.partition(":")
        headers["authorization"] = _basic(unquote(name), unquote(password))
    if authentication is not None and authentication["type"] != "oauth2":
        headers["authorization"] = _authorization(authentication)
    authorization = headers.get("authorization")
    for name, value in own.items():
        headers.pop(name, None)
        headers[name] = value
    timeout = timeout_within(endpoint.timeout, bounds)
    shown = {name: MASK if is_sensitive(name) else value for name, value in headers.items()}
    token_client = None
    if authentication is not None and authentication["type"] == "oauth2":
        token_client = TokenClient.of(endpoint.id, endpoint.application_id, authentication, user_agent)
        shown["authorization"] = MASK
    destination = Destination(
        url,
        headers,
        endpoint.application_id,
        timeout_s=None if timeout is None else timeout.total_seconds(),
        identity=_identity(tls),
        method=endpoint.method or "POST",
    )
    return Target(
        endpoint=endpoint,
        application_uid=None if application is None else application.uid,
        destination=destination,
        headers={"content-type": content_type, **shown},
        keys=keys,
        content_type=content_type,
        compressed=endpoint.compression == GZIP,
        lines=lines_of(prefixes),
        rules=rules.of(schedule_within(endpoint.retry_schedule, bounds)),
        by_event_type=_by_event_type(endpoint, destination, rules, bounds),
        throttle=Throttle(endpoint.throttle_rate),
        application_throttle=application_throttle,
        deleted=stored.deleted or application is None,
        token_client=token_client,
        batch=batch_of(endpoint),
        breaks=circuit_breaker if endpoint.circuit_breaker is None else endpoint.circuit_breaker,
        transforming=_transforming(endpoint.transformation, credentials.get("script"), own, authorization),
        mail_to=mail_to,
    )


def _transforming(
    name: str | None, script: Mapping[str, str] | None, own: Mapping[str, str], authorization: str | None
) -> Transforming | None:
    enabled = script is not None and script.get("enabled") == "true"
    if name is None and not enabled:
        return None
    code = script["code"] if script is not None and enabled else None
    variables = (
        msgspec.json.decode(script["variables"], type=dict[str, str]) if script and "variables" in script else {}
    )
    return Transforming(name=name, script=code, variables=variables, headers=own, authorization=authorization)


def _authorization(authentication: Mapping[str, str]) -> str:
    """The ``authorization`` header for authentication without access tokens."""
    if authentication["type"] == "basic":
        return _basic(authentication["username"], authentication["password"])
    return f"Bearer {authentication['token']}"


def _basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def _identity(tls: Mapping[str, str] | None) -> Identity | None:
    if tls is None:
        return None
    return Identity(certificate=tls.get("certificate"), key=tls.get("key"), authorities=tls.get("ca"))


def batch_of(endpoint: Endpoint) -> Batch | None:
    """The batch settings of an endpoint; ``None``: one message per request."""
    if endpoint.ordering is None or endpoint.batch_size is None:
        return None
    return Batch(endpoint.batch_size, 0 if endpoint.batch_wait is None else microseconds(endpoint.batch_wait))
