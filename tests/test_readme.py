"""What the README tells people to type works: each Python block is run, each command exists."""

from __future__ import annotations

import asyncio
import re
import runpy
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web

from webhook_engine import EndpointDisabledEvent, Engine
from webhook_engine.cli.commands import app as command_line

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
PYTHON = [text for language, text in BLOCKS if language == "python"]
SHELL = [line for language, text in BLOCKS if language == "sh" for line in text.splitlines()]
LOOPBACK = ["127.0.0.1/32"]


def block(containing: str) -> str:
    (found,) = (text for text in PYTHON if containing in text)
    return str(found)


def run_block(text: str, folder: Path, **given: object) -> dict[str, Any]:
    """Run a block as a module, with names that the reader has from an earlier one; returns its globals."""
    file = folder / "block.py"
    file.write_text(text)
    return runpy.run_path(str(file), init_globals=given)


@asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[str]:
    """The URL of the hooks of an application, as long as it is served."""
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/hooks"
    finally:
        await runner.cleanup()


async def in_a_process(text: str, folder: Path) -> str:
    """Run a block as a program; returns what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", text, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


class Inbox:
    """Stands in for ``https://example.com/hooks`` until the README's receiver can be given its secret."""

    def __init__(self) -> None:
        self.requests: list[tuple[bytes, dict[str, str]]] = []

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/hooks", self._receive)
        return app

    async def _receive(self, request: web.Request) -> web.Response:
        signed = {name: value for name, value in request.headers.items() if name.lower().startswith("webhook-")}
        self.requests.append((await request.read(), signed))
        return web.Response()


async def test_what_the_first_example_sends_the_receiver_of_the_other_verifies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = Inbox()
    # Only a test sends to its own machine.
    program = block("asyncio.run(main())").replace('"webhooks.db"', f'"webhooks.db", allow_subnets={LOOPBACK}')
    async with served(inbox.app()) as url:
        output = await in_a_process(program.replace("https://example.com/hooks", url), tmp_path)
    (secret,) = re.findall(r"Acme verifies with (whsec_\S+)", output)
    ((body, headers),) = inbox.requests
    assert body == b'{"id":1}'

    monkeypatch.setenv("WEBHOOK_SECRET", secret)
    receiver = block("web.run_app(app)")
    assert await answer(run_block(receiver, tmp_path)["app"], body, headers) == (200, "")
    assert "paid: 1" in capsys.readouterr().out
    status, text = await answer(run_block(receiver, tmp_path)["app"], b'{"id": 1}', headers)
    assert (status, "parsed and written again" in text) == (400, True)


async def answer(app: web.Application, body: bytes, headers: dict[str, str]) -> tuple[int, str]:

    async with (
        served(app) as url,
        ClientSession() as session,
        session.post(url, data=body, headers=headers) as response,
    ):
        return response.status, await response.text()


async def test_the_handler_is_told_of_a_disabled_endpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def gone(_request: web.Request) -> web.Response:
        return web.Response(status=410)

    app = web.Application()
    app.router.add_post("/hooks", gone)
    disabled = asyncio.Event()
    async with served(app) as url, Engine.open(tmp_path / "webhooks.db", allow_subnets=LOOPBACK) as engine:
        run_block(block("@engine.on(EndpointDisabledEvent)"), tmp_path, engine=engine)
        engine.on(EndpointDisabledEvent)(lambda _event: disabled.set())
        await engine.applications.create(name="Acme", uid="acme")
        endpoint = await engine.endpoints.create("acme", url=url)
        await engine.messages.create("acme", event_type="invoice.paid", payload={})
        await asyncio.wait_for(disabled.wait(), 10)
    assert f"acme lost {endpoint.id} failing since 20" in capsys.readouterr().out


async def test_the_outbox_example_is_delivered_by_an_engine_on_the_same_file(tmp_path: Path) -> None:
    inbox = Inbox()
    database = tmp_path / "app.db"
    with closing(sqlite3.connect(database)) as db, db:
        db.execute("CREATE TABLE invoice (id INTEGER PRIMARY KEY, paid INTEGER NOT NULL)")
        db.execute("INSERT INTO invoice VALUES (1, 0)")
    async with served(inbox.app()) as url, Engine.open(database, allow_subnets=LOOPBACK) as engine:
        await engine.applications.create(name="Acme", uid="acme")
        await engine.endpoints.create("acme", url=url)
        await in_a_process(block("from webhook_engine.outbox import enqueue"), tmp_path)
        await engine.join(timeout=10)
    assert [body for body, _ in inbox.requests] == [b'{"id":1}']
    with closing(sqlite3.connect(database)) as db:
        assert db.execute("SELECT paid FROM invoice").fetchall() == [(1,)]


def test_no_python_block_is_left_out() -> None:
    assert len(PYTHON) == 4


def test_the_embedded_use_takes_ten_lines() -> None:
    program = block("asyncio.run(main())")
    assert len([line for line in program.splitlines() if line.strip()]) <= 10


@pytest.mark.parametrize("command", sorted(set(re.findall(r"webhook-engine ([a-z][a-z-]*)", README))))
def test_every_command_that_is_named_exists(command: str) -> None:
    known = {info.name or info.callback.__name__.replace("_", "-") for info in command_line.registered_commands}  # type: ignore[union-attr]
    assert command in known


def test_every_link_to_a_file_leads_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_test_command_is_what_continuous_integration_ends_with() -> None:
    (command,) = [line for line in SHELL if line.endswith("-m pytest")]
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    assert "README.md" in script.splitlines()[-2]
    assert command.startswith("python3 -m venv .venv && ")


def test_the_benchmark_is_there() -> None:
    (command,) = [line for line in SHELL if "benchmarks" in line]
    assert (ROOT / shlex.split(command)[1]).exists()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_first_command_installs_and_runs_the_demo_in_a_fresh_checkout(tmp_path: Path) -> None:
    (command,) = [line for line in SHELL if line.endswith("webhook-engine demo")]
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(tmp_path / "checkout")], check=True)
    done = subprocess.run(command, shell=True, cwd=tmp_path / "checkout", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "What next" in done.stdout
