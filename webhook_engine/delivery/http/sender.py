"""The sender makes HTTP exchanges and returns the result of each, failures included."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Coroutine
from types import TracebackType
from typing import TypeVar

from yarl import URL

from webhook_engine.clock import Clock
from webhook_engine.delivery.http.connection import Connection, Origin
from webhook_engine.delivery.http.deadlines import Deadlines
from webhook_engine.delivery.http.dial import Dialler
from webhook_engine.delivery.http.guard import AddressGuard
from webhook_engine.delivery.http.head import Head, MalformedError
from webhook_engine.delivery.http.own_inbox import OwnInboxes
from webhook_engine.delivery.http.pool import Pool
from webhook_engine.delivery.http.problems import problem
from webhook_engine.delivery.http.proxy import AUTHENTICATION_REQUIRED, Proxy
from webhook_engine.delivery.http.request import Destination, Prepared, beginning, head
from webhook_engine.delivery.http.resolver import Resolver, will_pass
from webhook_engine.delivery.http.response import FailureKind, NoResponseError, OwnTroubleError, Response
from webhook_engine.delivery.http.shortage import own_trouble
from webhook_engine.delivery.http.tls import Identity, client_context
from webhook_engine.delivery.troubles import Lack
from webhook_engine.log import get_logger

__all__ = ["Sender"]

log = get_logger("sender")

T = TypeVar("T")

TOKEN_RESPONSE_LIMIT = 65_536
"""Bytes read of a token server's response, whatever the limit for other responses."""
PRECHECK_S = 3.0
"""Seconds that a caller waits to learn whether a name resolves."""


class Sender:
    """Sends requests over pooled connections; an async context manager that can be closed twice and started again.

    ``timeout_s`` is the default timeout of a whole exchange, from the DNS look-up to the end of the body.
    ``response_limit`` is how many bytes of the body are read and kept. ``proxy`` is the URL of an HTTP proxy for all
    requests; targets are still resolved and checked here first. ``ca_file`` is trusted besides the system's
    authorities; ``ssl_context`` replaces both. ``own_inboxes`` are the URLs that the engine itself serves: only they
    are exempt from the guard; they never share a connection with others and do not go through the proxy.
    """

    def __init__(
        self,
        *,
        timeout_s: float,
        response_limit: int,
        guard: AddressGuard,
        proxy: str | None = None,
        ca_file: str | None = None,
        clock: Clock,
        ssl_context: ssl.SSLContext | None = None,
        own_inboxes: OwnInboxes | None = None,
    ) -> None:
        self._timeout_s = timeout_s
        self._response_limit = response_limit
        self._guard = guard
        self._proxy = Proxy(proxy) if proxy else None
        self._clock = clock
        self._ca_file = ca_file
        self._ssl_context = ssl_context
        self._own_inboxes = own_inboxes or OwnInboxes()
        self._started = False

    async def start(self) -> None:
        """Start; sending is possible from then on."""
        await self.close()
        self._loop = asyncio.get_running_loop()
        self._tls = self._ssl_context or (client_context(self._ca_file) if self._ca_file is not None else None)
        self._deadlines = Deadlines(self._timeout_s)
        self._other_deadlines: dict[float, Deadlines] = {}
        self._resolver = Resolver()
        self._world = self._pool(self._guard, self._proxy)
        self._own = self._pool(None, None)
        self._token_servers: Pool | None = None
        self._started = True

    async def close(self) -> None:
        """Close all connections; returns when they are closed."""
        if not self._started:
            return
        self._started = False
        for deadlines in (self._deadlines, *self._other_deadlines.values()):
            deadlines.close()
        await self._world.close()
        await self._own.close()
        if self._token_servers is not None:
            await self._token_servers.close()
        await self._resolver.close()

    async def __aenter__(self) -> Sender:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def send(self, destination: Destination, further: str, body: bytes) -> Response:
        """Send the body and return the response. Failures are returned as responses too; ``CancelledError`` is raised.

        ``further`` are header lines for this request only, each with its line break.
        """
        began = self._clock.monotonic()
        timeout_s = destination.timeout_s
        exchange = _Exchange(self._loop, self._timeout_s if timeout_s is None else timeout_s)
        deadlines = self._deadlines if timeout_s is None else self._deadlines_of(timeout_s)
        deadlines.begin(exchange)
        came: Head | None = None
        expired = False
        lack: Lack | None = None
        try:
            prepared = self._prepare(destination)
            if prepared.checked_first:
                check = prepared.pool.dialler.check(prepared.target, destination.application_id)
                await self._in_time(exchange, check)
            lines = head(prepared.beginning, further + prepared.ending, len(body))
            connection = prepared.pool.take(prepared.origin)
            if connection is not None:
                exchange.connection, exchange.sent = connection, True
                await connection.ask(lines, body)
                if connection.was_closed_while_idle:
                    log.info("request.repeated", host=prepared.target.host, reason="an idle connection was just closed")
                    connection = None
            if connection is None:
                connection = await self._ask_anew(exchange, prepared, destination, lines, body)
            came = connection.reader.head
            if came is None or (came.status == AUTHENTICATION_REQUIRED and prepared.origin.is_proxy):
                raise self._no_response(connection, prepared.target, exchange.within)
            failure, text = self._judge(came, connection, prepared, exchange)
            expired = connection.expired
            prepared.pool.give_back(connection)
        except NoResponseError as error:
            came, failure, text, lack = None, error.kind, error.text, error.lack
        except (OSError, ValueError, MemoryError) as error:
            made = _not_made(error, destination.url)
            came, failure, text, lack = None, made.kind, made.text, made.lack
        finally:
            deadlines.end(exchange)
            if timeout_s is not None and deadlines.idle and self._other_deadlines.pop(timeout_s, None) is deadlines:
                deadlines.close()
            if exchange.connection is not None:
                exchange.connection.end()
        duration_ms = int((self._clock.monotonic() - began) * 1_000)
        timing = None if exchange.connection is None else exchange.connection.timing
        if came is None:
            timed_out = failure is FailureKind.TIMEOUT
            return Response(
                0, text, failure, duration_ms, lack=lack, timed_out=timed_out, sent=exchange.sent, timing=timing
            )
        return Response(
            came.status,
            text,
            failure,
            duration_ms,
            came.retry_after if failure else None,
            came.control,
            None,
            expired,
            True,
            timing,
            came.raw,
        )

    async def precheck(self, url: URL, application_id: str) -> FailureKind | None:
        """Check a URL by a DNS look-up; returns how sending would fail: blocked addresses, or an unknown name.

        ``None`` if it would not, if the look-up takes more than some seconds, or if names cannot be resolved right now.
        """
        if self._own_inboxes.covers(url):
            return None
        try:
            async with asyncio.timeout(PRECHECK_S):
                await self._world.dialler.check(_target(url), application_id)
        except TimeoutError:
            return None
        except NoResponseError as error:
            passing = error.kind is FailureKind.OWN or will_pass(error.__cause__)
            return None if passing else error.kind
        return None

    def _prepare(self, destination: Destination) -> Prepared:
        """The fixed parts of requests to a destination. Raises ``ValueError`` for what HTTP does not allow."""
        own = self._own_inboxes.covers(destination.url)
        pool = self._own if own else self._world if not destination.is_token_server else self._for_tokens()
        prepared = destination.prepared
        if prepared is None or prepared.pool is not pool:
            prepared = destination.prepared = _prepared(destination, pool, None if own else self._proxy)
        return prepared

    async def _ask_anew(
        self, exchange: _Exchange, prepared: Prepared, destination: Destination, lines: bytes, body: bytes
    ) -> Connection:
        """Send the request over a new connection; returns it after reading the response."""
        connection = exchange.connection = prepared.pool.new(prepared.origin)
        await self._in_time(exchange, prepared.pool.connect(connection, destination.application_id))
        exchange.sent = True
        await connection.ask(lines, body)
        return connection

    async def _in_time(self, exchange: _Exchange, work: Coroutine[None, None, T]) -> T:
        """Run the steps before the request. Raises ``NoResponseError`` on timeout."""
        try:
            async with asyncio.timeout(0 if exchange.expired else None) as exchange.limit:
                done = await work
        except TimeoutError:
            pass
        else:
            if not exchange.expired:
                return done
        finally:
            exchange.limit = None
        if exchange.connection is not None and exchange.connection.awaits_proxy:
            raise OwnTroubleError(Lack.PROXY, f"the proxy cannot be reached: no connection {exchange.within}")
        raise NoResponseError(FailureKind.TIMEOUT, f"request timed out: no connection {exchange.within}")

    def _judge(
        self, came: Head, connection: Connection, prepared: Prepared, exchange: _Exchange
    ) -> tuple[FailureKind | None, str]:
        """Judge a response, and build the text to store. The status decides, whatever is wrong with the rest."""
        reader, status = connection.reader, came.status
        text = _text(reader.body, prepared.pool.response_limit) if reader.body else ""
        missing = None
        if reader.broken is not None:
            missing = f"its body broke off: {reader.broken}"
        elif connection.expired:
            missing = f"its body did not end {exchange.within}"
        if missing or came.odd:
            log.info("response.odd", host=prepared.target.host, status_code=status, odd=came.odd, missing=missing)
        if missing:
            text = f"{text}\n[the response {status} came, but {missing}]".lstrip()
        if 200 <= status < 300:
            return None, text
        if status < 200:
            text = f"the response was {status} {came.reason.decode('latin-1')}, which the request did not ask for"
        return FailureKind.STATUS, text

    def _no_response(self, connection: Connection, target: Origin, within: str) -> NoResponseError:
        """Why there is no response to a request that was sent."""
        if connection.reader.head is not None:
            status = connection.reader.head.status
            text = f"the proxy refused the request: it answered {status} (it wants credentials, or others)"
            return OwnTroubleError(Lack.PROXY, text)
        match connection.error:
            case None:
                return NoResponseError(FailureKind.TIMEOUT, f"request timed out: no response {within}")
            case MalformedError() as error:
                return NoResponseError(FailureKind.PROTOCOL, f"the response of {target} is not valid HTTP: {error}")
            case ssl.SSLError() as error:
                return NoResponseError(FailureKind.TLS, f"TLS with {target} failed: {problem(error)}")
            case error:
                when = "within the headers of the response" if connection.heard else "before the response"
                what = f"the connection to {target} broke off {when}"
                return own_trouble(what, error) or NoResponseError(FailureKind.CONNECT, f"{what}: {problem(error)}")

    def _for_tokens(self) -> Pool:
        if self._token_servers is None:
            self._token_servers = self._pool(self._guard, self._proxy, TOKEN_RESPONSE_LIMIT)
        return self._token_servers

    def _pool(self, guard: AddressGuard | None, proxy: Proxy | None, response_limit: int | None = None) -> Pool:
        dialler = Dialler(self._resolver, self._tls, guard, proxy, self._ca_file)
        return Pool(dialler, self._response_limit if response_limit is None else response_limit)

    def _deadlines_of(self, timeout_s: float) -> Deadlines:
        """The deadlines for a timeout, shared while there are exchanges with it."""
        deadlines = self._other_deadlines.get(timeout_s)
        if deadlines is None:
            deadlines = self._other_deadlines[timeout_s] = Deadlines(timeout_s)
        return deadlines


class _Exchange:
    """An exchange in progress, which can time out."""

    __slots__ = ("_loop", "_timeout_s", "connection", "expired", "limit", "sent")

    def __init__(self, loop: asyncio.AbstractEventLoop, timeout_s: float) -> None:
        self._loop = loop
        self._timeout_s = timeout_s
        self.connection: Connection | None = None
        """The connection that it uses."""
        self.limit: asyncio.Timeout | None = None
        """The timeout of the steps before the request."""
        self.expired = False
        self.sent = False
        """Whether any part of the request may have been sent."""

    @property
    def within(self) -> str:
        """The timeout as text."""
        return f"within {self._timeout_s:g} s"

    def expire(self) -> None:
        """Time out."""
        self.expired = True
        if self.limit is not None:
            self.limit.reschedule(self._loop.time())
        elif self.connection is not None:
            self.connection.expire()


def _prepared(destination: Destination, pool: Pool, proxy: Proxy | None) -> Prepared:
    target = _target(destination.url, destination.identity)
    if proxy is None or target.tls:
        return Prepared(pool, target, target, beginning(destination, through_proxy=False), "", proxy is not None)
    return Prepared(
        pool, proxy.origin, target, beginning(destination, through_proxy=True), proxy.header, checked_first=True
    )


def _target(url: URL, identity: Identity | None = None) -> Origin:
    # The encoded form, since some names in punycode cannot be decoded.
    host = (url.raw_host or "").lower()
    if ":" in host:
        host = host.replace("%25", "%")
    tls = url.scheme == "https"
    return Origin(host, url.port or 0, tls, identity=identity if tls else None)


def _text(body: bytes | bytearray, limit: int) -> str:
    """The body as text: UTF-8, without the character that the cut went through; or base64 if it is not UTF-8."""
    kept = body[:limit]
    try:
        return kept.decode()
    except UnicodeDecodeError as error:
        if len(body) > limit and error.reason == "unexpected end of data":
            return kept[: error.start].decode()
        return base64.b64encode(kept).decode()


def _not_made(error: Exception, url: URL) -> NoResponseError:
    """The failure of a request that could not be built."""
    what = f"the request to {url.raw_host}:{url.port} could not be made"
    return own_trouble(what, error) or NoResponseError(FailureKind.PROTOCOL, f"{what}: {problem(error)}")
