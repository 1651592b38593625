"""The API, the portal and Play as an ASGI application, to mount in that of a host program.

Each request goes to the same server as over the network, through a socket pair inside the process, so that limits,
errors and pages are the same. The body is collected first, so that a slow client holds no connection.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator, MutableMapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, TypeAlias
from urllib.parse import quote

from webhook_engine.core import EngineCore
from webhook_engine.delivery.http.descriptors import soft_limit
from webhook_engine.errors import EngineNotRunningError, WebhookEngineError
from webhook_engine.log import get_logger
from webhook_engine.loop_lock import LoopLock
from webhook_engine.server.descriptors import inbound_share
from webhook_engine.server.errors import ApiError, as_api_error
from webhook_engine.server.http_server import HttpServer
from webhook_engine.server.protocol import BODY_S, DRAINED_BYTES, Connection, SlowBodyError
from webhook_engine.server.relayed import CutOffError, RelayedResponse, request_head
from webhook_engine.server.site import Site

__all__ = ["Mount"]

# The ASGI specification leaves the contents of scopes and messages open.
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

IDLE_S = 15.0
"""How long an idle connection is kept for the next request; the server keeps it for longer."""
WAIT_S = 10.0
"""How long a request may wait for a connection when the limit is reached."""
PIECE = 64 * 1024

log = get_logger("mount")


class Mount:
    """An ASGI application for a running engine; it answers 503 while the engine does not run here.

    It creates its server with the first request and closes it with the engine. As the outermost application, its
    lifespan starts and stops the engine.
    """

    def __init__(self, engine: EngineCore, run: Callable[[], AbstractAsyncContextManager[object]]) -> None:
        """``run`` is entered by the lifespan if the engine does not run yet."""
        self._engine = engine
        self._run = run
        self._open: _Open | None = None
        self._opening = LoopLock()
        self._problem: str | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or handle a lifespan."""
        match scope["type"]:
            case "http":
                await self._http(scope, receive, send)
            case "lifespan":
                await self._lifespan(receive, send)
            case "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1000, "reason": "there are no WebSockets here"})
            case other:
                raise EngineNotRunningError(f"this application answers HTTP, and knows nothing of {other!r}")

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        async with AsyncExitStack() as stack:
            try:
                if not self._engine.running:
                    await stack.enter_async_context(self._run())
            except WebhookEngineError as error:
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                return
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            site = await self._opened(scope)
            body = await _collected(receive, site.most_body)
            if body is not None:
                await site.relay(scope, body, receive, send)
        except ApiError as error:
            await _refuse(error, send)

    async def _opened(self, scope: Scope) -> _Open:
        """The open server; raises ``ApiError`` with 503 if the engine does not run in this process and event loop."""
        try:
            self._engine.require_running()
            self._problem = None
            if self._open is None:
                async with self._opening.here():
                    self._open = self._open or await self._start(scope)
            return self._open
        except WebhookEngineError as error:
            if str(error) != self._problem:
                self._problem = str(error)
                log.warning("mount.unavailable", error=self._problem)
            raise as_api_error(error) or ApiError(500, "internal", "Internal error") from error

    async def _start(self, scope: Scope) -> _Open:
        config = self._engine.config.server
        here = _address(scope)
        public_url = config.public_url or here
        site = Site(self._engine, config)
        # Behind a Unix socket the address that browsers use is unknown, so the portal must not claim one.
        try:
            server = await site.start(public_url or f"http://localhost{_root(scope)}")
        except BaseException:
            await site.stop()
            raise
        known = [url for url in (public_url, here) if url is not None]
        self._engine.served_at(*known, by=self)
        self._engine.before_stop(self._close)
        most_body = max(config.max_body, self._engine.config.play.max_body)
        share = inbound_share(soft_limit(), config.max_connections, self._engine.config.delivery.max_in_flight)
        return _Open(site, server, most_body, max(1, share // 2))

    async def _close(self) -> None:
        opened, self._open = self._open, None
        self._engine.served_at(by=self)
        if opened is not None:
            await opened.close()


class _Open:
    """A started site, and the connections to it."""

    def __init__(self, site: Site, server: HttpServer, most_body: int, most_connections: int) -> None:
        self.most_body = most_body
        self._site = site
        self._server = server
        self._places = asyncio.Semaphore(most_connections)
        self._idle: list[_Pair] = []
        self._closed = False

    async def relay(self, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        """Send one request to the server, and its response to the client; raises ``ApiError``."""
        head = request_head(scope["method"], _target(scope), scope["headers"], len(body))
        try:
            async with asyncio.timeout(WAIT_S):
                await self._places.acquire()
        except TimeoutError:
            raise ApiError(503, "overloaded", "Too many requests at once; try again soon.", retry_after_s=1) from None
        try:
            pair = await self._connected()
            leaving = asyncio.create_task(_abort_when_left(receive, pair), name="webhook-engine-mount-left")
            try:
                client = scope.get("client")
                pair.served.client = str(client[0]) if client else None
                pair.writer.write(head + body)
                await self._answer(pair, RelayedResponse(scope["method"]), leaving, send)
            except BaseException:
                pair.abort()
                raise
            finally:
                leaving.cancel()
        finally:
            self._places.release()

    async def close(self) -> None:
        """Finish open requests, and close."""
        self._closed = True
        for pair in self._idle:
            pair.abort()
        self._idle.clear()
        await self._site.stop()

    async def _answer(self, pair: _Pair, response: RelayedResponse, leaving: asyncio.Task[None], send: Send) -> None:
        begun = False
        try:
            while not response.complete:
                response.feed(await pair.reader.read(PIECE))
                if not response.headed or (response.complete and not begun):
                    continue
                if not begun:
                    await send(response.start())
                    begun = True
                if not response.complete and (piece := response.taken()):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
        except (CutOffError, ConnectionError):
            if leaving.done():
                return  # The client has left.
            if begun:
                raise
            raise ApiError(503, "unavailable", "The server is stopping; try again later.", retry_after_s=1) from None
        leaving.cancel()
        if response.reusable and not self._closed:
            pair.idle_since = asyncio.get_running_loop().time()
            self._idle.append(pair)
        else:
            pair.abort()
        if not begun:
            await send(response.start())
        await send({"type": "http.response.body", "body": response.taken(), "more_body": False})

    async def _connected(self) -> _Pair:
        now = asyncio.get_running_loop().time()
        while self._idle:
            pair = self._idle.pop()
            if now - pair.idle_since < IDLE_S and not pair.reader.at_eof():
                return pair
            pair.abort()
        ours, theirs = socket.socketpair()
        try:
            ours.setblocking(False)
            theirs.setblocking(False)
            _, served = await asyncio.get_running_loop().connect_accepted_socket(self._server, theirs)
        except BaseException:
            ours.close()
            theirs.close()
            raise
        reader, writer = await asyncio.open_connection(sock=ours)
        assert isinstance(served, Connection)  # noqa: S101 (the server creates no other type)
        return _Pair(reader, writer, served)


class _Pair:
    """A connection to the server, with both ends."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, served: Connection) -> None:
        self.reader = reader
        self.writer = writer
        self.served = served
        self.idle_since = 0.0

    def abort(self) -> None:
        """Close the connection at once; the server side notices."""
        self.writer.transport.abort()


async def _collected(receive: Receive, limit: int) -> bytes | None:
    """The body; one that exceeds ``limit`` is cut one byte beyond it. ``None`` if the client has left."""
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_S):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    return None
                part = message.get("body", b"")
                if size <= limit:
                    parts.append(part[: limit + 1 - size])
                size += len(part)
                if not message.get("more_body", False) or size > limit + DRAINED_BYTES:
                    return b"".join(parts)
    except TimeoutError:
        raise SlowBodyError from None


async def _abort_when_left(receive: Receive, pair: _Pair) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    pair.abort()


async def _refuse(error: ApiError, send: Send) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(error.body))]
    if error.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % error.retry_after_s))
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": error.body, "more_body": False})


def _root(scope: Scope) -> str:
    return str(scope.get("root_path") or "").rstrip("/")


def _address(scope: Scope) -> str | None:
    """The server address of a request. Not the Host header, since a client must not choose where a link leads."""
    server: Sequence[Any] | None = scope.get("server")
    if not server or server[1] is None:
        return None
    scheme = scope.get("scheme", "http")
    host, port = str(server[0]), int(server[1])
    shown = f"[{host}]" if ":" in host else host
    place = shown if port == {"http": 80, "https": 443}.get(scheme) else f"{shown}:{port}"
    return f"{scheme}://{place}{quote(_root(scope))}"


def _target(scope: Scope) -> bytes:
    """The request target below the mount, as the client encoded it."""
    root, path = _root(scope), str(scope["path"])
    raw: bytes = scope.get("raw_path") or quote(path).encode()
    raw = raw.partition(b"?")[0]
    if root and (path == root or path.startswith(f"{root}/")):
        # Removed by segments, since the client may have percent-encoded the mount's own path.
        raw = b"".join(_after(raw, root.count("/")))
    query: bytes = scope.get("query_string", b"")
    return (raw or b"/") + (b"?" + query if query else b"")


def _after(raw: bytes, segments: int) -> Iterator[bytes]:
    for part in raw.split(b"/")[segments + 1 :]:
        yield b"/"
        yield part
