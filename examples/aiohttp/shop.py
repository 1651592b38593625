"""A shop with aiohttp: the engine runs for as long as the site.

pip install webhook-engine
python shop.py
curl -X POST '127.0.0.1:8000/customers/acme?url=https://example.com/hooks'
curl -X POST '127.0.0.1:8000/invoices/1/pay?customer=acme'
"""

import os

import aiosqlite
from aiohttp import web

from webhook_engine import Engine
from webhook_engine.integrations.aiohttp import ENGINE, engine_context
from webhook_engine.outbox import enqueue_async

DATABASE = os.environ.get("SHOP_DATABASE", "shop.db")


async def tables(_app):
    async with aiosqlite.connect(DATABASE) as db:
        await db.execute("CREATE TABLE IF NOT EXISTS invoice (number INTEGER PRIMARY KEY, paid INTEGER NOT NULL)")
        await db.commit()
    yield


async def add_customer(request):
    engine, uid = request.app[ENGINE], request.match_info["uid"]
    await engine.applications.get_or_create(name=uid, uid=uid)
    endpoint = await engine.endpoints.create(uid, url=request.query["url"])
    return web.json_response({"secret": await engine.endpoints.get_secret(uid, endpoint.id)})


async def pay(request):
    number, customer = int(request.match_info["number"]), request.query["customer"]
    async with aiosqlite.connect(DATABASE, timeout=10) as db:
        await db.execute("INSERT OR REPLACE INTO invoice VALUES (?, 1)", (number,))
        message = await enqueue_async(db, application=customer, event_type="invoice.paid", payload={"number": number})
        await db.commit()
    return web.json_response({"message": message})


app = web.Application()
app.cleanup_ctx.append(engine_context(Engine.open(DATABASE, allow_subnets=["127.0.0.1/32"])))  # to try it locally
app.cleanup_ctx.append(tables)
app.router.add_post("/customers/{uid}", add_customer)
app.router.add_post("/invoices/{number:\\d+}/pay", pay)

if __name__ == "__main__":
    web.run_app(app, host="127.0.0.1", port=int(os.environ.get("PORT", "8000")))
