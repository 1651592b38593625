"""FastAPI with the engine inside."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Annotated, Any

import fastapi
from fastapi.testclient import TestClient as FastApiClient
from integrations.programs import BODY, LOOPBACK, SECRET, prepare, signed
from receivers import Receiver

from webhook_engine import (
    SharedEngine,
    Webhook,
)
from webhook_engine.integrations import fastapi as for_fastapi


async def test_fastapi(tmp_path: Path) -> None:
    async with Receiver() as receiver:
        await prepare(tmp_path / "webhooks.db", receiver.url)
        webhooks = SharedEngine.open(tmp_path / "webhooks.db", allow_subnets=LOOPBACK)
        app = fastapi.FastAPI(lifespan=for_fastapi.lifespan(webhooks))

        @app.post("/pay")
        async def pay(engine: Annotated[Any, fastapi.Depends(for_fastapi.engine_of)]) -> str:
            return await engine.enqueue(application="acme", event_type="invoice.paid", payload={"id": 1})

        @app.post("/hooks")
        async def hook(event: Annotated[Any, fastapi.Depends(for_fastapi.verified_body(Webhook(SECRET)))]) -> Any:
            return event

        def use() -> None:
            with FastApiClient(app) as client:
                message_id = client.post("/pay").json()
                assert message_id.startswith("msg_")
                done.wait(10)
                assert client.post("/hooks", content=BODY, headers=signed()).json() == json.loads(BODY)
                refused = client.post("/hooks", content=BODY + b" ", headers=signed())
                assert refused.status_code == 401
                assert "body" in refused.json()["detail"]
                assert client.post("/hooks", content=b"{").status_code == 401

        done = threading.Event()
        using = asyncio.create_task(asyncio.to_thread(use))
        try:
            await receiver.wait_for(1, timeout=10)
        finally:
            done.set()
        await using
