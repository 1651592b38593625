"""A connection that answers plain requests for hot routes itself, and leaves all others to aiohttp.

aiohttp's work per request (a task, a request object, a stream for the body, a response that is prepared and written)
takes longer than accepting a message. Here the bytes are read, answered and written directly; routes, limits and errors
are the same. Where a plain request for any other route ends is known, so aiohttp answers it and the next one is read
here again. The first request that is not plain hands the connection to aiohttp for good.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from aiohttp import web

from webhook_engine.server.connections import Connections
from webhook_engine.server.plain_request import NotPlainError, PlainReader, PlainRequest
from webhook_engine.server.protocol import Connection

__all__ = ["FrontDoor", "Plain"]

MAX_HELD: Final = 64 * 1024
"""Bytes of a request, and of those received while it is being answered."""
PATIENCE_S: Final = 0.5
"""How long a request may take from its first byte to its last; a slower one is left to aiohttp."""

Plain = Callable[[PlainRequest, Connection], Coroutine[Any, Any, bytes] | None]
"""Returns the response to send, as bytes; ``None`` for a request that is left to aiohttp."""


class FrontDoor(Connection):
    """One client connection."""

    __slots__ = (
        "_closing",
        "_held",
        "_later",
        "_lent",
        "_patience",
        "_plain",
        "_reader",
        "_reading",
        "_work",
        "_writable",
    )

    def __init__(self, server: web.Server, places: Connections[Connection], plain: Plain) -> None:
        super().__init__(server, places)
        self._plain = plain
        self._reader: PlainReader | None = PlainReader()
        """``None`` once aiohttp has the connection."""
        self._held: bytes | bytearray = b""
        """The bytes of an incomplete request."""
        self._later: bytes | bytearray = b""
        """Bytes received while no request can be read."""
        self._lent = False
        """Whether aiohttp is answering a single request."""
        self._work: asyncio.Task[None] | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._closing = False
        self._reading = True
        self._writable = True

    def data_received(self, data: bytes) -> None:
        """Read requests from received bytes, or pass the bytes to aiohttp."""
        if self._reader is None or not data:  # aiohttp calls this without data to resume its own parsing.
            super().data_received(data)
        elif self._lent:  # Sent before the response: request boundaries are no longer known.
            self._hand_over(data)
        elif self._work is None and self._writable:
            self._read(self._reader, data)
        elif not self._closing:
            self._later = _joined(self._later, data)
            if len(self._later) > MAX_HELD and self._reading and self.transport is not None:
                self._reading = False
                self.transport.pause_reading()

    def connection_lost(self, exc: BaseException | None) -> None:
        """The connection is closed; a request in progress is still completed."""
        self._lose_patience()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client is not reading, so stop answering requests."""
        self._writable = False
        super().pause_writing()

    def resume_writing(self) -> None:
        """The client reads again: resume answering requests."""
        self._writable = True
        super().resume_writing()
        if self._work is None:
            self._go_on()

    def answered(self, response: web.StreamResponse) -> None:
        """Take the connection back: aiohttp has answered its single request."""
        if response.keep_alive:
            self._lent = False

    def close(self) -> None:
        """Stop answering requests, except the one in progress."""
        self._closing = True
        super().close()

    async def shutdown(self, timeout: float | None = 15.0) -> None:
        """Finish the request in progress, and close."""
        self._closing = True
        if (work := self._work) is not None:
            await asyncio.wait({work}, timeout=timeout)
            work.cancel()
        await super().shutdown(timeout)

    def _read(self, reader: PlainReader, data: bytes) -> None:
        if self._closing:
            return
        held = self._held = _joined(self._held, data)
        try:
            request = reader.feed(data)
        except NotPlainError:
            self._hand_over()
            return
        if len(held) > MAX_HELD:
            self._hand_over()
            return
        if request is None:
            self._wait_for_more()
            return
        self._held = b""
        self._lose_patience()
        coming = self._plain(request, self)
        if coming is None:
            self._lent = True
            super().data_received(bytes(held))
            return
        self.working()
        self._work = asyncio.get_running_loop().create_task(self._answer(coming))

    async def _answer(self, coming: Coroutine[Any, Any, bytes]) -> None:
        try:
            whole = await coming
        except BaseException:
            self.abort()  # Close, so that the client does not wait for a response that will not come.
            raise
        finally:
            self._work = None
            self.rests()
        if self.transport is not None:
            self.transport.write(whole)
        if self._later and self._writable:
            self._go_on()

    def _go_on(self) -> None:
        """Read the bytes received meanwhile."""
        later, self._later = bytes(self._later), b""
        if not self._reading and self.transport is not None:
            self._reading = True
            self.transport.resume_reading()
        if later and self._reader is not None:
            self._read(self._reader, later)

    def _wait_for_more(self) -> None:
        if self._patience is None:
            loop = asyncio.get_running_loop()
            self._patience = loop.call_later(PATIENCE_S, self._hand_over)
            self._places.receiving(self, loop.time())

    def _hand_over(self, data: bytes = b"") -> None:
        """Hand the bytes of a request that were read, and all later ones, to aiohttp."""
        self._lose_patience()
        held, self._held, self._later, self._reader = b"".join((self._held, self._later, data)), b"", b"", None
        self._lent = False
        super().data_received(held)

    def _lose_patience(self) -> None:
        """Stop waiting for the rest of a request."""
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
            self._places.idle(self)


def _joined(before: bytes | bytearray, data: bytes) -> bytes | bytearray:
    if not before:
        return data
    joined = before if isinstance(before, bytearray) else bytearray(before)
    joined += data
    return joined
