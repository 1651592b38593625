"""The HTTP proxy: plain requests are forwarded, and requests with TLS go through a tunnel."""

from __future__ import annotations

import asyncio
import base64
from typing import cast

from yarl import URL

from webhook_engine.delivery.http.connection import Origin
from webhook_engine.delivery.http.head import MAX_HEAD, MalformedError, read_head
from webhook_engine.delivery.http.response import FailureKind, NoResponseError, OwnTroubleError
from webhook_engine.delivery.troubles import Lack

__all__ = ["AUTHENTICATION_REQUIRED", "Proxy", "Tunnel", "open_tunnel"]

AUTHENTICATION_REQUIRED = 407
"""The status that only a proxy responds with."""


class Proxy:
    """Where the proxy is, and the credentials for it."""

    def __init__(self, url: str) -> None:
        parts = URL(url)
        self.origin = Origin(parts.raw_host or "", parts.port or 0, parts.scheme == "https", is_proxy=True)
        self.header = ""
        """The ``Proxy-Authorization`` header line with its line break; empty without credentials."""
        if parts.user or parts.password:
            credentials = f"{parts.user or ''}:{parts.password or ''}".encode()
            self.header = f"Proxy-Authorization: Basic {base64.b64encode(credentials).decode()}\r\n"


async def open_tunnel(transport: asyncio.Transport, tunnel: Tunnel, proxy: Proxy, target: Origin) -> None:
    """Let the proxy connect to the target; what is sent afterwards goes there. Raises ``NoResponseError``."""
    transport.write(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{proxy.header}\r\n".encode())
    try:
        status = await tunnel.answered
    except MalformedError as error:
        raise OwnTroubleError(Lack.PROXY, f"what the proxy answered is not valid HTTP: {error}") from error
    except OSError as error:
        raise OwnTroubleError(Lack.PROXY, "the proxy closed the connection before it answered") from error
    if 200 <= status < 300:
        return
    text = f"the proxy did not connect to {target}: it answered {status}"
    # 5xx means that the proxy did not reach the target; anything else, that it refuses to serve us.
    raise NoResponseError(FailureKind.CONNECT, text) if status >= 500 else OwnTroubleError(Lack.PROXY, text)


class Tunnel(asyncio.Protocol):
    """The connection to the proxy until the tunnel is open."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.answered: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        """The status of the response."""
        self._came = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection to the proxy is established."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """A part of the response arrived."""
        if self.answered.done():
            return
        self._came += data
        try:
            self._read()
        except MalformedError as error:
            self.answered.set_exception(error)

    def connection_lost(self, exc: Exception | None) -> None:
        """The proxy closed the connection."""
        if not self.answered.done():
            self.answered.set_exception(exc or ConnectionError("it was closed"))

    def close(self) -> None:
        """Abort the connection."""
        self.answered.cancel()
        if self.transport is not None:
            self.transport.abort()

    def _read(self) -> None:
        while (head := read_head(self._came)) is not None:
            if head.status >= 200:
                self.answered.set_result(head.status)
                return
            self._came = self._came[head.size :]
        if len(self._came) > MAX_HEAD:
            raise MalformedError(f"its headers are larger than {MAX_HEAD // 1024} kB")
