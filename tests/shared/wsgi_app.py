"""A small WSGI program with several workers for the tests: each may enqueue, one of them runs the engine.

Its database is named by the variable DATABASE, which belongs to this program and not to the engine.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from typing import Any

from webhook_engine import SyncSharedEngine

webhooks = SyncSharedEngine.open(os.environ["DATABASE"], allow_subnets=["127.0.0.1/32"])
if "START_LATE" not in os.environ:
    webhooks.start()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """``/enqueue`` sends a message, anything else says who this is."""
    if "START_LATE" not in os.environ:
        webhooks.start()  # harmless where it runs; after a fork it did not
    answer: dict[str, object] = {"pid": os.getpid(), "leading": webhooks.leading}
    if environ["PATH_INFO"] == "/enqueue":
        answer["id"] = webhooks.enqueue(application="acme", event_type="a.b", payload={"pid": os.getpid()})
    start_response("200 OK", [("content-type", "application/json")])
    return [json.dumps(answer).encode()]
