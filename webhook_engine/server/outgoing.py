"""Limits what is rendered for clients that read slowly: lists may be large, and connections many.

A connection has one response at a time. In addition, only a few lists are rendered at once, none while too many bytes
wait to be sent, and a client that reads nothing for a while is disconnected.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from webhook_engine.log import get_logger
from webhook_engine.server.errors import ApiError

__all__ = ["LARGE", "Outgoing"]

MAX_RENDERING: Final = 8
"""Lists rendered at once; a page of one is up to 4 MiB."""
MAX_UNSENT: Final = 32 * 1024 * 1024
"""When this many bytes of responses are unsent, no further list is rendered."""
LONGEST_WAIT_S: Final = 10.0
LARGE: Final = 256 * 1024
"""A response of at least this many bytes is sent in pieces, and counted."""
PIECE: Final = 128 * 1024
STALLED_S: Final = 30.0
"""How long a client may take for one piece."""

log = get_logger("server")


class Outgoing:
    """The large responses that are being sent."""

    def __init__(self) -> None:
        self._room = asyncio.Condition()
        self._rendering = 0
        self.unsent = 0
        """Bytes of large responses that are not sent yet."""

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Reserve room to render a list; raises ``ApiError`` with 503 if there is none for too long."""
        try:
            async with asyncio.timeout(LONGEST_WAIT_S), self._room:
                await self._room.wait_for(lambda: self._rendering < MAX_RENDERING and self.unsent < MAX_UNSENT)
                self._rendering += 1
        except TimeoutError:
            raise ApiError(
                503, "overloaded", "Too much waits to be read by clients; try again soon.", retry_after_s=1
            ) from None
        try:
            yield
        finally:
            self._rendering -= 1
            await self._changed()

    async def send(
        self, request: web.BaseRequest, status: int, body: bytes, headers: Mapping[str, str]
    ) -> web.StreamResponse:
        """Send a large response in pieces; disconnect a client that does not read it."""
        response = web.StreamResponse(status=status, headers=headers)
        response.content_length = len(body)
        self.unsent += len(body)
        left = len(body)
        try:
            await response.prepare(request)
            for start in range(0, len(body), PIECE):
                async with asyncio.timeout(STALLED_S):
                    piece = body[start : start + PIECE]
                    await response.write(piece)
                self.unsent -= len(piece)
                left -= len(piece)
        except (TimeoutError, ConnectionError) as problem:
            log.debug("response.cut_off", client=request.remote, unsent=left, error=repr(problem))
            if request.transport is not None:
                request.transport.abort()
        finally:
            self.unsent -= left
            await self._changed()
        return response

    async def _changed(self) -> None:
        async with self._room:
            self._room.notify_all()
