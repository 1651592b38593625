"""One daemon for all commands that talk to one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer

import pytest
from commands import Hooks, World
from program import PROGRAM

from webhook_engine.cli.configured import program_given


@pytest.fixture(autouse=True)
def no_program_is_left() -> Iterator[None]:
    """A command that runs in this process remembers what ``--app`` named; the next test must not see it."""
    yield
    program_given(None, None)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("daemon")
    hooks = type("TheseHooks", (Hooks,), {"received": []})
    receiver = ThreadingHTTPServer(("127.0.0.1", 0), hooks)
    threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    settings = {
        "WEBHOOK_ENGINE_DELIVERY__ALLOW_SUBNETS": '["127.0.0.1/32"]',
        "WEBHOOK_ENGINE_DELIVERY__RETRY_SCHEDULE": "[]",
        "WEBHOOK_ENGINE_DELIVERY__SHUTDOWN_GRACE": "1s",
        "WEBHOOK_ENGINE_LOG__FORMAT": "json",
    }
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WEBHOOK_ENGINE_")}
    with subprocess.Popen(
        [PROGRAM, "serve", "--listen", "127.0.0.1:0"],
        cwd=directory, env=environment | settings, stderr=subprocess.PIPE,
    ) as daemon:  # fmt: skip
        assert daemon.stderr is not None
        url = ""
        while not url:
            line = json.loads(daemon.stderr.readline())
            url = str(line["url"]) if line["event"] == "daemon.serving" else ""
        threading.Thread(target=daemon.stderr.read, daemon=True).start()
        token = subprocess.run(
            [PROGRAM, "token"], cwd=directory, env=environment, capture_output=True, text=True, check=True
        ).stdout
        yield World(url, token.strip(), f"http://127.0.0.1:{receiver.server_port}", directory, hooks)
        daemon.terminate()
        assert daemon.wait(15) == 0
    receiver.shutdown()
    receiver.server_close()


@pytest.fixture
def acme(world: World, request: pytest.FixtureRequest) -> str:
    """A fresh application, by its uid."""
    uid = re.sub(r"[^a-zA-Z0-9_]", "_", request.node.name)[:200]
    world.json("app", "create", "Acme", "--uid", uid)
    return uid
