"""The daemon as a process of its own."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import resource
import signal
import socket
import sqlite3
import stat
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import aiohttp
import pytest
from api_clients import Client
from daemons import Daemon, daemon, output, token
from engines import until
from receivers import Receiver, Reply


async def test_it_starts_with_nothing_and_stops_with_zero(tmp_path: Path, session: aiohttp.ClientSession) -> None:
    async with daemon(tmp_path) as running:
        api = Client(session, running.url, await token(tmp_path))
        assert (await api.post("/app", {"name": "x"})).status == 201
        for name in ("main_secret", "jwt_secret"):
            assert stat.S_IMODE((tmp_path / f"webhook-engine.db.{name}").stat().st_mode) == 0o600
        assert await running.end() == 0


async def test_it_loads_nothing_that_it_does_not_need_yet(tmp_path: Path) -> None:
    program = (
        "import atexit, sys; from webhook_engine.cli import main;"
        "atexit.register(lambda: print(*sys.modules)); sys.argv = ['webhook-engine', 'serve']; main()"
    )
    settings = {"WEBHOOK_ENGINE_SERVER__LISTEN": "127.0.0.1:0", "WEBHOOK_ENGINE_LOG__FORMAT": "json"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, cwd=tmp_path, env={**os.environ, **settings},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    running = Daemon(process)
    await running.until("daemon.serving")
    process.send_signal(signal.SIGTERM)
    loaded = set((await process.communicate())[0].decode().split())
    assert "webhook_engine.server.listener" in loaded
    unneeded = {
        "aiosmtplib", "asyncpg", "click", "cryptography.x509", "jsonschema_rs", "jwt", "opentelemetry",
        "prometheus_client", "psycopg", "pydantic", "pygments", "quickjs", "rich", "typer", "yaml",
        "webhook_engine.importing", "webhook_engine.server.metrics", "webhook_engine.store.postgresql",
        "webhook_engine.testing",
    }  # fmt: skip
    assert unneeded & loaded == set()


async def test_the_token_is_printed_bare_without_opening_the_database(tmp_path: Path) -> None:
    printed = await token(tmp_path, "org_other")
    assert printed.count(".") == 2
    assert sorted(each.name for each in tmp_path.iterdir()) == ["webhook-engine.db.jwt_secret"]
    assert (await output(tmp_path, "token", "acme"))[0] == 2
    assert (await output(tmp_path, "token", "--app", "acme"))[0] == 2


@pytest.mark.slow
async def test_a_kill_loses_neither_messages_nor_keys_nor_revocations(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    bearer, leaving = await token(tmp_path), await token(tmp_path)
    key = {"idempotency-key": "k"}
    answers = []
    for _ in range(2):
        async with daemon(tmp_path) as running:
            api = Client(session, running.url, bearer)
            if not answers:
                await api.post("/app", {"name": "x", "uid": "acme"})
            answers.append((await api.post("/app/acme/msg", {"eventType": "a", "payload": {}}, headers=key)).text)
            left = await api.with_token(leaving).post("/auth/logout")
            assert left.status == (204 if len(answers) == 1 else 401)
            running.process.kill()
    assert answers[0] == answers[1]


async def create_until_killed(api: Client, running: Daemon) -> set[int]:
    """Create messages under keys, 32 at a time, and kill the daemon amid them; the keys that were used."""
    keys, used = itertools.count(), set[int]()
    answered = 0

    async def create() -> None:
        nonlocal answered
        while True:
            number = next(keys)
            used.add(number)
            await create_once(api, number)
            answered += 1

    creators = [asyncio.create_task(create()) for _ in range(32)]
    async with asyncio.timeout(20):
        while answered < 100:
            await asyncio.sleep(0.001)
    running.process.kill()
    await asyncio.gather(*creators, return_exceptions=True)
    await running.process.wait()
    return used


async def create_once(api: Client, number: int) -> str:
    body = {"eventType": "a", "payload": {}, "tags": [f"n{number}"]}
    answer = await api.post("/app/acme/msg", body, headers={"idempotency-key": str(number)})
    assert answer.status == 202, answer
    return str(answer.json["id"])


@pytest.mark.slow
async def test_a_key_makes_one_message_whenever_the_daemon_is_killed(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    bearer = await token(tmp_path)
    async with daemon(tmp_path) as running:
        api = Client(session, running.url, bearer)
        await api.post("/app", {"name": "x", "uid": "acme"})
        used = await create_until_killed(api, running)
    async with daemon(tmp_path) as running:
        api = Client(session, running.url, bearer)
        ids = [await create_once(api, number) for number in sorted(used)]
        query = "SELECT id, tags FROM webhook_message ORDER BY id"
        with closing(sqlite3.connect(tmp_path / "webhook-engine.db")) as db:
            stored = dict(db.execute(query).fetchall())
    assert len(ids) > 100
    assert Counter(stored.values()).most_common(1)[0][1] == 1  # no key has made two
    assert sorted(ids) == sorted(stored)


@pytest.mark.slow
async def test_it_lets_deliveries_finish(tmp_path: Path, session: aiohttp.ClientSession) -> None:
    bearer = await token(tmp_path)
    allow = {"WEBHOOK_ENGINE_DELIVERY__ALLOW_SUBNETS": '["127.0.0.1/32"]'}
    async with Receiver(Reply(200, delay=0.5)) as receiver, daemon(tmp_path, **allow) as running:
        api = Client(session, running.url, bearer)
        await api.post("/app", {"name": "x", "uid": "acme"})
        await api.post("/app/acme/endpoint", {"url": receiver.url})
        message = (await api.post("/app/acme/msg", {"eventType": "a", "payload": {}})).json["id"]
        await receiver.wait_for(1)
        assert await running.end(signal.SIGINT) == 0
        async with daemon(tmp_path, **allow) as again:
            [attempt] = (await Client(session, again.url, bearer).get(f"/app/acme/attempt/msg/{message}")).json["data"]
            assert attempt["status"] == 0


@pytest.mark.parametrize("listen", ["[::1]:0", "unix:{}/api.sock"])
async def test_it_listens_where_it_is_told(tmp_path: Path, listen: str) -> None:
    if listen.startswith("["):
        with socket.socket(socket.AF_INET6) as probe:
            try:
                probe.bind(("::1", 0))
            except OSError:
                pytest.skip("no IPv6 here")
    async with daemon(tmp_path, listen.format(tmp_path)) as running:
        path = running.url.removeprefix("unix:") if running.url.startswith("unix:") else None
        connector = aiohttp.UnixConnector(path) if path else aiohttp.TCPConnector()
        async with aiohttp.ClientSession(connector=connector) as session:
            base = "http://localhost" if path else running.url
            async with session.get(f"{base}/api/v1/health/ping") as response:
                assert response.status == 204
        assert await running.end() == 0
    assert not (tmp_path / "api.sock").exists()


@pytest.mark.slow
@contextmanager
def enough_files(count: int) -> Iterator[None]:
    """Let this process have so many open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        pytest.skip(f"this machine allows only {hard} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def read_on(running: Daemon) -> None:
    """Keep the log from filling its pipe."""
    assert running.process.stderr is not None
    while line := await running.process.stderr.readline():
        running.log.append(json.loads(line))


@pytest.mark.slow
async def test_idle_connections_take_no_descriptor_that_a_delivery_needs(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    """1,100 connections, of a process that may have 1,024 open files."""
    settings = {
        "WEBHOOK_ENGINE_DELIVERY__ALLOW_SUBNETS": '["127.0.0.1/32"]',
        "WEBHOOK_ENGINE_DELIVERY__RETRY_SCHEDULE": "[]",
        "files": "1024",
    }
    closing = Receiver(Reply(200, close=True, delay=0.05))
    with enough_files(4_096):
        async with closing as receiver, daemon(tmp_path, **settings) as running:
            reading = asyncio.create_task(read_on(running))
            api = Client(session, running.url, await token(tmp_path))
            port = int(running.url.rpartition(":")[2])
            with ExitStack() as idle:
                for _ in range(1_100):
                    idle.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
                assert (await api.post("/app", {"name": "Acme", "uid": "acme"})).status == 201
                endpoints = [await api.post("/app/acme/endpoint", {"url": f"{receiver.url}/{n}"}) for n in range(10)]
                for number in range(30):
                    sent = await api.post("/app/acme/msg", {"eventType": "a.b", "payload": {"n": number}})
                    assert sent.status == 202
                await receiver.wait_for(300)
                for endpoint in endpoints:
                    path = f"/app/acme/attempt/endpoint/{endpoint.json['id']}?limit=100"
                    attempts = await until(lambda path=path: all_made(api, path, 30), timeout=20)
                    assert {attempt["status"] for attempt in attempts} == {0}
                assert (await api.get("/health")).status == 200
            running.process.terminate()
            async with asyncio.timeout(20):
                await reading
                assert await running.process.wait() == 0
    told = {entry["event"] for entry in running.log}
    assert {"descriptors.limit", "server.crowded"} <= told
    assert not told & {"engine.lacks", "attempt.failed"}


async def all_made(api: Client, path: str, count: int) -> list[dict[str, object]] | None:
    """The attempts, when there are so many."""
    attempts = (await api.get(path)).json["data"]
    return attempts if len(attempts) >= count else None


async def test_what_hinders_it_is_said_in_one_line(tmp_path: Path) -> None:
    async with daemon(tmp_path) as running:
        code, _, err = await output(tmp_path, "serve", "--listen", "127.0.0.1:0")
        assert code == 1
        assert "in use by another engine" in err.splitlines()[-1]
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        taken = running.url.removeprefix("http://")
        code, _, err = await output(elsewhere, "serve", "--listen", taken)
        assert code == 2
        assert "the address is in use" in err.splitlines()[-1]
    code, _, err = await output(tmp_path, "serve", WEBHOOK_ENGINE_SERVER__LISTEN="nowhere")
    assert code == 2
    assert "server.listen" in err
    assert "Traceback" not in err
