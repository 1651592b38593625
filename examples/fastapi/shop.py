"""A shop with FastAPI: the engine, its API and the portal are in the process of the site.

    pip install 'webhook-engine[fastapi]' uvicorn
    uvicorn shop:app --port 8000
    curl -X POST '127.0.0.1:8000/customers/acme?url=https://example.com/hooks'
    curl -X POST '127.0.0.1:8000/invoices/1/pay?customer=acme'

It needs one process: with several workers, use SharedEngine and run the API elsewhere (docs/embedding.md).
"""

import os
import sqlite3
from contextlib import asynccontextmanager, closing
from typing import Annotated

from fastapi import Depends, FastAPI

from webhook_engine import Engine
from webhook_engine.integrations.fastapi import engine_of, lifespan
from webhook_engine.outbox import enqueue

DATABASE = os.environ.get("SHOP_DATABASE", "shop.db")

webhooks = Engine.open(
    DATABASE,
    server__public_url=os.environ.get("SHOP_URL", "http://127.0.0.1:8000") + "/webhooks",
    allow_subnets=["127.0.0.1/32"],  # only to try it with a receiver on this machine
)


@asynccontextmanager
async def shop_lifespan(_app):
    with closing(sqlite3.connect(DATABASE)) as db, db:
        db.execute("CREATE TABLE IF NOT EXISTS invoice (number INTEGER PRIMARY KEY, paid INTEGER NOT NULL)")
    yield


app = FastAPI(lifespan=lifespan(webhooks, shop_lifespan))
app.mount("/webhooks", webhooks.asgi())


@app.post("/customers/{uid}")
async def add_customer(uid: str, url: str, engine: Annotated[Engine, Depends(engine_of)]):
    await engine.applications.get_or_create(name=uid, uid=uid)
    endpoint = await engine.endpoints.create(uid, url=url)
    return {
        "secret": await engine.endpoints.get_secret(uid, endpoint.id),
        "portal": await engine.portal.url(uid),  # the page where the customer looks after it
    }


@app.post("/invoices/{number}/pay")
def pay(number: int, customer: str):
    with closing(sqlite3.connect(DATABASE, timeout=10)) as db, db:
        db.execute("INSERT OR REPLACE INTO invoice VALUES (?, 1)", (number,))
        return {"message": enqueue(db, application=customer, event_type="invoice.paid", payload={"number": number})}
