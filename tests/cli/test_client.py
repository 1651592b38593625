"""How commands reach a daemon, and what they say where they do not."""

from __future__ import annotations

import re
import socket
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from commands import Done, World, command
from program import PROGRAM

from webhook_engine.cli.client import Client
from webhook_engine.cli.terminal import CommandError, UsageError


def test_without_a_token_it_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = command("app", "list")
    assert (done.code, done.out) == (2, "")
    assert "http://127.0.0.1:8071" in done.err
    assert "`webhook-engine token`, in the directory of the daemon" in done.err
    assert list(tmp_path.iterdir()) == []


def test_the_daemon_is_where_the_configuration_says(world: World, tmp_path: Path) -> None:
    address = world.url.removeprefix("http://")
    file = tmp_path / "config.toml"
    file.write_text(f'[server]\nlisten = "{address}"\npublic_url = "https://not.reached.example/hooks"\n')
    asked = ("app", "list", "--json", "--token", world.token)

    def listening(at: str, *more: str) -> Done:
        return command(*asked, *more, WEBHOOK_ENGINE_SERVER__LISTEN=at)

    anywhere = "0.0.0.0:" + address.rpartition(":")[2]
    for done in (
        command(*asked, "--config", str(file)),
        command(*asked, "-c", str(file)),
        command(*asked, WEBHOOK_ENGINE_CONFIG=str(file)),
        listening(address),
        listening(anywhere),
        listening("127.0.0.1:1", "--url", world.url),  # what is said is stronger than what is configured
    ):
        assert (done.code, done.err) == (0, "")
        assert "data" in done.json
    assert f"unix:{tmp_path}/none.sock" in listening(f"unix:{tmp_path}/none.sock").err
    wrong = listening("nonsense")
    assert (wrong.code, "server.listen" in wrong.err) == (2, True)


def test_where_the_secret_of_the_daemon_is_at_hand_it_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(world.directory)
    done = command("app", "list", "--url", world.url)
    assert done.code == 2
    assert "export WEBHOOK_ENGINE_TOKEN=$(webhook-engine token)" in done.err


def test_where_no_daemon_is_it_names_the_url_and_how_to_start_one() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        done = command("app", "list", "--url", url, "--token", "x")
    assert (done.code, done.out) == (1, "")
    assert f"no daemon answers at {url} (connection refused); `webhook-engine serve` starts one" in done.err


def test_why_there_is_no_connection_is_told_in_words(world: World) -> None:
    done = command("app", "list", "--url", world.url.replace("http:", "https:"), "--token", "x")
    assert re.search(r"\(TLS failed: [a-z ]+; does it speak https\?\)", done.err)
    done = command("app", "list", "--url", "http://no.such.host.invalid", "--token", "x")
    assert "no daemon answers at http://no.such.host.invalid (" in done.err
    assert "Errno" not in done.err


@pytest.mark.parametrize("url", ["127.0.0.1:8071", "http:", "http://[", "ftp://x"])
def test_what_is_no_url_is_wrong_usage(url: str) -> None:
    done = command("app", "list", "--url", url, "--token", "x")
    assert done.code == 2
    assert url in done.err


@pytest.mark.parametrize("token", ["abc", "a b", "ü", "a\nb"])
def test_a_wrong_token_never_appears(world: World, token: str) -> None:
    done = command("app", "list", "--url", world.url, "--token", token)
    assert done.code == (1 if token == "abc" else 2)
    assert "webhook-engine token" in done.err
    assert not re.search(rf"\b{token}\b", done.err)


def test_what_is_no_daemon_is_told_apart(world: World) -> None:
    done = command("app", "list", "--url", world.hook, "--token", "x")
    assert done.code == 1
    assert "answered 501, and not as the API does" in done.err


def test_a_token_of_an_application_is_not_enough(world: World, acme: str) -> None:
    app_id = world.json("app", "get", acme)["id"]
    done = subprocess.run(
        [PROGRAM, "token", "--app", app_id], cwd=world.directory, capture_output=True, text=True, check=True
    )
    done_by = command("app", "list", "--url", world.url, "--token", done.stdout.strip())
    assert done_by.code == 1
    assert "for one application only" in done_by.err


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        (("app", "get", "nobody"), "application 'nobody'"),
        (("endpoint", "get", "nobody", "x"), "application 'nobody'"),
        (("endpoint", "secret", "ACME", "x"), "endpoint 'x'"),
        (("resend", "ACME", "msg_x", "x"), "message 'msg_x'"),
        (("message", "attempts", "ACME", "msg_x"), "message 'msg_x'"),
        (("event-type", "get", "a.b"), "event type 'a.b'"),
        (("task", "wait", "qtask_x"), "task 'qtask_x'"),
        (("app", "get", ".."), "application '..'"),
        (("app", "get", "a/b?c#d"), "application 'a/b?c#d'"),
        (("recover", "ACME", "x", "--since", "1h"), "endpoint 'x'"),
    ],
)
def test_what_there_is_none_of_is_named(world: World, acme: str, arguments: tuple[str, ...], missing: str) -> None:
    done = world(*(acme if each == "ACME" else each for each in arguments))
    assert (done.code, done.out) == (1, "")
    assert f"there is no {missing}; `webhook-engine " in done.err


def test_what_is_not_allowed_is_named_field_by_field(world: World, acme: str) -> None:
    done = world("endpoint", "create", acme, "ftp://x", "--uid", "b b")
    assert done.code == 2
    lines = done.err.splitlines()
    assert [line.split(":")[1].strip() for line in lines] == ["url", "uid"]
    assert "must be http or https" in lines[0]
    assert world("app", "get", "").code == 2


def test_a_full_daemon_is_asked_again_with_the_same_key(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(BaseHTTPRequestHandler):
        keys: ClassVar[list[str | None]] = []

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.keys.append(self.headers["idempotency-key"])
            self.send_response(503 if len(self.keys) < 3 else 202)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: object) -> None:
            pass

    monkeypatch.setattr("webhook_engine.cli.client.PAUSE_S", 0.01)
    with ThreadingHTTPServer(("127.0.0.1", 0), Full) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        with Client(f"http://127.0.0.1:{server.server_port}", "x") as client:
            assert client.post(["app"], {}) == b"{}"
        server.shutdown()
    assert len(Full.keys) == 3
    assert len(set(Full.keys)) == 1
    assert Full.keys[0]


def test_errors_of_the_client_have_the_exit_code_of_their_kind() -> None:
    assert (CommandError.exit_code, UsageError.exit_code) == (1, 2)
