"""aiohttp with the engine inside."""

from __future__ import annotations

import json
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from integrations.programs import BODY, LOOPBACK, SECRET, prepare, signed
from receivers import Receiver

from webhook_engine import (
    Engine,
    Webhook,
)
from webhook_engine.integrations import aiohttp as for_aiohttp


async def test_aiohttp(tmp_path: Path) -> None:
    async with Receiver() as receiver:
        await prepare(tmp_path / "webhooks.db", receiver.url)

        async def pay(request: web.Request) -> web.Response:
            engine = request.app[for_aiohttp.ENGINE]
            message = await engine.messages.create("acme", event_type="invoice.paid", payload={"id": 1})
            return web.json_response({"id": message.id})

        @for_aiohttp.verify_webhook(Webhook(SECRET))
        async def hook(request: web.Request) -> web.Response:
            return web.json_response(for_aiohttp.verified_body(request))

        app = web.Application()
        engine = Engine.open(tmp_path / "webhooks.db", allow_subnets=LOOPBACK)
        app.cleanup_ctx.append(for_aiohttp.engine_context(engine))
        app.router.add_post("/pay", pay)
        app.router.add_post("/hooks", hook)
        async with TestClient(TestServer(app)) as client:
            assert (await client.post("/pay")).status == 200
            await receiver.wait_for(1, timeout=10)
            answer = await client.post("/hooks", data=BODY, headers=signed())
            assert await answer.json() == json.loads(BODY)
            refused = await client.post("/hooks", data=BODY + b"\n", headers=signed())
            assert refused.status == 401
            assert (await refused.json())["code"] == "invalid_signature"
        assert not engine.running
