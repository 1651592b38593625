"""The unit as it is printed, run by a real systemd: hardened, watched, restarted, activated by its socket."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from program import run
from real_systemd import LOG, Systemd, booted, python, python_environment
from receivers import Receiver

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

UNIT = "webhook-engine.service"
SECRET = "a secret that is only for this test, long enough"
WATCHDOG_S = 3


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def systemd(tmp_path: Path, port: int) -> Iterator[Systemd]:
    printed = run("systemd", "print").stdout
    [command] = [line for line in printed.splitlines() if line.startswith("ExecStart=")]
    environment = python_environment() | {
        "WEBHOOK_ENGINE_SERVER__LISTEN": f"127.0.0.1:{port}",
        "WEBHOOK_ENGINE_DELIVERY__ALLOW_SUBNETS": '["127.0.0.1/32"]',
        "WEBHOOK_ENGINE_DELIVERY__RETRY_SCHEDULE": '["100ms","500ms","2s","5s"]',
    }
    # Only where the program is differs from what an operator runs, and how patient the watchdog is.
    drop_in = [
        "[Service]",
        "ExecStart=",
        f'ExecStart={python()} -c "from webhook_engine.cli import main; main()" {command.partition(" ")[2]}',
        f"WatchdogSec={WATCHDOG_S}s",
        "RestartSec=100ms",
        f"StandardError=append:{LOG}",
        *(f"Environment='{name}={value}'" for name, value in environment.items()),
    ]
    units = {
        UNIT: printed,
        f"{UNIT}.d/here.conf": "\n".join(drop_in),
        "webhook-engine.socket": f"[Socket]\nListenStream=127.0.0.1:{port}\n",
    }
    with booted(tmp_path, units) as manager:
        manager.write("/run/credstore/webhook-engine.jwt_secret", SECRET)
        yield manager


class Client:
    """Asks the API as an operator would."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"
        token = run("token", WEBHOOK_ENGINE_AUTH__JWT_SECRET=SECRET).stdout.strip()
        self._headers = {"authorization": f"Bearer {token}"}

    async def ask(self, method: str, path: str, body: object = None) -> dict:
        timeout = aiohttp.ClientTimeout(total=20)
        async with (
            aiohttp.ClientSession(headers=self._headers, timeout=timeout) as session,
            session.request(method, self._url + path, json=body) as answer,
        ):
            text = await answer.text()
            assert answer.status < 300, text
            return json.loads(text) if text else {}

    async def send(self, number: int) -> str:
        body = {"eventType": "invoice.paid", "payload": {"n": number}}
        return str((await self.ask("POST", "/api/v1/app/acme/msg", body))["id"])

    async def set_up(self, url: str) -> None:
        await self.ask("POST", "/api/v1/app", {"name": "Acme", "uid": "acme"})
        await self.ask("POST", "/api/v1/app/acme/endpoint", {"url": url})


async def test_the_service_under_a_real_systemd(systemd: Systemd, port: int) -> None:
    client = Client(port)
    async with Receiver() as receiver:
        # Type=notify: it returns when the service has said that it is ready.
        await asyncio.to_thread(systemd.systemctl, "start", UNIT)
        assert systemd.show(UNIT, "StatusText") == f"serving at http://127.0.0.1:{port}"
        await client.set_up(receiver.url)
        await client.send(1)
        await receiver.wait_for(1)

        first = systemd.show(UNIT, "MainPID")
        status = dict(line.split(":\t", 1) for line in systemd.run("cat", f"/proc/{first}/status").stdout.splitlines())
        assert status["Uid"].split()[0] != "0"
        assert (status["NoNewPrivs"], status["Seccomp"], int(status["CapEff"], 16)) == ("1", "2", 0)
        listed = systemd.run("sh", "-c", "cd /var/lib/webhook-engine/ && stat -c '%n %a' . *").stdout.splitlines()
        modes = dict(line.split() for line in listed)
        assert modes.pop(".") == "700"
        assert "webhook-engine.db.main_secret" in modes
        assert "webhook-engine.db.jwt_secret" not in modes  # it came as a credential
        assert set(modes.values()) <= {"600"}

        await asyncio.to_thread(systemd.systemctl, "reload", UNIT)
        assert systemd.show(UNIT, "ActiveState") == "active"
        assert systemd.show(UNIT, "MainPID") == first

        # Idle for longer than the watchdog's patience is no reason to be killed; standing still is.
        await asyncio.sleep(WATCHDOG_S * 1.5)
        assert systemd.show(UNIT, "MainPID") == first
        systemd.run("kill", "-STOP", first)
        await asyncio.to_thread(systemd.until, UNIT, "NRestarts", "1")
        await asyncio.to_thread(systemd.until, UNIT, "ActiveState", "active")
        second = systemd.show(UNIT, "MainPID")
        assert second != first
        await client.send(2)
        await receiver.wait_for(2)

        systemd.run("kill", "-KILL", second)
        await asyncio.to_thread(systemd.until, UNIT, "NRestarts", "2")
        await asyncio.to_thread(systemd.until, UNIT, "ActiveState", "active")
        await client.send(3)
        await receiver.wait_for(3)
        assert len((await client.ask("GET", "/api/v1/app/acme/msg"))["data"]) == 3

        began_at = time.monotonic()
        await asyncio.to_thread(systemd.systemctl, "stop", UNIT)
        assert time.monotonic() - began_at < 15
        assert (systemd.show(UNIT, "Result"), systemd.show(UNIT, "ExecMainStatus")) == ("success", "0")


async def test_the_first_request_starts_the_service(systemd: Systemd, port: int) -> None:
    await asyncio.to_thread(systemd.systemctl, "start", "webhook-engine.socket")
    assert systemd.show(UNIT, "ActiveState") == "inactive"
    client = Client(port)
    await client.ask("POST", "/api/v1/app", {"name": "Acme", "uid": "acme"})
    assert systemd.show(UNIT, "ActiveState") == "active"
    await asyncio.to_thread(systemd.systemctl, "restart", UNIT)
    assert (await client.ask("GET", "/api/v1/app/acme"))["name"] == "Acme"
