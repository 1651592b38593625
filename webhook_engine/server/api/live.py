"""The route of the stream of changes; what it answers with is in :mod:`webhook_engine.server.live`."""

from __future__ import annotations

from webhook_engine.rules.capabilities import Capability
from webhook_engine.server.api.query import NoQuery
from webhook_engine.server.api.route import Auth, Call, NoBody, Route

__all__ = ["ROUTES", "STREAM"]

STREAM = "application.stream-changes"
"""The operation that is answered by a stream, once it is allowed."""


async def stream(call: Call[NoQuery, NoBody]) -> None:
    """Server-sent events: `changed` whenever a message, an attempt or an edit of the application is new.

    Ask with `accept: text/event-stream`.
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
        summary="Hear of changes of an application",
        operation=STREAM,
    ),
)
