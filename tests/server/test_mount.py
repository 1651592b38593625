"""The API, the portal and Play mounted in the ASGI applications of frameworks, served by a real server."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import django.conf
import fastapi
import pytest
import uvicorn
from api_clients import JWT_SECRET, Client, Tokens
from django.core.handlers.asgi import ASGIHandler
from engines import until
from portal.conftest import browsing
from starlette.applications import Starlette
from starlette.routing import Mount as Mounted
from stores import about_the_file
from svix.api import ApplicationIn, EndpointIn, EventTypeIn, MessageIn, SvixAsync, SvixOptions

from webhook_engine import Engine, PortalUnavailableError, SharedEngine
from webhook_engine.integrations.starlette import lifespan

SETTINGS: dict[str, object] = {
    "allow_subnets": ["127.0.0.1/32"],
    "retry_schedule": ["50ms"],
    "shutdown_grace": "1s",
    "auth__jwt_secret": JWT_SECRET,
    "security__main_secret": "a main secret of the tests that is long enough",
}
Application = Callable[[Any, Any, Any], Awaitable[None]]


@asynccontextmanager
async def served(app: Any, **options: Any) -> AsyncIterator[str]:
    """The address at which a real ASGI server has an application."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=3, **options)
        server = uvicorn.Server(config)
        with suppress(AttributeError):  # its signal handlers belong to a process of its own
            server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        running = asyncio.create_task(server.serve([listening]))
        while not server.started:
            assert not running.done(), "the server ended before it served"
            await asyncio.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await running


def in_fastapi(engine: Engine) -> Any:
    app = fastapi.FastAPI(lifespan=lifespan(engine))
    app.mount("/webhooks", engine.asgi())
    return app


def in_starlette(engine: Engine) -> Any:
    inner = Starlette(routes=[Mounted("/webhooks", app=engine.asgi())])
    return Starlette(routes=[Mounted("/deep/er", app=inner)], lifespan=lifespan(engine))


def in_django(engine: Engine) -> Any:
    if not django.conf.settings.configured:
        django.conf.settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=(), SECRET_KEY="of the tests", DATABASES={})
    site, webhooks = ASGIHandler(), engine.asgi()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await webhooks(scope, receive, send)
        elif scope["path"].startswith("/webhooks/"):
            await webhooks({**scope, "root_path": "/webhooks"}, receive, send)
        else:
            await site(scope, receive, send)

    return application


PLACES = [
    pytest.param(in_fastapi, "/webhooks", id="fastapi"),
    pytest.param(in_starlette, "/deep/er/webhooks", id="starlette"),
    pytest.param(in_django, "/webhooks", id="django"),
    pytest.param(lambda engine: engine.asgi(), "", id="alone"),
]


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine.open(tmp_path / "webhooks.db", **SETTINGS)


@pytest.mark.parametrize(("mounted", "path"), PLACES)
async def test_the_sdk_and_play_work_below_the_path_of_the_mount(
    engine: Engine, mounted: Callable[[Engine], Any], path: str
) -> None:
    async with served(mounted(engine)) as site, aiohttp.ClientSession() as session:
        base = site + path
        async with session.post(f"{base}/play/") as response:
            assert response.status == 201
            inbox = await response.json()
        assert inbox["url"].startswith(f"{base}/play/in/")
        svix = SvixAsync(Tokens().organization(), SvixOptions(server_url=base))
        await svix.application.create(ApplicationIn(name="Acme", uid="acme"))
        await svix.event_type.create(EventTypeIn(name="invoice.paid", description="An invoice was paid"))
        await svix.endpoint.create("acme", EndpointIn(url=inbox["url"]))
        await svix.message.create("acme", MessageIn(event_type="invoice.paid", payload={"id": 1}))

        async def arrived() -> Any:
            async with session.get(f"{base}/play/inbox/{inbox['token']}") as response:
                return (await response.json())["requests"]

        [request] = await until(arrived, timeout=20)
        await svix._httpx_client.aclose()  # the SDK has no way of its own to close one
        assert json.loads(request["body"]) == {"id": 1}
        assert (await engine.portal.url("acme")).startswith(f"{base}/portal/#key=")
        async with session.get(f"{base}/", allow_redirects=False) as response:
            assert (response.status, response.headers["location"]) == (307, f"{base}/docs")
        async with session.get(f"{base}/api/v1/openapi.json") as response:
            assert (await response.json(content_type=None))["servers"] == [{"url": base}]
    assert not engine.running
    with pytest.raises(PortalUnavailableError):
        await engine.portal.url("acme")


@pytest.mark.parametrize(("mounted", "path"), PLACES)
async def test_what_the_server_answers_comes_through_as_it_is(
    engine: Engine, mounted: Callable[[Engine], Any], path: str
) -> None:
    async with served(mounted(engine)) as site, aiohttp.ClientSession() as session:
        client = Client(session, site + path, Tokens().organization())
        assert (await client("HEAD", "/app/")).status == 200
        assert (await client("HEAD", "/app/")).text == ""
        assert (await client.post("/app", {"name": "Ä", "uid": "a/b"})).status == 422
        created = await client.post("/app", {"name": "Ä", "uid": "acme", "metadata": {"text": "x" * 3000}})
        assert (created.status, created.json["name"]) == (201, "Ä")
        assert (await client.delete("/app/acme")).status == 204
        assert (await client.get("/no/such/%2F/thing")).json["code"] == "not_found"
        assert (await client.with_token(None).get("/app")).status == 401
        large = await client.post("/app", '{"name": "' + "x" * 1_200_000 + '"}')
        assert (large.status, large.json["code"]) == (413, "payload_too_large")
        await asyncio.gather(*(client.get("/app") for _ in range(50)))
        assert created.headers["content-type"] == "application/json"
        assert "," not in created.headers["server"]


async def test_a_large_list_and_a_chunked_body_come_through(engine: Engine) -> None:
    async with served(in_fastapi(engine)) as site, aiohttp.ClientSession() as session:
        client = Client(session, f"{site}/webhooks", Tokens().organization())
        await client.post("/app", {"name": "Acme", "uid": "acme"})
        for number in range(10):
            text = chr(97 + number) * 200_000
            message = json.dumps({"eventType": "a.b", "payload": {"text": text}}).encode()

            async def pieces(whole: bytes = message) -> AsyncIterator[bytes]:
                for start in range(0, len(whole), 50_000):
                    yield whole[start : start + 50_000]

            async with session.post(
                f"{site}/webhooks/api/v1/app/acme/msg",
                data=pieces(),
                headers={"authorization": f"Bearer {client.token}", "content-type": "application/json"},
            ) as response:
                assert response.status == 202
        listed = (await client.get("/app/acme/msg?limit=10")).json["data"]
        assert [len(each["payload"]["text"]) for each in listed] == [200_000] * 10


@pytest.mark.slow
async def test_the_portal_opens_in_a_browser_below_the_path_of_the_mount(engine: Engine) -> None:
    async with browsing() as browser, served(in_fastapi(engine)) as site, aiohttp.ClientSession() as session:
        problems: list[str] = []
        async with session.get(f"{site}/webhooks/api/v1/health"):
            pass
        await engine.applications.create(name="Acme Corporation", uid="acme")
        page = await browser.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
        await page.goto(await engine.portal.url("acme"))
        await (
            page.get_by_role("link", name="Add endpoint")
            .or_(page.get_by_role("button", name="Add endpoint"))
            .first.click()
        )
        assert page.url.startswith(f"{site}/webhooks/portal/#/endpoints/new")
        await page.goto(f"{site}/webhooks/play/")
        await page.get_by_role("button").first.click()
        await page.wait_for_url(f"{site}/webhooks/play/view/*")
        assert problems == []


async def test_where_the_engine_does_not_run_it_says_so(engine: Engine) -> None:
    app = fastapi.FastAPI()
    app.mount("/webhooks", engine.asgi())
    async with served(app) as site, aiohttp.ClientSession() as session:
        client = Client(session, f"{site}/webhooks", Tokens().organization())
        refused = await client.get("/app")
        assert (refused.status, refused.json["code"]) == (503, "unavailable")
        assert int(refused.headers["retry-after"]) > 0
        for _ in range(2):  # each time anew
            async with engine:
                assert (await client.get("/app")).status == 200
            assert (await client.get("/app")).status == 503


async def test_a_process_that_does_not_lead_says_so_and_one_that_does_serves(tmp_path: Path) -> None:
    first, second = (SharedEngine.open(tmp_path / "webhooks.db", **SETTINGS) for _ in range(2))
    async with first:
        async with served(second.asgi()) as site, aiohttp.ClientSession() as session:
            client = Client(session, site, Tokens().organization())
            assert (await client.get("/app")).status == 503
            await first.stop()

            async def serves() -> bool:
                return (await client.get("/app")).status == 200

            await until(serves, timeout=30)
        assert not second.leading


@about_the_file
async def test_the_lifespan_says_why_the_engine_cannot_start(engine: Engine, tmp_path: Path) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        sent.append(message)

    async with Engine.open(tmp_path / "webhooks.db", **SETTINGS):
        await engine.asgi()({"type": "lifespan"}, receive, send)
    assert [message["type"] for message in sent] == ["lifespan.startup.failed"]
    assert "webhooks.db" in sent[0]["message"]


async def test_web_sockets_are_refused(engine: Engine) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await engine.asgi()({"type": "websocket", "path": "/"}, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"]


async def test_links_carry_the_configured_address_and_never_that_of_a_host_header(tmp_path: Path) -> None:
    lying = {"host": "elsewhere.example"}
    for public_url, shown in ((None, None), ("https://example.com/api", "https://example.com/api")):
        more = {} if public_url is None else {"server__public_url": public_url}
        engine = Engine.open(tmp_path / "webhooks.db", **SETTINGS, **more)
        app = fastapi.FastAPI(lifespan=lifespan(engine))
        app.mount("/api", engine.asgi())
        async with served(app) as site, aiohttp.ClientSession() as session:
            client = Client(session, f"{site}/api", Tokens().organization())
            assert (await client.get("/app", headers=lying)).status == 200
            await engine.applications.get_or_create(name="Acme", uid="acme")
            access = await client.post("/auth/app-portal-access/acme", {}, headers=lying)
            expected = shown or f"{site}/api"
            assert access.json["url"].startswith(f"{expected}/portal/#key=")
            assert (await engine.portal.url("acme")).startswith(f"{expected}/portal/#key=")


async def test_a_server_beside_it_stays_known_when_the_mount_ends_and_the_other_way_round(engine: Engine) -> None:
    app = fastapi.FastAPI()
    app.mount("/webhooks", engine.asgi())
    async with engine:
        await engine.applications.create(name="Acme", uid="acme")
        async with served(app) as site, aiohttp.ClientSession() as session:
            async with engine.serve("127.0.0.1:0") as server:
                await Client(session, f"{site}/webhooks", None).get("/health")
                assert (await engine.portal.url("acme")).startswith(server.url)
            assert (await engine.portal.url("acme")).startswith(f"{site}/webhooks")


async def test_the_wait_of_a_client_that_has_left_is_given_up(engine: Engine) -> None:
    async with served(in_fastapi(engine)) as site, aiohttp.ClientSession() as session:
        async with session.post(f"{site}/webhooks/play/") as response:
            inbox = await response.json()
        set_response = f"{site}/webhooks/play/inbox/{inbox['token']}"
        async with session.put(set_response, json={"status": 200, "delayMs": 30_000}) as response:
            assert response.status == 200
        with pytest.raises(TimeoutError):
            await session.post(inbox["url"], data=b"{}", timeout=aiohttp.ClientTimeout(total=0.5))

        async def nobody_waits() -> bool:
            return not any(task.get_name() == "webhook-engine-mount-left" for task in asyncio.all_tasks())

        await until(nobody_waits, timeout=10)
        assert (await Client(session, f"{site}/webhooks", None).get("/health")).status in (200, 204)
