"""The route of the change stream; :mod:`webhook_engine.server.live` serves the stream itself."""

from __future__ import annotations

from webhook_engine.rules.capabilities import Capability
from webhook_engine.server.api.query import NoQuery
from webhook_engine.server.api.route import Auth, Call, NoBody, Route

__all__ = ["ROUTES", "STREAM"]

STREAM = "application.stream-changes"
"""The operation that returns a stream, once the request is authorized."""


async def stream(call: Call[NoQuery, NoBody]) -> None:
    """Subscribe to server-sent events: `changed` after each new message, attempt or edit of the application.

    Request it with `accept: text/event-stream`.
    """


ROUTES = (
    Route(
        "GET",
        "/app/{app_id}/changes",
        stream,
        auth=Auth.APPLICATION,
        needs=Capability.VIEW_BASE,
        responses={200: None},
        fails=(406, 429),
        summary="Follow the changes of an application",
        operation=STREAM,
    ),
)
