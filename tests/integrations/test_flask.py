"""A Flask site with the engine inside, under the servers that people use."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import flask
import httpx
import pytest
from engines import until
from integrations.programs import BODY, LOOPBACK, SECRET, prepare, signed
from receivers import Receiver

from webhook_engine import (
    ConfigError,
    Engine,
    SyncSharedEngine,
    Webhook,
)
from webhook_engine.integrations import flask as for_flask
from webhook_engine.outbox import enqueue
from webhook_engine.store.sqlite.enqueue import write_to_outbox

HERE = Path(__file__).parent
PATIENCE_S = 45.0

GUNICORN = ["gunicorn", "flask_shop:app", "--bind", "127.0.0.1:{port}"]
FLASK = ["flask", "--app", "flask_shop", "run", "--port", "{port}"]
SERVERS = {
    "gunicorn": [*GUNICORN, "--workers", "1"],
    "gunicorn, several workers": [*GUNICORN, "--workers", "3"],
    "gunicorn, loaded before the fork": [*GUNICORN, "--workers", "2", "--preload"],
    "gunicorn with threads": [*GUNICORN, "--workers", "2", "--worker-class", "gthread"],
    "flask run": FLASK,
}


@asynccontextmanager
async def prepared(tmp_path: Path) -> AsyncIterator[tuple[Path, Receiver]]:
    """A database with application ``acme``, and a message that waits in its outbox."""
    database = tmp_path / "webhooks.db"
    async with Receiver() as receiver:
        async with Engine.open(database) as engine:
            await engine.applications.create(name="Acme", uid="acme")
            await engine.endpoints.create("acme", url=receiver.url)
        write_to_outbox(
            database, lambda connection: enqueue(connection, application="acme", event_type="a.b", payload={})
        )
        yield database, receiver


@asynccontextmanager
async def running(database: Path, *command: str, **more: str) -> AsyncIterator[httpx.AsyncClient]:
    """A program with the shop as a process group of its own, and a client of it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "DATABASE": str(database), "PYTHONPATH": str(HERE), **more}
    process = subprocess.Popen(
        [sys.executable, "-m", *(part.format(port=port) for part in command)],
        env=environment,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        # A connection for each request, so that each may come to another worker.
        headers, url = {"connection": "close"}, f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=10) as client:
            yield client
    finally:
        process.terminate()
        try:
            await asyncio.to_thread(process.wait, 20)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


async def answer(client: httpx.AsyncClient, path: str = "/") -> dict[str, Any]:
    """What the site answers as soon as it is up; a page that is no 200 is a failure."""
    found: list[httpx.Response] = []

    async def up() -> bool:
        try:
            found.append(await client.get(path))
        except httpx.ConnectError:
            return False
        return True

    await until(up, PATIENCE_S)
    assert found[0].status_code == 200, found[0].text
    return dict(found[0].json())


@pytest.mark.slow
@pytest.mark.parametrize("command", SERVERS.values(), ids=SERVERS)
async def test_what_waits_is_delivered_before_the_first_request(tmp_path: Path, command: list[str]) -> None:
    async with prepared(tmp_path) as (database, receiver), running(database, *command) as client:
        await receiver.wait_for(1, timeout=PATIENCE_S)

        async def a_process_delivers() -> bool:
            return (await answer(client))["state"] == "delivering"

        await until(a_process_delivers, PATIENCE_S)


@pytest.mark.slow
async def test_with_the_reloader_the_process_that_serves_runs_the_engine(tmp_path: Path) -> None:
    async with prepared(tmp_path) as (database, receiver), running(database, *FLASK, "--debug") as client:
        await receiver.wait_for(1, timeout=PATIENCE_S)
        assert (await answer(client))["state"] == "delivering"


@pytest.mark.slow
async def test_a_command_starts_no_engine(tmp_path: Path) -> None:
    async with prepared(tmp_path) as (database, receiver):
        environment = {**os.environ, "DATABASE": str(database), "PYTHONPATH": str(HERE)}
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "flask", "--app", "flask_shop", "slow"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert done.stdout.strip() == "not started"
        assert receiver.requests == []


@pytest.mark.slow
async def test_the_engine_in_a_process_of_its_own(tmp_path: Path) -> None:
    elsewhere = {"ENGINE_ELSEWHERE": "1"}
    async with prepared(tmp_path) as (database, receiver), running(database, *FLASK, **elsewhere) as client:
        assert (await answer(client))["state"] == "not started"
        message_id = (await answer(client, "/pay"))["id"]
        assert receiver.requests == []
        async with running(database, "flask", "--app", "flask_shop", "webhook-engine", **elsewhere):
            requests = await receiver.wait_for(2, timeout=PATIENCE_S)
        assert requests[-1].headers["webhook-id"] == message_id


@pytest.mark.slow
@pytest.mark.parametrize("more", [[], ["--preload"]], ids=["loaded by the worker", "loaded before the fork"])
async def test_under_gevent_the_site_goes_on_and_says_what_to_do(tmp_path: Path, more: list[str]) -> None:
    command = [*GUNICORN, "--worker-class", "gevent", "--workers", "2", *more]
    async with prepared(tmp_path) as (database, receiver), running(database, *command) as client:
        for _ in range(5):
            told = await answer(client)
            assert told["state"] == "broken"
            assert "gevent" in told["problem"]
            assert "flask webhook-engine" in told["problem"]
        message_id = (await answer(client, "/pay"))["id"]
        # As it says:
        async with running(database, "flask", "--app", "flask_shop", "webhook-engine"):
            requests = await receiver.wait_for(2, timeout=PATIENCE_S)
        assert requests[-1].headers["webhook-id"] == message_id


@pytest.mark.slow
@pytest.mark.parametrize("command", [SERVERS["gunicorn"], FLASK], ids=["gunicorn", "flask run"])
async def test_an_engine_that_cannot_start_does_not_break_the_site(tmp_path: Path, command: list[str]) -> None:
    database = tmp_path / "not yet" / "webhooks.db"
    async with running(database, *command) as client:
        for _ in range(3):
            await answer(client)

        async def tells() -> bool:
            told = await answer(client)
            return told["state"] == "broken" and "not yet" in told["problem"]

        await until(tells, PATIENCE_S)
        database.parent.mkdir()

        async def recovered() -> bool:
            return (await answer(client))["state"] == "delivering"

        await until(recovered, PATIENCE_S)


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


def test_the_engine_of_a_flask_application_is_at_hand_in_a_blueprint(tmp_path: Path) -> None:
    app = flask.Flask("shop")
    with pytest.raises(ConfigError, match=r"WebhookEngine\(app\)"):
        for_flask.engine_of(app)
    app.config.update(WEBHOOK_ENGINE_DATABASE=str(tmp_path / "webhooks.db"), WEBHOOK_ENGINE_RUN=False)
    webhooks = for_flask.WebhookEngine(app)
    with app.app_context():
        assert for_flask.engine_of() is webhooks.engine is for_flask.engine_of(app)
