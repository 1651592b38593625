"""What the store takes and gives: the stored forms behind the public records of :mod:`webhook_engine.model`.

Instants are ``int`` microseconds since the epoch. What there is one of for each message or attempt is kept out of the
garbage collector's sight (``gc=False``): it can be part of no cycle, and there are many.
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
    """A stretch of a list ordered by one unique key, both ends exclusive."""

    low: str | None = None
    high: str | None = None
    descending: bool = True
    limit: int = 50
    max_bytes: int | None = None
    """Of what the elements carry; a list is read up to the first element beyond it, see :func:`fitting`."""


class Edge(NamedTuple):
    """Where a part of a list ends, and that it goes on."""

    last: str
    """The key of the last element of the part."""
    following: str
    """That of the one behind it."""


def fitting(elements: Sequence[object], max_bytes: int | None) -> int:
    """How many of these elements a list has room for: all that begin within the bound, the first one always. Pure.

    A store reads one element more than fits, and a caller that gets one more knows that there is more.
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
    """How much of an element of a list is payload, response or schemas; what else there is of it is bounded."""
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
    """An endpoint with what only the engine may see."""

    endpoint: Endpoint
    encrypted_key: bytes
    """The current signing secret, encrypted; ``endpoint.id`` is the context."""
    old_keys: tuple[OldKey, ...] = ()
    """Rotated secrets, newest first."""
    encrypted_headers: bytes | None = None
    """The endpoint's own headers as a JSON object, encrypted; ``None`` if it has none."""
    encrypted_user_info: bytes | None = None
    """User name and password of the URL, encrypted; the URL has a mask in their place. ``None`` if it has none."""
    encrypted_credentials: bytes | None = None
    """What it proves itself with to its receiver, as a JSON object, encrypted; ``None`` if there is none."""
    health: Health = Health()
    deleted: bool = False
    shard: int = 0
    """What it belongs to, where several engines share the database; see :mod:`webhook_engine.store.members`."""
    moved: tuple[int, float] | None = None
    """The shard that it belonged to before, and for how many seconds it does not any more."""


class Routes(msgspec.Struct, frozen=True):
    """What the messages of an application are routed by, as it was at one moment."""

    endpoints: Sequence[StoredEndpoint]
    """All that are not deleted."""
    revision: int | None = None
    """Another after each edit; ``None`` where no other engine can make one."""
    kept: dict[str, object] = {}
    """What was made of them, by whoever routes by them, as long as they are true."""


class ApplicationChanges(msgspec.Struct, frozen=True, kw_only=True):
    """The columns of an application to change; what is ``UNSET`` stays."""

    uid: str | UnsetType | None = UNSET
    name: str | UnsetType = UNSET
    throttle_rate: int | UnsetType | None = UNSET
    metadata: Mapping[str, str] | UnsetType = UNSET


class EndpointChanges(msgspec.Struct, frozen=True, kw_only=True):
    """The columns of an endpoint to change; what is ``UNSET`` stays."""

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
    """It does not wait as a whole any more, whatever its condition says."""


class EndpointCondition(msgspec.Struct, frozen=True, kw_only=True):
    """The failure window of an endpoint and whether it is disabled."""

    health: Health = Health()
    disabled_at: int | None = None
    """``None`` means enabled."""
    disabled_reason: str | None = None


class EventTypeChanges(msgspec.Struct, frozen=True, kw_only=True):
    """The columns of an event type to change; what is ``UNSET`` stays."""

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
    """``None``: as ``retention.payload`` says."""
    trace_context: str | None = None
    """Of the trace that its attempts belong to: a W3C ``traceparent``, and after a line break its ``tracestate``."""
    content_type: str | None = None
    """What the payload is sent as; ``None``: JSON."""
    ordering_key: str | None = None
    """What it keeps its order with, at endpoints that keep one; ``None``: with all that have none either."""


class AddressedMessage(msgspec.Struct, frozen=True, gc=False):
    """A message and the endpoints that it goes to."""

    message: NewMessage
    endpoint_ids: Sequence[str]
    """Each gets a delivery, due at once (or at ``deliver_at``)."""
    manual_to: str | None = None
    """Instead: one manual attempt to this endpoint, outside its filters and the schedule."""
    outbox_id: int | None = None
    """The outbox row that it was; deleted in the same transaction."""
    response: KeptResponse | None = None
    """To the request that made it; kept in the same transaction, unless the message is refused."""
    revision: int | None = None
    """Of the application that it was routed by; ``None``: it cannot have changed."""
    shards: Sequence[int] | None = None
    """Those of the endpoints, in their order (or of ``manual_to``); ``None``: all are this engine's."""
    ordered: Sequence[str] = ()
    """Those of the endpoints that get their messages one at a time, in the order of acceptance."""


class Due(msgspec.Struct, frozen=True, gc=False):
    """A delivery (or a manual attempt of one) as the lanes handle it."""

    message_id: str
    endpoint_id: str
    due_at: int
    step: int
    """Scheduled attempts made on the present run through the ladder."""
    attempt_count: int
    """Attempts made in all."""
    event_id: str | None
    payload: bytes | None
    """``None`` if it expired or was expunged."""
    manual_id: str | None = None
    """Set if a person asked for this attempt."""
    trace_context: str | None = None
    """That of the message."""
    content_type: str | None = None
    """That of the message; ``None``: JSON."""
    asked: bool = False
    """Whether somebody asked for this attempt of the schedule, as with a recovery."""
    order_key: str | None = None
    """The key by which it has a place in an order, of which it has the turn; ``None``: it has none."""
    event_type: str | None = None
    """That of the message, if it is at hand."""


Place = tuple[str, int, str]
"""Of a delivery among those that are scheduled: its endpoint, when it is due, and its message."""

DueAgain = Callable[[int, int | None, bool], int]
"""When something is due, given ``due_at``, ``due_ran``, and whether its message was given that instant."""


class DeliveryChange(msgspec.Struct, frozen=True, gc=False):
    """What becomes of a delivery after an attempt, or without one."""

    message_id: str
    endpoint_id: str
    status: DeliveryStatus
    due_at: int | None
    """When it is due next; ``None`` unless ``status`` is ``PENDING`` and an attempt is scheduled."""
    step: int
    reason: str | None
    settled_at: int | None
    manual_id: str | None = None
    """The manual attempt that this fulfils."""
    attempted: bool = True
    due_ran: int | None = None
    """When it is due in the time that the engine runs, which no clock that is set changes."""
    ordered: bool = False
    """Whether the delivery may have a place in an order, which the next one gets when it is settled."""
    stops: bool = False
    """Whether the order stops at it if it fails for good."""


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
    """Empty where nothing was sent."""
    failure: str | None = None
    """In what way it failed."""
    exchange: UsualExchange | None = None


class ClockMark(msgspec.Struct, frozen=True, kw_only=True):
    """What the clock said last, so that a later start can tell whether it was set meanwhile."""

    ran: int
    """Microseconds that engines have run on this database."""
    seen_at: int
    believed_at: int
    """The same without what the clock gained at once and was not believed yet."""
    doubted_ran: int | None
    """``ran`` when the clock was doubted first; ``None`` while it is believed."""
    last_id: str
    """The last id that was made, without its prefix."""


class Outcomes(msgspec.Struct, frozen=True, kw_only=True):
    """A batch of outcomes; recorded whole or not at all."""

    attempts: Sequence[RecordedAttempt] = ()
    deliveries: Sequence[DeliveryChange] = ()
    conditions: Mapping[str, EndpointCondition] = msgspec.field(default_factory=dict)
    """By endpoint id. An endpoint that is disabled already stays so."""
    messages: Sequence[AddressedMessage] = ()
    """Operational webhooks about this batch."""
    mark: ClockMark | None = None
    """What the clock says."""
    member: str | None = None
    """The member that made the attempts, which must have its lease; ``None``: nobody else can have made them."""


class OutboxRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the outbox as somebody wrote it: not validated."""

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
    """A message that an endpoint never had a delivery for."""

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
    """Without those that have an endpoint whose URL begins with one of these."""


MAX_MERGED_EVENT_TYPES = 20
"""Event types asked for by which a list of messages is merged from one range each; with more, one range is filtered."""


class MessageFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages of an application to list."""

    event_types: tuple[str, ...] | None = None
    channel: str | None = None
    tag: str | None = None
    with_content: bool = True

    @property
    def passes_over(self) -> bool:
        """Whether what does not fit is read too, however much that is."""
        return self.channel is not None or self.tag is not None or len(self.event_types or ()) > MAX_MERGED_EVENT_TYPES


class MessageSearch(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages of an application to look for. All that is given has to fit."""

    text: str | None = None
    """Somewhere in the payload; capital and small letters of ASCII are the same."""
    event_types: tuple[str, ...] | None = None
    endpoint_ids: tuple[str, ...] | None = None
    """It has a delivery to one of them; ``status``, ``status_codes`` and ``failure`` are about these alone then."""
    status: AttemptStatus | None = None
    """Of all its deliveries together: pending if one is, else failed if one did, and so on."""
    status_codes: tuple[int, int] | None = None
    """An attempt was answered with a code from the first to the second."""
    failure: str | None = None
    """An attempt failed in that way."""


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
        """Whether what does not fit is read too, however much that is."""
        return (self.status_code_class, self.event_types, self.channel, self.tag) != (None, None, None, None)


class DeliveryFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages of an endpoint to list."""

    status_code_class: int | None = None
    """100, 200, …: those whose latest attempt was answered so; see :class:`AttemptFilter`."""
    replayable: bool = False
    """Only what is settled, and whose payload is still there."""

    status: AttemptStatus | None = None
    """``PENDING``: never attempted; ``SENDING``: attempted, and another attempt is scheduled."""
    event_types: tuple[str, ...] | None = None
    channel: str | None = None
    tag: str | None = None
    with_content: bool = True

    @property
    def passes_over(self) -> bool:
        """Whether what does not fit is read too, however much that is."""
        return (self.event_types, self.channel, self.tag) != (None, None, None)


WORK_DONE = "done"
"""The cursor of a task that has nothing left to do; what is missing is its end, with the event about it."""


class TaskProgress(msgspec.Struct, frozen=True, kw_only=True):
    """Where a task stands after a step; stored with the step's own changes."""

    task_id: str
    status: TaskStatus
    cursor: str | None
    data: Mapping[str, object]

    def moved_on(self, cursor: str | None, **data: object) -> TaskProgress:
        """To be continued from ``cursor``, or done where that is ``None``, with these changes of its data."""
        return msgspec.structs.replace(self, cursor=WORK_DONE if cursor is None else cursor, data={**self.data, **data})
