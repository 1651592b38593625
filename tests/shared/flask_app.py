"""A small Flask program with several workers for the tests, as ``wsgi_app`` is without Flask."""

from __future__ import annotations

import os
from typing import Any

from flask import Flask

from webhook_engine.integrations.flask import WebhookEngine, engine_of

application = Flask(__name__)
application.config["WEBHOOK_ENGINE_DATABASE"] = os.environ["DATABASE"]
application.config["WEBHOOK_ENGINE_SETTINGS"] = {"allow_subnets": ["127.0.0.1/32"]}
webhooks = WebhookEngine(application)


@application.get("/")
def who() -> dict[str, Any]:
    """Who answers, and whether the engine runs there."""
    return {"pid": os.getpid(), "leading": engine_of().leading}


@application.get("/enqueue")
def enqueue() -> dict[str, Any]:
    """Send a message."""
    message_id = webhooks.enqueue(application="acme", event_type="a.b", payload={"pid": os.getpid()})
    return {**who(), "id": message_id}
