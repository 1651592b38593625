"""``webhook-engine portal`` and ``webhook-engine listen``, as processes of their own beside a served engine."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from receivers import Receiver
from yarl import URL

from webhook_engine import Engine, Webhook

PATIENCE_S = 90


@asynccontextmanager
async def command(*arguments: str, cwd: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process of the command line that is ended when it is not needed any more."""
    environment = {**os.environ, "WEBHOOK_ENGINE_STORE__URL": "sqlite:///engine.db", "PYTHONUNBUFFERED": "1"}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from webhook_engine.cli import main; main()",
        *arguments,
        cwd=cwd,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def outcome(*arguments: str, cwd: Path) -> tuple[int | None, str, str]:
    """Exit code, standard output and standard error."""
    async with command(*arguments, cwd=cwd) as process, asyncio.timeout(PATIENCE_S):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_portal_prints_a_link_that_works(tmp_path: Path) -> None:
    async with Engine.open(tmp_path / "engine.db") as engine, engine.serve("127.0.0.1:0") as server:
        application = await engine.applications.create(name="Acme", uid="acme")
        code, out, err = await outcome("portal", "acme", "--url", server.url, "--expiry", "2h", cwd=tmp_path)
        assert (code, err) == (0, "")
        match = re.fullmatch(re.escape(server.url) + r"/portal/#key=([\w-]{40,})\n", out)
        assert match, out
        async with (
            aiohttp.ClientSession() as client,
            client.post(f"{server.url}/api/v1/auth/portal-session", json={"key": match[1]}) as answer,
        ):
            assert (await answer.json())["applicationId"] == application.id


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nobody"], "there is no application 'nobody'"),
        (["acme", "--token", "wrong"], "does not accept the token"),
        (["acme", "--expiry", "1s"], "between 1 hour and 7 days"),
        (["acme", "--url", "http://127.0.0.1:9"], "is the daemon running?"),
    ],
)
async def test_portal_says_what_is_wrong(tmp_path: Path, arguments: list[str], said: str) -> None:
    async with Engine.open(tmp_path / "engine.db") as engine, engine.serve("127.0.0.1:0") as server:
        await engine.applications.create(name="Acme", uid="acme")
        code, out, err = await outcome("portal", "--url", server.url, *arguments, cwd=tmp_path)
    assert (code, out) == (1, "")
    assert said in err


async def test_listen_relays_what_arrives_so_that_it_verifies(tmp_path: Path) -> None:
    async with (
        Engine.open(tmp_path / "engine.db") as engine,
        engine.serve("127.0.0.1:0") as server,
        Receiver() as local,
        command("listen", "--forward", local.url, "--url", server.url, cwd=tmp_path) as process,
        asyncio.timeout(PATIENCE_S),
    ):
        assert process.stdout is not None
        first = (await process.stdout.readline()).decode()
        url = first.split()[1]
        await engine.applications.create(name="Acme", uid="acme")
        endpoint = await engine.endpoints.create("acme", url=url)
        await engine.messages.create("acme", event_type="invoice.paid", payload={"n": 1})
        [request] = await local.wait_for(1, timeout=PATIENCE_S)
        secret = await engine.endpoints.get_secret("acme", endpoint.id)
        assert Webhook(secret).verify(request.body, dict(request.headers)) == {"n": 1}
        while "POST" not in (line := (await process.stdout.readline()).decode()):
            pass
        assert "200" in line
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0


@pytest.mark.slow
async def test_listen_needs_a_daemon(tmp_path: Path) -> None:
    code, _, err = await outcome(
        "listen", "--forward", "http://127.0.0.1:1/", "--url", "http://127.0.0.1:9", cwd=tmp_path
    )
    assert code == 1
    assert "is the daemon running?" in err


@pytest.mark.slow
async def test_listen_goes_on_after_connections_that_break(tmp_path: Path) -> None:
    seen: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append((await reader.readuntil(b"\r\n")).decode().split()[1])
        if len(seen) == 2:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nnot all of it")
        elif len(seen) > 2:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    local = await asyncio.start_server(answer, "127.0.0.1", 0)
    forward = f"http://127.0.0.1:{local.sockets[0].getsockname()[1]}/hook"
    async with (
        local,
        Engine.open(tmp_path / "engine.db") as engine,
        engine.serve("127.0.0.1:0") as server,
        command("listen", "--forward", forward, "--url", server.url, cwd=tmp_path) as process,
        aiohttp.ClientSession() as client,
        asyncio.timeout(PATIENCE_S),
    ):
        assert process.stdout is not None
        url = (await process.stdout.readline()).decode().split()[1]
        told = [await process.stdout.readline() for _ in range(2)]
        for path in ("1", "2", "%2e%2e/admin", "3?x=1"):
            await client.post(URL(url + path, encoded=True), data=b"{}")
            told.append(await process.stdout.readline())
    assert [b"200" in line for line in told[2:]] == [False, False, False, True], told
    assert b"without an answer" in told[2]
    assert b"within its answer" in told[3]
    assert b"not relayed" in told[4]
    assert seen == ["/hook/1", "/hook/2", "/hook/3?x=1"]


async def test_portal_prints_a_link_for_operators(tmp_path: Path) -> None:
    async with (
        Engine.open(tmp_path / "engine.db") as engine,
        engine.serve("127.0.0.1:0") as server,
        aiohttp.ClientSession() as http,
    ):
        code, out, err = await outcome("portal", "--operator", "--url", server.url, cwd=tmp_path)
        assert (code, err) == (0, "")
        key = out.strip().partition("#key=")[2]
        async with http.post(f"{server.url}/api/v1/auth/portal-session", json={"key": key}) as response:
            session = await response.json()
        assert session["applicationId"] is None
        headers = {"authorization": f"Bearer {session['token']}"}
        async with http.get(f"{server.url}/api/v1/operator/overview", headers=headers) as response:
            assert response.status == 200
        code, _, err = await outcome("portal", "acme", "--operator", "--url", server.url, cwd=tmp_path)
        assert code == 2
        assert "instead" in err
