"""The connection pool: connections in use, and idle ones kept for the next request to the same origin."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from webhook_engine.delivery.http.connection import Connection, Origin, State
from webhook_engine.delivery.http.descriptors import most_idle, soft_limit
from webhook_engine.delivery.http.dial import Dialler
from webhook_engine.delivery.http.response import FailureKind, NoResponseError

__all__ = ["Pool"]

KEEPALIVE_S = 30.0
"""Seconds for which an idle connection is kept; checked every half of that, so up to half longer."""
CLOSING_S = 5.0
"""Seconds to wait at most until the event loop has closed aborted connections."""


class Pool:
    """Connections, in use and idle."""

    def __init__(self, dialler: Dialler, response_limit: int) -> None:
        self.dialler = dialler
        self.response_limit = response_limit
        """Bytes of a response body that are read and kept."""
        self._loop = asyncio.get_running_loop()
        self._open: set[Connection] = set()
        """All whose sockets are not closed yet."""
        self._idle: dict[Origin, list[Connection]] = {}
        """Idle connections by origin, the most recently used one last."""
        self._by_use: OrderedDict[Connection, None] = OrderedDict()
        """All idle connections, the most recently used one last."""
        self._max_idle = most_idle(soft_limit())
        self._timer: asyncio.TimerHandle | None = None
        self._all_gone = asyncio.Event()
        self._is_closed = False

    @property
    def idle_count(self) -> int:
        """The number of idle connections."""
        return len(self._by_use)

    @property
    def open_count(self) -> int:
        """The number of connections in use or idle."""
        return sum(connection.state is not State.CLOSED for connection in self._open)

    def new(self, origin: Origin) -> Connection:
        """Make a new, unconnected connection."""
        return Connection(origin, self, response_limit=self.response_limit, loop=self._loop)

    async def connect(self, connection: Connection, application_id: str) -> None:
        """Connect a new connection. Raises ``NoResponseError``."""
        try:
            await self.dialler.dial(connection, application_id)
        except NoResponseError as error:
            if error.kind is FailureKind.OWN:
                self._drop_idle()  # They may hold the descriptors or ports that are lacking.
            raise

    def take(self, origin: Origin) -> Connection | None:
        """Take an idle connection to an origin; ``None`` if there is none."""
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            del self._by_use[connection]
            if connection.is_usable:
                return connection
            connection.close()
        return None

    def give_back(self, connection: Connection) -> None:
        """Return a connection after its response was read, to keep it for the next request if it is reusable.

        If the pool is full, the least recently used connection is closed: busy endpoints keep their connections,
        however many others there are.
        """
        if not connection.rest():
            return
        if len(self._by_use) >= self._max_idle:
            next(iter(self._by_use)).close()
        idle = self._idle.get(connection.origin)
        if idle is None:
            idle = self._idle[connection.origin] = []
        idle.append(connection)
        self._by_use[connection] = None
        if self._timer is None:
            self._timer = self._loop.call_later(KEEPALIVE_S / 2, self._close_old)

    def _drop_idle(self) -> None:
        for connection in list(self._by_use):
            connection.close()

    async def close(self) -> None:
        """Close all connections; returns when their sockets are closed."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for connection in list(self._open):
            connection.close()
        if self._open:
            self._all_gone.clear()
            await asyncio.wait_for(self._all_gone.wait(), CLOSING_S)

    def _close_old(self) -> None:
        self._timer = None
        before = self._loop.time() - KEEPALIVE_S
        while self._by_use and (oldest := next(iter(self._by_use))).idle_since <= before:
            oldest.close()
        for origin in [origin for origin, idle in self._idle.items() if not idle]:
            del self._idle[origin]
        if self._by_use:
            self._timer = self._loop.call_later(KEEPALIVE_S / 2, self._close_old)

    # Called by connections.

    def connected(self, connection: Connection) -> None:
        """A connection is established."""
        self._open.add(connection)
        if self._is_closed:
            connection.close()

    def closed(self, connection: Connection) -> None:
        """A connection will not be used any more."""
        if connection in self._by_use:
            del self._by_use[connection]
            self._idle[connection.origin].remove(connection)

    def gone(self, connection: Connection) -> None:
        """The socket of a connection is closed."""
        self._open.discard(connection)
        if not self._open:
            self._all_gone.set()
