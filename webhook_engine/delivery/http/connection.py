"""A connection to a receiver, over which requests are sent one after another."""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable, Sequence
from enum import IntEnum
from functools import partial
from typing import NamedTuple, Protocol, cast

from webhook_engine.delivery.http.head import MalformedError
from webhook_engine.delivery.http.problems import problem
from webhook_engine.delivery.http.reader import ResponseReader
from webhook_engine.delivery.http.response import Timing
from webhook_engine.delivery.http.tls import Identity

__all__ = ["Connection", "Keeper", "Origin", "State"]

CLOSED_WHILE_IDLE_S = 1.0
"""Seconds within which we learn that a connection was closed before the request arrived, however far the peer is."""
LOOKED_AT_AFTER_S = 0.01
"""A connection idle for longer (in seconds) is polled before reuse, since the event loop may be late in reading."""
MAX_EARLY = 65_536
"""Bytes kept of data that arrives before the first request."""
MAX_JOINED = 65_536
"""A body up to this size, in bytes, is sent in one write with its head."""


class State(IntEnum):
    """The state of a connection."""

    NEW = 0
    """Connected, and nothing was sent yet."""
    ACTIVE = 1
    """A request was sent; its response is incomplete, or was not fetched yet."""
    IDLE = 2
    """The last response was read; another request may be sent."""
    CLOSED = 3


# Bound to names on the hot path, since on Python 3.11 looking up an enum member costs as much as a call.
_NEW, _ACTIVE, _IDLE, _CLOSED = State

_MAY_FOLLOW = (
    (_ACTIVE, _CLOSED),
    (_IDLE, _CLOSED),
    (_ACTIVE, _CLOSED),
    (),
)
"""The states that may follow each state."""


class Origin(NamedTuple):
    """The origin that a connection leads to."""

    host: str
    port: int
    tls: bool
    is_proxy: bool = False
    """Whether requests are written in the form for proxies."""
    identity: Identity | None = None
    """The client's TLS identity; a connection is only reused for the same one."""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class Keeper(Protocol):
    """An observer of connections."""

    def connected(self, connection: Connection) -> None:
        """The connection is established."""

    def closed(self, connection: Connection) -> None:
        """The connection will not be used any more; called once."""

    def gone(self, connection: Connection) -> None:
        """Its socket is closed."""


class Connection(asyncio.Protocol):
    """Sends requests, reads responses and keeps the state of the connection."""

    __slots__ = (
        "_asked_at",
        "_early",
        "_keeper",
        "_loop",
        "_transport",
        "_unread",
        "_waiter",
        "awaits_proxy",
        "connect_us",
        "error",
        "expired",
        "heard",
        "heard_at",
        "idle_since",
        "lookup_us",
        "origin",
        "reader",
        "reused",
        "state",
        "tls_us",
    )

    def __init__(self, origin: Origin, keeper: Keeper, *, response_limit: int, loop: asyncio.AbstractEventLoop) -> None:
        self.origin = origin
        self._keeper = keeper
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._asked_at = 0.0
        self._early = b""
        self._unread: Callable[[], Sequence[object]] | None = None
        """Polls whether there is something to read; made on first use."""
        self.state = _NEW
        self.reader = ResponseReader(response_limit)
        self.error: Exception | None = None
        """Why the response ended early: ``MalformedError``, or an ``OSError`` of the connection."""
        self.expired = False
        """The exchange timed out before the response was complete."""
        self.heard = False
        """Data arrived since the request was sent."""
        self.heard_at = 0.0
        """When it first arrived, by the event loop's clock."""
        self.lookup_us: int | None = None
        """How long the DNS look-up took, in microseconds; the attributes below likewise."""
        self.connect_us: int | None = None
        self.tls_us: int | None = None
        self.reused = False
        """The connection was used before the present request."""
        self.idle_since = 0.0
        self.awaits_proxy = False
        """It is connecting to the proxy, which has received nothing yet."""

    def ask(self, head: bytes, body: bytes) -> asyncio.Future[None]:
        """Send a request; the future is done when no more of its response will be read."""
        if self.state is _CLOSED:
            # The peer closed the connection right after it was made.
            self.error = self.error or ConnectionError("it was closed")
            closed = self._loop.create_future()
            closed.set_result(None)
            return closed
        self.reused = self.state is _IDLE
        self._become(_ACTIVE)
        self.reader.begin()
        self.heard = False
        self._asked_at = self._loop.time()
        waiter = self._waiter = self._loop.create_future()
        transport = cast("asyncio.Transport", self._transport)
        if len(body) <= MAX_JOINED:
            transport.write(head + body)
        else:
            transport.writelines((head, body))
        if self._early:
            early, self._early = self._early, b""
            self.data_received(early)
        return waiter

    def rest(self) -> bool:
        """Finish the exchange after its response was fetched; returns whether it is reusable, and closes it if not."""
        transport = self._transport
        if (
            self.state is _ACTIVE
            and transport is not None
            and self.reader.reusable
            # The response came before the whole request was sent, whose rest would be taken for the next request.
            and not transport.get_write_buffer_size()
            and not transport.is_closing()
        ):
            self._become(_IDLE)
            self.idle_since = self._loop.time()
            return True
        self.close()
        return False

    @property
    def was_closed_while_idle(self) -> bool:
        """Whether the peer closed a reused connection just as the request was sent.

        The peer may close an idle connection at the moment when it is reused. Most likely it never saw the request,
        which is sent again over a new connection. If a byte of a response came, or if the peer closed late, it may have
        processed the request: then that was a failed attempt.
        """
        if not self.reused or self.heard or self.error is None:
            return False
        return self._loop.time() - self._asked_at < CLOSED_WHILE_IDLE_S

    @property
    def timing(self) -> Timing:
        """The durations of the parts of this exchange; ``None`` for parts that were not done or not finished."""
        first_byte_us = int((self.heard_at - self._asked_at) * 1e6) if self.heard else None
        if self.reused:
            return Timing(None, None, None, first_byte_us)
        return Timing(self.lookup_us, self.connect_us, self.tls_us, first_byte_us)

    def end(self) -> None:
        """End the exchange: close the connection, unless its response was fetched."""
        if self.state is _ACTIVE or self.state is _NEW:
            self.close()

    @property
    def is_usable(self) -> bool:
        """Whether another request may be sent now."""
        if self.state is not _IDLE or self._transport is None or self._transport.is_closing():
            return False
        return self._loop.time() - self.idle_since < LOOKED_AT_AFTER_S or not self._has_unread()

    def expire(self) -> None:
        """Time out the exchange: what has arrived so far is the response."""
        if self._waiter is not None:
            self.expired = True
            self._finish()

    def close(self) -> None:
        """Abort the connection at once, without a closing handshake that the peer could delay."""
        if self.state is _CLOSED:
            return
        self._become(_CLOSED)
        if self._waiter is not None:
            self.error = ConnectionError("it was closed")
            self._finish()
        if self._transport is not None:
            self._transport.abort()
        self._unread = None
        self._keeper.closed(self)

    def _has_unread(self) -> bool:
        """Whether there is data or an end of stream that the event loop has not read yet."""
        if self._unread is None:
            transport = cast("asyncio.Transport", self._transport)
            self._unread = _look_at(transport.get_extra_info("socket").fileno())
        return bool(self._unread())

    def _become(self, state: State) -> None:
        if state not in _MAY_FOLLOW[self.state]:
            raise RuntimeError(f"a connection that is {self.state.name.lower()} cannot become {state.name.lower()}")
        self.state = state

    def _finish(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # Called by the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is established."""
        self._transport = cast("asyncio.Transport", transport)
        self._keeper.connected(self)
        if self.state is _CLOSED:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Data arrived."""
        if self.state is _NEW and len(self._early) < MAX_EARLY:
            self._early += data  # A greeting, or an early refusal: it is the response to the first request.
            return
        if self._waiter is None:
            # Unsolicited data would be taken for the response to the next request.
            self.close()
            return
        if not self.heard:
            self.heard, self.heard_at = True, self._loop.time()
        try:
            enough = self.reader.feed(data)
        except MalformedError as error:
            self.error = error
            enough = True
        if enough:
            self._finish()

    def eof_received(self) -> None:
        """The peer sends no more; the transport closes afterwards."""
        self._ended(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection was closed."""
        self._ended(exc)
        self._keeper.gone(self)

    def _ended(self, error: Exception | None) -> None:
        if self.state is _CLOSED:
            return
        if self._waiter is not None:
            self.reader.end(None if error is None else problem(error))
            if not self.reader.done:
                self.error = error or ConnectionError("it was closed")
            self._finish()
        self.close()


def _look_at(descriptor: int) -> Callable[[], Sequence[object]]:
    """Make a function that polls an open socket: its result is not empty if there is something to read."""
    if not hasattr(select, "poll"):
        return lambda: select.select([descriptor], [], [], 0)[0]
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return partial(poll.poll, 0)
