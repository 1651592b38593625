"""Starlette: run the engine for as long as the program, and receive webhooks.

>>> webhooks = SharedEngine.open("webhooks.db")
>>> app = Starlette(routes=[…], lifespan=lifespan(webhooks))
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from webhook_engine.engine import Engine
from webhook_engine.integrations.refusal import refusal
from webhook_engine.secrets.signing import JsonValue, Webhook, WebhookVerificationError
from webhook_engine.shared import SharedEngine

__all__ = ["engine_of", "lifespan", "refused", "verified"]

Lifespan = Callable[[Any], AbstractAsyncContextManager[None]]


def lifespan(engine: Engine | SharedEngine, around: Lifespan | None = None) -> Lifespan:
    """The lifespan of an application that has this engine; ``around`` is another one of your own, begun before it.

    With several workers give a ``SharedEngine``.
    """

    @asynccontextmanager
    async def live(app: Any) -> AsyncIterator[None]:
        app.state.webhook_engine = engine
        if around is None:
            async with engine:
                yield
        else:
            async with around(app), engine:
                yield

    return live


def engine_of(request: Request) -> Any:
    """The engine that was given to :func:`lifespan`."""
    return request.app.state.webhook_engine


async def verified(request: Request, webhook: Webhook) -> JsonValue:
    """The body of a webhook, if it is genuine; raises ``WebhookVerificationError``, for which see :func:`refused`."""
    return webhook.verify(await request.body(), request.headers)


def refused(_: Request, error: Exception) -> JSONResponse:
    """An exception handler: ``Starlette(exception_handlers={WebhookVerificationError: refused})`` answers 401."""
    if not isinstance(error, WebhookVerificationError):
        raise error
    status, body = refusal(error)
    return JSONResponse(body, status)
