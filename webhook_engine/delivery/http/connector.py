"""Connections for the sender: checked where they are made, reused while they are good, few while they are idle."""

from __future__ import annotations

import asyncio
import errno
import functools
import socket
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from aiohttp import EMPTY_PAYLOAD, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import HttpProcessingError

from webhook_engine.delivery.http.exchange import CURRENT
from webhook_engine.delivery.http.guard import AddressGuard
from webhook_engine.delivery.http.resolver import Resolver

if TYPE_CHECKING:
    from aiohttp import ClientRequest, ClientTimeout
    from aiohttp.connector import AddrInfoType, Connection
    from aiohttp.tracing import Trace

__all__ = ["Connector", "Handler"]

KEEPALIVE_S = 30.0
"""How long an idle connection is kept (aiohttp looks once in that time, so up to twice as long)."""
_BODILESS = (204, 304)
_END_OF_HEAD = b"\r\n\r\n"
MAX_FIRST = 16_384
"""Bytes of an answer that are looked at once more if what follows it is not HTTP."""
MAX_IDLE = 256
"""Idle connections in all; beyond that, a connection is closed after its answer."""


class Handler(ResponseHandler):
    """aiohttp's end of a connection, which also knows whether anything of the answer has come."""

    def __init__(self, loop: asyncio.AbstractEventLoop, connections: set[Handler]) -> None:
        super().__init__(loop)
        self._connections = connections
        self._first = b""
        """What has come, as long as it came all at once."""
        self.used = False
        self.answered = False
        """Whether anything came since the request, or since the connection is idle."""

    def expect_answer(self) -> None:
        """A request is about to be sent."""
        self.set_response_params(read_until_eof=True, auto_decompress=False)

    def rest(self) -> None:
        """The answer is read, and no other is expected until the next request."""
        self._first = b""
        self.answered = False

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        self._first = b"" if self.answered or len(data) > MAX_FIRST else data
        self.answered = True
        super().data_received(data)

    def set_exception(self, exc: BaseException, exc_cause: BaseException | None = None) -> None:
        """What came is not HTTP; or only what came after an answer that was whole."""
        first, self._first = self._first, b""
        if first and isinstance(exc, HttpProcessingError) and self._keeps_answer(first):
            return
        if exc_cause is None:
            super().set_exception(exc)
        else:
            super().set_exception(exc, exc_cause)

    def _keeps_answer(self, data: bytes) -> bool:
        """Take the answer that ``data`` begins with, if it is whole; the connection is not used again.

        Some receivers announce fewer bytes than they send, or send a body with 204, which has none. aiohttp's parser
        gives up the answer too if both come at once, so whether such an attempt succeeds would be a matter of chance.
        """
        end = data.find(_END_OF_HEAD) + len(_END_OF_HEAD)
        self.expect_answer()
        parser = self._parser
        if parser is None:
            return False
        try:
            [(message, content)], _, _ = parser.feed_data(data[:end])
        except (HttpProcessingError, ValueError):
            return False
        with suppress(HttpProcessingError):
            parser.feed_data(data[end:])
        bodiless = message.code in _BODILESS
        if message.code < 200 or not (bodiless or content.is_eof()):
            return False
        self.force_close()
        self.feed_data((message, EMPTY_PAYLOAD if bodiless else content), 0)
        return True

    def close(self) -> None:
        """Close the connection."""
        self._connections.discard(self)
        super().close()

    def abort(self) -> None:
        """Drop the connection."""
        self._connections.discard(self)
        super().abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        """The connection is over."""
        self._connections.discard(self)
        super().connection_lost(exc)


class Connector(TCPConnector):
    """Connects only to addresses that ``guard`` accepts; ``None`` accepts all (a proxy, the engine's own inbox)."""

    def __init__(self, guard: AddressGuard | None, resolver: Resolver, ssl_context: ssl.SSLContext | None) -> None:
        super().__init__(
            limit=0,
            keepalive_timeout=KEEPALIVE_S,
            resolver=_Names(resolver),
            use_dns_cache=False,  # The resolver has one.
            ssl=ssl_context or True,
            socket_factory=self._socket,
        )
        self._guard = guard
        self._connections: set[Handler] = set()
        self.in_use = 0
        """Requests under way; the sender counts them."""
        make_handler = functools.partial(Handler, loop=self._loop, connections=self._connections)
        self._factory = cast("functools.partial[ResponseHandler]", make_handler)

    async def connect(self, req: ClientRequest, traces: list[Trace], timeout: ClientTimeout) -> Connection:
        """A pooled connection that is still good, or a new one."""
        exchange = CURRENT.get()
        while True:
            connection = await super().connect(req, traces, timeout)
            handler = cast("Handler", connection.protocol)
            if not handler.used:
                self._connections.add(handler)
                break
            # What came while nothing was asked would be taken for the answer, so such a connection is not used either.
            if not (exchange.only_new or handler.should_close or handler.answered):
                break
            connection.close()
        if len(self._connections) - self.in_use >= MAX_IDLE:
            handler.force_close()
        exchange.reused = handler.used
        exchange.handler = handler
        handler.used = True
        handler.answered = False
        return connection

    def _socket(self, address_info: AddrInfoType) -> socket.socket:
        """Called with exactly what will be connected to: here no name can change its address any more."""
        family, kind, protocol, _, address = address_info
        exchange = CURRENT.get()
        if self._guard is not None and (refusal := self._guard.refusal(address[0])):
            exchange.refusal = refusal
            raise OSError(errno.EACCES, refusal)
        exchange.allowed = True
        return socket.socket(family, kind, protocol)


class _Names(AbstractResolver):
    """The resolver, as aiohttp asks it."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a name."""
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [
            ResolveResult(hostname=host, host=address[0], port=port, family=kind, proto=protocol, flags=flags)
            for kind, _, protocol, _, address in await self._resolver.look_up(host, port, CURRENT.get().application_id)
            if family in (socket.AF_UNSPEC, kind)
        ]

    async def close(self) -> None:
        """The resolver is the sender's to close."""
