"""The sender: makes one HTTP exchange and says what came of it, whatever that was."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import ssl
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, cast

import aiohttp
from aiohttp.http import HttpProcessingError
from multidict import istr
from yarl import URL

from webhook_engine.clock import Clock
from webhook_engine.delivery.http.connector import Connector
from webhook_engine.delivery.http.exchange import CURRENT, Deadlines, Exchange
from webhook_engine.delivery.http.guard import AddressGuard
from webhook_engine.delivery.http.request import Destination
from webhook_engine.delivery.http.resolver import Resolver
from webhook_engine.delivery.http.response import FailureKind, Response
from webhook_engine.delivery.http.route import Route
from webhook_engine.log import get_logger

if TYPE_CHECKING:
    from aiohttp import StreamReader
    from aiohttp.http import RawResponseMessage

__all__ = ["Sender"]

log = get_logger("sender")

MAX_PROBLEM_LENGTH = 500
"""Characters of a library's own words that are kept."""

_RETRY_AFTER = istr("Retry-After")
_CONTROL = istr("webhook-delivery")


class Sender:
    """Sends requests over pooled connections; an async context manager that can be closed twice and started again.

    ``timeout_s`` bounds the whole exchange, from the look-up of the name to the end of the body. ``response_limit``
    is how many bytes of the body are read and kept. ``proxy`` is the URL of an HTTP proxy for all requests; targets are
    still looked up and checked here first. ``is_own_inbox`` tells URLs that the engine itself serves: only they are
    exempt from the guard, they never share a connection with others and they do not go through the proxy.
    """

    def __init__(
        self,
        *,
        timeout_s: float,
        response_limit: int,
        guard: AddressGuard,
        proxy: str | None = None,
        clock: Clock,
        ssl_context: ssl.SSLContext | None = None,
        is_own_inbox: Callable[[URL], bool] | None = None,
    ) -> None:
        self._timeout_s = timeout_s
        self._response_limit = response_limit
        self._guard = guard
        self._proxy = URL(proxy) if proxy else None
        self._clock = clock
        self._ssl_context = ssl_context
        self._is_own_inbox = is_own_inbox
        self._resolver = Resolver()
        self._connectors: list[Connector] = []

    async def start(self) -> None:
        """Get ready to send."""
        await self.close()
        self._deadlines = Deadlines(self._timeout_s)
        self._resolver = Resolver()
        self._world = self._connector(None if self._proxy else self._guard)
        self._own = self._connector(None)

    async def close(self) -> None:
        """Close all connections; returns when they are closed."""
        while self._connectors:
            await self._connectors.pop().close()
            self._deadlines.close()
        await self._resolver.close()

    async def __aenter__(self) -> Sender:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def send(self, destination: Destination, further: str, body: bytes) -> Response:
        """POST the body and return the answer. Every fault becomes an answer too; only cancelling raises.

        ``further`` are header lines of this request alone, each with its line break.
        """
        began = self._clock.monotonic()
        own = self._is_own_inbox is not None and self._is_own_inbox(destination.url)
        connector = self._own if own else self._world
        # What is looked up for a proxy is its own name, which no application stands for.
        asks_for = "" if self._proxy is not None and not own else destination.application_id
        exchange = Exchange(cast("asyncio.Task[object]", asyncio.current_task()), asks_for)
        token = CURRENT.set(exchange)
        connector.in_use += 1
        self._deadlines.begin(exchange)
        message: RawResponseMessage | None = None
        try:
            route = destination.route
            if route is None or route.connector is not connector:
                route = destination.route = Route(destination, connector, None if own else self._proxy)
            if self._proxy is not None and not own:
                await self._check_before_proxy(destination, exchange)
            try:
                message, content = await route.ask(further, body, exchange)
            except aiohttp.ClientConnectionError:
                if not exchange.unheard_on_old_connection:
                    raise
                log.info("request.repeated", host=destination.url.host, reason="an idle connection was just closed")
                exchange.abort()
                exchange.only_new = True
                message, content = await route.ask(further, body, exchange)
            if content.is_eof():
                failure, text = _judged(message, content.read_nowait(), self._response_limit)
                exchange.release()
            else:
                failure, text = await self._read(message, content, exchange)
        except BaseException as error:
            exchange.abort()
            status = None if message is None else message.code
            if exchange.expired and exchange.task.uncancel() <= exchange.cancelling:
                failure, text = FailureKind.TIMEOUT, self._timeout_text(exchange, status)
            elif isinstance(error, Exception):
                failure, text = _describe(error, exchange, destination.url, status, self._guard)
            else:
                raise
        finally:
            self._deadlines.end(exchange)
            connector.in_use -= 1
            CURRENT.reset(token)
        duration_ms = int((self._clock.monotonic() - began) * 1_000)
        if message is None:
            return Response(0, text, failure, duration_ms)
        came = message.headers
        retry_after = came.get(_RETRY_AFTER) if failure else None
        return Response(message.code, text, failure, duration_ms, retry_after, came.get(_CONTROL))

    async def _read(
        self, message: RawResponseMessage, content: StreamReader, exchange: Exchange
    ) -> tuple[FailureKind | None, str]:
        """Read the body up to the limit, and do not wait for what follows it."""
        body = b""
        while message.code >= 200 and len(body) <= self._response_limit:
            chunk = await content.readany()
            if not chunk:
                break
            body += chunk
        if content.is_eof():
            exchange.release()
        else:
            exchange.abort()
        return _judged(message, body, self._response_limit)

    async def _check_before_proxy(self, destination: Destination, exchange: Exchange) -> None:
        """Refuse a target that resolves to any address that is blocked; the proxy would not ask."""
        url = destination.url
        host = (url.raw_host or "").rstrip(".")
        try:
            found = await self._resolver.look_up(host, url.port or 0, destination.application_id)
        except OSError as error:
            raise _TargetUnknownError from error
        for *_, address in found:
            exchange.refusal = exchange.refusal or self._guard.refusal(address[0])
        if exchange.refusal:
            raise OSError(exchange.refusal)

    def _connector(self, guard: AddressGuard | None) -> Connector:
        connector = Connector(guard, self._resolver, self._ssl_context)
        self._connectors.append(connector)
        return connector

    def _timeout_text(self, exchange: Exchange, status: int | None) -> str:
        if status is not None:
            missing = f"the answer {status} came, but its body did not end"
        else:
            missing = "no connection" if exchange.handler is None else "no answer"
        return f"request timed out: {missing} within {self._timeout_s:g} s"


class _TargetUnknownError(Exception):
    """The name of a target behind a proxy does not resolve."""


def _judged(message: RawResponseMessage, body: bytes, limit: int) -> tuple[FailureKind | None, str]:
    status = message.code
    if 200 <= status < 300:
        return None, _text(body, limit) if body else ""
    if status < 200:
        return FailureKind.STATUS, f"the answer was {status} {message.reason}, which the request did not ask for"
    return FailureKind.STATUS, _text(body, limit)


def _text(body: bytes, limit: int) -> str:
    """The body as text: UTF-8, without the character that the cut went through; or base64 if it is not UTF-8."""
    kept = body[:limit]
    try:
        return kept.decode()
    except UnicodeDecodeError as error:
        if len(body) > limit and error.reason == "unexpected end of data":
            return kept[: error.start].decode()
        return base64.b64encode(kept).decode()


def _describe(
    error: Exception, exchange: Exchange, url: URL, status: int | None, guard: AddressGuard
) -> tuple[FailureKind, str]:
    """What kind of failure an error is, and its text: which thing, and what was wrong with it."""
    place = f"{url.host}:{url.port}"
    if status is not None:
        broken = f"the answer {status} came, but its body broke off: {_problem(error)}"
        return FailureKind.PROTOCOL, broken
    if exchange.refusal and not exchange.allowed:
        return FailureKind.BLOCKED, exchange.refusal
    match error:
        case aiohttp.ClientSSLError():
            return FailureKind.TLS, f"TLS with {place} failed: {_problem(error.__cause__ or error)}"
        case aiohttp.ClientProxyConnectionError():
            return FailureKind.CONNECT, f"could not connect to the proxy: {_problem(error.os_error)}"
        case aiohttp.ClientHttpProxyError():
            return FailureKind.CONNECT, f"the proxy did not connect to {place}: it answered {error.status}"
        case aiohttp.ClientConnectorDNSError() | _TargetUnknownError():
            return FailureKind.DNS, f"could not resolve {url.host}: {_problem(error.__cause__ or error)}"
        case aiohttp.ClientConnectorError():
            return FailureKind.CONNECT, f"could not connect to {place}: {_problem(error.os_error)}"
        case HttpProcessingError():
            return FailureKind.PROTOCOL, f"the answer of {place} is not valid HTTP: {_shortened(error.message)}"
        case aiohttp.InvalidURL():
            return _describe_odd_host(url.host or "", guard)
        case OSError() | aiohttp.ClientConnectionError():
            begun = exchange.handler is not None and exchange.handler.answered
            what = "within the headers of the answer" if begun else "before the answer"
            return FailureKind.CONNECT, f"the connection to {place} broke off {what}: {_problem(error)}"
    return FailureKind.PROTOCOL, f"the request to {place} could not be made: {_problem(error)}"


def _describe_odd_host(host: str, guard: AddressGuard) -> tuple[FailureKind, str]:
    """What to say of ``http://2130706433/`` and the like, which aiohttp refuses before anything is looked up."""
    try:
        address = socket.inet_ntoa(socket.inet_aton(host.rstrip(".")))
    except OSError:
        return FailureKind.PROTOCOL, f"{host!r} is not a host that can be sent to"
    if refusal := guard.refusal(address):
        return FailureKind.BLOCKED, refusal
    return FailureKind.PROTOCOL, f"the host {host} must be written as {address}"


def _problem(error: BaseException) -> str:
    """What an error says, without its class and its numbers."""
    match error:
        case ssl.SSLCertVerificationError():
            return error.verify_message.rstrip(".")
        case ssl.SSLError() if error.reason:
            return error.reason.replace("_", " ").lower()
        case aiohttp.ServerDisconnectedError():
            return "it was closed"
        case aiohttp.ClientPayloadError():
            return "it ended too soon"
        case OSError() if error.errno and error.errno > 0:
            return os.strerror(error.errno)
        case OSError() if error.strerror:
            return _shortened(error.strerror)
    return _shortened(str(error)) or type(error).__name__


def _shortened(text: str) -> str:
    return " ".join(text.split())[:MAX_PROBLEM_LENGTH]
