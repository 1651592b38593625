"""aiohttp: run the engine while the application runs, and receive webhooks.

>>> app = web.Application()
>>> app.cleanup_ctx.append(engine_context(SharedEngine.open("webhooks.db")))
>>> app.router.add_post("/hooks", verify_webhook(Webhook(SECRET))(hook))
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from aiohttp import web

from webhook_engine.engine import Engine
from webhook_engine.integrations.refusal import refusal
from webhook_engine.integrations.running_engine import running
from webhook_engine.secrets.signing import JsonValue, Webhook, WebhookVerificationError
from webhook_engine.shared import SharedEngine

__all__ = ["ENGINE", "engine_context", "verified_body", "verify_webhook"]

ENGINE: web.AppKey[Any] = web.AppKey("webhook_engine", object)
"""``request.app[ENGINE]`` is the engine that was given to :func:`engine_context`."""

# Older versions of aiohttp have no typed request keys.
_BODY: Any = web.RequestKey("webhook_engine_body", object) if hasattr(web, "RequestKey") else "webhook_engine.body"

View = Callable[[web.Request], Awaitable[web.StreamResponse]]


def engine_context(engine: Engine | SharedEngine) -> Callable[[web.Application], AsyncIterator[None]]:
    """A cleanup context that runs the engine; with several workers use a ``SharedEngine``.

    If a shared engine fails to start, the site starts all the same, and the engine tries again (``engine.problem``).
    """

    async def context(app: web.Application) -> AsyncIterator[None]:
        async with running(engine):
            app[ENGINE] = engine
            yield

    return context


def verify_webhook(webhook: Webhook) -> Callable[[View], View]:
    """Decorate a handler that receives webhooks; requests that do not verify get 401 and the reason.

    The parsed body is ``verified_body(request)``.
    """

    def decorate(view: View) -> View:
        @functools.wraps(view)
        async def checked(request: web.Request) -> web.StreamResponse:
            try:
                request[_BODY] = webhook.verify(await request.read(), request.headers)
            except WebhookVerificationError as error:
                status, body = refusal(error)
                return web.json_response(body, status=status)
            return await view(request)

        return checked

    return decorate


def verified_body(request: web.Request) -> JsonValue:
    """The parsed body of the webhook in this request."""
    body: JsonValue = request[_BODY]
    return body
