"""The vocabulary of the engine as typed, immutable records: public results, and values passed inside.

The records in the first half are public. Their attributes are the names of the HTTP API in snake_case; times are
aware UTC datetimes. The parts of the engine pass the records of the second half to one another; there, an instant is
an ``int`` of microseconds since the epoch (see :mod:`webhook_engine.clock`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Generic, TypeVar

import msgspec

__all__ = [
    "DEFAULT_ORGANIZATION",
    "Alert",
    "Application",
    "Attempt",
    "AttemptStatus",
    "AttemptedDestination",
    "AttemptedMessage",
    "AuthenticationTrial",
    "DeliveryStatus",
    "Endpoint",
    "EndpointAuthentication",
    "EndpointHeaders",
    "EndpointOptions",
    "EndpointOrder",
    "EndpointStats",
    "EndpointTls",
    "EndpointTransformation",
    "EventType",
    "Exchange",
    "Health",
    "Message",
    "OldKey",
    "Page",
    "Task",
    "TaskStatus",
    "TransformationTrial",
    "TriggerType",
    "UnsentDestination",
    "UsualExchange",
]

DEFAULT_ORGANIZATION = "org_23rb8YdGqMT0qIzpgGwdXfHirMu"
"""The organization if none is named."""

T = TypeVar("T")


class DeliveryStatus(IntEnum):
    """The state of a delivery; the numbers are those of the HTTP API."""

    SUCCEEDED = 0
    PENDING = 1
    FAILED = 2
    CANCELLED = 4


class AttemptStatus(IntEnum):
    """The status of an attempt, or of a message at one endpoint; the numbers are those of the HTTP API."""

    SUCCESS = 0
    PENDING = 1
    FAIL = 2
    SENDING = 3
    CANCELED = 4


class TriggerType(IntEnum):
    """Why an attempt was made: by the schedule, or because a person asked for it."""

    SCHEDULED = 0
    MANUAL = 1


class TaskStatus(StrEnum):
    """The status of a background task."""

    RUNNING = "running"
    PAUSED = "paused"
    """It was paused, and goes on from there when it is resumed."""
    FINISHED = "finished"
    """The task is done; a recovery or replay has scheduled all its deliveries, which are made later."""
    FAILED = "failed"


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """One consumer, a customer of the platform; owns endpoints and messages."""

    id: str
    organization_id: str
    uid: str | None
    name: str
    throttle_rate: int | None
    """Messages per second to all its endpoints together; ``None`` is unlimited."""
    metadata: Mapping[str, str]
    created_at: datetime
    updated_at: datetime

    @property
    def rate_limit(self) -> int | None:
        """The older name of ``throttle_rate``."""
        return self.throttle_rate


class EndpointAuthentication(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How requests to an endpoint are authenticated; secrets are masked, and fields of other types are ``None``."""

    type: str
    """``basic``, ``bearer`` or ``oauth2``."""
    username: str | None = None
    password: str | None = None
    token: str | None = None
    token_url: str | None = None
    client_id: str | None = None
    client_secret: str | None = None
    scope: str | None = None
    client_authentication: str | None = None
    """``basic`` or ``body``: where the token server gets the client's credentials; ``None``: ``basic``."""


class EndpointTls(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The TLS settings of an endpoint, in PEM; the key is masked."""

    certificate: str | None = None
    """The client certificate with its chain."""
    key: str | None = None
    ca: str | None = None
    """The certificate authorities trusted for this endpoint, instead of the system's."""


class EndpointOptions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The options of an endpoint beyond its URL and filters; ``None``: not set.

    They are stored as one JSON object under these names: once released, a name keeps its meaning.
    """

    timeout: timedelta | None = None
    """For the whole exchange; ``None``: as ``delivery.timeout`` says."""
    retry_schedule: tuple[timedelta, ...] | None = None
    """The delays after the first attempt; ``None``: those of ``delivery.retry_schedule``."""
    timeout_by_event_type: Mapping[str, timedelta] | None = None
    """Overrides ``timeout`` for some event types, or for all with a prefix (``invoice.*``)."""
    retry_schedule_by_event_type: Mapping[str, tuple[timedelta, ...]] | None = None
    authentication: EndpointAuthentication | None = None
    tls: EndpointTls | None = None
    filter: Mapping[str, object] | None = None
    """What the payload of a message must be like; see :mod:`webhook_engine.rules.payload_filter`."""
    method: str | None = None
    """``PUT`` or ``PATCH``; ``None``: ``POST``."""
    query: Mapping[str, str] | None = None
    """Parameters that are added to the URL."""
    compression: str | None = None
    """``gzip``; ``None``: payloads are sent as they are."""
    user_agent: str | None = None
    """``None``: the engine's own."""
    content_type: str | None = None
    """The content type of payloads whose message has none; ``None``: ``application/json``."""
    ordering: str | None = None
    """``"fifo"``: it gets its messages one at a time, in the order in which they were accepted."""
    ordering_on_exhausted: str | None = None
    """What to do when the retries of a message are exhausted: ``"stop"`` the order, or go on without the message."""
    batch_size: int | None = None
    """How many messages of an order may be sent in one request, as a JSON array."""
    batch_wait: timedelta | None = None
    """How long fewer messages wait for more; ``None``: they do not wait."""
    circuit_breaker: bool | None = None
    """Whether all its deliveries pause when too many attempts fail; ``None``: as ``delivery.circuit_breaker`` says."""
    transformation: str | None = None
    """The name of a function, registered by the platform, that changes its requests."""


class Endpoint(EndpointOptions, frozen=True, kw_only=True, omit_defaults=False):
    """A URL of an application that gets its messages."""

    id: str
    application_id: str
    organization_id: str
    uid: str | None
    url: str
    description: str
    event_types: tuple[str, ...] | None
    """The event types it subscribes to; ``None`` means all, and ``invoice.*`` all that begin with ``invoice.``."""
    channels: tuple[str, ...] | None
    throttle_rate: int | None
    """Messages per second; ``None`` is unlimited."""
    version: int
    disabled: bool
    disabled_at: datetime | None
    disabled_reason: str | None
    """Why it is disabled, in words for the consumer."""
    first_failure_at: datetime | None
    """Start of the open failure window, or of the one that disabled the endpoint."""
    metadata: Mapping[str, str]
    created_at: datetime
    updated_at: datetime
    paused_until: datetime | None = None
    """Until when its circuit breaker pauses all its deliveries; see ``circuit_breaker``."""

    @property
    def rate_limit(self) -> int | None:
        """The older name of ``throttle_rate``."""
        return self.throttle_rate

    @property
    def filter_types(self) -> tuple[str, ...] | None:
        """The older name of ``event_types``."""
        return self.event_types

    @property
    def options(self) -> EndpointOptions:
        """Its options alone."""
        return EndpointOptions(**{name: getattr(self, name) for name in EndpointOptions.__struct_fields__})


class EndpointHeaders(msgspec.Struct, frozen=True, kw_only=True):
    """The endpoint's own request headers; the values of sensitive ones are left out."""

    headers: Mapping[str, str]
    sensitive: tuple[str, ...]


class EndpointOrder(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one ordering key at an endpoint with ``ordering``."""

    ordering_key: str | None
    message_id: str
    """The message whose turn it is."""
    state: str
    """``"sending"``, ``"retrying"``, or ``"stopped"``: its retries are exhausted, and the others wait for a person."""
    attempt_count: int
    next_attempt: datetime | None
    waiting: int
    """How many wait behind it, counted up to 1000."""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """Who is notified of what happens to the endpoints of an application, and how."""

    id: str
    application_id: str
    kind: str
    """``email``, ``slack``, ``discord``, ``teams`` or ``webhook``."""
    to: str
    """An address, or a URL with its password masked."""
    events: tuple[str, ...]
    active: bool
    """Whether it is sent: not to an unconfirmed address, and not after failing for five days."""
    inactive_reason: str | None
    created_at: datetime
    updated_at: datetime


class EndpointStats(msgspec.Struct, frozen=True, kw_only=True):
    """The number of attempts of an endpoint in a span of time, and of scheduled deliveries."""

    success: int
    pending: int
    sending: int
    fail: int
    canceled: int


class EndpointTransformation(msgspec.Struct, frozen=True, kw_only=True):
    """The consumer's script for an endpoint, in JavaScript."""

    code: str | None
    """The source, which declares ``handler(webhook)``; ``None``: there is no script."""
    enabled: bool
    variables: Mapping[str, str]
    """What the script gets as ``webhook.variables``."""
    updated_at: datetime | None


class TransformationTrial(msgspec.Struct, frozen=True, kw_only=True):
    """The result of simulating a script."""

    url: str | None = None
    method: str | None = None
    payload: str | None = None
    headers: Mapping[str, str] = {}
    """The headers that the script sets."""
    cancelled: bool = False
    logs: tuple[str, ...] = ()
    """What the script wrote to its console."""
    problem: str | None = None
    """Why the result cannot be sent; ``None`` if it can."""


class AuthenticationTrial(msgspec.Struct, frozen=True, kw_only=True):
    """The result of testing an endpoint's authentication."""

    problem: str | None
    """Why there is no access token; ``None`` if there is one, or if none is needed."""
    token_life_s: int | None
    """For how many seconds the access token is valid; ``None`` if there is none."""
    message_id: str | None
    """The example that was sent; its attempt shows the receiver's response. ``None`` if none was sent."""


class EventType(msgspec.Struct, frozen=True, kw_only=True):
    """A named kind of message."""

    name: str
    organization_id: str
    description: str
    archived: bool
    deprecated: bool
    schemas: Mapping[str, object] | None
    """JSON Schemas by version, ``{"1": {...}}``."""
    feature_flags: tuple[str, ...]
    group_name: str | None
    created_at: datetime
    updated_at: datetime

    @property
    def feature_flag(self) -> str | None:
        """The first feature flag, under its older name."""
        return self.feature_flags[0] if self.feature_flags else None


class Message(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An event to deliver."""

    id: str
    application_id: str
    event_type: str
    event_id: str | None
    payload: bytes | None
    """The exact bytes that are sent; ``None`` if they expired, were expunged, or were not asked for."""
    channels: tuple[str, ...] | None
    tags: tuple[str, ...] | None
    deliver_at: datetime | None
    timestamp: datetime
    content_type: str | None = None
    """The content type of the payload; ``None``: ``application/json``, or the payload was not requested."""
    ordering_key: str | None = None
    """Endpoints with ``ordering`` keep the order of messages with the same key; those without one form one order."""


class UsualExchange(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is stored of an exchange, besides the response body, if the message was sent unchanged."""

    number: int | None
    """The number of the scheduled attempt, from 1; ``None`` for a manual one outside the schedule."""
    signature: str
    """The signature that was sent, since the keys valid then are not known later. Empty if nothing was sent."""
    response_head: str
    """The status line and the headers of the response, cut to 8 kB; empty without a response."""
    lookup_us: int | None = None
    """How long the DNS look-up took, in microseconds; ``None`` on a reused connection."""
    connect_us: int | None = None
    tls_us: int | None = None
    first_byte_us: int | None = None
    """From the request to the first byte of the response, in microseconds."""

    @property
    def response_headers(self) -> Sequence[tuple[str, str]]:
        """The response headers, in order."""
        lines = self.response_head.splitlines()[1:]
        pairs = (line.partition(":") for line in lines if ":" in line and not line.startswith((" ", "\t")))
        return [(name.strip(), value.strip()) for name, _, value in pairs]


class Exchange(UsualExchange, frozen=True, array_like=True, gc=False):
    """What is stored of an attempt's exchange, besides the response body."""

    sent_method: str | None = None
    """The method of a transformed request; ``None`` if the message was sent unchanged."""
    sent_body: str | None = None
    """The transformed body, cut to 64 kB; ``None`` once the payload is deleted."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request of a delivery, and what came of it."""

    id: str
    msg_id: str
    endpoint_id: str
    url: str
    status: AttemptStatus
    response: str
    """The body of the response, cut to ``delivery.response_limit``; or what went wrong before there was one."""
    response_status_code: int
    """0 if no response came."""
    response_duration_ms: int
    trigger_type: TriggerType
    timestamp: datetime
    """When the request began."""
    request_headers: Mapping[str, str]
    """The headers that were sent; signatures and sensitive values are left out. Empty if nothing was sent."""
    failure: str | None = None
    """How it failed: ``status``, ``timeout``, ``dns``, ``connect``, ``tls``, ``blocked`` or ``protocol``.

    ``None`` if it did not fail, and for attempts older than this field.
    """
    exchange: Exchange | None = None
    """Details of the exchange; ``None`` for attempts older than this field."""

    @property
    def status_text(self) -> str:
        """The status in words, as in the HTTP API."""
        return self.status.name.lower()


class AttemptedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message as seen from one of its endpoints."""

    message: Message
    status: AttemptStatus
    reason: str | None
    """Why it failed, if not by its last attempt, for example ``endpoint disabled``."""
    attempt_count: int
    next_attempt: datetime | None

    @property
    def status_text(self) -> str:
        """The status in words, as in the HTTP API."""
        return self.status.name.lower()


class AttemptedDestination(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint as seen from one of its messages; deleted endpoints are included."""

    endpoint: Endpoint
    status: AttemptStatus
    reason: str | None
    attempt_count: int
    next_attempt: datetime | None

    @property
    def status_text(self) -> str:
        """The status in words, as in the HTTP API."""
        return self.status.name.lower()


class UnsentDestination(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint that a message was not sent to, as things stand now."""

    endpoint: Endpoint
    obstacle: str
    """``disabled``, ``eventType``, ``channels`` or ``filter``; ``later``: it was added after the message was created;
    ``edited``: it was changed since, and would get the message now."""
    condition: Mapping[str, object] | None
    """The first condition of its filter that does not hold; ``None`` if that is not known any more."""
    edited_since: bool
    """Whether it was changed after the message was created."""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A durable background task, such as the recovery of an endpoint's failed messages."""

    id: str
    organization_id: str
    application_id: str | None
    endpoint_id: str | None
    task: str
    """Its kind: ``endpoint.recover`` or ``endpoint.replay``."""
    status: TaskStatus
    data: Mapping[str, object]
    """Progress, such as ``{"processed": 1200}``."""
    created_at: datetime
    updated_at: datetime


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One page of a list."""

    data: Sequence[T]
    iterator: str | None
    """Pass it as ``iterator`` to get the next page; ``None`` where the page is empty."""
    prev_iterator: str | None
    """Pass it as ``iterator`` to get the page before."""
    done: bool
    """Whether nothing follows in the direction of travel."""


# What follows flows inside the engine.


class Health(msgspec.Struct, frozen=True, gc=False):
    """The failure window of an endpoint; all ``None`` while the endpoint is well."""

    first_failure_at: int | None = None
    last_failure_at: int | None = None
    warned: bool = False
    first_failure_ran: int | None = None
    """How long the engine had run then, in microseconds. This decides, since setting the clock does not change it."""
    last_failure_ran: int | None = None
    paused_until: int | None = None
    """Until when the circuit breaker sends nothing."""


class OldKey(msgspec.Struct, frozen=True):
    """A rotated signing secret, encrypted, and when it stops being used for signing."""

    encrypted: bytes
    expires_at: int
