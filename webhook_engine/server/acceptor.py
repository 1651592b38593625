"""Accepts connections to the server, up to the limit."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from contextlib import suppress

import msgspec

from webhook_engine.delivery.http.descriptors import soft_limit
from webhook_engine.delivery.troubles import Lack, lack_of
from webhook_engine.log import get_logger
from webhook_engine.server.descriptors import inbound_share
from webhook_engine.server.errors import HttpError
from webhook_engine.server.http_server import HttpServer

__all__ = ["Acceptor"]

AT_ONCE = 16
"""Connections accepted before other work in the event loop gets its turn."""
HEADROOM = 16
"""One of this many file descriptors stays free, whatever else this process has open."""
LACKING_S = 0.1
"""How long to accept no connection after the system has refused a descriptor."""
TOLD_EVERY_S = 60.0

_BODY = msgspec.json.encode(HttpError("overloaded", "The server has too many connections; try again soon."))
REFUSAL = b"\r\n".join(
    (
        b"HTTP/1.1 503 Service Unavailable",
        b"content-type: application/json",
        b"retry-after: 1",
        b"connection: close",
        b"content-length: %d" % len(_BODY),
        b"",
        _BODY,
    )
)

log = get_logger("server")


class Acceptor:
    """Accepts connections on a listening socket; calls ``on_lack`` when the system lacks a resource for one."""

    def __init__(
        self,
        listening: socket.socket,
        server: HttpServer,
        *,
        max_connections: int,
        max_in_flight: int,
        on_lack: Callable[[Lack, str], None],
    ) -> None:
        self._listening = listening
        self._server = server
        self._max_connections = max_connections
        self._max_in_flight = max_in_flight
        self._on_lack = on_lack
        self._loop = asyncio.get_running_loop()
        self._coming: set[asyncio.Task[object]] = set()
        self._again: asyncio.TimerHandle | None = None
        self._told_at: float | None = None
        self.crowded_out = 0
        """Idle connections that were closed for others."""
        self.refused = 0
        """Connections that were refused with 503."""

    @property
    def most(self) -> int:
        """The current limit on connections; the process's own limits may be changed from outside."""
        return inbound_share(soft_limit(), self._max_connections, self._max_in_flight)

    def __len__(self) -> int:
        return len(self._server.places) + len(self._coming)

    def start(self, backlog: int) -> None:
        """Start listening."""
        self._listening.setblocking(False)
        self._listening.listen(backlog)
        self._loop.add_reader(self._listening, self._accept)

    async def stop(self) -> None:
        """Stop accepting connections. Stopping twice is harmless."""
        if self._again is not None:
            self._again.cancel()
            self._again = None
        if self._listening.fileno() >= 0:
            self._loop.remove_reader(self._listening)
            self._listening.close()
        if self._coming:
            await asyncio.wait(self._coming)

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            try:
                connection, _ = self._listening.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionError:  # The client has closed it already.
                continue
            except OSError as error:
                self._pause(error)
                return
            connection.setblocking(False)
            if self._has_room_for(connection):
                task = self._loop.create_task(self._take_in(connection))
                self._coming.add(task)
                task.add_done_callback(self._coming.discard)
            else:
                self._refuse(connection)

    async def _take_in(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._server, connection)
        except OSError:
            connection.close()

    def _has_room_for(self, connection: socket.socket) -> bool:
        """Whether a connection may stay; without room, an idle connection is closed for it."""
        limit = soft_limit()
        # The system assigns the lowest free number, so the number tells how many are in use.
        scarce = limit is not None and connection.fileno() >= limit - limit // HEADROOM
        if not scarce and len(self) < self.most:
            return True
        self._tell()
        idle = self._server.places.to_close(self._loop.time())
        if idle is None:
            return False
        self.crowded_out += 1
        idle.abort()
        return True

    def _refuse(self, connection: socket.socket) -> None:
        self.refused += 1
        with connection, suppress(OSError):
            connection.send(REFUSAL)

    def _pause(self, error: OSError) -> None:
        """Pause accepting after a failed ``accept()``: close an idle connection, and resume soon."""
        if (lack := lack_of(error)) is not None:
            self._on_lack(lack, f"a connection to the server could not be taken in: {error.strerror}")
        else:
            log.error("server.not_accepted", error=str(error))
        if (idle := self._server.places.to_close(self._loop.time())) is not None:
            self.crowded_out += 1
            idle.abort()
        self._loop.remove_reader(self._listening)
        self._again = self._loop.call_later(LACKING_S, self._resume)

    def _resume(self) -> None:
        self._again = None
        self._loop.add_reader(self._listening, self._accept)

    def _tell(self) -> None:
        now = time.monotonic()
        if self._told_at is None or now - self._told_at >= TOLD_EVERY_S:
            self._told_at = now
            log.warning(
                "server.crowded",
                connections=len(self),
                most=self.most,
                descriptors=soft_limit(),
                consequence="the connections that are idle for longest are closed, others are refused",
                advice="see server.max_connections, and the limit of open files",
            )
