"""Several workers of a web server share one engine: exactly one runs it, all enqueue, another takes over."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
import pytest
from receivers import Receiver

from webhook_engine import Engine, EngineNotRunningError, SharedEngine
from webhook_engine.config.sections import StoreConfig
from webhook_engine.store.opening import find_members

HERE = Path(__file__).parent


@asynccontextmanager
async def prepared(tmp_path: Path) -> AsyncIterator[tuple[Path, Receiver]]:
    """A database with application ``acme``, whose endpoint is the receiver."""
    database = tmp_path / "webhooks.db"
    async with Receiver() as receiver:
        async with Engine.open(database) as engine:
            await engine.applications.create(name="Acme", uid="acme")
            await engine.endpoints.create("acme", url=receiver.url)
        yield database, receiver


@asynccontextmanager
async def serving(database: Path | str, *command: str) -> AsyncIterator[str]:
    """A web server as a process group of its own, and its URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "DATABASE": str(database), "PYTHONPATH": str(HERE)}
    server = subprocess.Popen(
        [sys.executable, "-m", *(part.format(port=port) for part in command)],
        env=environment,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        try:
            await asyncio.to_thread(server.wait, 20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


async def ask(url: str, path: str = "/") -> dict[str, Any] | None:
    """What some worker answers, if one does; a connection of its own, so that it may be another every time."""
    try:
        async with aiohttp.ClientSession() as session, session.get(url + path) as response:
            return dict(await response.json())
    except (aiohttp.ClientError, OSError):
        return None


async def roll_call(url: str, workers: int, *, without: int | None = None) -> dict[int, bool]:
    """Which workers there are, and whether each leads; waits until as many as wanted are there and one leads."""
    seen: dict[int, bool] = {}
    async with asyncio.timeout(45):
        while len(seen) < workers or not any(seen.values()):
            for answer in await asyncio.gather(*(ask(url) for _ in range(8))):
                if answer and answer["pid"] != without:
                    seen[answer["pid"]] = answer["leading"]
            await asyncio.sleep(0.05)
    return seen


async def enqueued(url: str) -> str:
    """Enqueue through some worker, asking again where one has just died; the id."""
    async with asyncio.timeout(20):
        while True:
            answer = await ask(url, "/enqueue")
            if answer:
                return str(answer["id"])


def gunicorn(workers: int, *more: str, program: str = "wsgi_app") -> list[str]:
    return ["gunicorn", f"{program}:application", "--bind", "127.0.0.1:{port}", "--workers", str(workers), *more]


def uvicorn(workers: int, program: str = "asgi_app") -> list[str]:
    return ["uvicorn", f"{program}:app", "--port", "{port}", "--workers", str(workers)]


async def survives_its_leader(tmp_path: Path, workers: int, command: list[str]) -> None:
    async with prepared(tmp_path) as (database, receiver), serving(database, *command) as url:
        sent = [await enqueued(url) for _ in range(10)]
        before = await roll_call(url, workers)
        [leader] = [pid for pid, leads in before.items() if leads]
        os.kill(leader, signal.SIGKILL)
        sent += [await enqueued(url) for _ in range(10)]
        after = await roll_call(url, workers, without=leader)
        assert list(after.values()).count(True) == 1
        sent += [await enqueued(url) for _ in range(10)]
        await arrived(receiver, sent)


@pytest.fixture
def database_on_a_server(postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database of the test's own; secrets are in the working directory, which all workers have in common."""
    monkeypatch.chdir(tmp_path)
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE workers")
    yield postgresql_url.replace("/postgres?", "/workers?")
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute("DROP DATABASE workers WITH (FORCE)")


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        gunicorn(3),
        uvicorn(2),
        uvicorn(2, "starlette_app"),
        gunicorn(2, program="flask_app"),
        gunicorn(2, program="django_app"),
    ],
    ids=["gunicorn", "fastapi", "starlette", "flask", "django"],
)
async def test_on_postgresql_every_worker_is_an_engine(database_on_a_server: str, command: list[str]) -> None:
    """One worker is killed, and nothing is lost; all are stopped, and nobody has to wait for the end of a lease."""
    workers = int(command[-1])
    async with Receiver() as receiver:
        async with Engine.open(database_on_a_server) as engine:
            await engine.applications.create(name="Acme", uid="acme")
            for _ in range(8):
                await engine.endpoints.create("acme", url=receiver.url)
        async with serving(database_on_a_server, *command) as url:
            sent = [await enqueued(url) for _ in range(5)]
            seen = await roll_call(url, workers)
            await holding(database_on_a_server, set(seen))
            killed = min(seen)
            os.kill(killed, signal.SIGKILL)
            sent += [await enqueued(url) for _ in range(5)]
            after = await roll_call(url, workers, without=killed)
            await holding(database_on_a_server, set(after))
            sent += [await enqueued(url) for _ in range(5)]
            async with asyncio.timeout(30):
                while {one for one, count in arrivals(receiver).items() if count >= 8} != set(sent):
                    await asyncio.sleep(0.05)
        assert await find_members(StoreConfig(url=database_on_a_server)) == []


def arrivals(receiver: Receiver) -> Counter[str]:
    return Counter(request.headers["webhook-id"] for request in receiver.requests)


async def holding(url: str, workers: set[int]) -> None:
    """Wait until these processes, and no others, share the endpoints."""
    async with asyncio.timeout(30):
        while {one.pid for one in await find_members(StoreConfig(url=url)) if one.shards} != workers:
            await asyncio.sleep(0.05)


async def arrived(receiver: Receiver, sent: list[str]) -> None:
    async with asyncio.timeout(30):
        while set(sent) - {request.headers["webhook-id"] for request in receiver.requests}:
            await asyncio.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [2, 4])
async def test_gunicorn_with_the_leader_killed(tmp_path: Path, workers: int) -> None:
    await survives_its_leader(tmp_path, workers, gunicorn(workers))


@pytest.mark.slow
@pytest.mark.parametrize("workers", [2])
async def test_uvicorn_with_the_leader_killed(tmp_path: Path, workers: int) -> None:
    await survives_its_leader(tmp_path, workers, uvicorn(workers))


async def test_another_takes_over_when_one_stops(tmp_path: Path) -> None:
    async with prepared(tmp_path) as (database, receiver):
        first, second = (SharedEngine.open(database, allow_subnets=["127.0.0.1/32"]) for _ in range(2))
        async with second:
            await first.start()
            assert (second.leading, first.leading) == (True, False)
            await first.enqueue(application="acme", event_type="a.b", payload={"n": 1})
            await second.enqueue(application="acme", event_type="a.b", payload={"n": 2})
            await receiver.wait_for(2)
            with pytest.raises(EngineNotRunningError, match="another process"):
                _ = first.engine
            assert (await second.engine.applications.get("acme")).name == "Acme"
            await second.stop()
            assert not second.leading
            await first.enqueue(application="acme", event_type="a.b", payload={"n": 3})
            assert (await first.wait_until_leading(timeout=10)).running
            await receiver.wait_for(3)
            await first.stop()
            await first.stop()


async def test_a_file_that_was_begun_by_enqueueing_can_shrink(tmp_path: Path) -> None:
    database = tmp_path / "webhooks.db"
    await SharedEngine.open(database).enqueue(application="acme", event_type="a.b", payload={})
    async with Engine.open(database):
        with closing(sqlite3.connect(database)) as connection:
            assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)


async def test_enqueueing_needs_no_engine_anywhere(tmp_path: Path) -> None:
    database = tmp_path / "webhooks.db"
    late = SharedEngine.open(database)
    message_id = await late.enqueue(application="acme", event_type="a.b", payload={})
    async with Engine.open(tmp_path / "other.db", outbox__sources=[f"sqlite:///{database}"]):
        pass
    async with prepared(tmp_path) as (_, receiver):
        async with SharedEngine.open(database, allow_subnets=["127.0.0.1/32"]) as shared:
            assert shared.leading
        assert receiver.requests == []  # the application was not there when the row was moved
    assert message_id.startswith("msg_")


async def test_on_postgresql_why_the_engine_does_not_run_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shared = SharedEngine.open(f"postgresql:///app?host={tmp_path}")
    with pytest.raises(EngineNotRunningError, match="does not run here: it was not started"):
        _ = shared.engine
    await shared.start(persist=True)
    with pytest.raises(EngineNotRunningError, match=r"does not run here: .*cannot be reached"):
        _ = shared.engine
    await shared.stop()
