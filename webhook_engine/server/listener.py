"""Listening: a server is the HTTP side of a running engine at one address, while ``async with`` lasts."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from webhook_engine.config.sections import ServerConfig
from webhook_engine.core import EngineCore
from webhook_engine.delivery.troubles import Lack
from webhook_engine.errors import ConfigError, EngineNotRunningError

if TYPE_CHECKING:
    from webhook_engine.server.acceptor import Acceptor
    from webhook_engine.server.site import Site

__all__ = ["Server"]

BACKLOG = 1024


class Server:
    """The API of a running engine; ``async with engine.serve() as server:`` starts and stops it."""

    def __init__(
        self, engine: EngineCore, listen: str | None = None, *, listening: socket.socket | None = None
    ) -> None:
        """``listening`` is an already open socket, instead of an address."""
        config = engine.config.server
        if listening is not None:
            listen = _name_of(listening)
        self._engine = engine
        self._config = ServerConfig(
            **{key: getattr(config, key) for key in config.settings()} | {"listen": listen or config.listen}
        )
        self._inherited = listening
        if not engine.running:
            _load()  # Import before the engine claims its share of the deliveries.
        self._site: Site | None = None
        self._acceptor: Acceptor | None = None
        self._url: str | None = None

    @property
    def url(self) -> str:
        """The URL of the server on this machine: ``http://127.0.0.1:8071``, or ``unix:/path/of/socket``.

        Raises ``EngineNotRunningError`` before :meth:`start`.
        """
        if self._url is None:
            raise EngineNotRunningError("the server does not listen; use it inside `async with`")
        return self._url

    @property
    def public_url(self) -> str:
        """The URL for others: ``server.public_url``, or else :attr:`url`."""
        return self._config.public_url or self.url

    async def __aenter__(self) -> Server:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start listening; raises ``ConfigError`` if the address is in use or not available."""
        if self._url is not None:
            raise EngineNotRunningError("this server listens already")
        if not self._engine.running:
            raise EngineNotRunningError("start the engine before its server: `async with engine:` around it")
        listening = self._bound()
        try:
            self._url = _url_of(listening, self._config)
            # The engine is already delivering, so this import must not block the event loop.
            site_type, acceptor_type = await asyncio.to_thread(_load)
            site = self._site = site_type(self._engine, self._config)
            server = await site.start(self.public_url)
            self._acceptor = acceptor_type(
                listening,
                server,
                max_connections=self._config.max_connections,
                max_in_flight=self._engine.config.delivery.max_in_flight,
                on_lack=self._lacking,
            )
            self._acceptor.start(BACKLOG)
            site.metrics.counts(self._acceptor)
        except BaseException:
            listening.close()
            await self.stop()
            raise
        self._engine.served_at(self.public_url, self.url, by=self)

    async def stop(self) -> None:
        """Stop accepting, finish open requests, and close. Stopping twice is harmless."""
        self._engine.served_at(by=self)
        if self._acceptor is not None:
            await self._acceptor.stop()
            self._acceptor = None
            if self._site is not None:
                self._site.metrics.counts(None)
        if self._site is not None:
            await self._site.stop()
        address = self._config.listen_address
        if self._url is not None and isinstance(address, Path) and self._inherited is None:
            address.unlink(missing_ok=True)
        self._url = None

    def _lacking(self, lack: Lack, text: str) -> None:
        self._engine.measures.troubles.met(lack, text, self._engine.services.clock.now())

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


def _load() -> tuple[type[Site], type[Acceptor]]:
    """Import the server with all pages and routes; this takes a moment."""
    from webhook_engine.server.acceptor import Acceptor  # noqa: PLC0415
    from webhook_engine.server.site import Site  # noqa: PLC0415

    return Site, Acceptor


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
    """Remove a Unix socket that a killed process left behind, but never one in use."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)


def _name_of(listening: socket.socket) -> str:
    """The address of a socket, in the format of ``server.listen``."""
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
