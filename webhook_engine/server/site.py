"""Answers requests on any kind of connection: the API and the pages, with their state in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial

import msgspec
from aiohttp import web

from webhook_engine.config.sections import ServerConfig
from webhook_engine.core import EngineCore
from webhook_engine.errors import StoreError
from webhook_engine.log import get_logger
from webhook_engine.resources.portal_links import PortalLinks
from webhook_engine.secrets.files import SecretFile
from webhook_engine.server.api.openapi import documentation_pages, openapi_document
from webhook_engine.server.app import App
from webhook_engine.server.audit import AuditLog
from webhook_engine.server.auth import Authenticator
from webhook_engine.server.consumer_pages import consumer_pages
from webhook_engine.server.context import Context
from webhook_engine.server.http_server import HttpServer
from webhook_engine.server.idempotency import Idempotency
from webhook_engine.server.live import LiveStreams
from webhook_engine.server.metrics_page import MetricsPage
from webhook_engine.server.revocations import Revocations
from webhook_engine.server.tokens import TokenKeys
from webhook_engine.store.members import Notice

__all__ = ["Site"]

LONGEST_DRAIN = timedelta(seconds=5)
"""How long open requests may take when the server stops; none should need so long."""
TIDY_EVERY_S = 600.0
READ_AGAIN_S = 0.5

log = get_logger("server")


class Site:
    """The HTTP side of a running engine, between :meth:`start` and :meth:`stop`."""

    def __init__(self, engine: EngineCore, config: ServerConfig) -> None:
        self.metrics = MetricsPage(engine)
        self._engine = engine
        self._config = config
        self._runner: web.ServerRunner | None = None
        self._live: LiveStreams | None = None
        self._tidying: asyncio.Task[None] | None = None
        self._revocations: Revocations | None = None
        self._reading: asyncio.Task[None] | None = None
        self._forget_notices: Callable[[], None] = lambda: None

    async def start(self, public_url: str) -> HttpServer:
        """Prepare to take connections; ``public_url`` is the base URL for browsers, without a trailing slash.

        Raises ``ConfigError`` if another engine on the database signs tokens with another secret.
        """
        services = self._engine.services
        keys = TokenKeys.of(self._engine.config)
        if keys.shared is not None:
            await self._engine.agree(keys.shared, SecretFile.JWT)
        revocations = Revocations(services.store.revocations)
        idempotency = Idempotency(
            services.store.kept_responses,
            services.cipher,
            self._engine.believed_now,
            strict=self._config.strict_idempotency,
            shared=services.store.wakeups is not None,
        )
        self._revocations = revocations
        # Subscribe before loading, so that no revocation is missed in between.
        self._forget_notices = services.flow.on_notice(self._noticed)
        await revocations.load()
        await idempotency.load()
        self._live = LiveStreams(services.store.insight)
        context = Context(
            engine=self._engine,
            services=services,
            keys=keys,
            authenticator=Authenticator(self._engine, keys, revocations, services.clock),
            revocations=revocations,
            links=PortalLinks(services.store.portal_links, services.clock, self._engine.config.portal.link_ttl),
            audit=AuditLog(
                services.store.audit,
                services.clock,
                services.ids,
                addresses=self._engine.config.retention.audit_addresses,
            ),
            live=self._live,
            public_url=public_url,
        )
        app = App(
            context,
            idempotency,
            max_body=self._config.max_body,
            document=partial(_document, public_url) if self._config.api else None,
            pages={
                **(documentation_pages(public_url) if self._config.api else {}),
                **consumer_pages(self._engine, self._config, public_url),
                **({"metrics": self.metrics} if self._config.metrics else {}),
            },
        )
        server = HttpServer(app)
        self._runner = web.ServerRunner(server, shutdown_timeout=self._drain_s())
        await self._runner.setup()
        self.metrics.start()
        self._tidying = asyncio.create_task(self._tidy(revocations), name="webhook-engine-tidying")
        return server

    async def stop(self) -> None:
        """Finish open requests, and close the connections. Stopping twice is harmless."""
        self._forget_notices()
        self._forget_notices = lambda: None
        if self._reading is not None:
            await asyncio.gather(self._reading, return_exceptions=True)
        await self.metrics.stop()
        if self._tidying is not None:
            self._tidying.cancel()
            with suppress(asyncio.CancelledError):
                await self._tidying
            self._tidying = None
        if self._live is not None:
            await self._live.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _drain_s(self) -> float:
        return min(self._engine.config.delivery.shutdown_grace, LONGEST_DRAIN).total_seconds()

    def _noticed(self, notice: Notice) -> None:
        if notice.revocations:
            before, self._reading = self._reading, None
            self._reading = asyncio.create_task(self._read_revocations(before), name="webhook-engine-revocations")

    async def _read_revocations(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.gather(before, return_exceptions=True)
        assert self._revocations is not None  # noqa: S101 (set before the server listens)
        while True:
            try:
                await self._revocations.load()
            except StoreError as error:
                log.error("revocations.unreadable", error=str(error), again_in_s=READ_AGAIN_S)
                await asyncio.sleep(READ_AGAIN_S)
            else:
                return

    async def _tidy(self, revocations: Revocations) -> None:
        """Periodically remove expired entries from memory; retention deletes them from the database."""
        while True:
            await asyncio.sleep(TIDY_EVERY_S)
            if not self._engine.believes_clock():
                # If the clock is ahead, tokens that look expired become valid again once it is corrected.
                continue
            revocations.forget_expired(self._engine.services.clock.now())


def _document(public_url: str) -> bytes:
    return msgspec.json.encode(openapi_document(public_url))
