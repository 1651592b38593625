"""How the sender gets to a destination: over which connections, and one exchange on one of them.

This is the part of an HTTP client between its pool of connections and its parser of answers, both of which are
aiohttp's. aiohttp's own part in between, a session, makes anew for each request what is the same for all that go to
one endpoint, and takes half of the time of a delivery to do so.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import ClientRequest, hdrs
from aiohttp.http import HttpProcessingError
from yarl import URL

from webhook_engine.delivery.http.connector import Connector
from webhook_engine.delivery.http.exchange import Exchange
from webhook_engine.delivery.http.request import Destination, beginning, head

if TYPE_CHECKING:
    from aiohttp import StreamReader
    from aiohttp.http import RawResponseMessage

__all__ = ["Route"]

_NO_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)
_SWITCHING_PROTOCOLS = 101
MAX_INTERIM_ANSWERS = 100
"""Such as ``100 Continue`` or ``103 Early Hints``. Whoever sends more keeps us busy for nothing."""


class Route:
    """The way to one destination, through a proxy or without; made once and used for many exchanges.

    Raises ``aiohttp.InvalidURL`` or ``ValueError`` for a destination that no request can be sent to.
    """

    __slots__ = ("_beginning", "_request", "connector")

    def __init__(self, destination: Destination, connector: Connector, proxy: URL | None) -> None:
        self.connector = connector
        # What the connector is told of where to connect to; it is never sent.
        self._request = ClientRequest("POST", destination.url, loop=asyncio.get_running_loop(), proxy=proxy)
        self._beginning = beginning(destination, through_proxy=proxy is not None and not self._request.is_ssl())

    async def ask(self, further: str, body: bytes, exchange: Exchange) -> tuple[RawResponseMessage, StreamReader]:
        """Send a request and wait for the head of its answer; the body of the answer is still to be read.

        ``further`` are header lines of this request. Whatever happens, the connection is the exchange's to give back.
        """
        connection = await self.connector.connect(self._request, [], _NO_TIMEOUT)
        exchange.connection = connection
        handler, transport = exchange.handler, connection.transport
        if handler is None or transport is None or transport.is_closing():
            raise aiohttp.ClientConnectionResetError("the connection was lost")
        handler.expect_answer()
        if proxy_authorization := self._request.headers.get(hdrs.PROXY_AUTHORIZATION):
            further += f"{hdrs.PROXY_AUTHORIZATION}: {proxy_authorization}\r\n"
        transport.writelines((head(self._beginning, further, len(body)), body))
        exchange.asked()
        for _ in range(MAX_INTERIM_ANSWERS + 1):
            message, content = await handler.read()
            if message.code >= 200 or message.code == _SWITCHING_PROTOCOLS:
                return message, content
            if message.code < 100:
                raise HttpProcessingError(message=f"there is no status {message.code:03}")
        raise HttpProcessingError(message=f"more than {MAX_INTERIM_ANSWERS} interim answers ({message.code})")
