"""Starlette: run the engine while the application runs, and receive webhooks.

>>> webhooks = SharedEngine.open("webhooks.db")
>>> app = Starlette(routes=[…], lifespan=lifespan(webhooks))
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse

from webhook_engine.engine import Engine
from webhook_engine.errors import EngineNotRunningError
from webhook_engine.integrations.refusal import refusal
from webhook_engine.integrations.running_engine import running
from webhook_engine.secrets.signing import JsonValue, Webhook, WebhookVerificationError
from webhook_engine.shared import SharedEngine

__all__ = ["engine_of", "lifespan", "refused", "verified"]

Lifespan = Callable[[Any], AbstractAsyncContextManager[Mapping[str, Any] | None]]

NAME = "webhook_engine"
"""The key of the engine in the state of the application and of requests."""


def lifespan(engine: Engine | SharedEngine, around: Callable[[Any], Any] | None = None) -> Lifespan:
    """The lifespan of an application with this engine; ``around`` is your own lifespan, entered before it.

    With several workers use a ``SharedEngine``: if it fails to start, the site starts all the same, and the engine
    tries again (``engine.problem``). The state that ``around`` yields is kept.
    """

    @asynccontextmanager
    async def live(app: Any) -> AsyncIterator[Mapping[str, Any]]:
        setattr(app.state, NAME, engine)
        async with AsyncExitStack() as stack:
            state = None if around is None else await stack.enter_async_context(around(app))
            await stack.enter_async_context(running(engine))
            # The state of each request is also visible in mounted applications.
            yield {**(state or {}), NAME: engine}

    return live


def engine_of(connection: HTTPConnection) -> Any:
    """The engine of :func:`lifespan`, for a request or a WebSocket, in mounted applications too.

    Raises ``EngineNotRunningError`` if the application has no engine, or its lifespan was not run.
    """
    state: Mapping[str, Any] = connection.scope.get("state") or {}
    engine = state.get(NAME) or getattr(connection.app.state, NAME, None)
    if engine is None:
        raise EngineNotRunningError(
            "this application has no engine: make it with lifespan=lifespan(engine), on the outermost application "
            "where some are mounted in others, and see that the lifespan is run (a TestClient does so inside `with`)"
        )
    return engine


async def verified(request: Request, webhook: Webhook) -> JsonValue:
    """The parsed body of a webhook; raises ``WebhookVerificationError``, which :func:`refused` handles."""
    return webhook.verify(await request.body(), request.headers)


def refused(_: Request, error: Exception) -> JSONResponse:
    """An exception handler: ``Starlette(exception_handlers={WebhookVerificationError: refused})`` answers 401."""
    if not isinstance(error, WebhookVerificationError):
        raise error
    status, body = refusal(error)
    return JSONResponse(body, status)
