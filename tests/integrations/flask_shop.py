"""A small Flask program for the tests, whose database is named by the variable DATABASE."""

from __future__ import annotations

import os
from typing import Any

from flask import Flask

from webhook_engine.integrations.flask import WebhookEngine

app = Flask(__name__)
app.config["WEBHOOK_ENGINE_DATABASE"] = os.environ["DATABASE"]
app.config["WEBHOOK_ENGINE_SETTINGS"] = {"allow_subnets": ["127.0.0.1/32"]}
app.config["WEBHOOK_ENGINE_RUN"] = "ENGINE_ELSEWHERE" not in os.environ
webhooks = WebhookEngine(app)


@app.get("/")
def who() -> dict[str, Any]:
    """Who answers, and how the engine fares."""
    return {"pid": os.getpid(), "state": webhooks.health.state, "problem": webhooks.health.problem}


@app.get("/pay")
def pay() -> dict[str, Any]:
    """Send a message."""
    return {"id": webhooks.enqueue(application="acme", event_type="invoice.paid", payload={"id": 1})}


@app.cli.command("slow")
def slow() -> None:
    """A command that takes longer than an engine needs to start."""
    import time  # noqa: PLC0415

    time.sleep(3)
    print(webhooks.health.state)
