"""The health of the server, on the wire."""

from __future__ import annotations

import asyncio

from msgspec import UNSET, UnsetType

from webhook_engine.delivery.troubles import Trouble
from webhook_engine.errors import StoreUnavailableError, WebhookEngineError
from webhook_engine.server.api.query import NoQuery
from webhook_engine.server.api.route import Auth, Call, NoBody, Out, Reply, Route

__all__ = ["ROUTES"]


PATIENCE_S = 2.0
"""How long the database may take to be read and written."""


class PartOut(Out, frozen=True, kw_only=True):
    """The health of one part."""

    status: str
    detail: str | UnsetType = UNSET
    """What is wrong."""


class HealthOut(Out, frozen=True, kw_only=True):
    """The health of the server."""

    database: PartOut
    queue: PartOut
    cache: PartOut


async def ping(_call: Call[NoQuery, NoBody]) -> None:
    """Check that the server answers."""


async def health(call: Call[NoQuery, NoBody]) -> Out | Reply:
    """Check that the server answers, the database can be read and written, and deliveries are running."""
    engine = call.context.engine
    database = await _database(call)
    queue = PartOut(status="ok") if engine.running else PartOut(status="error", detail="the engine has stopped")
    if (troubles := engine.measures.troubles.present(call.context.services.clock.now())) and engine.running:
        queue = PartOut(status="error", detail="; ".join(map(_words, troubles)))
    report = HealthOut(database=database, queue=queue, cache=PartOut(status="ok"))
    broken = "error" in (database.status, queue.status)
    return Reply(500, report) if broken else report


async def _database(call: Call[NoQuery, NoBody]) -> PartOut:
    store = call.context.services.store
    try:
        async with asyncio.timeout(PATIENCE_S):
            await store.revocations.all()
            await store.upkeep.check(PATIENCE_S)
    except StoreUnavailableError as error:
        # The route is public, so the response has no paths; the log has them.
        return PartOut(status="error", detail=error.reason or "it cannot be read or written")
    except WebhookEngineError:
        return PartOut(status="error", detail="it cannot be read or written")
    except TimeoutError:
        return PartOut(status="error", detail=f"it does not answer within {PATIENCE_S:g} s")
    return PartOut(status="ok")


def _words(trouble: Trouble) -> str:
    return f"the engine lacks {trouble.lack.value}: {trouble.last_text} ({trouble.count} times)"


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
