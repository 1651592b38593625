"""The pipeline builds the parts of the delivery flow, starts and stops them in order, and is their interface.

::

    accept / outbox row ─► router ─► (deliveries stored) ─► timers ─► lanes ─► dispatcher ─► sender
                                            ▲                                                  │
                                            └───────────────── recorder ◄──────── decision ◄───┘
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING

import msgspec

from webhook_engine.clock import Clock
from webhook_engine.delivery.accept.filter_process import FilterProcess
from webhook_engine.delivery.accept.intake import Intake, MessageLimits
from webhook_engine.delivery.accept.relay import Relay
from webhook_engine.delivery.accept.router import Router
from webhook_engine.delivery.attempt.access_tokens import AccessToken, AccessTokens
from webhook_engine.delivery.attempt.attempt import Attempter
from webhook_engine.delivery.attempt.decision import Rules
from webhook_engine.delivery.attempt.outcome import Outcome
from webhook_engine.delivery.attempt.recorder import Recorder
from webhook_engine.delivery.attempt.targets import Targets
from webhook_engine.delivery.attempt.transforming import Transformer
from webhook_engine.delivery.http.guard import AddressGuard
from webhook_engine.delivery.http.own_inbox import OwnInboxes
from webhook_engine.delivery.http.response import Response
from webhook_engine.delivery.http.sender import Sender
from webhook_engine.delivery.mail.links import letter_links
from webhook_engine.delivery.mail.settings import MailSettings
from webhook_engine.delivery.measures import Measures
from webhook_engine.delivery.notices import Notices
from webhook_engine.delivery.notifier import Handler, Notifier
from webhook_engine.delivery.ownership import Ownership, Share
from webhook_engine.delivery.publishing import Publication, Publisher
from webhook_engine.delivery.schedule.dispatcher import Dispatcher
from webhook_engine.delivery.schedule.figures import LaneFigures
from webhook_engine.delivery.schedule.incoming import Incoming
from webhook_engine.delivery.schedule.outstanding import Outstanding
from webhook_engine.delivery.service import Service
from webhook_engine.delivery.tasks.runner import TaskRunner
from webhook_engine.delivery.timekeeper import Timekeeper
from webhook_engine.delivery.transformations.functions import Functions
from webhook_engine.delivery.transformations.ready import READY
from webhook_engine.delivery.transformations.scripts import ScriptLimits, Scripts
from webhook_engine.delivery.upkeep.backlog import Backlog
from webhook_engine.delivery.upkeep.retention import Retention, RetentionPolicy
from webhook_engine.delivery.wakeups import Wakeups
from webhook_engine.events import OperationalEvent
from webhook_engine.ids import IdSource
from webhook_engine.log import get_logger
from webhook_engine.model import Task
from webhook_engine.rules.endpoint_options import OptionBounds
from webhook_engine.secrets.encryption import Cipher
from webhook_engine.store.directory import Directory
from webhook_engine.store.kept_responses import KeptResponse
from webhook_engine.store.members import SHARD_OF_ALL, Notice
from webhook_engine.store.order import Turns
from webhook_engine.store.records import AddressedMessage, Due, NewMessage, StoredEndpoint
from webhook_engine.store.seam import Store
from webhook_engine.store.sources import OutboxSource

if TYPE_CHECKING:
    from yarl import URL

    from webhook_engine.delivery.http.response import FailureKind
    from webhook_engine.delivery.mail.letters import LetterLinks
    from webhook_engine.delivery.mail.mailer import Mailer
    from webhook_engine.delivery.tracing import Tracing

__all__ = ["Pipeline", "PipelineSettings"]

log = get_logger("flow")

JOIN_LOOKS_EVERY_S = 0.005
JOIN_LOOKS_ELSEWHERE_EVERY_S = 0.05
LOOK_AGAIN_S = 6.0
"""Seconds after a change of owners: longer than a lease, and than any transaction of an engine that lost it."""


class PipelineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The configured part of the pipeline."""

    timeout_s: float
    response_limit: int
    max_in_flight: int
    max_in_flight_per_endpoint: int
    shutdown_grace_s: float
    allow_subnets: Sequence[IPv4Network | IPv6Network]
    https_only: bool
    transformation_timeout_s: float
    scripts: ScriptLimits | None
    """``None``: consumers may not have scripts."""
    proxy: str | None
    ca_file: str | None
    signature_headers: Sequence[str]
    user_agent: str
    operational_organization: str
    alerts_organization: str
    backlog_after: timedelta
    mail: MailSettings | None
    rules: Rules
    circuit_breaker: bool = False
    """The default for endpoints that do not set it."""
    endpoint_options: OptionBounds
    retention: RetentionPolicy
    messages: MessageLimits


class Pipeline:
    """From an accepted message to its recorded outcomes."""

    def __init__(
        self,
        settings: PipelineSettings,
        *,
        store: Store,
        directory: Directory,
        clock: Clock,
        ids: IdSource,
        cipher: Cipher,
        on_crash: Callable[[Service, BaseException], None],
        own_inboxes: OwnInboxes | None = None,
        sources: Sequence[OutboxSource] = (),
        tracing: Tracing | None = None,
        base_url: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._store = store
        self._tracing = tracing
        self.measures = Measures()
        self.intake = Intake(directory, clock, ids, settings.messages)
        self.notifier = Notifier(
            directory, self.intake, settings.operational_organization, settings.alerts_organization
        )
        self._mailer = (
            None
            if settings.mail is None
            else _mailer(settings.mail, clock, lambda *alert: letter_links(cipher, base_url(), *alert))
        )
        self._sender = Sender(
            timeout_s=settings.timeout_s,
            response_limit=settings.response_limit,
            guard=AddressGuard(settings.allow_subnets),
            proxy=settings.proxy,
            ca_file=settings.ca_file,
            clock=clock,
            own_inboxes=own_inboxes,
        )
        self.access_tokens = AccessTokens(self._sender, clock)
        self.filter_process = FilterProcess()
        self.functions = Functions(READY)
        self.scripts = None if settings.scripts is None else Scripts(settings.scripts)
        self.transformer = Transformer(
            self.functions,
            self.scripts,
            timeout_s=settings.transformation_timeout_s,
            https_only=settings.https_only,
        )
        self.ownership = Ownership(
            store.leases,
            clock,
            ids,
            gained=self._gained,
            losing=self._losing,
            drained=self._drained,
            stored_below=self._stored_below,
        )
        self._wakeups = Wakeups(store.wakeups, self._on_notice, self._on_missed)
        self.ownership.on_changed(lambda: self._wakeups.tell(Notice(members=True)))
        self._directory = directory
        self._losing_at: int | None = None
        """The number of the batch that was being stored when a shard was last lost; ``None`` if none was."""
        self._later: set[asyncio.TimerHandle] = set()
        self._ids = ids
        self._first_id = ""
        """The last id from before this engine was started; its own ids are higher."""
        self._publisher = Publisher(self.notifier, self._schedule)
        self.timekeeper = Timekeeper(clock, store.upkeep, store.deliveries, ids, self._clock_set_back)
        self._recorder = Recorder(store.deliveries, self._publisher, self._recorded, self.timekeeper, self._dropped)
        self._targets = Targets(
            store.endpoints,
            directory,
            cipher,
            user_agent=settings.user_agent,
            prefixes=settings.signature_headers,
            rules=settings.rules,
            bounds=settings.endpoint_options,
            circuit_breaker=settings.circuit_breaker,
        )
        self._dispatcher = Dispatcher(
            deliveries=store.deliveries,
            attempter=Attempter(
                sender=self._sender,
                access_tokens=self.access_tokens,
                transformer=self.transformer,
                event_type_of=store.messages.event_type,
                look=self.timekeeper.look,
                ids=ids,
                measures=self.measures,
                tracing=tracing,
                mailer=self._mailer,
            ),
            recorder=self._recorder,
            targets=self._targets,
            directory=directory,
            clock=clock,
            timekeeper=self.timekeeper,
            measures=self.measures,
            ownership=self.ownership,
            ids=ids,
            max_in_flight=settings.max_in_flight,
            max_in_flight_per_endpoint=settings.max_in_flight_per_endpoint,
        )
        self._router = Router(store.messages, directory, self.filter_process, self._stored, tracing)
        self._relay = Relay(store.outbox, self._router, self.intake, clock, self.ownership, self._wakeups, sources)
        self._tasks = TaskRunner(
            store,
            directory,
            self._dispatcher,
            self._publisher,
            clock,
            self.ownership,
            self.filter_process,
            added=self._wakeups.committed,
            expunged=self.expunged,
        )
        self._notices = Notices(
            ownership=self.ownership,
            directory=directory,
            dispatcher=self._dispatcher,
            incoming=None if store.wakeups is None else Incoming(self._dispatcher, store.wakeups.due),
            relay=self._relay,
            tasks=self._tasks,
            now=lambda: self.timekeeper.look().now,
        )
        self.retention = Retention(
            store.upkeep,
            clock,
            settings.retention,
            self.measures,
            self.timekeeper.believes,
            on_expired=self.expunged,
            is_ours=lambda: self.ownership.holds(SHARD_OF_ALL),
        )
        self._backlog = Backlog(
            store,
            directory,
            self._publisher,
            settings.backlog_after,
            now=lambda: self.timekeeper.look().now,
            ours=lambda: self.ownership.shards,
        )
        self._services = (
            self.timekeeper,
            self._wakeups,
            self.ownership,
            self._recorder,
            self._dispatcher,
            self._router,
            self._relay,
            self.retention,
            self._backlog,
        )
        self._on_crash = on_crash
        for service in self._services:
            service.on_crash = self._crashed

    async def start(self) -> None:
        """Begin to deliver, what was left pending first."""
        await self._sender.__aenter__()
        await self.filter_process.__aenter__()
        self._first_id = ""
        if not self._settings.circuit_breaker:
            # Left by an earlier run, in which circuit breakers were enabled by default.
            await self._store.endpoints.end_pauses()
        for service in self._services:
            await service.start()
            if service is self.timekeeper:
                self._first_id = self._ids.last
        await self._tasks.start()

    async def stop(self) -> None:
        """Accept nothing more, let requests in flight finish within the grace period, record outcomes, and stop."""
        grace = self._settings.shutdown_grace_s
        for later in self._later:
            later.cancel()
        self._later.clear()
        await self.ownership.give_all()
        # Parts that create work stop first, concurrently, since each may be in the middle of a step.
        await asyncio.gather(self.retention.stop(), self._backlog.stop(), self._relay.stop(), self._tasks.stop())
        await self._router.stop()
        await self._dispatcher.drain(grace)
        await self._recorder.stop()
        await self.ownership.stop()
        await self._wakeups.stop()
        await self.timekeeper.stop()
        await self.notifier.stop(grace)
        await self.access_tokens.close()
        if self.scripts is not None:
            await self.scripts.close()
        await self.filter_process.__aexit__(None, None, None)
        await self._sender.__aexit__(None, None, None)
        if self._mailer is not None:
            self._mailer.close()

    async def precheck(self, url: URL, application_id: str) -> FailureKind | None:
        """Check a URL by a DNS look-up, within some seconds; returns how sending to it would fail."""
        return await self._sender.precheck(url, application_id)

    async def join(self) -> None:
        """Wait until everything accepted or enqueued so far has been routed, and nothing is due or unrecorded."""
        await self._relay.catch_up()
        outstanding = Outstanding(self._store.deliveries, self._store.endpoints)
        while self._busy() or await self._due_anywhere(outstanding):
            if any(service.crashed for service in self._services):
                return
            await asyncio.sleep(JOIN_LOOKS_EVERY_S if self.ownership.alone else JOIN_LOOKS_ELSEWHERE_EVERY_S)

    # Called by the resources.

    def accept(
        self, message: NewMessage, *, manual_to: str | None = None, response: KeptResponse | None = None
    ) -> asyncio.Future[None]:
        """Store a message with its deliveries; durable when this returns.

        With ``manual_to`` it goes only to that endpoint, whatever its filters, as one manual attempt. ``response`` is
        stored if and only if the message is stored. Raises ``ConflictError`` if the event id is taken.
        """
        return self._router.accept(message, manual_to=manual_to, response=response)

    def settled_id(self) -> str | None:
        """The last id, without its prefix, made so long ago that all messages with lower ids are stored."""
        return self.timekeeper.settled_id()

    def believed_now(self) -> int:
        """The clock's time without a recent jump ahead that is not trusted yet, in microseconds since the epoch."""
        return self.timekeeper.believed_now()

    def oldest_unstored(self) -> str | None:
        """The lowest id of a message that was accepted and is not stored yet."""
        return self._router.oldest_unstored()

    async def stored_elsewhere(self) -> str | None:
        """An id (without its prefix): other engines store no message with it or a lower one any more.

        ``None`` if there are no others.
        """
        return await self._store.leases.stored_below()

    async def attempt(self, due: Due) -> bool:
        """Make one manual attempt soon; the request is durable when this returns. ``False``: the payload is gone."""
        if not await self._store.deliveries.request_attempt(due):
            return False
        if self._tracing is not None and due.trace_context is None:
            # The first delivery of the message to this endpoint: its trace context is in the database.
            self._dispatcher.manual_stored(due.endpoint_id, due.due_at)
        elif not self.ownership.alone:
            # The request itself notifies the engine that holds the endpoint, this one or another.
            self._wakeups.committed()
        else:
            self._dispatcher.schedule_manual(due)
        return True

    async def ask_for_token(self, endpoint_id: str) -> AccessToken | Response | None:
        """Request a new access token for an endpoint; returns it, the failed response, or ``None`` if it uses none."""
        target, _ = await self._targets.load(endpoint_id)
        return None if target.token_client is None else await self.access_tokens.ask(target.token_client)

    def endpoint_changed(self, stored: StoredEndpoint) -> None:
        """Apply a change or deletion of an endpoint from the next attempt."""
        self._dispatcher.endpoint_changed(stored)
        self._wakeups.committed()

    def application_changed(self, application_id: str) -> None:
        """Apply a change of an application's rate limit from the next attempt."""
        self._dispatcher.application_changed(application_id)
        self._wakeups.committed()

    def cancelled(self, endpoint_id: str, message_id: str) -> None:
        """Remove a delivery that was cancelled in the store."""
        self._dispatcher.drop(endpoint_id, message_id)
        self._wakeups.tell(Notice(cancelled=[(endpoint_id, message_id)]))

    def turns_given(self, turns: Turns) -> None:
        """Schedule the deliveries that got their turns in the store."""
        self._dispatcher.given(turns)
        if not self.ownership.alone:
            self._wakeups.committed()

    def expunged(self, message_ids: Collection[str]) -> None:
        """Forget payloads that were deleted in the store; no attempt that begins from now on sends them."""
        self._dispatcher.expunged(message_ids)
        self._wakeups.tell(Notice(expunged=[*message_ids]))

    async def settle(self, endpoint_id: str) -> None:
        """Settle everything scheduled for a disabled or deleted endpoint; returns when nothing is left."""
        stored = await self._store.endpoints.load(endpoint_id)
        if stored is not None and (stored.deleted or stored.endpoint.disabled):
            await self._dispatcher.settle(endpoint_id, deleted=stored.deleted)

    async def start_task(self, task: Task, cursor: str | None) -> None:
        """Run a background task; durable when this returns."""
        await self._tasks.add(task, cursor)

    async def pause_task(self, task: Task) -> bool:
        """Pause a background task; ``False`` if it is not running."""
        return await self._tasks.pause(task)

    async def resume_task(self, task: Task) -> bool:
        """Resume a paused background task; ``False`` if it is not paused."""
        resumed = await self._tasks.resume(task)
        if resumed:
            self.tell(Notice(tasks=True))
        return resumed

    async def cancel_task(self, task: Task) -> None:
        """Cancel a background task that has not ended."""
        await self._tasks.cancel(task)

    def rate_limited(self, endpoint_id: str) -> bool:
        """Whether deliveries of the endpoint wait for a rate limit."""
        return self._dispatcher.rate_limited(endpoint_id)

    def share(self) -> Share:
        """The share of the database that this engine holds."""
        ownership = self.ownership
        return Share(
            members=ownership.members,
            shards=len(ownership.shards),
            speaks_for_all=ownership.alone or ownership.holds(SHARD_OF_ALL),
        )

    def lane_figures(self) -> LaneFigures:
        """The present figures of the lanes."""
        return self._dispatcher.lane_figures()

    def publishing(self, events: Sequence[OperationalEvent]) -> AbstractAsyncContextManager[Publication]:
        """Publish events of a change when the block is done; see :meth:`Publisher.publishing`."""
        return self._publisher.publishing(events)

    def on(self, kind: type[OperationalEvent], handler: Handler[OperationalEvent]) -> None:
        """Call ``handler`` with every event of this class."""
        self.notifier.on(kind, handler)

    def on_notice(self, handler: Callable[[Notice], None]) -> Callable[[], None]:
        """Call ``handler`` with notices from other engines; returns a function that unsubscribes it."""
        return self._notices.on(handler)

    def tell(self, notice: Notice) -> None:
        """Notify the other engines on the same database."""
        self._wakeups.tell(notice)

    # Called by its parts.

    def _busy(self) -> bool:
        return bool(self._router.backlog or self._tasks.running or not self._dispatcher.quiet())

    async def _due_anywhere(self, outstanding: Outstanding) -> bool:
        """Whether any engine has something due, which may include what this one accepted."""
        return not self.ownership.alone and await outstanding.any(self.timekeeper.look().now)

    def _gained(self, shards: Collection[int]) -> None:
        if self.ownership.alone:
            return  # The shards are all held before anything else starts.
        self._dispatcher.look_for_due()
        self._tasks.look()
        # By then the former owner's last transaction is over: what it was storing is found, or was never stored.
        again = asyncio.get_running_loop().call_later(LOOK_AGAIN_S, self._look_again)
        self._later.add(again)

    def _look_again(self) -> None:
        loop = asyncio.get_running_loop()
        self._later = {later for later in self._later if later.when() > loop.time()}
        self._dispatcher.look_for_due()
        self._tasks.look()

    def _losing(self, shards: Collection[int]) -> None:
        self._losing_at = self._router.batches if self._router.storing else None
        self._dispatcher.losing(shards)

    def _drained(self, shards: Collection[int]) -> Collection[int]:
        if self._losing_at is not None and self._losing_at == self._router.batches:
            return ()
        return frozenset(shards) - self._dispatcher.busy_shards() - self._tasks.busy_shards()

    def _stored_below(self) -> str:
        if self.ownership.alone:
            return self._first_id
        settled, unstored = max(self.timekeeper.settle(), self._first_id), self._router.oldest_unstored()
        return settled if unstored is None else min(settled, unstored.partition("_")[2])

    def _on_notice(self, notice: Notice) -> None:
        self._notices.take(notice)

    def _on_missed(self) -> None:
        self._notices.missed()

    def _dropped(self, batch: Sequence[Outcome]) -> None:
        self._dispatcher.recorded(batch)

    def _crashed(self, service: Service, error: BaseException) -> None:
        # The outcome of what is sent now may never be recorded, and what is accepted may never be sent.
        for one in self._services:
            one.stopping = True
            one.nudge()
        self._on_crash(service, error)

    def _stored(self, batch: Sequence[AddressedMessage]) -> None:
        self.measures.messages_accepted(len(batch))
        self._schedule(batch)

    def _clock_set_back(self) -> None:
        self._dispatcher.clock_set_back()

    def _schedule(self, webhooks: Sequence[AddressedMessage]) -> None:
        self._dispatcher.schedule(webhooks)

    def _recorded(self, batch: Sequence[Outcome], turns: Turns) -> None:
        self.measures.changes_recorded(outcome.change for outcome in batch)
        self._dispatcher.recorded(batch, turns)


def _mailer(settings: MailSettings, clock: Clock, links: Callable[[str, str], LetterLinks]) -> Mailer:
    from webhook_engine.delivery.mail.mailer import Mailer  # noqa: PLC0415 (few engines send mail)

    return Mailer(settings, clock, links)
