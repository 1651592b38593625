"""Listening: a server is the HTTP side of a running engine, at one address, for as long as ``async with`` lasts."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from types import TracebackType

import msgspec
from aiohttp import web

from webhook_engine.config.sections import ServerConfig
from webhook_engine.core import EngineCore
from webhook_engine.delivery.troubles import Lack
from webhook_engine.errors import ConfigError, EngineNotRunningError
from webhook_engine.resources.portal_links import PortalLinks
from webhook_engine.server.acceptor import Acceptor
from webhook_engine.server.api.openapi import documentation_pages, openapi_document
from webhook_engine.server.app import App
from webhook_engine.server.auth import Authenticator
from webhook_engine.server.consumer_pages import consumer_pages
from webhook_engine.server.context import Context
from webhook_engine.server.idempotency import Idempotency
from webhook_engine.server.metrics import MetricsPage
from webhook_engine.server.protocol import HttpServer
from webhook_engine.server.revocations import Revocations
from webhook_engine.server.tokens import TokenKeys

__all__ = ["Server"]

BACKLOG = 1024
LONGEST_DRAIN = timedelta(seconds=5)
"""How long requests that are being answered may take when the server stops; none should need so long."""
TIDY_EVERY_S = 600.0


class Server:
    """The API of a running engine; ``async with engine.serve() as server:`` starts and stops it."""

    def __init__(
        self, engine: EngineCore, listen: str | None = None, *, listening: socket.socket | None = None
    ) -> None:
        """``listening`` is a socket that somebody else has opened, instead of an address."""
        config = engine.config.server
        if listening is not None:
            listen = _name_of(listening)
        self._engine = engine
        self._config = ServerConfig(
            **{key: getattr(config, key) for key in config.settings()} | {"listen": listen or config.listen}
        )
        self._inherited = listening
        self._metrics = MetricsPage(engine)
        self._runner: web.ServerRunner | None = None
        self._acceptor: Acceptor | None = None
        self._tidying: asyncio.Task[None] | None = None
        self._url: str | None = None

    @property
    def url(self) -> str:
        """How the server is reached from this machine: ``http://127.0.0.1:8071``, or ``unix:/path/of/socket``."""
        if self._url is None:
            raise EngineNotRunningError("the server does not listen; use it inside `async with`")
        return self._url

    @property
    def public_url(self) -> str:
        """How others reach it: ``server.public_url``, or else :attr:`url`."""
        return self._config.public_url or self.url

    async def __aenter__(self) -> Server:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Begin to listen; raises ``ConfigError`` if the address is taken or cannot be had."""
        if self._runner is not None:
            raise EngineNotRunningError("this server listens already")
        if not self._engine.running:
            raise EngineNotRunningError("start the engine before its server: `async with engine:` around it")
        services = self._engine.services
        keys = TokenKeys.of(self._engine.config)
        revocations = Revocations(services.store.revocations)
        idempotency = Idempotency(
            services.store.kept_responses,
            services.sealer,
            self._engine.believed_now,
            strict=self._config.strict_idempotency,
        )
        await revocations.load()
        await idempotency.load()
        listening = self._bound()
        try:
            self._url = _url_of(listening, self._config)
            context = Context(
                engine=self._engine,
                services=services,
                keys=keys,
                authenticator=Authenticator(self._engine, keys, revocations, services.clock),
                revocations=revocations,
                links=PortalLinks(services.store.portal_links, services.clock, self._engine.config.portal.link_ttl),
                public_url=self.public_url,
            )
            app = App(
                context,
                idempotency,
                max_body=self._config.max_body,
                document=msgspec.json.encode(openapi_document(self.public_url)) if self._config.api else None,
                pages={
                    **(documentation_pages(self.public_url) if self._config.api else {}),
                    **consumer_pages(self._engine, self._config, self.public_url),
                    **({"metrics": self._metrics} if self._config.metrics else {}),
                },
            )
            server = HttpServer(app)
            self._runner = web.ServerRunner(server, shutdown_timeout=self._drain_s())
            await self._runner.setup()
            self._acceptor = Acceptor(
                listening,
                server,
                max_connections=self._config.max_connections,
                max_in_flight=self._engine.config.delivery.max_in_flight,
                on_lack=self._lacking,
            )
            self._acceptor.start(BACKLOG)
            self._metrics.acceptor = self._acceptor
        except BaseException:
            listening.close()
            await self.stop()
            raise
        self._engine.served_at(self.public_url, self.url)
        self._metrics.start()
        self._tidying = asyncio.create_task(self._tidy(revocations), name="webhook-engine-tidying")

    async def stop(self) -> None:
        """Accept nothing more, finish what is being answered, and close. Stopping twice is harmless."""
        self._engine.served_at()
        await self._metrics.stop()
        if self._tidying is not None:
            self._tidying.cancel()
            with suppress(asyncio.CancelledError):
                await self._tidying
            self._tidying = None
        if self._acceptor is not None:
            await self._acceptor.stop()
            self._acceptor = self._metrics.acceptor = None
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        address = self._config.listen_address
        if self._url is not None and isinstance(address, Path) and self._inherited is None:
            address.unlink(missing_ok=True)
        self._url = None

    def _lacking(self, lack: Lack, text: str) -> None:
        self._engine.measures.troubles.met(lack, text, self._engine.services.clock.now())

    def _drain_s(self) -> float:
        return min(self._engine.config.delivery.shutdown_grace, LONGEST_DRAIN).total_seconds()

    def _bound(self) -> socket.socket:
        if self._inherited is not None:
            return self._inherited.dup()
        address = self._config.listen_address
        try:
            return _bound_to_path(address) if isinstance(address, Path) else _bound_to_port(*address)
        except OSError as error:
            reason = error.strerror or str(error)
            if error.errno == errno.EADDRINUSE:
                reason = "the address is in use; stop what listens there, or choose another with server.listen"
            raise ConfigError(f"server.listen = {self._config.listen!r}: {reason}") from error

    async def _tidy(self, revocations: Revocations) -> None:
        """Forget now and then what has expired; retention deletes it from the database."""
        while True:
            await asyncio.sleep(TIDY_EVERY_S)
            if not self._engine.believes_clock():
                # Tokens that look expired by a clock that is ahead are good again once it is set right.
                continue
            revocations.forget_expired(self._engine.services.clock.now())


def _bound_to_port(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listening = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except BaseException:
        listening.close()
        raise
    return listening


def _bound_to_path(path: Path) -> socket.socket:
    if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
        _remove_if_dead(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.bind(str(path))
    except BaseException:
        listening.close()
        raise
    return listening


def _remove_if_dead(path: Path) -> None:
    """Remove the socket that a killed process left behind, and no other."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)


def _name_of(listening: socket.socket) -> str:
    """Where a socket listens, as ``server.listen`` says it."""
    address = listening.getsockname()
    if listening.family == socket.AF_UNIX:
        return f"unix:{address}"
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _url_of(listening: socket.socket, config: ServerConfig) -> str:
    if listening.family == socket.AF_UNIX:
        return config.listen
    here = ServerConfig(listen=config.listen)
    return here.url(listening.getsockname()[1]) or config.listen
