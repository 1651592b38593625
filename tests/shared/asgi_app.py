"""A small ASGI program with several workers for the tests, as ``wsgi_app`` is for WSGI."""

from __future__ import annotations

import os
from typing import Any

from fastapi import FastAPI

from webhook_engine import SharedEngine
from webhook_engine.integrations.fastapi import lifespan

webhooks = SharedEngine.open(os.environ["DATABASE"], allow_subnets=["127.0.0.1/32"])
app = FastAPI(lifespan=lifespan(webhooks))


@app.get("/")
async def who() -> dict[str, Any]:
    """Who answers, and whether the engine runs there."""
    return {"pid": os.getpid(), "leading": webhooks.leading}


@app.get("/enqueue")
async def enqueue() -> dict[str, Any]:
    """Send a message."""
    message_id = await webhooks.enqueue(application="acme", event_type="a.b", payload={"pid": os.getpid()})
    return {"pid": os.getpid(), "leading": webhooks.leading, "id": message_id}
