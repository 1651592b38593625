"""What the store takes and gives: the stored forms behind the public records of :mod:`webhook_engine.model`.

Instants are ``int`` microseconds since the epoch. The garbage collector does not track the records of messages and
attempts (``gc=False``): there are many of them, and they cannot be part of a cycle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from webhook_engine.model import (
    Attempt,
    AttemptedMessage,
    AttemptStatus,
    DeliveryStatus,
    Endpoint,
    EndpointOptions,
    EventType,
    Health,
    Message,
    OldKey,
    TaskStatus,
    TriggerType,
    UsualExchange,
)
from webhook_engine.store.kept_responses import KeptResponse

__all__ = [
    "MAX_MERGED_EVENT_TYPES",
    "AddressedMessage",
    "ApplicationChanges",
    "ApplicationFilter",
    "AttemptFilter",
    "ClockMark",
    "DeliveryChange",
    "DeliveryFilter",
    "Due",
    "DueAgain",
    "Edge",
    "EndpointChanges",
    "EndpointCondition",
    "EventTypeChanges",
    "MessageFilter",
    "MessageSearch",
    "NewMessage",
    "OutboxRow",
    "Outcomes",
    "Place",
    "RecordedAttempt",
    "RefusedRow",
    "ReplayCandidate",
    "Routes",
    "Span",
    "StoredEndpoint",
    "TaskProgress",
    "carried_bytes",
    "fitting",
]


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A range of a list that is ordered by a unique key; both ends are exclusive."""

    low: str | None = None
    high: str | None = None
    descending: bool = True
    limit: int = 50
    max_bytes: int | None = None
    """The bound on what the elements carry; a list ends with the first element beyond it, see :func:`fitting`."""


class Edge(NamedTuple):
    """The end of a part of a list that continues."""

    last: str
    """The key of the last element of the part."""
    following: str
    """The key of the element after that."""


def fitting(elements: Sequence[object], max_bytes: int | None) -> int:
    """The number of elements that fit into a page: all that begin within the bound, and always the first. Pure.

    A store reads one element more than fits, so that its caller knows whether the list continues.
    """
    if max_bytes is None:
        return len(elements)
    carried = 0
    for count, element in enumerate(elements):
        if carried >= max_bytes:
            return count
        carried += carried_bytes(element)
    return len(elements)


def carried_bytes(element: object) -> int:
    """The bytes of payload, response or schemas in an element of a list; everything else in it is bounded."""
    match element:
        case Message():
            return len(element.payload or b"")
        case AttemptedMessage():
            return len(element.message.payload or b"")
        case Attempt():
            return len(element.response)
        case EventType():
            return len(msgspec.json.encode(element.schemas)) if element.schemas else 0
        case _:
            return 0


class StoredEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint with its secrets and its health, which only the engine sees."""

    endpoint: Endpoint
    encrypted_key: bytes
    """The current signing secret, encrypted; ``endpoint.id`` is the context."""
    old_keys: tuple[OldKey, ...] = ()
    """Rotated secrets, newest first."""
    encrypted_headers: bytes | None = None
    """The endpoint's own headers as a JSON object, encrypted; ``None`` if it has none."""
    encrypted_user_info: bytes | None = None
    """User name and password of the URL, encrypted; ``None`` if it has none. The URL has a mask in their place."""
    encrypted_credentials: bytes | None = None
    """Credentials for the receiver as a JSON object, encrypted; ``None`` if there are none."""
    health: Health = Health()
    deleted: bool = False
    shard: int = 0
    """Its shard, where several engines share the database; see :mod:`webhook_engine.store.members`."""
    moved: tuple[int, float] | None = None
    """Its former shard, and the seconds since it left that one."""


class Routes(msgspec.Struct, frozen=True):
    """A snapshot of what the messages of an application are routed by."""

    endpoints: Sequence[StoredEndpoint]
    """All that are not deleted."""
    revision: int | None = None
    """Changes with each edit; ``None`` if no other engine can make one."""
    kept: dict[str, object] = {}
    """A cache for the router, valid as long as this snapshot."""


class ApplicationChanges(msgspec.Struct, frozen=True, kw_only=True):
    """The columns of an application to change; ``UNSET`` leaves one as it is."""

    uid: str | UnsetType | None = UNSET
    name: str | UnsetType = UNSET
    throttle_rate: int | UnsetType | None = UNSET
    metadata: Mapping[str, str] | UnsetType = UNSET


class EndpointChanges(msgspec.Struct, frozen=True, kw_only=True):
    """The columns of an endpoint to change; ``UNSET`` leaves one as it is."""

    uid: str | UnsetType | None = UNSET
    url: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    event_types: tuple[str, ...] | UnsetType | None = UNSET
    channels: tuple[str, ...] | UnsetType | None = UNSET
    throttle_rate: int | UnsetType | None = UNSET
    version: int | UnsetType = UNSET
    metadata: Mapping[str, str] | UnsetType = UNSET
    encrypted_key: bytes | UnsetType = UNSET
    old_keys: tuple[OldKey, ...] | UnsetType = UNSET
    encrypted_headers: bytes | UnsetType | None = UNSET
    encrypted_user_info: bytes | UnsetType | None = UNSET
    options: EndpointOptions | UnsetType = UNSET
    encrypted_credentials: bytes | UnsetType | None = UNSET
    condition: EndpointCondition | UnsetType = UNSET
    resumed: bool = False
    """End its pause, whatever its condition says."""


class EndpointCondition(msgspec.Struct, frozen=True, kw_only=True):
    """The failure window of an endpoint and whether it is disabled."""

    health: Health = Health()
    disabled_at: int | None = None
    """``None`` means enabled."""
    disabled_reason: str | None = None


class EventTypeChanges(msgspec.Struct, frozen=True, kw_only=True):
    """The columns of an event type to change; ``UNSET`` leaves one as it is."""

    description: str | UnsetType = UNSET
    archived: bool | UnsetType = UNSET
    deprecated: bool | UnsetType = UNSET
    schemas: Mapping[str, object] | UnsetType | None = UNSET
    feature_flags: tuple[str, ...] | UnsetType = UNSET
    group_name: str | UnsetType | None = UNSET


class NewMessage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A validated message that is not stored yet."""

    id: str
    organization_id: str
    application_id: str
    event_type: str
    payload: bytes
    created_at: int
    event_id: str | None = None
    channels: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None
    deliver_at: int | None = None
    payload_expires_at: int | None = None
    """``None``: after ``retention.payload``."""
    trace_context: str | None = None
    """The trace of its attempts: a W3C ``traceparent``, then a line break and its ``tracestate``."""
    content_type: str | None = None
    """The content type of the payload; ``None``: JSON."""
    ordering_key: str | None = None
    """At ordered endpoints, messages with the same key keep their order; those with ``None`` do so among themselves."""


class AddressedMessage(msgspec.Struct, frozen=True, gc=False):
    """A message and the endpoints that it goes to."""

    message: NewMessage
    endpoint_ids: Sequence[str]
    """Each gets a delivery, due at once or at ``deliver_at``."""
    manual_to: str | None = None
    """If set, the message only gets one manual attempt to this endpoint, regardless of its filters."""
    outbox_id: int | None = None
    """Its outbox row, deleted in the same transaction."""
    response: KeptResponse | None = None
    """The response to the request that created it, kept in the same transaction unless the message is refused."""
    revision: int | None = None
    """The revision of the application that it was routed by; ``None``: it cannot have changed."""
    shards: Sequence[int] | None = None
    """The shards of ``endpoint_ids``, in their order, or that of ``manual_to``; ``None``: all are this engine's."""
    ordered: Sequence[str] = ()
    """The ordered ones of the endpoints: they get messages one at a time, in the order of acceptance."""


class Due(msgspec.Struct, frozen=True, gc=False):
    """A delivery (or a manual attempt of one) as the lanes handle it."""

    message_id: str
    endpoint_id: str
    due_at: int
    step: int
    """Scheduled attempts made since the ladder last began."""
    attempt_count: int
    """All attempts made."""
    event_id: str | None
    payload: bytes | None
    """``None`` if it expired or was expunged."""
    manual_id: str | None = None
    """Set if this is a manual attempt."""
    trace_context: str | None = None
    """That of the message."""
    content_type: str | None = None
    """That of the message; ``None``: JSON."""
    asked: bool = False
    """Whether this scheduled attempt was requested, as by a recovery."""
    order_key: str | None = None
    """The ordering key of the order in which it has the turn; ``None`` if it has no place in an order."""
    event_type: str | None = None
    """That of the message; ``None`` if it was not read."""


Place = tuple[str, int, str]
"""The position of a scheduled delivery: its endpoint, when it is due, and its message."""

DueAgain = Callable[[int, int | None, bool], int]
"""The instant at which a delivery is due, from ``due_at``, ``due_ran``, and whether ``deliver_at`` was given."""


class DeliveryChange(msgspec.Struct, frozen=True, gc=False):
    """The new state of a delivery, after an attempt or without one."""

    message_id: str
    endpoint_id: str
    status: DeliveryStatus
    due_at: int | None
    """When the next attempt is due; ``None`` unless ``status`` is ``PENDING`` and one is scheduled."""
    step: int
    reason: str | None
    settled_at: int | None
    manual_id: str | None = None
    """The manual attempt that this fulfils."""
    attempted: bool = True
    due_ran: int | None = None
    """The same by the time that the engine has run, which does not change when the clock is set."""
    ordered: bool = False
    """Whether the delivery may have the turn of an order, which passes on when it is settled."""
    stops: bool = False
    """Whether the order stops at it when its retries are exhausted."""


class RecordedAttempt(msgspec.Struct, frozen=True, gc=False):
    """An attempt to keep."""

    id: str
    message_id: str
    endpoint_id: str
    url: str
    status: AttemptStatus
    status_code: int
    duration_ms: int
    trigger: TriggerType
    response: str
    request_headers: Mapping[str, str]
    """Empty if nothing was sent."""
    failure: str | None = None
    """The kind of failure."""
    exchange: UsualExchange | None = None


class ClockMark(msgspec.Struct, frozen=True, kw_only=True):
    """The last reading of the clock, by which a later start can tell whether it was set in between."""

    ran: int
    """Microseconds for which engines have run on this database."""
    seen_at: int
    believed_at: int
    """The same without a jump forward that is still doubted."""
    doubted_ran: int | None
    """``ran`` at the time when the doubt began; ``None`` while the clock is trusted."""
    last_id: str
    """The last generated id, without its prefix."""


class Outcomes(msgspec.Struct, frozen=True, kw_only=True):
    """A batch of outcomes, recorded as a whole or not at all."""

    attempts: Sequence[RecordedAttempt] = ()
    deliveries: Sequence[DeliveryChange] = ()
    conditions: Mapping[str, EndpointCondition] = msgspec.field(default_factory=dict)
    """By endpoint id. A disabled endpoint stays disabled."""
    messages: Sequence[AddressedMessage] = ()
    """Operational webhooks about this batch."""
    mark: ClockMark | None = None
    """The present reading of the clock."""
    member: str | None = None
    """The member that made the attempts, which must still have its lease; ``None`` if there can be only one."""


class OutboxRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the outbox, not validated yet."""

    id: int
    message_id: str | None
    organization: str | None
    application: str
    event_type: str
    payload: bytes
    event_id: str | None
    channels: str | None
    """JSON array."""
    tags: str | None
    """JSON array."""
    deliver_at: str | None
    """RFC 3339."""


class RefusedRow(msgspec.Struct, frozen=True):
    """An outbox row that can never be delivered, and why."""

    id: int
    error: str


class ReplayCandidate(msgspec.Struct, frozen=True):
    """A message without a delivery to an endpoint."""

    message_id: str
    event_type: str
    channels: tuple[str, ...] | None


class ApplicationFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which applications of an organization to list."""

    without_endpoints: bool = True
    """Whether those without an endpoint are listed."""
    with_disabled_endpoints: bool = True
    """Whether those with a disabled endpoint are listed."""
    no_endpoint_at: tuple[str, ...] = ()
    """Leave out those with an endpoint whose URL begins with one of these."""


MAX_MERGED_EVENT_TYPES = 20
"""Up to this number of event types, a list of messages is merged from one range for each; above, one is filtered."""


class MessageFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages of an application to list."""

    event_types: tuple[str, ...] | None = None
    channel: str | None = None
    tag: str | None = None
    with_content: bool = True

    @property
    def passes_over(self) -> bool:
        """Whether elements that do not match are read too, without a bound."""
        return self.channel is not None or self.tag is not None or len(self.event_types or ()) > MAX_MERGED_EVENT_TYPES


class MessageSearch(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages of an application to search for. All given conditions must match."""

    text: str | None = None
    """Text anywhere in the payload; ASCII letters match in either case."""
    event_types: tuple[str, ...] | None = None
    endpoint_ids: tuple[str, ...] | None = None
    """With a delivery to one of them; ``status``, ``status_codes`` and ``failure`` then apply to these only."""
    status: AttemptStatus | None = None
    """The state of its deliveries together: pending if one is, else failed if one is, and so on."""
    status_codes: tuple[int, int] | None = None
    """With an attempt whose status code is from the first to the second."""
    failure: str | None = None
    """With an attempt that failed in this way."""


class AttemptFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which attempts to list."""

    status: AttemptStatus | None = None
    status_code_class: int | None = None
    """100, 200, …: codes from that number to 99 above; 0 means 0 to 99."""
    event_types: tuple[str, ...] | None = None
    channel: str | None = None
    tag: str | None = None
    endpoint_id: str | None = None

    @property
    def passes_over(self) -> bool:
        """Whether elements that do not match are read too, without a bound."""
        return (self.status_code_class, self.event_types, self.channel, self.tag) != (None, None, None, None)


class DeliveryFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages of an endpoint to list."""

    status_code_class: int | None = None
    """100, 200, …: by the status code of the latest attempt; see :class:`AttemptFilter`."""
    replayable: bool = False
    """Only settled ones whose payload still exists."""

    status: AttemptStatus | None = None
    """``PENDING``: never attempted; ``SENDING``: attempted, and another attempt is scheduled."""
    event_types: tuple[str, ...] | None = None
    channel: str | None = None
    tag: str | None = None
    with_content: bool = True

    @property
    def passes_over(self) -> bool:
        """Whether elements that do not match are read too, without a bound."""
        return (self.event_types, self.channel, self.tag) != (None, None, None)


WORK_DONE = "done"
"""The cursor of a task whose work is done, but whose end, with the event about it, is not recorded yet."""


class TaskProgress(msgspec.Struct, frozen=True, kw_only=True):
    """The progress of a task after a step, stored with the changes of that step."""

    task_id: str
    status: TaskStatus
    cursor: str | None
    data: Mapping[str, object]

    def moved_on(self, cursor: str | None, **data: object) -> TaskProgress:
        """The progress to continue from ``cursor`` (``None``: done), with these changes to its data."""
        return msgspec.structs.replace(self, cursor=WORK_DONE if cursor is None else cursor, data={**self.data, **data})
