"""An incoming API request, read by aiohttp or by the front door."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from aiohttp import web
from multidict import CIMultiDictProxy

from webhook_engine.config.values import Network
from webhook_engine.server.api.route import Client
from webhook_engine.server.plain_request import PlainRequest
from webhook_engine.server.protocol import BodyTooLargeError, Connection, peer_of, read_body
from webhook_engine.server.proxies import client_address

__all__ = ["AiohttpIncoming", "Incoming", "PlainIncoming"]


class Incoming(Client, Protocol):
    """What the API needs of a request."""

    @property
    def method(self) -> str:
        """The HTTP method, in capitals."""

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The headers as received."""

    async def body(self, limit: int) -> bytes:
        """The whole body; raises ``BodyTooLargeError`` or ``SlowBodyError``."""

    async def drain(self, limit: int) -> None:
        """Read and discard what is left of the body on the connection."""


class AiohttpIncoming:
    """A request that aiohttp reads."""

    __slots__ = ("_request", "_trusted", "headers", "method")

    def __init__(self, request: web.BaseRequest, trusted: Sequence[Network]) -> None:
        """``trusted``: the proxies whose ``X-Forwarded-For`` header is trusted."""
        self._request = request
        self._trusted = trusted
        self.method = request.method
        self.headers = request.headers

    @property
    def user_agent(self) -> str:
        """The ``User-Agent`` header."""
        return self.headers.get("user-agent", "")

    def left(self) -> bool:
        """Whether the client has closed the connection."""
        return self._request.transport is None or self._request.transport.is_closing()

    def address(self) -> str | None:
        """The client's address, behind any trusted proxies."""
        return client_address(peer_of(self._request), self.headers.get("x-forwarded-for"), self._trusted)

    async def body(self, limit: int) -> bytes:
        """The whole body."""
        return await read_body(self._request, limit)

    async def drain(self, limit: int) -> None:
        """Read and discard the rest of the body."""
        if not self._request.content.is_eof():
            await read_body(self._request, limit)


class PlainIncoming:
    """A plain request, which was read completely."""

    __slots__ = ("_body", "_connection", "_trusted", "headers", "method")

    def __init__(self, request: PlainRequest, connection: Connection, trusted: Sequence[Network]) -> None:
        self.method, _, self.headers, self._body = request
        self._connection = connection
        self._trusted = trusted

    @property
    def user_agent(self) -> str:
        """The ``User-Agent`` header."""
        return self.headers.get("user-agent", "")

    def left(self) -> bool:
        """Whether the client has closed the connection."""
        return self._connection.transport is None or self._connection.transport.is_closing()

    def address(self) -> str | None:
        """The client's address, behind any trusted proxies."""
        return client_address(self._connection.peer, self.headers.get("x-forwarded-for"), self._trusted)

    async def body(self, limit: int) -> bytes:
        """The whole body."""
        if len(self._body) > limit:
            raise BodyTooLargeError
        return self._body

    async def drain(self, limit: int) -> None:
        """Do nothing: the body was read already."""
