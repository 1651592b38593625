"""A shop with Flask: of all workers of the site, one is the engine.

    pip install 'webhook-engine[flask]' gunicorn
    flask --app shop add-customer acme https://example.com/hooks
    gunicorn --workers 2 --bind 127.0.0.1:8000 shop:app
    curl -X POST '127.0.0.1:8000/invoices/1/pay?customer=acme'

Customers are added while the site is down, or through the API of an engine that serves one (docs/embedding.md).
"""

import os
import sqlite3
from contextlib import closing

import click
from flask import Flask, request

from webhook_engine import SyncEngine
from webhook_engine.integrations.flask import WebhookEngine
from webhook_engine.outbox import enqueue

DATABASE = os.environ.get("SHOP_DATABASE", "shop.db")
SETTINGS = {"allow_subnets": ["127.0.0.1/32"]}  # only to try it with a receiver on this machine

app = Flask(__name__)
app.config["WEBHOOK_ENGINE_DATABASE"] = DATABASE
app.config["WEBHOOK_ENGINE_SETTINGS"] = SETTINGS
webhooks = WebhookEngine(app)


@app.cli.command("add-customer")
@click.argument("uid")
@click.argument("url")
def add_customer(uid, url):
    """Make the tables, a customer and its endpoint, and print the secret that it verifies with."""
    with SyncEngine.open(DATABASE, **SETTINGS) as engine:
        with closing(sqlite3.connect(DATABASE, timeout=10)) as db, db:
            db.execute("CREATE TABLE IF NOT EXISTS invoice (number INTEGER PRIMARY KEY, paid INTEGER NOT NULL)")
        engine.applications.get_or_create(name=uid, uid=uid)
        endpoint = engine.endpoints.create(uid, url=url)
        click.echo(engine.endpoints.get_secret(uid, endpoint.id))


@app.post("/invoices/<int:number>/pay")
def pay(number):
    with closing(sqlite3.connect(DATABASE, timeout=10)) as db, db:
        db.execute("INSERT OR REPLACE INTO invoice VALUES (?, 1)", (number,))
        message = enqueue(
            db, application=request.args["customer"], event_type="invoice.paid", payload={"number": number}
        )
    return {"message": message}


@app.get("/health")
def health():
    return webhooks.health._asdict()
