"""Creates a connection for each client, and tracks the open ones."""

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
    """Answers requests."""

    def __call__(self, request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
        """Answer any request."""

    def plain(self, request: PlainRequest, connection: Connection) -> Coroutine[Any, Any, bytes] | None:
        """The response to a plain request, as bytes; ``None`` if it is left to aiohttp."""


class HttpServer(web.Server):
    """Creates connections, and tracks the open ones."""

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
        """Create a connection."""
        return FrontDoor(self, self.places, self._app.plain)
