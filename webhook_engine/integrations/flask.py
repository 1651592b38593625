"""Flask: run the engine in the background of the program, and receive webhooks.

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
    """The extension: one engine for all workers of the program.

    ``WEBHOOK_ENGINE_DATABASE`` names the database; ``WEBHOOK_ENGINE_SETTINGS`` is a mapping of further settings, as
    for ``Engine.open``. A ``SyncSharedEngine`` of your own may be given instead. It starts with the process that
    serves, in the background. If it cannot, the site goes on all the same, and :attr:`health` tells. With
    ``WEBHOOK_ENGINE_RUN = False`` no process of the site runs the engine; ``flask webhook-engine`` does.
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
        """How the engine of the current application fares in this process."""
        process: ServingProcess = current_app.extensions[_PROCESS]
        return process.health

    def enqueue(self, *, application: str, organization: str | None = None, **message: Unpack[MessageFields]) -> str:
        """Send a message, in a transaction of its own; the arguments are those of ``SyncSharedEngine.enqueue``."""
        return self.engine.enqueue(application=application, organization=organization, **message)


def engine_of(app: Flask | None = None) -> SyncSharedEngine:
    """The engine of an application, by default the current one: what ``app.extensions`` has, with its type.

    For a blueprint, which does not have the extension at hand. Raises ``ConfigError`` where it was not initialized.
    """
    extensions = (current_app if app is None else app).extensions
    engine = extensions.get(NAME)
    if not isinstance(engine, SyncSharedEngine):
        raise ConfigError(
            "this Flask application has no webhook engine; make one with WebhookEngine(app), or call init_app(app)"
        )
    return engine


def _is_no_server(app: Flask) -> bool:
    """Whether this process serves nothing: it runs a command, or watches over the one that is reloaded."""
    context = click.get_current_context(silent=True)
    if context is not None and isinstance(context.find_root().command, FlaskGroup):
        names = set()
        while context is not None:
            names.add(context.command.name)
            context = context.parent
        if "run" not in names:
            return True
    # With the reloader, the program is loaded twice. Without it, the first request tells.
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
