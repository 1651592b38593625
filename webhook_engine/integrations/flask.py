"""Flask: run the engine in the background of the application, and receive webhooks.

>>> webhooks = WebhookEngine()                       # with the other extensions
>>> webhooks.init_app(app)                           # app.config["WEBHOOK_ENGINE_DATABASE"] = "webhooks.db"
>>> webhooks.enqueue(application="acme", event_type="invoice.paid", payload={"id": 1})
"""

from __future__ import annotations

import functools
import signal
import threading
from collections.abc import Callable
from typing import ParamSpec, Unpack

import click
from flask import Flask, current_app, g, jsonify, request
from flask.cli import FlaskGroup
from flask.typing import ResponseReturnValue
from werkzeug.serving import is_running_from_reloader

from webhook_engine.errors import ConfigError
from webhook_engine.integrations.refusal import refusal
from webhook_engine.integrations.serving_process import EngineHealth, ServingProcess
from webhook_engine.outbox.row import MessageFields
from webhook_engine.secrets.signing import JsonValue, Webhook, WebhookVerificationError
from webhook_engine.sync.shared import SyncSharedEngine

__all__ = ["EngineHealth", "WebhookEngine", "engine_of", "verified_body", "verify_webhook"]

P = ParamSpec("P")

NAME = "webhook_engine"
_PROCESS = "webhook_engine.process"


class WebhookEngine:
    """The extension: one engine for all workers of the application.

    ``WEBHOOK_ENGINE_DATABASE`` names the database; ``WEBHOOK_ENGINE_SETTINGS`` is a mapping of further settings, as for
    ``Engine.open``. A ``SyncSharedEngine`` may be passed instead. The engine starts in the background of each serving
    process. If it fails to start, the site keeps running, and :attr:`health` shows the problem. With
    ``WEBHOOK_ENGINE_RUN = False`` no process of the site runs the engine; ``flask webhook-engine`` does.
    """

    def __init__(self, app: Flask | None = None, engine: SyncSharedEngine | None = None) -> None:
        self._given = engine
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Initialize the extension for an application."""
        engine = self._given or SyncSharedEngine.open(
            app.config.get("WEBHOOK_ENGINE_DATABASE", "webhook-engine.db"),
            **app.config.get("WEBHOOK_ENGINE_SETTINGS", {}),
        )
        process = ServingProcess(engine)
        app.extensions[NAME] = engine
        app.extensions[_PROCESS] = process
        app.cli.add_command(_run_command(engine))
        if app.config.get("WEBHOOK_ENGINE_RUN", True):
            app.before_request(process.serves)
            process.begin(unless=lambda: app.testing or _is_no_server(app))

    @property
    def engine(self) -> SyncSharedEngine:
        """The engine of the current application."""
        return engine_of()

    @property
    def health(self) -> EngineHealth:
        """The health of the current application's engine in this process."""
        process: ServingProcess = current_app.extensions[_PROCESS]
        return process.health

    def enqueue(self, *, application: str, organization: str | None = None, **message: Unpack[MessageFields]) -> str:
        """Send a message, in a transaction of its own; the arguments are those of ``SyncSharedEngine.enqueue``."""
        return self.engine.enqueue(application=application, organization=organization, **message)


def engine_of(app: Flask | None = None) -> SyncSharedEngine:
    """The engine of an application, by default the current one: that in ``app.extensions``, typed.

    For blueprints, which have no access to the extension object. Raises ``ConfigError`` if it was not initialized.
    """
    extensions = (current_app if app is None else app).extensions
    engine = extensions.get(NAME)
    if not isinstance(engine, SyncSharedEngine):
        raise ConfigError(
            "this Flask application has no webhook engine; make one with WebhookEngine(app), or call init_app(app)"
        )
    return engine


def _is_no_server(app: Flask) -> bool:
    """Whether this process serves no requests: it runs a command, or is the parent process of the reloader."""
    context = click.get_current_context(silent=True)
    if context is not None and isinstance(context.find_root().command, FlaskGroup):
        names = set()
        while context is not None:
            names.add(context.command.name)
            context = context.parent
        if "run" not in names:
            return True
    # With the reloader, the program is loaded in two processes. Without it, the first request starts the engine.
    return app.debug and not is_running_from_reloader()


def _run_command(engine: SyncSharedEngine) -> click.Command:
    @click.command("webhook-engine", help="Deliver the webhooks of this application, until SIGTERM or SIGINT.")
    def run() -> None:
        stopped = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopped.set())
        with engine:
            click.echo(f"webhook engine: at work on {engine.config.store.shown}")
            stopped.wait()

    return run


def verify_webhook(
    webhook: Webhook,
) -> Callable[[Callable[P, ResponseReturnValue]], Callable[P, ResponseReturnValue]]:
    """Decorate a view that receives webhooks; requests that do not verify get 401 and the reason.

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
    """The parsed body of the webhook in the current request."""
    body: JsonValue = g.webhook_engine_body
    return body
