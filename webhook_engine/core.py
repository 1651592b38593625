"""The core of the engine: builds the parts, starts and stops them, and has no rule of its own.

The server is built on it. Host programs use :class:`~webhook_engine.Engine`, which adds the server.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from webhook_engine.clock import Clock, microseconds
from webhook_engine.config.loading import Config, DeliveryConfig, TransformationsConfig
from webhook_engine.delivery.accept.intake import MessageLimits
from webhook_engine.delivery.attempt.decision import Rules
from webhook_engine.delivery.attempt.retry import RetrySchedule
from webhook_engine.delivery.http.own_inbox import OwnInboxes
from webhook_engine.delivery.mail.letters import DEFAULT_TEMPLATE
from webhook_engine.delivery.mail.settings import MailSettings
from webhook_engine.delivery.measures import Measures
from webhook_engine.delivery.notifier import Handler
from webhook_engine.delivery.ownership import Share
from webhook_engine.delivery.pipeline import Pipeline, PipelineSettings
from webhook_engine.delivery.schedule.figures import LaneFigures
from webhook_engine.delivery.service import Service
from webhook_engine.delivery.transformations.functions import Function
from webhook_engine.delivery.transformations.host_modules import register_from
from webhook_engine.delivery.transformations.scripts import ScriptLimits, missing
from webhook_engine.delivery.upkeep.retention import RetentionPolicy
from webhook_engine.errors import AFTER_FORK, ConfigError, EngineNotRunningError
from webhook_engine.events import OperationalEvent
from webhook_engine.home_loop import HomeLoop
from webhook_engine.ids import IdSource
from webhook_engine.log import get_logger
from webhook_engine.model import DEFAULT_ORGANIZATION
from webhook_engine.native_threads import require_native_threads
from webhook_engine.resources.operational_events import register_operational_event_types
from webhook_engine.resources.organization import Organization
from webhook_engine.resources.portal import PortalEntrance
from webhook_engine.resources.portal_links import PortalLinks
from webhook_engine.resources.services import Policy, Services
from webhook_engine.rules.endpoint_options import OptionBounds
from webhook_engine.secrets.agreement import SharedSecret
from webhook_engine.secrets.encryption import Cipher
from webhook_engine.secrets.files import SecretFile, load_or_create_secret_file, older_file, older_secrets
from webhook_engine.shielded import shielded
from webhook_engine.store.directory import Directory
from webhook_engine.store.endpoint_encryption import decrypt_secret, encrypt_again, encrypt_urls
from webhook_engine.store.opening import open_store
from webhook_engine.store.sources import ThreadedSource, source_database
from webhook_engine.version import __version__

if TYPE_CHECKING:
    from yarl import URL

    from webhook_engine.delivery.tracing import Tracing

__all__ = ["EngineCore"]


log = get_logger("engine")

E = TypeVar("E", bound=OperationalEvent)
Fn = TypeVar("Fn", bound=Function)


class EngineCore(Organization):
    """Everything that delivers, and the managers of the default organization."""

    def __init__(self, config: Config | None = None, *, clock: Clock | None = None) -> None:
        self.config = config or Config()
        self._clock = clock or Clock()
        self._home = HomeLoop()
        self._store = open_store(self.config.store)
        self._directory = directory = Directory(self._store)
        ids = IdSource()
        self._cipher = Cipher()
        self._own_inboxes = OwnInboxes()
        self._tracing = _tracing(self.config)
        self._flow = Pipeline(
            _pipeline_settings(self.config),
            store=self._store,
            directory=directory,
            clock=self._clock,
            ids=ids,
            cipher=self._cipher,
            on_crash=self._crashed,
            own_inboxes=self._own_inboxes,
            sources=[
                ThreadedSource(source_database(url))
                for url in self.config.outbox.sources
                if url != self.config.store.url
            ],
            tracing=self._tracing,
            base_url=lambda: self._entrance.base_url,
        )
        self._store.on_commit(self._flow.measures.committed)
        for module in self.config.transformations.modules:
            register_from(module, self._flow.functions)
        self._services = Services(
            home=self._home,
            store=self._store,
            directory=directory,
            flow=self._flow,
            clock=self._clock,
            ids=ids,
            cipher=self._cipher,
            policy=Policy(
                https_only=self.config.delivery.https_only,
                default_signature=self.config.security.default_signature,
                recover_max_age=self.config.delivery.recover_max_age,
                endpoint_options=_option_bounds(self.config.delivery)._replace(
                    transformation=self._flow.functions.check
                ),
                circuit_breaker=self.config.delivery.circuit_breaker,
                alerts_organization=self.config.alerts.organization,
                mail_organizations=frozenset({self.config.alerts.organization, self.config.operational.organization}),
                sends_mail=self.config.alerts.smtp_host is not None,
                digest=self.config.alerts.digest,
            ),
        )
        self._entrance = PortalEntrance(
            PortalLinks(self._store.portal_links, self._clock, self.config.portal.link_ttl),
            self.config.portal.session_ttl,
            self.config.server.public_url if self.config.server.portal else None,
        )
        self._served: dict[object, tuple[str, ...]] = {}
        self._closing: list[Callable[[], Awaitable[None]]] = []
        self._running = False
        self._process = 0
        self._crash: BaseException | None = None
        self._crashing: asyncio.Event | None = None
        super().__init__(self._services, DEFAULT_ORGANIZATION, self._entrance)

    @classmethod
    def open(cls, database: str | os.PathLike[str], /, *, clock: Clock | None = None, **settings: object) -> Self:
        """An engine on one database file, with settings given here.

        Bare names are keys of ``[delivery]`` (``retry_schedule=["10ms"]``), others are ``section__key``; values as in
        TOML, or typed. Raises ``ConfigError`` for an unknown name or an impossible value.
        """
        return cls(Config.for_database(database, **settings), clock=clock)

    def organization(self, organization_id: str) -> Organization:
        """The same managers for another organization (``org_…``)."""
        return Organization(self._services, organization_id, self._entrance)

    def on(self, kind: type[E]) -> Callable[[Handler[E]], Handler[E]]:
        """Decorate a function or coroutine function to be called with every event of a class.

        It runs after the change is committed. An exception that it raises is logged and has no other effect.
        """

        def register(handler: Handler[E]) -> Handler[E]:
            self._flow.notifier.on(kind, handler)
            return handler

        return register

    def transformation(self, name: str) -> Callable[[Fn], Fn]:
        """Decorate a function that endpoints may choose by this name, to change their requests before they are signed.

        It gets an :class:`OutgoingWebhook`, and changes it or returns another. Register it before the engine is
        started, in each engine on the same database. Raises ``ConfigError`` if the name is taken.
        """

        def register(function: Fn) -> Fn:
            self._flow.functions.register(name, function)
            return function

        return register

    def served_at(self, *base_urls: str, by: object) -> None:
        """Register the URLs of a server, the one for browsers first; without URLs, the server has stopped."""
        self._served.pop(by, None)
        if base_urls:
            self._served[by] = base_urls
        urls = [url for each in self._served.values() for url in each]
        self._own_inboxes.serve_at(urls if self.config.server.play else ())
        self._entrance.serve_at(urls[0] if urls and self.config.server.portal else None)

    def before_stop(self, close: Callable[[], Awaitable[None]]) -> None:
        """Call ``close`` when the engine is next stopped, before any of its parts."""
        self._closing.append(close)

    def serves_inbox(self, url: URL) -> bool:
        """Whether a URL is a Play inbox that this engine serves itself."""
        return self._own_inboxes.covers(url)

    @property
    def services(self) -> Services:
        """The parts that the managers use, for code of this package that is built on an engine."""
        return self._services

    @property
    def tracing(self) -> Tracing | None:
        """The OpenTelemetry tracing; ``None`` if it is disabled."""
        return self._tracing

    @property
    def measures(self) -> Measures:
        """What was counted since this engine was made."""
        return self._flow.measures

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop that the engine was started in; ``None`` if it does not run in this process."""
        return self._home.loop if self.running else None

    def share(self) -> Share:
        """The share of the database that this engine holds."""
        return self._flow.share()

    def lane_figures(self) -> LaneFigures:
        """The present figures of the endpoints' lanes."""
        return self._flow.lane_figures()

    def believes_clock(self) -> bool:
        """Whether the clock is trusted enough to delete what is old by it."""
        return self._flow.timekeeper.believes()

    def believed_now(self) -> int:
        """The clock's time without a recent jump ahead that is not trusted yet, in microseconds since the epoch."""
        return self._flow.believed_now()

    def keep_for(self, policy: RetentionPolicy) -> None:
        """Set the retention policy from now on."""
        self._flow.retention.policy = policy

    @property
    def running(self) -> bool:
        """Whether it was started, has not been stopped, and has not crashed."""
        return self._running and self._crash is None and not self._left_behind

    def require_running(self) -> None:
        """Raise ``EngineNotRunningError`` unless it runs in this process and event loop."""
        self._home.require()
        self._require_running()

    async def crashed(self) -> BaseException:
        """Wait until a part of the engine fails permanently, and return the exception; a daemon then exits."""
        self._home.require()
        assert self._crashing is not None  # noqa: S101 (made when the engine was started)
        await self._crashing.wait()
        return self._crash or EngineNotRunningError("the engine has crashed")

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()
        if self._crash is not None and error is None:
            raise self._crash

    async def start(self) -> None:
        """Open the database and begin to deliver, what was left pending first.

        Raises ``EngineAlreadyRunningError``, ``SchemaVersionError``, ``StoreUnavailableError``,
        ``SecretsUnreadableError`` if the main secret is not the one that the endpoints' secrets were encrypted with,
        ``ConfigError`` if there are no endpoints yet and another engine on the database has another main secret, or
        ``EngineNotRunningError`` if gevent or eventlet has replaced the process's threads.
        After a failure it may be called again.
        """
        if self._left_behind:
            raise EngineNotRunningError(AFTER_FORK)
        require_native_threads()
        if self._home.entered:
            self._home.require()
            raise EngineNotRunningError("this engine is running already; start another Engine for another database")
        self._home.enter()
        self._crash = None
        self._crashing = asyncio.Event()
        # Another engine may have changed the database since.
        self._directory.clear()
        try:
            await self._store.open()
        except BaseException:
            self._home.leave()
            raise
        try:
            unproven = await self._unlock()
            await register_operational_event_types(
                self._store.event_types, self.config.operational.organization, self._clock.now()
            )
            await self._flow.start()
            if unproven is not None:
                await self.agree(unproven, SecretFile.MAIN)
        except BaseException:
            await shielded(self._stop())
            raise
        self._running = True
        self._process = os.getpid()
        log.info("engine.started", database=self.config.store.shown, version=__version__)

    async def stop(self) -> None:
        """Let what is in flight finish within ``delivery.shutdown_grace``, record it, and close the database.

        Stopping twice, before starting, or in a forked process is harmless. A stop that is cancelled is still
        completed.
        """
        if not self._running or self._left_behind:
            return
        self._home.require()
        self._running = False
        await shielded(self._stop())

    async def join(self, timeout: float | None = None) -> None:
        """Wait until everything accepted or enqueued so far has been routed, and nothing is due or in flight.

        Deliveries scheduled for later do not count. ``timeout`` is in seconds; raises ``TimeoutError``.
        """
        self._home.require()
        self._require_running()
        async with asyncio.timeout(timeout):
            await self._flow.join()
        self._require_running()

    async def agree(self, secret: SharedSecret, file: SecretFile) -> None:
        """Raise ``ConfigError`` if another engine that runs on the database has a different secret.

        ``file`` names the file of the secret if it was generated.
        """
        other = await self._flow.ownership.agree(secret)
        if other is not None:
            path = file.of(self.config.store.files).absolute()
            raise ConfigError(
                f"{secret.setting} is another one here than in the engine on {other.host} (process {other.pid}), and "
                f"all engines on {self.config.store.shown} need the same; configure the one of that engine, or copy "
                f"its file to {path}. If a new one is just coming into use, put the one before it into "
                f"{older_file(path)}, or stop the other engines first"
            )

    async def _unlock(self) -> SharedSecret | None:
        """Load the main secret, and check it against what the database has encrypted.

        Returns it if the database has nothing encrypted to check it against.
        """
        configured = self.config.security.main_secret
        path = SecretFile.MAIN.of(self.config.store.files)
        if self.config.store.path is None and configured is None:
            log.warning(
                "secrets.in_working_directory",
                file=str(path.absolute()),
                consequence="other engines on it need the same: set security.main_secret and auth.jwt_secret",
            )
        secret = configured.reveal() if configured else await asyncio.to_thread(load_or_create_secret_file, path)
        older = await asyncio.to_thread(older_secrets, path)
        self._cipher.unlock(secret, older=older)
        some = await self._store.endpoints.first()
        if some is not None:
            decrypt_secret(self._cipher, some.endpoint.id, some.encrypted_key)
        if older_file(path).exists():
            log.info("secrets.encrypted_again", endpoints=await encrypt_again(self._store.upkeep, self._cipher))
            await asyncio.to_thread(older_file(path).unlink)
        if hidden := await encrypt_urls(self._store.upkeep, self._cipher):
            log.info("secrets.encrypted_urls", endpoints=hidden)
        return None if some else SharedSecret.of("security.main_secret", secret, older)

    async def _stop(self) -> None:
        try:
            while self._closing:
                await self._closing.pop()()
            await self._flow.stop()
        finally:
            try:
                await self._store.close()
            finally:
                self._home.leave()
        log.info("engine.stopped", database=self.config.store.shown)

    def _crashed(self, service: Service, error: BaseException) -> None:
        log.critical("engine.crashed", service=service.name, error=repr(error))
        self._crash = error
        if self._crashing is not None:
            self._crashing.set()

    @property
    def _left_behind(self) -> bool:
        """Whether it was started in the parent process before a fork, and goes on running there."""
        return self._running and self._process != os.getpid()

    def _require_running(self) -> None:
        if self._left_behind:
            raise EngineNotRunningError(AFTER_FORK)
        if self._crash is not None:
            raise EngineNotRunningError(f"the engine has crashed: {self._crash!r}") from self._crash
        if not self._running:
            raise EngineNotRunningError("the engine is not running; use it inside `async with`")


def _tracing(config: Config) -> Tracing | None:
    if not config.tracing.enabled:
        return None
    try:
        # OpenTelemetry is an extra, and slow to import: load it only if it is enabled.
        from webhook_engine.delivery.tracing import Tracing  # noqa: PLC0415
    except ImportError as error:
        raise config.tracing.unavailable(error) from error
    return Tracing(send_traceparent=config.tracing.send_traceparent)


def _script_limits(transformations: TransformationsConfig) -> ScriptLimits | None:
    if not transformations.scripts:
        return None
    if (reason := missing()) is not None:
        raise ConfigError(f"transformations.scripts = true: {reason}, or set it to false")
    return ScriptLimits(
        processes=transformations.script_processes,
        memory_bytes=transformations.script_memory,
        time_s=transformations.script_timeout.total_seconds(),
    )


def _mail_settings(config: Config) -> MailSettings | None:
    alerts = config.alerts
    if alerts.smtp_host is None:
        return None
    return MailSettings(
        host=alerts.smtp_host,
        port=alerts.smtp_port,
        security=alerts.smtp_security,
        sender=alerts.sender,
        username=alerts.smtp_username,
        password=None if alerts.smtp_password is None else alerts.smtp_password.reveal(),
        template=alerts.template or DEFAULT_TEMPLATE,
        timeout_s=config.delivery.timeout.total_seconds(),
        ca_file=config.delivery.ca_file,
    )


def _pipeline_settings(config: Config) -> PipelineSettings:
    delivery: DeliveryConfig = config.delivery
    return PipelineSettings(
        timeout_s=delivery.timeout.total_seconds(),
        https_only=delivery.https_only,
        transformation_timeout_s=config.transformations.timeout.total_seconds(),
        scripts=_script_limits(config.transformations),
        response_limit=delivery.response_limit,
        max_in_flight=delivery.max_in_flight,
        max_in_flight_per_endpoint=delivery.max_in_flight_per_endpoint,
        shutdown_grace_s=delivery.shutdown_grace.total_seconds(),
        allow_subnets=delivery.allow_subnets,
        proxy=delivery.proxy,
        ca_file=delivery.ca_file,
        signature_headers=delivery.signature_headers,
        user_agent=f"Webhook-Engine/{__version__}",
        operational_organization=config.operational.organization,
        alerts_organization=config.alerts.organization,
        backlog_after=config.alerts.backlog_after,
        mail=_mail_settings(config),
        rules=Rules(
            schedule=RetrySchedule(delivery.retry_schedule, delivery.jitter),
            failure_window=microseconds(delivery.failure_window),
            disable_on_gone=delivery.disable_on_gone,
        ),
        circuit_breaker=delivery.circuit_breaker,
        endpoint_options=_option_bounds(delivery),
        retention=RetentionPolicy(config.retention.payload, config.retention.attempts, config.retention.audit),
        messages=MessageLimits(payload_retention=config.retention.payload, max_payload_bytes=delivery.max_payload),
    )


def _option_bounds(delivery: DeliveryConfig) -> OptionBounds:
    """The bounds of endpoint options; they always allow the configured defaults."""
    return OptionBounds(
        timeout=max(delivery.timeout, delivery.endpoint_max_timeout),
        retries=max(len(delivery.retry_schedule), delivery.endpoint_max_retries),
        retry_time=max(sum(delivery.retry_schedule, timedelta(0)), delivery.endpoint_max_retry_time),
    )
