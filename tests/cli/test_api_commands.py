"""The commands that talk to a daemon, on a real one with a real receiver."""

from __future__ import annotations

import io
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from program import PROGRAM, run_on_terminal

from webhook_engine.cli import COMMANDS, main
from webhook_engine.cli.client import Client
from webhook_engine.cli.connected import instant
from webhook_engine.cli.terminal import CommandError, UsageError


@dataclass
class Done:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Hooks(BaseHTTPRequestHandler):
    """Answers 500 below /bad, as long as it is told to."""

    broken = True
    received: list[tuple[str, bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        type(self).received.append((self.path, body))
        self.send_response(500 if type(self).broken and self.path.startswith("/bad") else 200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@dataclass
class World:
    """A daemon in a directory of its own, a token for it, and a receiver."""

    url: str
    token: str
    hook: str
    directory: Path
    hooks: type[Hooks]

    def __call__(self, *arguments: str, stdin: bytes = b"") -> Done:
        """Run a command in this process, as its entry point does."""
        return command(*arguments, stdin=stdin, WEBHOOK_ENGINE_URL=self.url, WEBHOOK_ENGINE_TOKEN=self.token)

    def json(self, *arguments: str) -> Any:
        done = self(*arguments, "--json")
        assert (done.code, done.err) == (0, "")
        return done.json

    def bodies(self, path: str, count: int) -> list[bytes]:
        """What came to a path, as soon as it is so many."""
        until = time.monotonic() + 10
        while len(found := [body for to, body in self.hooks.received if to == path]) < count:
            assert time.monotonic() < until, f"{len(found)} of {count} came to {path}"
            time.sleep(0.02)
        return found

    def settled(self, app: str, count: int) -> list[dict[str, Any]]:
        """The messages of an application, when none of so many is pending any more."""
        until = time.monotonic() + 10
        while True:
            found: list[dict[str, Any]] = self.json("message", "list", app, "--all")["data"]
            if len(found) >= count and not any(message["pending"] for message in found):
                return found
            assert time.monotonic() < until, found
            time.sleep(0.05)


def command(*arguments: str, stdin: bytes = b"", **environment: str) -> Done:
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        for name in [name for name in os.environ if name.startswith("WEBHOOK_ENGINE_")]:
            patch.delenv(name)
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr("sys.argv", ["webhook-engine", *arguments])
        patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as ended:
            main()
    code = ended.value.code
    assert code is None or isinstance(code, int)
    shown = []
    for stream in (out, err):
        stream.flush()
        shown.append(stream.buffer.getvalue().decode())  # type: ignore[attr-defined]
    return Done(code or 0, *shown)


@pytest.fixture(scope="module")
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


# What all of them have in common.


def test_the_list_of_commands_says_what_each_of_them_says() -> None:
    for name, (_, summary) in COMMANDS.items():
        done = command(name, "--help")
        assert done.code == 0
        assert re.split(r"[:;.]", summary)[0] in " ".join(done.out.split())


@pytest.mark.parametrize(
    ("arguments", "unneeded"),
    [
        (["--help"], {"aiohttp", "msgspec", "webhook_engine.config.loading"}),
        (["--version"], {"aiohttp", "msgspec", "rich", "webhook_engine.config.loading"}),
        (["token"], {"aiohttp", "aiosqlite", "rich.console", "webhook_engine.engine"}),
        (["app", "--help"], {"aiosqlite", "webhook_engine.engine"}),
    ],
)
def test_no_command_waits_for_what_it_does_not_need(arguments: list[str], unneeded: set[str], tmp_path: Path) -> None:
    program = (
        "import atexit, sys; from webhook_engine.cli import main;"
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr)); main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert unneeded & set(done.stderr.split()) == set()


def test_an_unknown_command_is_wrong_usage() -> None:
    assert command("aplication").code == 2
    assert command("app", "lst").code == 2


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


# Applications, event types, endpoints.


def test_applications(world: World) -> None:
    made = world.json(
        "app", "create", "Acme & Söhne", "--uid", "soehne", "--metadata", "plan=gold=1", "--rate-limit", "5"
    )
    assert (made["name"], made["uid"], made["throttleRate"]) == ("Acme & Söhne", "soehne", 5)
    assert made["metadata"] == {"plan": "gold=1"}
    again = world("app", "create", "Acme", "--uid", "soehne")
    assert (again.code, "already exists" in again.err) == (1, True)
    assert world.json("app", "create", "Other", "--uid", "soehne", "--if-missing")["id"] == made["id"]
    shown = world("app", "get", "soehne")
    assert re.search(r"^rate limit +5 messages per second$", shown.out, re.MULTILINE)
    changed = world.json("app", "update", "soehne", "--name", "New", "--uid", "", "--rate-limit", "0")
    assert (changed["name"], changed.get("uid"), changed["throttleRate"]) == ("New", None, None)
    assert world("app", "update", made["id"]).code == 2
    assert world("app", "delete", made["id"]).code == 0
    assert world("app", "get", made["id"]).code == 1


def test_lists_are_aligned_and_go_on(world: World) -> None:
    for number in range(3):
        world.json("app", "create", f"App {number}", "--uid", f"listed-{number}")
    header, *lines = world("app", "list", "--all").out.splitlines()
    assert header.split() == ["ID", "UID", "NAME", "CREATED"]
    dates = [re.search(r"\d{4}-\d\d-\d\d ", line) for line in lines]
    assert {date and date.start() for date in dates} == {header.index("CREATED")}
    first = world("app", "list", "--limit", "2")
    assert len(first.out.splitlines()) == 3
    iterator = re.search(r"--iterator (\S+)", first.err)
    assert iterator
    following = world.json("app", "list", "--iterator", iterator[1])["data"]
    everything = world.json("app", "list", "--all")
    assert everything["done"] is True
    assert following == everything["data"][2:]


def test_nothing_that_is_shown_does_anything_to_a_terminal(world: World) -> None:
    made = world.json("app", "create", "red\x1b[31m\nnext", "--uid", "evil")
    assert "\x1b" in made["name"]
    assert re.search(r"^name +red\?\[31m\?next$", world("app", "get", "evil").out, re.MULTILINE)


def test_event_types(world: World, tmp_path: Path) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "object"}')
    made = world.json(
        "event-type", "create", "user.made", "--description", "x", "--schema", str(schema), "--group", "u"
    )
    assert made["schemas"] == {"1": {"type": "object"}}
    schema.write_text("[")
    assert world("event-type", "update", "user.made", "--schema", str(schema)).code == 2
    assert world.json("event-type", "update", "user.made", "--deprecated")["deprecated"] is True
    assert re.search(r"^user\.made +deprecated +u +x$", world("event-type", "list").out, re.MULTILINE)
    assert world("event-type", "delete", "user.made").out == "user.made is archived\n"
    assert "user.made" not in world("event-type", "list", "--all").out
    assert "user.made" in world("event-type", "list", "--all", "--archived").out
    world("event-type", "delete", "user.made", "--expunge")
    assert world("event-type", "get", "user.made").code == 1


def test_endpoints(world: World, acme: str) -> None:
    world("event-type", "create", "a.b")
    made = world.json(
        "endpoint", "create", acme, f"{world.hook}/good", "--uid", "ep", "--event-type", "a.b", "--channel", "c",
        "--header", "X-One: 1", "--description", "d",
    )  # fmt: skip
    assert (made["eventTypes"], made["channels"], made["description"]) == (["a.b"], ["c"], "d")
    changed = world.json(
        "endpoint", "update", acme, "ep", "--all-event-types", "--all-channels", "--to", "http://x.test/"
    )
    assert (changed["eventTypes"], changed["channels"], changed["url"]) == (None, None, "http://x.test/")
    assert world("endpoint", "update", acme, "ep").code == 2
    taken = world("endpoint", "create", acme, "http://x.test/", "--uid", "ep")
    assert (taken.code, f"another endpoint of {acme} has the uid 'ep'" in taken.err) == (1, True)
    assert "recover" in world("endpoint", "enable", acme, "ep").out
    world("endpoint", "disable", acme, "ep")
    assert re.search(r"^ep_\w+ +ep +disabled +http://x.test/ +all$", world("endpoint", "list", acme).out, re.MULTILINE)
    shown = world("endpoint", "headers", acme, "ep", "--set", "Authorization: Bearer x", "--remove", "X-One").out
    assert "Authorization  (sensitive, not shown)" in shown
    assert "X-One" not in shown
    assert world("endpoint", "headers", acme, "ep", "--set", "nonsense").code == 2
    secret = world("endpoint", "secret", acme, "ep").out
    assert re.fullmatch(r"whsec_\S+\n", secret)
    rotated = world("endpoint", "rotate", acme, "ep", "--grace", "1h").out
    assert world("endpoint", "secret", acme, "ep").out == rotated != secret
    assert world("endpoint", "rotate", acme, "ep", "--grace", "1").code == 2
    assert world("endpoint", "delete", acme, "ep").code == 0
    assert world("endpoint", "list", acme).err == "There are none.\n"


# Messages.


@pytest.mark.parametrize("payload", [b'{"n":  1.0, "e": 1E2, "u": "\\u00fc\xc3\xbc"}', b' {"a": 1}\n', b"{}"])
@pytest.mark.parametrize("way", ["argument", "file", "input", "nothing"])
def test_a_payload_is_delivered_to_the_byte(
    world: World, acme: str, payload: bytes, way: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    file = tmp_path / "payload"
    file.write_bytes(payload)
    given = {"argument": [payload.decode()], "file": [f"@{file}"], "input": ["-"], "nothing": []}[way]
    path = f"/{abs(hash(request.node.name))}"
    world.json("endpoint", "create", acme, world.hook + path)
    done = world("send", acme, "a.b", *given, stdin=payload)
    assert re.match(r"msg_\w+ is accepted; ", done.out)
    assert world.bodies(path, 1) == [payload]


@pytest.mark.parametrize("payload", ["", "  ", "{id:1}", "[1]", '"x"', '{"a":1} {}', "@no-such-file", "["])
def test_what_is_no_payload_is_refused_here(world: World, payload: str) -> None:
    done = world("send", "acme", "a.b", payload)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: PAYLOAD")


def test_bytes_that_are_no_text_are_refused(world: World) -> None:
    assert "byte 1" in world("send", "acme", "a.b", stdin=b"{\xff}").err


def test_anything_can_be_sent_if_it_is_meant(world: World, acme: str) -> None:
    world.json("endpoint", "create", acme, f"{world.hook}/raw")
    assert world("send", acme, "a.b", "no <JSON>", "--raw").code == 0
    assert world.bodies("/raw", 1) == [b"no <JSON>"]


def test_a_payload_may_be_sent_as_something_else_than_json(world: World, acme: str) -> None:
    made = world.json("send", acme, "a.b", "<x/>", "--raw", "--content-type", "application/xml")
    assert made["contentType"] == "application/xml"
    assert "application/xml" in world("message", "get", acme, made["id"]).out
    assert world.json("send", acme, "a.b", "{}", "--content-type", "application/ld+json")["contentType"]


def test_options_of_a_message(world: World, acme: str) -> None:
    options = ["--event-id", "e1", "--channel", "c", "--tag", "t", "--deliver-at", "2h"]
    made = world.json("send", acme, "a.b", '{"a":1}', *options)
    assert (made["eventId"], made["channels"], made["tags"]) == ("e1", ["c"], ["t"])
    assert made["deliverAt"] > made["timestamp"]
    again = world("send", acme, "a.b", "{}", "--event-id", "e1")
    assert again.code == 1
    assert "a message with the event id 'e1' was accepted before; `webhook-engine message get" in again.err
    twice = {world.json("send", acme, "a.b", "{}", "--idempotency-key", "k1")["id"] for _ in range(2)}
    assert len(twice) == 1
    world("endpoint", "create", acme, "http://127.0.0.1:1/", "--channel", "later")
    world.json("send", acme, "a.b", "{}", "--event-id", "e2", "--deliver-at", "2h", "--channel", "later")
    waiting = world("message", "get", acme, "e2").out
    assert re.search(r"^ep_\w+ +pending +20\S+ \S+ +http://127.0.0.1:1/$", waiting, re.MULTILINE)
    shown = world("message", "get", acme, "e1").out
    assert re.search(r'^payload +\{"a":1\}$', shown, re.MULTILINE)
    assert "No endpoint was to have it" in shown


def test_what_comes_of_a_message_and_sending_it_again(world: World, acme: str) -> None:
    world.json("endpoint", "create", acme, f"{world.hook}/bad/again", "--uid", "bad")
    world.hooks.broken = True
    message = world.json("send", acme, "a.b", "{}")["id"]
    world.settled(acme, 1)
    assert re.search(rf"^{message} +a\.b +\S+ \S+ +fail +1 failed$", world("message", "list", acme).out, re.MULTILINE)
    assert world("message", "list", acme, "--status", "success").err == "There are none.\n"
    assert re.search(r"^ep_\w+ +fail +- +http", world("message", "get", acme, message).out, re.MULTILINE)
    world.hooks.broken = False
    assert world("resend", acme, message, "bad").code == 0
    world.bodies("/bad/again", 2)
    until = time.monotonic() + 10
    while len(lines := world("message", "attempts", acme, message).out.splitlines()) < 3:
        assert time.monotonic() < until
    assert [line.split()[3:5] for line in lines[1:]] == [["success", "200"], ["fail", "500"]]
    assert [re.split(r"  +", line)[5] for line in lines[1:]] == ["hand", "schedule"]
    assert world.json("endpoint", "stats", acme, "bad", "--since", "1h")["fail"] == 1
    assert re.search(r"^success +1$", world("endpoint", "stats", acme, "bad").out, re.MULTILINE)
    assert len(world("endpoint", "attempts", acme, "bad", "--status", "fail").out.splitlines()) == 2
    world("message", "expunge", acme, message)
    assert '{"expired":true}' in world("message", "get", acme, message).out


def test_an_example_of_an_event_type(world: World, acme: str) -> None:
    world("event-type", "create", "example.made")
    world.json("endpoint", "create", acme, f"{world.hook}/example", "--uid", "ep")
    done = world("endpoint", "send-example", acme, "ep", "example.made")
    if done.code == 0:
        world.bodies("/example", 1)
    else:
        assert "example" in done.err


# Work in the background.


def test_recover_follows_the_task_to_its_end(world: World, acme: str) -> None:
    world.json("endpoint", "create", acme, f"{world.hook}/bad/recover", "--uid", "bad")
    world.hooks.broken = True
    for _ in range(3):
        world("send", acme, "a.b", "{}")
    world.settled(acme, 3)
    world.hooks.broken = False
    done = world("recover", acme, "bad", "--since", "1h")
    assert (done.code, done.out, done.err) == (0, "3 failed messages are scheduled again\n", "")
    world.bodies("/bad/recover", 6)
    assert {message["statusText"] for message in world.settled(acme, 3)} == {"success"}
    ended = world.json("recover", acme, "bad", "--since", "1h")
    assert (ended["status"], ended["data"]["processed"]) == ("finished", 0)


def test_a_recovery_of_several_pages_knows_its_end_and_shows_it(world: World, acme: str) -> None:
    world.json("endpoint", "create", acme, f"{world.hook}/bad/many", "--uid", "bad")
    world.hooks.broken = True
    with Client(world.url, world.token) as client:
        for _ in range(260):
            client.post(["app", acme, "msg"], {"eventType": "a.b", "payload": {}})
    assert len(world.settled(acme, 260)) == 260
    assert len(world.json("message", "list", acme, "--since", "1h", "--all")["data"]) == 260
    environment = {"WEBHOOK_ENGINE_URL": world.url, "WEBHOOK_ENGINE_TOKEN": world.token}
    shown = run_on_terminal("recover", acme, "bad", "--since", "1h", **environment).stdout
    assert "260 of 260 failed messages" in shown
    world.hooks.broken = False


def test_replay_missing_and_its_task(world: World, acme: str) -> None:
    sent = [world.json("send", acme, "a.b", "{}")["id"] for _ in range(2)]
    world.json("endpoint", "create", acme, f"{world.hook}/late", "--uid", "late")
    begun = world.json("replay-missing", acme, "late", "--since", "1h", "--detach")
    assert begun["task"] == "endpoint.replay"
    assert world("task", "wait", begun["id"]).out == "2 messages\n"
    assert len(world.bodies("/late", 2)) == len(sent)
    assert re.search(rf"^{begun['id']} +endpoint\.replay +finished +2 ", world("task", "list").out, re.MULTILINE)
    assert re.search(r"^messages +2$", world("task", "get", begun["id"]).out, re.MULTILINE)


@pytest.mark.parametrize("since", ["1x", "yesterday", "99999999999d", ""])
def test_a_time_that_is_none_is_explained(world: World, since: str) -> None:
    done = world("recover", "acme", "ep", "--since", since)
    assert done.code == 2
    assert "--since" in done.err


def test_times_are_utc_unless_they_say_otherwise() -> None:
    assert instant("2030-01-31", "--since") == "2030-01-31T00:00:00+00:00"
    assert instant("2030-01-31T12:00:00+02:00", "--since") == "2030-01-31T10:00:00+00:00"
    early, late = instant("1h", "--since"), instant("1h", "--since", ahead=True)
    assert early is not None
    assert late is not None
    assert early < late


# A terminal, and a daemon that is not well.


def test_on_a_terminal_there_are_colors_and_a_bar(world: World, acme: str) -> None:
    world.json("endpoint", "create", acme, f"{world.hook}/bad/tty", "--uid", "bad")
    world.hooks.broken = True
    world("send", acme, "a.b", "{}")
    world.settled(acme, 1)
    environment = {"WEBHOOK_ENGINE_URL": world.url, "WEBHOOK_ENGINE_TOKEN": world.token}
    shown = run_on_terminal("message", "list", acme, **environment).stdout
    assert re.search(r"\x1b\[31mfail +\x1b\[0m", shown)
    shown = run_on_terminal("recover", acme, "bad", "--since", "1h", **environment).stdout
    assert "━" in shown
    assert "1 failed message is scheduled again" in shown
    world.hooks.broken = False


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
