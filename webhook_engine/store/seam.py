"""The one seam to a database: what the engine needs from it, in the engine's words.

Every method that changes something is durable when it returns, and has changed nothing if it raises. Reads see
everything that returned before them. Methods raise :class:`~webhook_engine.errors.StoreUnavailableError` when the
database is not available, and :class:`~webhook_engine.errors.ConflictError` where a uid, name or event id is
taken. Callers isolate organizations: a method that takes an application or endpoint id trusts it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from webhook_engine.model import (
    Application,
    Attempt,
    AttemptedDestination,
    AttemptedMessage,
    AttemptStatus,
    DeliveryStatus,
    EventType,
    Message,
    Task,
    TaskStatus,
)
from webhook_engine.store.audit import AuditStore
from webhook_engine.store.insight import InsightStore
from webhook_engine.store.kept_responses import KeptResponseStore
from webhook_engine.store.members import ALL_SHARDS, LeaseStore, WakeupStore
from webhook_engine.store.order import Line, LineHead, OrderedDelivery, Turns
from webhook_engine.store.play import PlayStore
from webhook_engine.store.portal_links import PortalLinkStore
from webhook_engine.store.positions import PositionStore
from webhook_engine.store.records import (
    AddressedMessage,
    ApplicationChanges,
    ApplicationFilter,
    AttemptFilter,
    DeliveryFilter,
    Due,
    DueAgain,
    Edge,
    EndpointChanges,
    EventTypeChanges,
    MessageFilter,
    MessageSearch,
    OutboxRow,
    Outcomes,
    Place,
    RefusedRow,
    ReplayCandidate,
    Routes,
    Span,
    StoredEndpoint,
    TaskProgress,
)
from webhook_engine.store.revocations import RevocationStore
from webhook_engine.store.upkeep import UpkeepStore

__all__ = [
    "ApplicationStore",
    "AttemptStore",
    "DeliveryStore",
    "EndpointStore",
    "EventTypeStore",
    "MessageStore",
    "OutboxStore",
    "Store",
    "TaskStore",
]


class ApplicationStore(Protocol):
    """Applications. A deleted one is no longer found, and its uid is free again."""

    async def add(self, application: Application) -> None:
        """Raises ``ConflictError`` if the uid is taken in the organization."""
        ...

    async def get(self, organization_id: str, key: str) -> Application | None:
        """By id or uid."""
        ...

    async def update(self, application_id: str, changes: ApplicationChanges, now: int) -> Application | None:
        """Sets ``updated_at`` to ``now``; ``None`` if there is no such application."""
        ...

    async def delete(self, application_id: str, now: int, messages: Sequence[AddressedMessage] = ()) -> bool:
        """Delete it, all its endpoints and the positions of its pollers, and store the webhooks about that.

        Its pending deliveries are cancelled later, by ``settle_pending``.
        """
        ...

    async def list(
        self, organization_id: str, span: Span, where: ApplicationFilter | None = None
    ) -> Sequence[Application]:
        """In the order of ids."""
        ...


class EndpointStore(Protocol):
    """Endpoints. The uid of a deleted one is free again, and only :meth:`load` finds it.

    ``messages`` are the operational webhooks about a change. They are stored with it, and only if it is made.
    """

    async def add(self, stored: StoredEndpoint, messages: Sequence[AddressedMessage] = ()) -> None:
        """Raises ``ConflictError`` if the uid is taken in the application."""
        ...

    async def get(self, application_id: str, key: str) -> StoredEndpoint | None:
        """By id or uid."""
        ...

    async def load(self, endpoint_id: str) -> StoredEndpoint | None:
        """By id, deleted or not."""
        ...

    async def first(self) -> StoredEndpoint | None:
        """Any endpoint, deleted or not; ``None`` if there are none. Used to check that secrets can be decrypted."""
        ...

    async def of_application(self, application_id: str) -> Sequence[StoredEndpoint]:
        """All endpoints of an application that are not deleted."""
        ...

    async def routes(self, application_id: str) -> Routes | None:
        """The same with the revision of their application, for routing; ``None`` if there is no such application."""
        ...

    async def count(self, application_id: str) -> int:
        """Their number."""
        ...

    async def update(
        self, endpoint_id: str, changes: EndpointChanges, now: int, messages: Sequence[AddressedMessage] = ()
    ) -> StoredEndpoint | None:
        """Sets ``updated_at`` to ``now``; ``None`` if there is no such endpoint."""
        ...

    async def end_pauses(self) -> None:
        """End the pause of each endpoint that does not ask for a circuit breaker itself."""
        ...

    async def delete(self, endpoint_id: str, now: int, messages: Sequence[AddressedMessage] = ()) -> bool:
        """Delete it and the positions of its pollers; ``settle_pending`` cancels its pending deliveries later."""
        ...

    async def list(self, application_id: str, span: Span) -> Sequence[StoredEndpoint]:
        """In the order of ids."""
        ...


class EventTypeStore(Protocol):
    """Event types of an organization, by name."""

    async def add(self, event_type: EventType) -> None:
        """Replaces an archived one of the same name; raises ``ConflictError`` if there is one that is not archived."""
        ...

    async def get(self, organization_id: str, name: str) -> EventType | None:
        """Archived or not."""
        ...

    async def update(self, organization_id: str, name: str, changes: EventTypeChanges, now: int) -> EventType | None:
        """Sets ``updated_at`` to ``now``; ``None`` if there is no such event type."""
        ...

    async def expunge(self, organization_id: str, name: str) -> bool:
        """Delete it for good."""
        ...

    async def list(
        self, organization_id: str, span: Span, *, include_archived: bool, feature_flags: tuple[str, ...] | None
    ) -> Sequence[EventType]:
        """In the order of names. With ``feature_flags``, only those without a flag or with one of these."""
        ...

    async def unknown(self, organization_id: str, names: Sequence[str]) -> Sequence[str]:
        """Those of ``names`` that are not registered, or archived; in the order given."""
        ...


class MessageStore(Protocol):
    """Messages. A payload may be deleted before its message."""

    async def add(self, batch: Sequence[AddressedMessage]) -> Sequence[AddressedMessage]:
        """Store messages with their deliveries, and with the responses to the requests that made them.

        Returns those that were not stored because their event id is taken in their application; of several with one
        event id in the batch, the first is stored. Their outbox rows are deleted too: the message exists.
        Raises ``RoutingChangedError`` if an application has another revision than its messages were routed by.
        """
        ...

    async def get(self, application_id: str, key: str) -> Message | None:
        """By id or event id."""
        ...

    async def event_type(self, message_id: str) -> str | None:
        """The event type of the message with this id, without reading its payload."""
        ...

    async def list(self, application_id: str, span: Span, where: MessageFilter) -> Sequence[Message]:
        """In the order of ids."""
        ...

    async def edge(self, application_id: str, span: Span, count: int) -> Edge | None:
        """Where the first ``count`` elements of the span end, read from an index; ``None`` if there are no more."""
        ...

    async def search(
        self, application_id: str, span: Span, where: MessageSearch, window: int, max_bytes: int
    ) -> tuple[Sequence[str], str | None]:
        """Ids of the newest messages in the span that match, and the id of the last one examined.

        Returns at most ``span.limit``, and examines at most ``window``; a search for text also ends after payloads of
        ``max_bytes``. The second is ``None`` at the end of the span.
        """
        ...

    async def expunge(self, *message_ids: str) -> None:
        """Deletes the payloads."""
        ...


class DeliveryStore(Protocol):
    """Deliveries: the durable state behind timers and lanes."""

    async def record(self, outcomes: Outcomes) -> Turns:
        """Record a batch of outcomes; returns the turns that this gives in the orders of endpoints.

        A success always settles its delivery. Any other change applies only to a delivery that is still pending, so
        that a late failure never undoes a success, a cancellation or a disabling.
        Raises ``LateOutcomesError`` if ``outcomes.member`` has lost its lease.
        """
        ...

    async def endpoints_with_due(
        self, after: str | None, limit: int, shards: Collection[int] = ALL_SHARDS
    ) -> Sequence[tuple[str, int]]:
        """Endpoints of these shards with scheduled deliveries, each with its earliest due instant.

        The store chooses the order. ``after`` is the last one of the page before. A store for a single engine ignores
        ``shards``.
        """
        ...

    async def due(self, endpoint_id: str, until: int, limit: int, *, payload_bytes: int | None = None) -> Sequence[Due]:
        """Requested manual attempts, then scheduled deliveries due at or before ``until``, earliest first.

        With ``payload_bytes``, it stops when their payloads reach that size, though more may be due.
        """
        ...

    async def next_due_at(self, endpoint_id: str, after: int) -> int | None:
        """The earliest due instant later than ``after``."""
        ...

    async def request_attempt(self, due: Due) -> bool:
        """Request the manual attempt ``due.manual_id``; creates the delivery if the message has none for the endpoint.

        ``False``, without a change, if the payload is gone.
        """
        ...

    async def settle_pending(
        self,
        endpoint_id: str,
        status: DeliveryStatus,
        reason: str,
        now: int,
        limit: int,
        *,
        while_closed: bool = False,
    ) -> int:
        """Settle up to ``limit`` scheduled deliveries of an endpoint; returns how many, 0 when there are no more.

        With ``while_closed``, only while it is disabled or deleted; another engine may have changed that.
        """
        ...

    async def cancel_message(self, message_id: str, reason: str, now: int) -> tuple[Sequence[str], Turns]:
        """Cancel the scheduled deliveries of a message, and those at which an order has stopped.

        Returns their endpoint ids, and the turns that this gives.
        """
        ...

    async def skip(self, message_id: str, endpoint_id: str, reason: str, now: int) -> Turns | None:
        """Take a delivery out of its order, and cancel it unless it has failed; returns the turns that this gives.

        ``None``, without a change, if it has no place in an order.
        """
        ...

    async def release(self, endpoint_id: str, limit: int, now: int) -> tuple[int, Turns]:
        """Resume up to ``limit`` orders of an endpoint that have stopped at a failure.

        Returns how many, 0 when there are no more, and the turns that this gives.
        """
        ...

    async def first_in_order(self, line: Line, limit: int, payload_bytes: int) -> Sequence[OrderedDelivery]:
        """The first deliveries in an order, beginning with the one that has the turn.

        At most ``limit``; it stops when their payloads reach ``payload_bytes``.
        """
        ...

    async def line_heads(self, endpoint_id: str, after: str | None, limit: int, most: int) -> Sequence[LineHead]:
        """The state of each order of an endpoint, by ordering key, from the key that follows ``after``.

        Waiting deliveries are counted up to ``most``.
        """
        ...

    async def get(self, message_id: str, endpoint_id: str) -> Due | None:
        """The delivery in any state; ``due_at`` is 0 if nothing is scheduled."""
        ...

    async def recover(
        self,
        endpoint_id: str,
        since: int,
        until: int,
        now: int,
        limit: int,
        progress: TaskProgress,
        *,
        ordered: bool = False,
    ) -> tuple[int, int | None]:
        """Schedule failed deliveries again, from the first step of the ladder, and store the task's progress.

        Takes those that failed in [``since``, ``until``) and still have a payload, oldest first. Returns how many, and
        the instant to continue from (``None`` when there are no more). The count is added to ``processed`` in
        ``progress.data``, which is stored with the instant as cursor, or with ``WORK_DONE`` when there are no more.
        ``ordered``: they take their old places in the endpoint's order.
        """
        ...

    async def retrying(
        self, endpoint_id: str, since: int, until: int, after: str, now: int, limit: int
    ) -> tuple[Sequence[str], str | None]:
        """Messages with ids above ``after`` whose delivery to the endpoint waits for a retry later than ``now``.

        Only those with a failed attempt that began in [``since``, ``until``), accurate to four milliseconds. Examines
        up to ``limit`` pending deliveries; returns the ids, and the id to continue from (``None`` at the end).
        """
        ...

    async def bring_forward(
        self, endpoint_id: str, message_ids: Sequence[str], now: int, progress: TaskProgress
    ) -> None:
        """Make waiting retries due at once, and store the task's progress; the ladder continues from their step."""
        ...

    async def reschedule(self, after: Place | None, limit: int, due_again: DueAgain) -> tuple[int, Place | None]:
        """Bring forward the scheduled deliveries that are due earlier by ``due_again`` than is stored.

        Examines up to ``limit`` of them, from the place ``after`` that the last call returned. Returns how many it
        brought forward, and the place to continue from (``None`` at the end).
        """
        ...

    async def missing(
        self, application_id: str, endpoint_id: str, after: str, until: str, limit: int
    ) -> tuple[Sequence[ReplayCandidate], str | None]:
        """Messages with ids in (``after``, ``until``) that have a payload and no delivery to the endpoint.

        Examines up to ``limit`` messages; returns the candidates and the id to continue from (``None`` at the end).
        """
        ...

    async def replay(
        self,
        endpoint_id: str,
        message_ids: Sequence[str],
        now: int,
        progress: TaskProgress,
        *,
        ordered: bool = False,
    ) -> None:
        """Create missing deliveries, due at once, and store the task's progress.

        ``ordered``: they go to the end of the endpoint's order.
        """
        ...

    async def replay_again(
        self,
        endpoint_id: str,
        message_ids: Sequence[str],
        now: int,
        progress: TaskProgress,
        *,
        ordered: bool = False,
    ) -> None:
        """Schedule settled deliveries again, from the first step of the ladder, and store the task's progress.

        ``ordered``: they take their old places in the endpoint's order.
        """
        ...

    async def cancel_before(
        self, endpoint_id: str, message_id: str, reason: str, now: int, limit: int
    ) -> tuple[Sequence[str], Turns]:
        """Cancel up to ``limit`` scheduled deliveries of messages with ids before ``message_id``.

        Returns their ids, and the turns that this gives.
        """
        ...

    async def count_of_messages(
        self, application_id: str, after: str, until: str, limit: int
    ) -> tuple[int, str | None]:
        """The number of deliveries of the messages with ids in (``after``, ``until``).

        Examines up to ``limit`` messages; returns the count and the id to continue from (``None`` at the end).
        """
        ...

    async def list_by_endpoint(self, endpoint_id: str, span: Span, where: DeliveryFilter) -> Sequence[AttemptedMessage]:
        """In the order of message ids."""
        ...

    async def edge(self, endpoint_id: str, status: AttemptStatus | None, span: Span, count: int) -> Edge | None:
        """Where the first ``count`` elements of that list end, for one status or all; see :meth:`MessageStore.edge`."""
        ...

    async def list_by_message(self, message_id: str, span: Span) -> Sequence[AttemptedDestination]:
        """In the order of endpoint ids; deleted endpoints included."""
        ...

    async def count_by_status(self, message_ids: Sequence[str]) -> dict[str, dict[AttemptStatus, int]]:
        """The deliveries of each message by state; messages without deliveries are left out."""
        ...

    async def count_pending(self, endpoint_id: str) -> tuple[int, int]:
        """The pending deliveries: those never attempted, and those attempted before."""
        ...


class AttemptStore(Protocol):
    """Attempts. They never change once recorded, except that a response can be expunged."""

    async def get(self, message_id: str, attempt_id: str) -> Attempt | None:
        """By id."""
        ...

    async def list_by_endpoint(self, endpoint_id: str, span: Span, where: AttemptFilter) -> Sequence[Attempt]:
        """In the order of ids."""
        ...

    async def edge(self, endpoint_id: str, status: AttemptStatus | None, span: Span, count: int) -> Edge | None:
        """Where the first ``count`` elements of that list end, for one status or all; see :meth:`MessageStore.edge`."""
        ...

    async def list_by_message(self, message_id: str, span: Span, where: AttemptFilter) -> Sequence[Attempt]:
        """In the order of ids."""
        ...

    async def count(self, endpoint_id: str, low: str, high: str) -> dict[AttemptStatus, int]:
        """Attempts of an endpoint with ids in [``low``, ``high``], by status."""
        ...

    async def expunge(self, message_id: str, attempt_id: str) -> bool:
        """Replace the response by ``EXPUNGED``."""
        ...


class TaskStore(Protocol):
    """Background tasks."""

    async def add(self, task: Task, cursor: str | None) -> None:
        """Add a task that runs from ``cursor``."""
        ...

    async def get(self, organization_id: str, task_id: str) -> Task | None:
        """By id."""
        ...

    async def list(
        self,
        organization_id: str,
        span: Span,
        *,
        status: TaskStatus | None,
        kind: str | None,
        application_id: str | None,
    ) -> Sequence[Task]:
        """In the order of ids."""
        ...

    async def running(self) -> Sequence[tuple[Task, str | None]]:
        """All unfinished tasks, of every organization, oldest first, with their cursors."""
        ...

    async def advance(self, progress: TaskProgress, now: int) -> None:
        """Record the progress of a task; a paused one stays paused unless it has ended."""
        ...

    async def turn(self, task_id: str, before: TaskStatus, after: TaskStatus, now: int) -> bool:
        """Change the status of a task; ``False``, without a change, if its status is not ``before``."""
        ...

    async def end(self, progress: TaskProgress, now: int, messages: Sequence[AddressedMessage]) -> bool:
        """Record the end of a task, together with the operational webhooks about it.

        Returns whether it ended now; a task that had ended before stays unchanged, and no webhook is stored.
        """
        ...


class OutboxStore(Protocol):
    """The outbox table in the engine's own database."""

    async def changed(self) -> bool:
        """Whether there may be new rows since the last call; cheap enough to call often."""
        ...

    async def waiting(self, limit: int, shards: Collection[int] = ALL_SHARDS) -> Sequence[OutboxRow]:
        """Rows to relay, oldest first, without those set aside.

        Where engines share the database, only rows whose application, as the row names it, is in one of these shards.
        """
        ...

    async def waited_for(self, limit: int) -> frozenset[int]:
        """The shards of the first rows to relay; empty where engines cannot share the database."""
        ...

    async def set_aside(self, refused: Sequence[RefusedRow], now: int) -> None:
        """Set aside rows that can never be delivered, with their errors."""
        ...


class Store(Protocol):
    """The database: everything that must outlive the process."""

    @property
    def applications(self) -> ApplicationStore: ...
    @property
    def endpoints(self) -> EndpointStore: ...
    @property
    def event_types(self) -> EventTypeStore: ...
    @property
    def messages(self) -> MessageStore: ...
    @property
    def deliveries(self) -> DeliveryStore: ...
    @property
    def attempts(self) -> AttemptStore: ...
    @property
    def tasks(self) -> TaskStore: ...
    @property
    def outbox(self) -> OutboxStore: ...
    @property
    def revocations(self) -> RevocationStore: ...
    @property
    def portal_links(self) -> PortalLinkStore: ...
    @property
    def kept_responses(self) -> KeptResponseStore: ...
    @property
    def positions(self) -> PositionStore: ...
    @property
    def play(self) -> PlayStore: ...
    @property
    def audit(self) -> AuditStore: ...
    @property
    def insight(self) -> InsightStore: ...
    @property
    def upkeep(self) -> UpkeepStore: ...
    @property
    def leases(self) -> LeaseStore: ...
    @property
    def wakeups(self) -> WakeupStore | None:
        """``None`` if there can be no other engines."""
        ...

    def on_commit(self, told: Callable[[int, float], None]) -> None:
        """Call ``told`` after each commit, with the number of its changes and its duration in seconds."""
        ...

    async def open(self) -> None:
        """Take the database for this engine and bring its schema up to date.

        Raises ``EngineAlreadyRunningError`` if another engine holds it, ``SchemaVersionError`` if a newer version
        made it, ``StoreUnavailableError`` if it cannot be opened. After a failure it may be tried again.
        """
        ...

    async def close(self) -> None:
        """Finish what is being written, and let go. Closing twice is harmless."""
        ...
