"""What makes a connection of each client that comes, and knows which there are."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine
from typing import Any, Protocol

from aiohttp import web

from webhook_engine.server.connections import Connections
from webhook_engine.server.front_door import FrontDoor
from webhook_engine.server.plain_request import PlainRequest
from webhook_engine.server.protocol import Connection

__all__ = ["HttpServer"]


class Answering(Protocol):
    """What answers requests."""

    def __call__(self, request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
        """Any request."""

    def plain(self, request: PlainRequest, connection: Connection) -> Coroutine[Any, Any, bytes] | None:
        """What is to be sent back to a plain one; ``None`` if it is left to aiohttp."""


class HttpServer(web.Server):
    """Makes connections, and knows which there are."""

    def __init__(self, app: Answering) -> None:
        super().__init__(self._respond)
        self._app = app
        self.places = Connections[Connection]()

    async def _respond(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = request.protocol
        if not isinstance(connection, Connection):
            return await self._app(request)
        connection.working()
        try:
            return await self._app(request)
        finally:
            connection.rests()

    def __call__(self) -> web.RequestHandler:
        """One connection."""
        return FrontDoor(self, self.places, self._app.plain)
