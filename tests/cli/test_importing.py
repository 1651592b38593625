"""``webhook-engine import`` as people run it: into a daemon that is another process, killed in the midst, and again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from importing.conftest import TOKEN, Recorded
from importing.test_svix_server import fill, listed
from program import PROGRAM, run

from webhook_engine import SyncEngine


class Daemon:
    """A daemon of its own, and how to reach it."""

    def __init__(self, directory: Path, **settings: str) -> None:
        self.directory = directory
        self.settings = {"WEBHOOK_ENGINE_LOG__FORMAT": "json", **settings}
        clean = {name: value for name, value in os.environ.items() if not name.startswith("WEBHOOK_ENGINE_")}
        self._process = subprocess.Popen(
            [PROGRAM, "serve", "--listen", "127.0.0.1:0"],
            cwd=directory,
            env={**clean, **self.settings},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stderr is not None
        for line in self._process.stderr:
            said = json.loads(line)
            if said["event"] == "daemon.serving":
                self.url = said["url"]
                break
        # What it says later must not fill the pipe.
        self._reader = threading.Thread(target=self._process.stderr.read)
        self._reader.start()
        self.token = subprocess.run(
            [PROGRAM, "token"],
            cwd=directory,
            env={**clean, **self.settings},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(30)
        self._reader.join()
        assert self._process.stderr is not None
        self._process.stderr.close()

    @property
    def environment(self) -> dict[str, str]:
        return {
            "WEBHOOK_ENGINE_URL": self.url,
            "WEBHOOK_ENGINE_TOKEN": self.token,
            "WEBHOOK_ENGINE_IMPORT_TOKEN": TOKEN,
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run(*arguments, **self.environment)

    def json(self, *arguments: str) -> Any:
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    running = Daemon(tmp_path_factory.mktemp("daemon"))
    yield running
    running.close()


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    server = Recorded()
    yield server
    server.close()


@pytest.mark.slow
def test_into_a_daemon(daemon: Daemon, recorded: Recorded) -> None:
    made = fill(recorded)
    command = ("import", "svix", "--from-url", recorded.url, "--messages-since", "5d")
    planned = daemon.run(*command, "--dry-run")
    assert planned.returncode == 0, planned.stderr
    assert "nothing was changed" in planned.stdout
    assert daemon.json("app", "list", "--all")["data"] == []
    done = daemon.run(*command)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["applications", "3"] in lines
    assert ["endpoints", "2"] in lines
    assert "Without a counterpart here" in done.stdout
    assert done.stdout.strip() == planned.stdout.partition("This was a dry run")[0].strip()
    assert daemon.json("endpoint", "get", "uid-0", made["first"])["id"] == made["first"]
    report = daemon.json(*command)
    assert (report["complete"], report["dryRun"]) == (True, False)
    assert report["counts"]["endpoint"] == {"same": 2}
    recorded.answers[f"/api/v1/app/{made['app']}/endpoint/{made['first']}/secret"] = lambda query: {"key": "bad"}
    done = daemon.run(*command)
    assert done.returncode == 1
    assert f"endpoint {made['first']}: secret: " in done.stdout
    assert "1 refused; the report says which" in done.stderr


@pytest.mark.slow
def test_killed_in_the_midst_and_run_again(recorded: Recorded, tmp_path: Path) -> None:
    made = fill(recorded, apps=150)
    reached, go_on = threading.Event(), threading.Event()
    # One of the last applications, so that a batch has been given on before.
    late = sorted(path for path in recorded.answers if path.endswith("/endpoint") and path.count("/") == 5)[-5]

    def hanging(query: dict[str, str]) -> Any:
        reached.set()
        go_on.wait(60)
        return listed([], 2)(query)

    recorded.answers[late] = hanging
    daemon = Daemon(tmp_path)
    try:
        command = [PROGRAM, "import", "svix", "--from-url", recorded.url]
        with subprocess.Popen(command, env={**os.environ, **daemon.environment}, stdout=subprocess.PIPE) as process:
            assert reached.wait(60)
            process.send_signal(signal.SIGKILL)
        go_on.set()
        half = daemon.json("app", "list", "--all")["data"]
        assert 0 < len(half) < 150
        recorded.answers[late] = lambda query: b'{"data": ['
        done = daemon.run("import", "svix", "--from-url", recorded.url)
        assert done.returncode == 1
        assert "This is not all: the source was not read to its end." in done.stdout
        assert f"{late}: did not answer as a Svix server does" in done.stderr
        recorded.answers[late] = listed([], 2)
        report = daemon.json("import", "svix", "--from-url", recorded.url)
        assert report["complete"]
        assert report["counts"]["application"] == {"same": len(half), "created": 150 - len(half)}
        assert report["counts"]["endpoint"] == {"same": 2}
        apps = daemon.json("app", "list", "--all")["data"]
        assert len({one["id"] for one in apps}) == len(apps) == 150
        assert len(daemon.json("endpoint", "list", made["app"], "--all")["data"]) == 2
    finally:
        go_on.set()
        daemon.close()


@pytest.mark.slow
def test_bad_input_is_named_with_a_way_out(daemon: Daemon, recorded: Recorded) -> None:
    fill(recorded)
    svix = ("import", "svix")
    for arguments, code, text in (
        (svix, 2, "--from-url: say where the Svix server is, or --database its database"),
        ((*svix, "--from-url", "x"), 2, "must begin with http:// or https://"),
        ((*svix, "--from-url", recorded.url, "--from-token", "wrong"), 1, "does not accept the token"),
        ((*svix, "--from-url", recorded.url, "--messages-since", "soon"), 2, "--messages-since soon"),
        (
            (*svix, "--database", "postgresql://u:hidden@127.0.0.1:1/x"),
            1,
            "no connection to the database 127.0.0.1:1/x",
        ),
        ((*svix, "--database", "postgresql://x", "--from-url", "http://x"), 2, "does not go with --database"),
        (("import", "convoy", "--from-url", recorded.url), 2, "--project: say which project"),
        (("import", "convoy", "--from-url", recorded.url, "--project", "P"), 1, "has no project 'P'"),
        (("import", "outpost", "--from-url", recorded.url), 1, "the address of an Outpost server"),
    ):
        done = daemon.run(*arguments)
        assert (done.returncode, text in done.stderr) == (code, True), done
        assert "hidden" not in done.stderr + done.stdout
        assert "Traceback" not in done.stderr
    done = run(
        *svix,
        "--from-url",
        recorded.url,
        "--from-token",
        TOKEN,
        WEBHOOK_ENGINE_TOKEN="x",
        WEBHOOK_ENGINE_URL="http://127.0.0.1:1",
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "no daemon answers at http://127.0.0.1:1" in done.stderr


@pytest.mark.slow
def test_what_is_too_large_for_a_request_costs_nothing_else(recorded: Recorded, tmp_path: Path) -> None:
    made = fill(recorded)
    path = f"/api/v1/app/{made['app']}/msg"
    whole = recorded.answers[path]

    def large(query: dict[str, str]) -> Any:
        page = whole(query)
        for one in page["data"]:
            if one["eventId"] == "e-0":
                one["payload"] = {"text": "x" * 200_000}
        return page

    recorded.answers[path] = large
    daemon = Daemon(tmp_path, WEBHOOK_ENGINE_SERVER__MAX_BODY="100kB")
    try:
        done = daemon.run("import", "svix", "--from-url", recorded.url, "--messages-since", "5d", "--json")
        assert done.returncode == 1
        report = json.loads(done.stdout)
        assert report["counts"]["endpoint"] == {"created": 2}
        [refused] = report["refused"]
        assert (refused["key"], "server.max_body" in refused["problem"]) == (made["newest"], True)
    finally:
        daemon.close()


def test_into_the_engine_of_a_program(recorded: Recorded, tmp_path: Path) -> None:
    made = fill(recorded)
    (tmp_path / "shop_engine.py").write_text(
        "from webhook_engine import Engine\nengine = Engine.open('shop.db')\n", encoding="utf-8"
    )
    done = subprocess.run(
        [PROGRAM, "--app", "shop_engine:engine", "import", "svix", "--from-url", recorded.url, "--from-token", TOKEN],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    with SyncEngine.open(tmp_path / "shop.db") as engine:
        assert engine.endpoints.get("uid-0", made["first"]).id == made["first"]
