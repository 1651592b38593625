"""FastAPI: run the engine while the application runs, use it as a dependency, and receive webhooks.

>>> webhooks = SharedEngine.open("webhooks.db")
>>> app = FastAPI(lifespan=lifespan(webhooks))
>>> @app.post("/invoices/{number}/pay")
... async def pay(number: int, webhooks: Annotated[SharedEngine, Depends(engine_of)]): ...
>>> @app.post("/hooks")
... async def hook(event: Annotated[Any, Depends(verified_body(Webhook(SECRET)))]): ...
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import HTTPException, Request

from webhook_engine.integrations.refusal import refusal
from webhook_engine.integrations.starlette import engine_of, lifespan
from webhook_engine.secrets.signing import JsonValue, Webhook, WebhookVerificationError

__all__ = ["engine_of", "lifespan", "verified_body"]


def verified_body(webhook: Webhook) -> Callable[[Request], Awaitable[JsonValue]]:
    """A dependency: the parsed body of a webhook; requests that do not verify get 401 and the reason."""

    async def verified(request: Request) -> JsonValue:
        try:
            return webhook.verify(await request.body(), request.headers)
        except WebhookVerificationError as error:
            status, body = refusal(error)
            raise HTTPException(status, body["detail"]) from error

    # FastAPI evaluates annotations outside this function, where its local names are unknown.
    verified.__annotations__ = {"request": Request}
    return verified
