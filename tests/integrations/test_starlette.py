"""Starlette with the engine inside."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import fastapi
import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from fastapi.testclient import TestClient as FastApiClient
from integrations.programs import BODY, SECRET, signed
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from webhook_engine import (
    Engine,
    EngineNotRunningError,
    SharedEngine,
    Webhook,
    WebhookVerificationError,
)
from webhook_engine.integrations import aiohttp as for_aiohttp
from webhook_engine.integrations import fastapi as for_fastapi
from webhook_engine.integrations import starlette as for_starlette


async def test_starlette(tmp_path: Path) -> None:
    async def hook(request: Request) -> Response:
        return JSONResponse(await for_starlette.verified(request, Webhook(SECRET)))

    async def pay(request: Request) -> Response:
        engine: Engine = for_starlette.engine_of(request)
        await engine.applications.get_or_create(name="Acme", uid="acme")
        message = await engine.messages.create("acme", event_type="invoice.paid", payload={})
        return JSONResponse({"id": message.id})

    app = Starlette(
        routes=[Route("/hooks", hook, methods=["POST"]), Route("/pay", pay, methods=["POST"])],
        lifespan=for_starlette.lifespan(Engine.open(tmp_path / "webhooks.db")),
        exception_handlers={WebhookVerificationError: for_starlette.refused},
    )
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
    ):
        assert (await client.post("/pay")).json()["id"].startswith("msg_")
        assert (await client.post("/hooks", content=BODY, headers=signed())).json() == json.loads(BODY)
        refused = await client.post("/hooks", content=BODY)
        assert (refused.status_code, refused.json()["code"]) == (401, "invalid_signature")
        assert "webhook-id" in refused.json()["detail"]
        text = await client.post("/hooks", content=b"text", headers=signed(b"text"))
        assert (text.status_code, text.json()["code"]) == (400, "invalid_body")


@asynccontextmanager
async def database_pool(_: Any) -> AsyncIterator[dict[str, str]]:
    """A lifespan of the host's own, as it has one for its database."""
    yield {"pool": "of the host"}


def test_the_state_of_the_hosts_own_lifespan_is_kept(tmp_path: Path) -> None:
    engine = Engine.open(tmp_path / "webhooks.db")

    async def page(request: Request) -> Response:
        return JSONResponse({"pool": request.state.pool, "engine": for_starlette.engine_of(request) is engine})

    app = Starlette(routes=[Route("/", page)], lifespan=for_starlette.lifespan(engine, database_pool))
    with FastApiClient(app) as client:
        assert client.get("/").json() == {"pool": "of the host", "engine": True}


def test_engine_of_in_mounted_applications_routers_and_websockets(tmp_path: Path) -> None:
    engine = Engine.open(tmp_path / "webhooks.db")
    inner, router = fastapi.FastAPI(), fastapi.APIRouter()

    @inner.get("/page")
    @router.get("/page")
    async def page(found: Annotated[Any, fastapi.Depends(for_fastapi.engine_of)]) -> bool:
        return found is engine

    @inner.websocket("/socket")
    @router.websocket("/socket")
    async def socket(
        websocket: fastapi.WebSocket, found: Annotated[Any, fastapi.Depends(for_fastapi.engine_of)]
    ) -> None:
        await websocket.accept()
        await websocket.send_json(found is engine and for_fastapi.engine_of(websocket) is engine)
        await websocket.close()

    innermost = Starlette(routes=[Route("/page", lambda one: JSONResponse(for_starlette.engine_of(one) is engine))])
    inner.mount("/deeper", innermost)
    app = fastapi.FastAPI(lifespan=for_fastapi.lifespan(engine))
    app.include_router(router)
    app.mount("/inner", inner)
    with FastApiClient(app) as client:
        for path in ("/page", "/inner/page", "/inner/deeper/page"):
            assert client.get(path).json() is True, path
        for path in ("/socket", "/inner/socket"):
            with client.websocket_connect(path) as connection:
                assert connection.receive_json() is True, path


def test_without_its_lifespan_an_application_says_that_it_has_no_engine(tmp_path: Path) -> None:
    app = fastapi.FastAPI()

    @app.get("/")
    async def page(_: Annotated[Any, fastapi.Depends(for_fastapi.engine_of)]) -> None: ...

    with pytest.raises(EngineNotRunningError, match=r"lifespan=lifespan\(engine\)"):
        FastApiClient(app).get("/")
    late = fastapi.FastAPI(lifespan=for_fastapi.lifespan(Engine.open(tmp_path / "webhooks.db")))
    late.get("/")(page)
    with pytest.raises(EngineNotRunningError, match="TestClient"):
        FastApiClient(late).get("/")  # not inside `with`


def test_a_second_client_of_the_same_application(tmp_path: Path) -> None:
    webhooks = SharedEngine.open(tmp_path / "webhooks.db")
    app = fastapi.FastAPI(lifespan=for_fastapi.lifespan(webhooks))

    @app.get("/")
    async def page() -> str:
        engine = await webhooks.wait_until_leading(timeout=10)
        return (await engine.applications.get_or_create(name="Acme", uid="acme")).id

    found = set()
    for _ in range(2):
        with FastApiClient(app) as client:
            found.add(client.get("/").json())
    assert len(found) == 1


@pytest.mark.slow
@pytest.mark.parametrize("framework", ["starlette", "aiohttp"])
async def test_a_shared_engine_that_cannot_start_does_not_break_the_site(tmp_path: Path, framework: str) -> None:
    webhooks = SharedEngine.open(tmp_path / "not yet" / "webhooks.db")
    async with AsyncExitStack() as stack:
        if framework == "starlette":
            app = Starlette(lifespan=for_starlette.lifespan(webhooks))
            await stack.enter_async_context(app.router.lifespan_context(app))
        else:
            site = web.Application()
            site.cleanup_ctx.append(for_aiohttp.engine_context(webhooks))
            await stack.enter_async_context(TestServer(site))
        assert "not yet" in (webhooks.problem or "")
        (tmp_path / "not yet").mkdir()
        await webhooks.wait_until_leading(timeout=20)
        assert webhooks.problem is None
