"""The HTTP connection: aiohttp's, with limits against abuse and with errors as JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from webhook_engine.log import get_logger
from webhook_engine.server.connections import Connections
from webhook_engine.server.errors import ApiError

__all__ = [
    "BODY_S",
    "DRAINED_BYTES",
    "BodyTooLargeError",
    "Connection",
    "SlowBodyError",
    "peer_of",
    "read_body",
]

IDLE_S = 75.0
"""How long a connection may take from one response to the end of the next request's headers."""
BODY_S = 30.0
"""How long a request's body may take."""
_NEVER_S = 365 * 86400.0
"""aiohttp's keep-alive timer is disabled, since it does not see all requests; the connection has its own."""
UNREAD_S = 60.0
"""How long a client may read nothing of a response that is too large for the buffers."""
MAX_HEADER_LINE = 16 * 1024
MAX_HEADERS = 128
DRAINED_BYTES = 64 * 1024 * 1024
"""How much of a too large body is read, so that the client gets the response and not a connection reset."""

log = get_logger("server")


class BodyTooLargeError(ApiError):
    """The body is larger than ``server.max_body``."""

    def __init__(self) -> None:
        super().__init__(413, "payload_too_large", "Request payload is too large.")


class SlowBodyError(ApiError):
    """The body was not received in time."""

    def __init__(self) -> None:
        super().__init__(408, "request_timeout", f"The request's body did not arrive within {BODY_S:.0f} seconds.")


class _Answered(AbstractAccessLogger):
    """Not a log: aiohttp calls it when a response has been written."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Notify the connection."""
        if isinstance(request.protocol, Connection):
            request.protocol.answered(response)


class Connection(web.RequestHandler):
    """A connection with time limits, which answers unreadable requests with JSON, too."""

    __slots__ = ("_idle_check", "_idle_since", "_peer", "_places", "_unread", "client")

    def __init__(self, server: web.Server, places: Connections[Connection]) -> None:
        """``places`` tracks the open connections."""
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log_class=_Answered,
            keepalive_timeout=_NEVER_S,
            max_line_size=MAX_HEADER_LINE,
            max_field_size=MAX_HEADER_LINE,
            max_headers=MAX_HEADERS,
            auto_decompress=False,
        )
        self._places = places
        self._idle_since = 0.0
        self._idle_check: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._peer: str | None = None
        self.client: str | None = None
        """The client's address, set by a host program that forwards its requests."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Register the new connection, and start its idle timer."""
        self._places.opened(self)
        super().connection_made(transport)
        peername = transport.get_extra_info("peername")
        self._peer = str(peername[0]) if isinstance(peername, tuple) else peername or None
        self._idle_since = asyncio.get_running_loop().time()
        self._close_if_idle()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Remove the closed connection, and cancel its timers."""
        self._places.closed(self)
        self._forget_unread()
        if self._idle_check is not None:
            self._idle_check.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client is not reading: start the timer that aborts the connection."""
        if self._unread is None:
            self._unread = asyncio.get_running_loop().call_later(UNREAD_S, self.abort)
        super().pause_writing()

    def resume_writing(self) -> None:
        """The client reads again: stop the timer."""
        self._forget_unread()
        super().resume_writing()

    def abort(self) -> None:
        """Close the connection at once, and discard unsent bytes."""
        self._places.closed(self)
        if self.transport is not None:
            self.transport.abort()

    @property
    def peer(self) -> str | None:
        """The address that requests come from: a client's, or that of a proxy before it."""
        return self.client or self._peer

    def answered(self, response: web.StreamResponse) -> None:
        """Called when aiohttp has written a response."""

    def working(self) -> None:
        """Mark the connection as having a request handled."""
        self._places.working(self)

    def rests(self) -> None:
        """Mark the connection as idle: its request is answered."""
        self._places.idle(self)
        self._idle_since = asyncio.get_running_loop().time()

    @contextmanager
    def receiving(self) -> Iterator[None]:
        """Mark the connection as receiving a body, while the context lasts."""
        self._places.receiving(self, asyncio.get_running_loop().time())
        try:
            yield
        finally:
            self._places.working(self)

    def _close_if_idle(self) -> None:
        """Close the connection if it has been idle for too long; otherwise check again later."""
        loop = asyncio.get_running_loop()
        left = self._idle_since + IDLE_S - loop.time() if self._places.is_idle(self) else IDLE_S
        if left > 0:
            self._idle_check = loop.call_later(left, self._close_if_idle)
        else:
            self.force_close()

    def _forget_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The response to an error outside all routes, such as an unreadable request."""
        if status == 400:
            reason = _first_line(message or "") or "it is malformed"
            error = ApiError(400, "bad_request", f"This is not a request that can be read: {reason}")
            body = error.body
        else:
            log.error("request.failed", status=status, error=repr(exc), exc_info=exc)
            body = b"{}"
        if request.writer.output_size > 0:
            raise ConnectionError("the response was begun already")
        response = web.Response(status=status, body=body, content_type="application/json")
        response.force_close()
        return response


def peer_of(request: web.BaseRequest) -> str | None:
    """The address that a request came from: a client's, or that of a proxy before it."""
    connection = request.protocol
    return connection.peer if isinstance(connection, Connection) else request.remote


async def read_body(request: web.BaseRequest, limit: int) -> bytes:
    """The whole body, at most ``limit`` bytes; raises ``BodyTooLargeError`` after draining, or ``SlowBodyError``."""
    content = request.content
    if content.is_eof():  # it arrived together with the headers
        body = content.read_nowait(-1)
        if len(body) > limit:
            raise BodyTooLargeError
        return body
    try:
        async with asyncio.timeout(BODY_S):
            if isinstance(request.protocol, Connection):
                with request.protocol.receiving():
                    return await _received(request, limit)
            return await _received(request, limit)
    except TimeoutError:
        raise SlowBodyError from None


async def _received(request: web.BaseRequest, limit: int) -> bytes:
    if "expect" in request.headers:
        await _continue(request)
    return await _collect(request.content.readany, limit)


async def _continue(request: web.BaseRequest) -> None:
    """Send ``100 Continue`` to a client that waits for it."""
    if request.headers["expect"].lower() != "100-continue":
        raise ApiError(417, "expectation_failed", "Only 100-continue can be expected.")
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0


async def _collect(read: Callable[[], Awaitable[bytes]], limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := await read():
        size += len(part)
        if size <= limit:
            parts.append(part)
        else:
            parts.clear()
            if size > limit + DRAINED_BYTES:
                break
    if size > limit:
        raise BodyTooLargeError
    return b"".join(parts)


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0][:200]
