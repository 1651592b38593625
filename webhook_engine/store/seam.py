"""The one seam to a database: what the engine needs of it, in the engine's words.

Every method that changes something is durable when it returns, and has changed nothing if it raises. Reads see
everything that returned before them. Methods raise :class:`~webhook_engine.errors.StoreUnavailableError` when the
database cannot do it right now, and :class:`~webhook_engine.errors.ConflictError` where a uid, name or event id is
taken. Organizations are isolated by the callers: what takes an application or endpoint id trusts it.
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
    """Applications; a deleted one is not found any more and gives up its uid."""

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
        """Deletes it, all its endpoints and the positions of its pollers; stores the webhooks about that with it.

        Pending deliveries are left to be cancelled by ``settle_pending``.
        """
        ...

    async def list(
        self, organization_id: str, span: Span, where: ApplicationFilter | None = None
    ) -> Sequence[Application]:
        """In the order of ids."""
        ...


class EndpointStore(Protocol):
    """Endpoints; a deleted one gives up its uid and is found by :meth:`load` alone.

    ``messages`` are the operational webhooks that tell of a change, stored with it, and only if it is made.
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
        """Some endpoint, deleted or not, if there is any: to see whether its secrets can be read."""
        ...

    async def of_application(self, application_id: str) -> Sequence[StoredEndpoint]:
        """All endpoints of an application that are not deleted."""
        ...

    async def routes(self, application_id: str) -> Routes | None:
        """The same with what they are at, for routing; ``None`` if there is no such application (any more)."""
        ...

    async def count(self, application_id: str) -> int:
        """How many that are."""
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
        """Deletes it and the positions of its pollers; pending deliveries are left to ``settle_pending``."""
        ...

    async def list(self, application_id: str, span: Span) -> Sequence[StoredEndpoint]:
        """In the order of ids."""
        ...


class EventTypeStore(Protocol):
    """Event types of an organization, by name."""

    async def add(self, event_type: EventType) -> None:
        """Takes the place of an archived one of that name; raises ``ConflictError`` if there is a live one."""
        ...

    async def get(self, organization_id: str, name: str) -> EventType | None:
        """Archived or not."""
        ...

    async def update(self, organization_id: str, name: str, changes: EventTypeChanges, now: int) -> EventType | None:
        """Sets ``updated_at`` to ``now``; ``None`` if there is no such event type."""
        ...

    async def expunge(self, organization_id: str, name: str) -> bool:
        """Removes it altogether."""
        ...

    async def list(
        self, organization_id: str, span: Span, *, include_archived: bool, feature_flags: tuple[str, ...] | None
    ) -> Sequence[EventType]:
        """In the order of names; with ``feature_flags`` only those without a flag or with one of these."""
        ...

    async def unknown(self, organization_id: str, names: Sequence[str]) -> Sequence[str]:
        """Those of ``names`` that are not registered, or archived; in the order given."""
        ...


class MessageStore(Protocol):
    """Messages. Their payloads may go before them."""

    async def add(self, batch: Sequence[AddressedMessage]) -> Sequence[AddressedMessage]:
        """Store messages with their deliveries, and with the responses to the requests that made them.

        Returns those that were not stored because their event id is taken in their application (each of several
        in the batch but the first). Their outbox rows are deleted all the same: the message is there already.
        Raises ``RoutingChangedError`` if an application has another revision than its messages were routed by.
        """
        ...

    async def get(self, application_id: str, key: str) -> Message | None:
        """By id or event id."""
        ...

    async def event_type(self, message_id: str) -> str | None:
        """Of the message with this id; its payload is not read."""
        ...

    async def list(self, application_id: str, span: Span, where: MessageFilter) -> Sequence[Message]:
        """In the order of ids."""
        ...

    async def edge(self, application_id: str, span: Span, count: int) -> Edge | None:
        """Where the first ``count`` of the span end, read from an index; ``None``: there are not more."""
        ...

    async def search(
        self, application_id: str, span: Span, where: MessageSearch, window: int, max_bytes: int
    ) -> tuple[Sequence[str], str | None]:
        """Ids of the newest messages in the span that fit, and the id of the last one that was looked at.

        At most ``span.limit`` are found, and ``window`` are looked at, or as many as have payloads of ``max_bytes`` in
        all where text is looked for. ``None``: there are no more.
        """
        ...

    async def expunge(self, *message_ids: str) -> None:
        """Deletes the payloads."""
        ...


class DeliveryStore(Protocol):
    """Deliveries: the durable state behind timers and lanes."""

    async def record(self, outcomes: Outcomes) -> Turns:
        """Record a batch of outcomes; returns the turns that this gave in the orders of endpoints.

        A success settles its delivery whatever came before. Any other change applies only to a delivery that is
        still pending, so that a late failure never undoes a success, a cancellation or a disabling.
        Raises ``LateOutcomesError`` if ``outcomes.member`` has lost its lease.
        """
        ...

    async def endpoints_with_due(
        self, after: str | None, limit: int, shards: Collection[int] = ALL_SHARDS
    ) -> Sequence[tuple[str, int]]:
        """Endpoints of these shards with something scheduled, in an order of the store's.

        Each with its earliest due instant. ``after`` is the last one of the page before. A database for one engine has
        one shard for all, and does not look at ``shards``.
        """
        ...

    async def due(self, endpoint_id: str, until: int, limit: int, *, payload_bytes: int | None = None) -> Sequence[Due]:
        """Manual attempts that were asked for, then scheduled deliveries due at or before ``until``, earliest first.

        With ``payload_bytes`` it stops after the one with which their payloads reach that size, though more may be due.
        """
        ...

    async def next_due_at(self, endpoint_id: str, after: int) -> int | None:
        """The earliest due instant later than ``after``."""
        ...

    async def request_attempt(self, due: Due) -> bool:
        """Ask for the manual attempt ``due.manual_id``; makes the delivery if the message has none for the endpoint.

        ``False``, and nothing is changed, if the message has no payload any more.
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
        """End up to ``limit`` scheduled deliveries of an endpoint; returns how many, so that 0 means done.

        With ``while_closed`` only as long as it is disabled or deleted, which another engine may have changed.
        """
        ...

    async def cancel_message(self, message_id: str, reason: str, now: int) -> tuple[Sequence[str], Turns]:
        """Cancel what is scheduled of a message, and what an order has stopped at.

        Returns the endpoint ids concerned, and the turns that this gave.
        """
        ...

    async def skip(self, message_id: str, endpoint_id: str, reason: str, now: int) -> Turns | None:
        """Take a delivery out of the order, cancelled unless it has failed; returns the turns that this gave.

        ``None``, and nothing is changed, if it has no place in an order.
        """
        ...

    async def release(self, endpoint_id: str, limit: int, now: int) -> tuple[int, Turns]:
        """Let up to ``limit`` orders of an endpoint go on that have stopped at a failure.

        Returns how many, so that 0 means done, and the turns that this gave.
        """
        ...

    async def first_in_order(self, line: Line, limit: int, payload_bytes: int) -> Sequence[OrderedDelivery]:
        """The first in an order, its turn's holder before all, until their payloads are so large together."""
        ...

    async def line_heads(self, endpoint_id: str, after: str | None, limit: int, most: int) -> Sequence[LineHead]:
        """Where the orders of an endpoint stand, by ordering key, of those whose key comes ``after``.

        Those who wait in one are counted up to ``most``.
        """
        ...

    async def get(self, message_id: str, endpoint_id: str) -> Due | None:
        """The delivery, whatever its state; ``due_at`` is 0 where nothing is scheduled."""
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
        """Schedule failed deliveries again, for a full run through the ladder, with the task's progress.

        ``ordered``: they take their old places in the endpoint's order.
        Takes those that failed in [``since``, ``until``), oldest first, and whose payload is still there. Returns how
        many, and the instant to continue from (``None`` when there are no more). The count is
        added to ``processed`` in ``progress.data``, which is stored with the instant as cursor, or with
        ``WORK_DONE`` when there are no more.
        """
        ...

    async def retrying(
        self, endpoint_id: str, since: int, until: int, after: str, now: int, limit: int
    ) -> tuple[Sequence[str], str | None]:
        """Messages with ids above ``after`` whose delivery to the endpoint waits for a retry later than ``now``.

        Only those that failed an attempt begun in [``since``, ``until``), to four milliseconds. Looks at up to
        ``limit`` pending deliveries; returns the ids, and the id to continue from (``None`` at the end).
        """
        ...

    async def bring_forward(
        self, endpoint_id: str, message_ids: Sequence[str], now: int, progress: TaskProgress
    ) -> None:
        """Make retries that wait for later due at once, with the task's progress; the ladder goes on from there."""
        ...

    async def reschedule(self, after: Place | None, limit: int, due_again: DueAgain) -> tuple[int, Place | None]:
        """Ask of each scheduled delivery when it is due, and move forward those that are due earlier than it says.

        Looks at up to ``limit`` of them, beginning ``after`` the place that the last call returned; returns how many it
        has moved, and where to go on (``None`` at the end).
        """
        ...

    async def missing(
        self, application_id: str, endpoint_id: str, after: str, until: str, limit: int
    ) -> tuple[Sequence[ReplayCandidate], str | None]:
        """Messages with ids in (``after``, ``until``) that have a payload and no delivery to the endpoint.

        Looks at up to ``limit`` messages; returns the candidates and the id to continue from (``None`` at the end).
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
        """Make deliveries, due at once, where there are none, with the task's progress.

        ``ordered``: they go behind all that wait in the endpoint's order.
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
        """Schedule settled deliveries once more, for a full run through the ladder, with the task's progress.

        ``ordered``: they take their old places in the endpoint's order.
        """
        ...

    async def cancel_before(
        self, endpoint_id: str, message_id: str, reason: str, now: int, limit: int
    ) -> tuple[Sequence[str], Turns]:
        """Cancel up to ``limit`` scheduled deliveries of messages with ids before ``message_id``.

        Returns their ids, and the turns that this gave.
        """
        ...

    async def count_of_messages(
        self, application_id: str, after: str, until: str, limit: int
    ) -> tuple[int, str | None]:
        """How many deliveries the messages with ids in (``after``, ``until``) have.

        Looks at up to ``limit`` messages; returns the count and the id to continue from (``None`` at the end).
        """
        ...

    async def list_by_endpoint(self, endpoint_id: str, span: Span, where: DeliveryFilter) -> Sequence[AttemptedMessage]:
        """In the order of message ids."""
        ...

    async def edge(self, endpoint_id: str, status: AttemptStatus | None, span: Span, count: int) -> Edge | None:
        """Where the first ``count`` of that list end, of one status or of all; see :meth:`MessageStore.edge`."""
        ...

    async def list_by_message(self, message_id: str, span: Span) -> Sequence[AttemptedDestination]:
        """In the order of endpoint ids; deleted endpoints included."""
        ...

    async def count_by_status(self, message_ids: Sequence[str]) -> dict[str, dict[AttemptStatus, int]]:
        """How many deliveries of each message are in which state; without those that have none."""
        ...

    async def count_pending(self, endpoint_id: str) -> tuple[int, int]:
        """How many are still to come: never attempted, and attempted before."""
        ...


class AttemptStore(Protocol):
    """Attempts, kept as they were."""

    async def get(self, message_id: str, attempt_id: str) -> Attempt | None:
        """By id."""
        ...

    async def list_by_endpoint(self, endpoint_id: str, span: Span, where: AttemptFilter) -> Sequence[Attempt]:
        """In the order of ids."""
        ...

    async def edge(self, endpoint_id: str, status: AttemptStatus | None, span: Span, count: int) -> Edge | None:
        """Where the first ``count`` of that list end, of one status or of all; see :meth:`MessageStore.edge`."""
        ...

    async def list_by_message(self, message_id: str, span: Span, where: AttemptFilter) -> Sequence[Attempt]:
        """In the order of ids."""
        ...

    async def count(self, endpoint_id: str, low: str, high: str) -> dict[AttemptStatus, int]:
        """Attempts of an endpoint with ids in [``low``, ``high``], by status."""
        ...

    async def expunge(self, message_id: str, attempt_id: str) -> bool:
        """Replaces the response by ``EXPUNGED``."""
        ...


class TaskStore(Protocol):
    """Background tasks."""

    async def add(self, task: Task, cursor: str | None) -> None:
        """A task to be run from ``cursor``."""
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
        """All tasks that are to be run, of every organization, oldest first, with their cursors."""
        ...

    async def advance(self, progress: TaskProgress, now: int) -> None:
        """Record where a task stands; one that is paused stays so unless it is told to have ended."""
        ...

    async def turn(self, task_id: str, before: TaskStatus, after: TaskStatus, now: int) -> bool:
        """Give a task another status; ``False``, and nothing is changed, if it does not stand as ``before`` says."""
        ...

    async def end(self, progress: TaskProgress, now: int, messages: Sequence[AddressedMessage]) -> bool:
        """Record how a task ended, together with the operational webhooks that tell of it.

        Returns whether it ended now; a task that had ended before stays as it was, and the webhooks are not stored.
        """
        ...


class OutboxStore(Protocol):
    """The outbox table in the engine's own database."""

    async def changed(self) -> bool:
        """Whether there may be rows that were not there at the last call; cheap enough to ask often."""
        ...

    async def waiting(self, limit: int, shards: Collection[int] = ALL_SHARDS) -> Sequence[OutboxRow]:
        """Rows to be moved, oldest first; what was set aside is left out.

        Where engines share the database, only those whose application, as they name it, is of one of these shards.
        """
        ...

    async def waited_for(self, limit: int) -> frozenset[int]:
        """The shards that the first of the rows to be moved are for; empty where no engines share the database."""
        ...

    async def set_aside(self, refused: Sequence[RefusedRow], now: int) -> None:
        """Keep rows that can never be delivered out of the way, with their errors."""
        ...


class Store(Protocol):
    """A database that holds everything that must outlive the process."""

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
        """``None`` where there are no other engines to hear of."""
        ...

    def on_commit(self, told: Callable[[int, float], None]) -> None:
        """Tell ``told`` how many changes each commit holds, and how many seconds it took."""
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
