"""Complete small programs: each framework with the engine inside, sending a webhook to itself and verifying it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import fastapi
import flask
import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from fastapi.testclient import TestClient as FastApiClient
from receivers import Receiver
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from webhook_engine import (
    ConfigError,
    Engine,
    EngineNotRunningError,
    SharedEngine,
    SyncSharedEngine,
    Webhook,
    WebhookVerificationError,
)
from webhook_engine.integrations import aiohttp as for_aiohttp
from webhook_engine.integrations import fastapi as for_fastapi
from webhook_engine.integrations import flask as for_flask
from webhook_engine.integrations import starlette as for_starlette

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
LOOPBACK = ["127.0.0.1/32"]
BODY = b'{ "type": "invoice.paid" }'


def signed(body: bytes = BODY) -> dict[str, str]:
    """The headers of a genuine webhook."""
    now = datetime.now(UTC)
    signature = Webhook(SECRET).sign("msg_1", now, body)
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
        "content-type": "application/json",
    }


async def prepare(database: Path, url: str) -> None:
    async with Engine.open(database) as engine:
        await engine.applications.create(name="Acme", uid="acme")
        await engine.endpoints.create("acme", url=url)


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


async def test_flask(tmp_path: Path) -> None:
    async with Receiver() as receiver:
        await prepare(tmp_path / "webhooks.db", receiver.url)
        webhooks = for_flask.WebhookEngine()
        app = flask.Flask("shop")
        app.config["WEBHOOK_ENGINE_DATABASE"] = tmp_path / "webhooks.db"
        app.config["WEBHOOK_ENGINE_SETTINGS"] = {"allow_subnets": LOOPBACK}
        webhooks.init_app(app)

        @app.post("/pay")
        def pay() -> dict[str, str]:
            return {"id": webhooks.enqueue(application="acme", event_type="invoice.paid", payload={"id": 1})}

        @app.post("/hooks")
        @for_flask.verify_webhook(Webhook(SECRET))
        def hook() -> Any:
            return for_flask.verified_body()

        def use() -> str:
            client = app.test_client()
            message_id = client.post("/pay").get_json()["id"]
            assert client.post("/hooks", data=BODY, headers=signed()).get_json() == json.loads(BODY)
            refused = client.post("/hooks", data=BODY, headers={**signed(), "webhook-timestamp": "1"})
            assert refused.status_code == 401
            assert "timestamp" in refused.get_json()["detail"]
            return str(message_id)

        message_id = await asyncio.to_thread(use)
        [request] = await receiver.wait_for(1, timeout=10)
        assert request.headers["webhook-id"] == message_id
        engine = app.extensions["webhook_engine"]
        assert isinstance(engine, SyncSharedEngine)
        await asyncio.to_thread(engine.stop)


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


@pytest.mark.parametrize("body", [BODY, b'["text"]'])
def test_the_helper_of_these_tests_signs_as_it_should(body: bytes) -> None:
    assert Webhook(SECRET).verify(body, signed(body)) == json.loads(body)


def test_the_engine_of_a_flask_application_is_at_hand_in_a_blueprint(tmp_path: Path) -> None:
    app = flask.Flask("shop")
    with pytest.raises(ConfigError, match=r"WebhookEngine\(app\)"):
        for_flask.engine_of(app)
    app.config.update(WEBHOOK_ENGINE_DATABASE=str(tmp_path / "webhooks.db"), WEBHOOK_ENGINE_RUN=False)
    webhooks = for_flask.WebhookEngine(app)
    with app.app_context():
        assert for_flask.engine_of() is webhooks.engine is for_flask.engine_of(app)
