"""A small Starlette program with several workers for the tests, as ``asgi_app`` is with FastAPI."""

from __future__ import annotations

import os

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from webhook_engine import SharedEngine
from webhook_engine.integrations.starlette import lifespan

webhooks = SharedEngine.open(os.environ["DATABASE"], allow_subnets=["127.0.0.1/32"])


async def who(_: Request) -> JSONResponse:
    """Who answers, and whether the engine runs there."""
    return JSONResponse({"pid": os.getpid(), "leading": webhooks.leading})


async def enqueue(_: Request) -> JSONResponse:
    """Send a message."""
    message_id = await webhooks.enqueue(application="acme", event_type="a.b", payload={"pid": os.getpid()})
    return JSONResponse({"pid": os.getpid(), "leading": webhooks.leading, "id": message_id})


app = Starlette(routes=[Route("/", who), Route("/enqueue", enqueue)], lifespan=lifespan(webhooks))
