"""The extension of Flask as its users write it. Nobody runs this file; mypy checks it in strict mode."""

from __future__ import annotations

from typing import assert_type

from flask import Blueprint, Flask
from flask.typing import ResponseReturnValue

from webhook_engine import SyncSharedEngine, Webhook
from webhook_engine.integrations.flask import EngineHealth, WebhookEngine, engine_of, verified_body, verify_webhook
from webhook_engine.secrets.signing import JsonValue

app = Flask(__name__)
webhooks = WebhookEngine()
webhooks.init_app(app)
WebhookEngine(app, SyncSharedEngine.open("webhooks.db"))
blueprint = Blueprint("shop", __name__)

assert_type(webhooks.engine, SyncSharedEngine)
assert_type(webhooks.health, EngineHealth)
assert_type(webhooks.health.problem, str | None)
assert_type(engine_of(app), SyncSharedEngine)


@blueprint.post("/invoices/<int:number>/pay")
def pay(number: int) -> ResponseReturnValue:
    assert_type(engine_of(), SyncSharedEngine)
    return {"id": engine_of().enqueue(application="acme", event_type="invoice.paid", payload={"id": number})}


@app.post("/pay")
def pay_one() -> ResponseReturnValue:
    return assert_type(webhooks.enqueue(application="acme", event_type="invoice.paid", payload={}), str)


@app.post("/hooks/<name>")
@verify_webhook(Webhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
def hook(name: str) -> ResponseReturnValue:
    assert_type(verified_body(), JsonValue)
    return "", 204


assert_type(hook("one"), ResponseReturnValue)
webhooks.enqueue(application="acme", event_typ="invoice.paid", payload={})  # type: ignore[call-arg]
hook(1)  # type: ignore[arg-type]
