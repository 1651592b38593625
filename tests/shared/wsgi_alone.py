"""A WSGI program that starts an engine of its own as it is imported, which with ``--preload`` is too early."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from typing import Any

from webhook_engine import SyncEngine, WebhookEngineError

engine = SyncEngine.open(os.environ["DATABASE"])
engine.start()


def application(_: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Sends a message, and answers with the error that comes of it."""
    try:
        answer = {"id": engine.messages.create("acme", event_type="a.b", payload={}).id}
    except WebhookEngineError as error:
        answer = {"error": str(error)}
    start_response("200 OK", [("content-type", "application/json")])
    return [json.dumps(answer).encode()]
