"""Flask: run the engine in the background of the program, and receive webhooks.

>>> webhooks = WebhookEngine()                       # with the other extensions
>>> webhooks.init_app(app)                           # app.config["WEBHOOK_ENGINE_DATABASE"] = "webhooks.db"
>>> webhooks.enqueue(application="acme", event_type="invoice.paid", payload={"id": 1})
"""

from __future__ import annotations

import atexit
import functools
from collections.abc import Callable
from typing import ParamSpec

from flask import Flask, current_app, g, jsonify, request
from flask.typing import ResponseReturnValue

from webhook_engine.integrations.refusal import refusal
from webhook_engine.secrets.signing import JsonValue, Webhook, WebhookVerificationError
from webhook_engine.sync.shared import SyncSharedEngine

__all__ = ["WebhookEngine", "verified_body", "verify_webhook"]

P = ParamSpec("P")

NAME = "webhook_engine"


class WebhookEngine:
    """The extension: one engine for all workers of the program.

    ``WEBHOOK_ENGINE_DATABASE`` names the database; ``WEBHOOK_ENGINE_SETTINGS`` is a mapping of further settings, as
    for ``Engine.open``. A ``SyncSharedEngine`` of your own may be given instead. It starts with the first request, in
    the process that serves it, so that neither a fork nor the reloader leaves it behind.
    """

    def __init__(self, app: Flask | None = None, engine: SyncSharedEngine | None = None) -> None:
        self._given = engine
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Add it to an application."""
        engine = self._given or SyncSharedEngine.open(
            app.config.get("WEBHOOK_ENGINE_DATABASE", "webhook-engine.db"),
            **app.config.get("WEBHOOK_ENGINE_SETTINGS", {}),
        )
        app.extensions[NAME] = engine
        app.before_request(engine.start)
        atexit.register(engine.stop)

    @property
    def engine(self) -> SyncSharedEngine:
        """The engine of the current application."""
        engine: SyncSharedEngine = current_app.extensions[NAME]
        return engine

    def enqueue(self, **message: object) -> str:
        """Send a message, in a transaction of its own; the arguments are those of ``SyncSharedEngine.enqueue``."""
        return self.engine.enqueue(**message)  # type: ignore[arg-type]


def verify_webhook(
    webhook: Webhook,
) -> Callable[[Callable[P, ResponseReturnValue]], Callable[P, ResponseReturnValue]]:
    """Decorate a view that is to see genuine webhooks only; anything else is answered with 401 and the reason.

    The parsed body is :func:`verified_body`.
    """

    def decorate(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
        @functools.wraps(view)
        def checked(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
            try:
                g.webhook_engine_body = webhook.verify(request.get_data(), dict(request.headers))
            except WebhookVerificationError as error:
                status, body = refusal(error)
                return jsonify(body), status
            return view(*args, **kwargs)

        return checked

    return decorate


def verified_body() -> JsonValue:
    """The body of the webhook that the present view was called for."""
    body: JsonValue = g.webhook_engine_body
    return body
