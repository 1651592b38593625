"""The network of a simulated world: names, connections and the receivers at their ends. No socket is opened.

The engine's own HTTP client runs on it unchanged: what it asks of the event loop (`sock_connect`,
`create_connection`) and of the system (`getaddrinfo`, `poll`) is answered here.
"""

from __future__ import annotations

import asyncio
import errno
import random
import socket
from collections.abc import Callable
from typing import Any

from simulation.timeline import ProcessLoop, Timeline

__all__ = ["EOF", "RESET", "Network", "Plan", "Received", "SimulatedSocket"]

RESET = "reset"
EOF = "eof"

Piece = bytes | str
Plan = list[tuple[float, Piece]]
"""What a receiver does with a request: pieces of the response, each so many seconds after the one before."""


class SimulatedSocket:
    """What the engine takes for a socket."""

    def __init__(self, number: int, family: int) -> None:
        self._number = number
        self.family = family
        self.address: tuple[str, int] = ("", 0)

    def fileno(self) -> int:
        return self._number

    def setblocking(self, _flag: bool) -> None:
        pass

    def close(self) -> None:
        pass


class Received:
    """One request as it arrived."""

    __slots__ = (
        "at",
        "body",
        "closed_at",
        "connection",
        "headers",
        "host",
        "path",
        "process",
        "retry_after",
        "sent_at",
    )

    def __init__(self, at: float, host: str, path: str, headers: dict[str, str], body: bytes, process: str) -> None:
        self.at = at
        self.host = host
        self.path = path
        self.headers = headers
        self.body = body
        self.process = process
        self.retry_after: float | None = None
        """What the response says, in seconds."""
        self.sent_at: float | None = None
        """When the last piece of the response was on its way."""
        self.closed_at: float | None = None
        """When the connection ended while the request was under way."""

    @property
    def awaited(self) -> bool:
        """Whether nothing of its response was sent, and the connection is open."""
        return self.sent_at is None and self.closed_at is None


class _Transport(asyncio.Transport):
    """The engine's end of a connection."""

    def __init__(self, loop: ProcessLoop, end: _End, sock: SimulatedSocket, protocol: asyncio.Protocol) -> None:
        super().__init__({"socket": sock, "peername": sock.address})
        self.loop = loop
        self.protocol = protocol
        self.unread = 0
        self._end = end
        self._closing = False
        self._lost = False

    def write(self, data: Any) -> None:
        if not self._closing:
            self._end.sent(bytes(data))

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self._closing

    def abort(self) -> None:
        if not self._closing:
            self._closing = True
            self._end.left()
            self.loop.call_soon(self._lose, None)

    def close(self) -> None:
        self.abort()

    def comes(self, piece: Piece) -> None:
        """Something came over the network; the event loop reads it as soon as it runs."""
        if self.loop.dead or self._closing:
            return
        self.unread += 1
        self.loop.call_soon(self._read, piece)

    def _read(self, piece: Piece) -> None:
        self.unread -= 1
        if self._closing:
            return
        if isinstance(piece, bytes):
            self.protocol.data_received(piece)
        elif piece == EOF:
            self.protocol.eof_received()
            self.abort()
        else:
            self._closing = True
            self._end.left()
            self.loop.call_soon(self._lose, ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"))

    def _lose(self, error: Exception | None) -> None:
        if not self._lost:
            self._lost = True
            self.protocol.connection_lost(error)


class _End:
    """The receiver's end of a connection."""

    def __init__(self, network: Network, host: str, latency: float) -> None:
        self.network = network
        self.transport: _Transport
        self._host = host
        self._latency = latency
        self._buffer = b""
        self._there_at = 0.0
        self._here_at = 0.0
        self._gone = False
        self._under_way: Received | None = None

    def sent(self, data: bytes) -> None:
        """The engine sent something."""
        self._there_at = max(self._there_at, self.network.timeline.now + self._latency)
        self.network.timeline.at(self._there_at, self._arrives, data)

    def left(self) -> None:
        """The engine closed the connection, or its process ended."""
        if not self._gone:
            self._gone = True
            self.network.open.pop(self, None)
            if self._under_way is not None and self._under_way.closed_at is None:
                self._under_way.closed_at = self.network.timeline.now
                self.network.on_left(self._under_way)

    def _arrives(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
            headers = {
                name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
            }
            length = int(headers.get("content-length", "0"))
            if len(self._buffer) < end + 4 + length:
                return
            body, self._buffer = self._buffer[end + 4 : end + 4 + length], self._buffer[end + 4 + length :]
            timeline = self.network.timeline
            request = Received(timeline.now, self._host, first.split(" ")[1], headers, body, self.transport.loop.name)
            self._under_way = request
            if self._gone:
                request.closed_at = timeline.now
            when = timeline.now
            for delay, piece in self.network.on_request(request):
                when += delay
                timeline.at(when, self._respond, request, piece)

    def _respond(self, request: Received, piece: Piece) -> None:
        if self._gone:
            return
        timeline = self.network.timeline
        self._here_at = max(self._here_at, timeline.now + self._latency)
        request.sent_at = timeline.now
        timeline.at(self._here_at, self.transport.comes, piece)
        if not isinstance(piece, bytes):
            # No request that comes later is read any more.
            self._gone = True
            self.network.open.pop(self, None)

    def drop(self) -> None:
        """The receiver closes the connection while nothing is under way on it."""
        self._respond(Received(0, "", "", {}, b"", ""), EOF)


class Name:
    """A host: its name, what the name leads to, and how it can be reached."""

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self.addresses = [address]
        self.look_up_s = 0.002
        self.look_up_error: int | None = None
        self.reach = "open"
        """Or ``refused``, or ``silent``."""
        self.latency = 0.005


class Network:
    """All of it."""

    def __init__(self, timeline: Timeline, chance: random.Random) -> None:
        self.timeline = timeline
        self.names: dict[str, Name] = {}
        self.hosts: dict[str, Name] = {}
        """By address."""
        self.lacks: int | None = None
        """Number of the error that each new socket of the engine ends with."""
        self.on_request: Callable[[Received], Plan] = lambda _request: []
        self.on_left: Callable[[Received], None] = lambda _request: None
        self.open: dict[_End, None] = {}
        self._chance = chance
        self._sockets = 1_000
        self._transports: dict[int, _Transport] = {}

    def add(self, name: str, address: str) -> Name:
        """A host."""
        made = self.names[name] = self.hosts[address] = Name(name, address)
        return made

    def socket(self, info: Any) -> SimulatedSocket:
        """What ``socket.socket`` would return."""
        if self.lacks is not None:
            raise OSError(self.lacks, "lacking")
        self._sockets += 1
        return SimulatedSocket(self._sockets, info[0])

    async def connect(self, loop: ProcessLoop, sock: SimulatedSocket, address: tuple[str, int]) -> None:
        """Connect; raises ``OSError``."""
        host = self.hosts.get(address[0])
        sock.address = address
        if host is None or host.reach == "silent":
            await asyncio.sleep(130)
            raise TimeoutError(errno.ETIMEDOUT, "Connection timed out")
        await asyncio.sleep(host.latency * (0.5 + self._chance.random()))
        if host.reach == "refused":
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")

    async def begin(self, loop: ProcessLoop, factory: Any, sock: SimulatedSocket, tls: object) -> Any:
        """Make a connection of a socket that is connected."""
        host = self.hosts[sock.address[0]]
        if tls is not None:
            await asyncio.sleep(2 * host.latency)
        end = _End(self, host.name, host.latency * (0.5 + self._chance.random()))
        protocol = factory()
        end.transport = transport = _Transport(loop, end, sock, protocol)
        self.open[end] = None
        self._transports[sock.fileno()] = transport
        protocol.connection_made(transport)
        await asyncio.sleep(0)
        return transport, protocol

    def unread(self, descriptor: int) -> bool:
        """Whether something came that the event loop has not read."""
        transport = self._transports.get(descriptor)
        return transport is not None and transport.unread > 0

    def cut(self, loop: ProcessLoop) -> None:
        """A process ended: the system closes its connections."""
        for end in [one for one in self.open if one.transport.loop is loop]:
            end.left()

    def drop_idle(self, count: int) -> None:
        """Receivers close connections that they have kept long enough."""
        for end in list(self.open)[:count]:
            if end._under_way is None or end._under_way.sent_at is not None:
                end.drop()

    def look_up(self, host: str) -> tuple[float, list[Any], OSError | None]:
        """How long a look-up takes, and what comes of it."""
        name = self.names.get(host)
        if name is None:
            return 0.001, [], socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if name.look_up_error is not None:
            return name.look_up_s, [], socket.gaierror(name.look_up_error, "failure in name resolution")
        infos = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in name.addresses]
        return name.look_up_s, infos, None
