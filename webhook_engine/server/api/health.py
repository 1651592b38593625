"""Whether the server works, on the wire."""

from __future__ import annotations

from webhook_engine.errors import WebhookEngineError
from webhook_engine.server.api.query import NoQuery
from webhook_engine.server.api.route import Auth, Call, NoBody, Out, Reply, Route

__all__ = ["ROUTES"]


class PartOut(Out, frozen=True, kw_only=True):
    """How one part is."""

    status: str


class HealthOut(Out, frozen=True, kw_only=True):
    """How the server is."""

    database: PartOut
    queue: PartOut
    cache: PartOut


async def ping(_call: Call[NoQuery, NoBody]) -> None:
    """The server answers."""


async def health(call: Call[NoQuery, NoBody]) -> Out | Reply:
    """The server answers, its database can be read, and deliveries are being made."""
    engine = call.context.engine
    database = PartOut(status="ok" if await _readable(call) else "error")
    flow = PartOut(status="ok" if engine.running else "error")
    report = HealthOut(database=database, queue=flow, cache=PartOut(status="ok"))
    broken = "error" in (database.status, flow.status)
    return Reply(500, report) if broken else report


async def _readable(call: Call[NoQuery, NoBody]) -> bool:
    try:
        await call.context.services.store.revocations.all()
    except WebhookEngineError:
        return False
    return True


ROUTES = (
    Route(
        "GET",
        "/health",
        health,
        auth=Auth.NONE,
        responses={200: HealthOut, 500: HealthOut},
        summary="Ask whether the server and its database work",
        operation="health.get",
    ),
    Route(
        "GET",
        "/health/ping",
        ping,
        auth=Auth.NONE,
        responses={204: None},
        summary="Ask whether the server answers",
        operation="health.ping",
    ),
)
