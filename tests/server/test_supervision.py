"""The daemon as a service of systemd, against a real notify socket, and its unit against systemd's own judgement."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from program import PROGRAM

from webhook_engine import Engine
from webhook_engine.errors import StoreUnavailableError
from webhook_engine.server.supervision import Supervisor, with_credentials


class Listener:
    """What systemd would hear."""

    def __init__(self, path: Path) -> None:
        self.heard: list[str] = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.setblocking(False)
        self.path = str(path)

    async def until(self, line: str, timeout: float = 20.0) -> None:
        """Listen until a message has a line that begins so."""
        async with asyncio.timeout(timeout):
            while True:
                message = (await asyncio.get_running_loop().sock_recv(self.socket, 4096)).decode()
                self.heard.extend(message.splitlines())
                if any(each.startswith(line) for each in message.splitlines()):
                    return


@pytest.fixture
async def systemd(tmp_path: Path) -> AsyncIterator[Listener]:
    listener = Listener(tmp_path / "notify")
    yield listener
    listener.socket.close()


@asynccontextmanager
async def service(
    directory: Path, systemd: Listener, *command: str, **environment: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WEBHOOK_")}
    process = await asyncio.create_subprocess_exec(
        *(command or (PROGRAM, "serve", "--listen", "127.0.0.1:0")),
        cwd=directory,
        env=clean | {"NOTIFY_SOCKET": systemd.path} | environment,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_it_says_when_it_is_ready_reloads_and_stops(tmp_path: Path, systemd: Listener) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[log]\nlevel = "info"\n')
    async with service(tmp_path, systemd, WEBHOOK_ENGINE_CONFIG=str(config)) as process:
        await systemd.until("READY=1")
        assert any(line.startswith("STATUS=serving at http://127.0.0.1:") for line in systemd.heard)
        for text in ('[log]\nlevel = "debug"\n', "this is not TOML"):
            config.write_text(text)
            process.send_signal(signal.SIGHUP)
            await systemd.until("RELOADING=1")
            assert systemd.heard[-1].startswith("MONOTONIC_USEC=")
            await systemd.until("READY=1")
        assert "could not be read" in systemd.heard[-1]
        process.send_signal(signal.SIGTERM)
        await systemd.until("STOPPING=1")
        assert await process.wait() == 0
    assert "WATCHDOG=1" not in systemd.heard


@pytest.mark.slow
async def test_the_watchdog_beats_while_idle_and_not_while_the_process_stands_still(
    tmp_path: Path, systemd: Listener
) -> None:
    async with service(tmp_path, systemd, WATCHDOG_USEC="1000000") as process:
        await systemd.until("READY=1")
        await systemd.until("WATCHDOG=1")
        began_at = time.monotonic()
        for _ in range(4):
            await systemd.until("WATCHDOG=1")
        assert time.monotonic() - began_at > 1.0
        process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(0.2)
        while select.select([systemd.socket], [], [], 0)[0]:
            systemd.socket.recv(4096)
        with pytest.raises(TimeoutError):
            await systemd.until("WATCHDOG=1", timeout=1.5)
        process.send_signal(signal.SIGCONT)
        await systemd.until("WATCHDOG=1")


async def test_the_watchdog_is_starved_by_a_writer_that_makes_no_progress(systemd: Listener) -> None:
    stuck = asyncio.Event()
    stuck.set()
    supervisor = Supervisor({"NOTIFY_SOCKET": systemd.path, "WATCHDOG_USEC": "200000"})
    supervisor.watch(stuck.wait)
    await systemd.until("WATCHDOG=1")
    await systemd.until("WATCHDOG=1")
    stuck.clear()
    await asyncio.sleep(0.15)  # one beat may have been on its way
    while select.select([systemd.socket], [], [], 0)[0]:
        systemd.socket.recv(4096)
    with pytest.raises(TimeoutError):
        await systemd.until("WATCHDOG=1", timeout=0.6)
    stuck.set()
    await systemd.until("WATCHDOG=1")
    await supervisor.end()


def drain(systemd: Listener) -> int:
    """Throw away what was heard already; how much it was."""
    count = 0
    while select.select([systemd.socket], [], [], 0)[0]:
        systemd.socket.recv(4096)
        count += 1
    return count


@pytest.mark.slow
async def test_the_watchdog_is_starved_by_the_engines_own_writer_and_by_its_event_loop(
    tmp_path: Path, systemd: Listener
) -> None:
    async with Engine.open(tmp_path / "webhooks.db") as engine:
        supervisor = Supervisor({"NOTIFY_SOCKET": systemd.path, "WATCHDOG_USEC": "200000"})
        supervisor.watch(engine.services.store.upkeep.ping)
        await systemd.until("WATCHDOG=1")

        stuck, go_on = threading.Event(), threading.Event()

        def hang(_: object) -> None:
            stuck.set()
            go_on.wait(30)

        hanging = asyncio.ensure_future(engine._store.database.write(hang))
        await asyncio.to_thread(stuck.wait, 10)
        await asyncio.sleep(0.05)  # a beat may have been on its way
        drain(systemd)
        with pytest.raises(TimeoutError):
            await systemd.until("WATCHDOG=1", timeout=0.6)
        go_on.set()
        await hanging
        await systemd.until("WATCHDOG=1")

        drain(systemd)
        time.sleep(0.6)  # noqa: ASYNC251 (blocking the loop is the point)
        assert drain(systemd) == 0
        await systemd.until("WATCHDOG=1")
        await supervisor.end()


async def test_a_database_that_refuses_is_no_reason_to_be_killed(systemd: Listener) -> None:
    async def refuse() -> None:
        raise StoreUnavailableError("full")

    supervisor = Supervisor({"NOTIFY_SOCKET": systemd.path, "WATCHDOG_USEC": "200000"})
    supervisor.watch(refuse)
    for _ in range(3):
        await systemd.until("WATCHDOG=1")
    await supervisor.end()


async def test_the_watchdog_of_another_process_is_not_ours(systemd: Listener) -> None:
    environ = {"NOTIFY_SOCKET": systemd.path, "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}
    supervisor = Supervisor(environ)
    supervisor.watch(lambda: asyncio.sleep(0))
    with pytest.raises(TimeoutError):
        await systemd.until("WATCHDOG=1", timeout=0.1)
    assert environ == {}


async def test_it_listens_on_the_socket_it_is_given(tmp_path: Path, systemd: Listener) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        start = (
            "import os, sys; os.dup2(int(sys.argv[1]), 3);"
            "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1');"
            "os.execv(sys.argv[2], sys.argv[2:])"
        )
        os.set_inheritable(listening.fileno(), True)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            start,
            str(listening.fileno()),
            PROGRAM,
            "serve",
            cwd=tmp_path,
            env={**os.environ, "NOTIFY_SOCKET": systemd.path},
            pass_fds=[listening.fileno()],
            stderr=subprocess.DEVNULL,
        )
        try:
            await systemd.until("READY=1")
            assert f"STATUS=serving at http://127.0.0.1:{port}" in systemd.heard
            url = f"http://127.0.0.1:{port}/api/v1/health/ping"
            async with aiohttp.ClientSession() as session, session.get(url) as answer:
                assert answer.status == 204
        finally:
            process.terminate()
            await process.wait()


def test_credentials_are_secrets(tmp_path: Path) -> None:
    (tmp_path / "main_secret").write_text("one\n")
    (tmp_path / "jwt_secret").write_text("two\n")
    given = {"CREDENTIALS_DIRECTORY": str(tmp_path), "WEBHOOK_ENGINE_AUTH__JWT_SECRET": "mine"}
    environ = with_credentials(given)
    assert environ["WEBHOOK_ENGINE_SECURITY__MAIN_SECRET"] == "one"
    assert environ["WEBHOOK_ENGINE_AUTH__JWT_SECRET"] == "mine"
    assert with_credentials({}) == {}
