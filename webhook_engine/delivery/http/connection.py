"""One connection to a receiver, over which one request after the other is sent."""

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
"""News that a connection was closed before the request came take no longer than that, wherever the other side is."""
LOOKED_AT_AFTER_S = 0.01
"""A connection that was idle for longer is looked at once more before it is used: the loop may be late in reading."""
MAX_EARLY = 65_536
"""Bytes that are kept of what comes before the first request."""
MAX_JOINED = 65_536
"""A body up to this size is sent in one piece with its head."""


class State(IntEnum):
    """What a connection is for at present."""

    NEW = 0
    """Connected, and nothing was sent yet."""
    ACTIVE = 1
    """A request was sent; its response is awaited, or was not taken away yet."""
    IDLE = 2
    """The last response is read; another request may be sent."""
    CLOSED = 3


# By names of their own where a request passes: Python 3.11 takes as long to find a member in its class as for a call.
_NEW, _ACTIVE, _IDLE, _CLOSED = State

_MAY_FOLLOW = (
    (_ACTIVE, _CLOSED),
    (_IDLE, _CLOSED),
    (_ACTIVE, _CLOSED),
    (),
)
"""For each state."""


class Origin(NamedTuple):
    """Where a connection leads to."""

    host: str
    port: int
    tls: bool
    is_proxy: bool = False
    """Requests are written as a proxy wants them."""
    identity: Identity | None = None
    """Who we are there; what one is connected as is used for no other."""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class Keeper(Protocol):
    """Who wants to know of the connections that there are."""

    def connected(self, connection: Connection) -> None:
        """It is connected."""

    def closed(self, connection: Connection) -> None:
        """It will not be used any more, for whatever reason; said once."""

    def gone(self, connection: Connection) -> None:
        """Its socket is closed."""


class Connection(asyncio.Protocol):
    """Sends a request, reads its response and knows in which state that leaves the connection."""

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
        """Looks whether there is something to read; made when it is first needed."""
        self.state = _NEW
        self.reader = ResponseReader(response_limit)
        self.error: Exception | None = None
        """Why there is no more of the response: ``MalformedError``, or an ``OSError`` of the connection."""
        self.expired = False
        """The time of the exchange was over before the response was complete."""
        self.heard = False
        """Something came since the request was sent."""
        self.heard_at = 0.0
        """When, by the event loop's clock."""
        self.lookup_us: int | None = None
        """How long the look-up of the name took, before it was connected, and so on."""
        self.connect_us: int | None = None
        self.tls_us: int | None = None
        self.reused = False
        """It had served before the present request."""
        self.idle_since = 0.0
        self.awaits_proxy = False
        """It is being connected to the proxy, and nothing was asked of that yet."""

    def ask(self, head: bytes, body: bytes) -> asyncio.Future[None]:
        """Send a request; the future is done as soon as no more of its response will be read."""
        if self.state is _CLOSED:
            # The other side closed it as soon as it was there.
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
        """Its response is taken away; returns whether the connection can serve another request, or is closed now."""
        transport = self._transport
        if (
            self.state is _ACTIVE
            and transport is not None
            and self.reader.reusable
            # It was answered before it was sent to its end, and the rest of it would be taken for the next request.
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
        """Whether the request met a connection that had served before just as the other side closed it.

        An idle connection may be closed at the moment when it is used again. Most likely the request was never seen; a
        new connection tells. If a byte of a response came, or if the other side took its time, it may have been at work
        on the request: then that was an attempt, and failed.
        """
        if not self.reused or self.heard or self.error is None:
            return False
        return self._loop.time() - self._asked_at < CLOSED_WHILE_IDLE_S

    @property
    def timing(self) -> Timing:
        """How long the parts of the present exchange took; what was not done, or not to its end, has no time."""
        first_byte_us = int((self.heard_at - self._asked_at) * 1e6) if self.heard else None
        if self.reused:
            return Timing(None, None, None, first_byte_us)
        return Timing(self.lookup_us, self.connect_us, self.tls_us, first_byte_us)

    def end(self) -> None:
        """The exchange is over: close the connection, unless its response was taken away."""
        if self.state is _ACTIVE or self.state is _NEW:
            self.close()

    @property
    def is_usable(self) -> bool:
        """Whether another request may be sent now."""
        if self.state is not _IDLE or self._transport is None or self._transport.is_closing():
            return False
        return self._loop.time() - self.idle_since < LOOKED_AT_AFTER_S or not self._has_unread()

    def expire(self) -> None:
        """The time of the exchange is over: what has come is all there is."""
        if self._waiter is not None:
            self.expired = True
            self._finish()

    def close(self) -> None:
        """Drop the connection at once, with no closing handshake that the other side could draw out."""
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
        """Whether something came that the event loop did not come to read: an end, or what nobody has asked for."""
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

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        self._transport = cast("asyncio.Transport", transport)
        self._keeper.connected(self)
        if self.state is _CLOSED:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        if self.state is _NEW and len(self._early) < MAX_EARLY:
            self._early += data  # A greeting, or a refusal that waits for no request: it is the response to the first.
            return
        if self._waiter is None:
            # Nobody asked for them; they would be taken for the response to the next request.
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
        """The other side sends no more; the transport is closed thereafter."""
        self._ended(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is over."""
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
    """What gives something whenever there is something to read from a socket, as long as that is open."""
    if not hasattr(select, "poll"):
        return lambda: select.select([descriptor], [], [], 0)[0]
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return partial(poll.poll, 0)
