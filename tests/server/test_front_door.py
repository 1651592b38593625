"""Whether aiohttp reads a request or the front door does, the answer is the same, and so is what was done."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from api_clients import JWT_SECRET, Client, Tokens
from engines import local_engine, until
from svix.api import MessageIn, SvixAsync

from webhook_engine import Engine
from webhook_engine.errors import StoreUnavailableError
from webhook_engine.model import DEFAULT_ORGANIZATION
from webhook_engine.server import front_door
from webhook_engine.server.app import App
from webhook_engine.server.front_door import MAX_HELD, FrontDoor
from webhook_engine.server.listener import Server

PATH = "/api/v1/app/acme/msg/"
MESSAGE = b'{"eventType":"invoice.paid","payload":{"id":1}}'
NOW = int(time.time())
FULL = Tokens().organization()
BEARER = f"Authorization: Bearer {FULL}"
GET = f"GET /api/v1/app/acme HTTP/1.1\r\nHost: x\r\n{BEARER}\r\n\r\n".encode()
LAST = b"GET /api/v1/nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def post(
    body: bytes = MESSAGE, *more: str, path: str = PATH, token: str | None = FULL, length: int | str | None = None
) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x"]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    if length != "":
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join([*lines, *more, "", ""]).encode("latin-1") + body


def of(event_type: str = "a", payload: object = None, **more: object) -> bytes:
    return json.dumps({"eventType": event_type, "payload": payload or {}, **more}).encode()


def headed(line: str) -> bytes:
    return f"{line}\r\nHost: x\r\n{BEARER}\r\nContent-Length: {len(MESSAGE)}\r\n\r\n".encode() + MESSAGE


PLAIN: dict[str, list[bytes]] = {
    "a message": [post()],
    "without its content": [post(path=f"{PATH}?with_content=false")],
    "without a slash at the end": [post(path=PATH.rstrip("/"))],
    "with doubled slashes": [post(path="//api/v1//app/acme//msg")],
    "with an escaped path": [post(path="/api/v1/app/%61cme/msg/")],
    "with everything": [
        post(
            of(
                "invoice.paid", {"ü": "é"}, eventId="e-1", channels=["a"], tags=["t"], orderingKey="k",
                payloadRetentionPeriod=3, deliverAt="2030-01-31T12:00:00Z",
            )
        )
    ],
    "headers as usual": [
        post(MESSAGE, "Accept: */*", "Accept-Encoding: gzip, deflate", "User-Agent: x/1", "Connection: keep-alive")
    ],
    "spaces around values": [post(MESSAGE, "X-A:   b \t", "X-B:", "content-TYPE:application/json")],
    "a traced one": [
        post(MESSAGE, f"traceparent: 00-{'a' * 32}-{'b' * 16}-01", "tracestate: a=b"),
    ],
    "one after the other": [post(), post(), post()],
    "an event id twice": [post(of(eventId="twice")), post(of(eventId="twice"))],
    "an idempotency key twice": [post(MESSAGE, "Idempotency-Key: k1"), post(MESSAGE, "Idempotency-Key: k1")],
    "the same key for another body": [post(of("a"), "Idempotency-Key: k2"), post(of("b"), "Idempotency-Key: k2")],
    "the same key with an error first": [post(b"{", "Idempotency-Key: k3"), post(MESSAGE, "Idempotency-Key: k3")],
    "a key that is too long": [post(MESSAGE, f"Idempotency-Key: {'k' * 1025}")],
    "an application that is new": [post(of(application={"name": "New", "uid": "new"}), path="/api/v1/app/new/msg/")],
    "an unknown application": [post(path="/api/v1/app/app_1srOrx2ZWZBpBUvZwXKQmoEYga2/msg/")],
    "an application that cannot be": [post(path="/api/v1/app/a%20b/msg/")],
    "a query that cannot be": [post(path=f"{PATH}?with_content=perhaps")],
    "no body": [post(b"")],
    "no JSON": [post(b"{"), post(b"\xff\xfe"), post(b"[" * 5000)],
    "no object": [post(of(payload="x")), post(b"[]"), post(b"1")],
    "no payload": [post(b'{"eventType":"a"}')],
    "no event type": [post(b'{"payload":{}}'), post(of("a b")), post(of("x" * 300))],
    "an instant that cannot be": [post(of(deliverAt="tomorrow"))],
    "half of a character": [post(b'{"eventType":"a","payload":{"a":"\\ud800"}}')],
    "no token": [post(token=None)],
    "a wrong token": [post(token="x"), post(token=FULL[:-1]), post(token=Tokens("other" * 9).organization())],
    "an expired token": [post(token=Tokens().organization(exp=NOW - 7200))],
    "a token of later": [post(token=Tokens().organization(nbf=NOW + 7200))],
    "a token of nobody": [post(token=Tokens().organization(sub=None)), post(token=Tokens().organization("x"))],
    "a token of an application": [post(token=Tokens().application("app_1srOrx2ZWZBpBUvZwXKQmoEYga2"))],
    "a token that may only look": [
        post(token=Tokens().application("app_1srOrx2ZWZBpBUvZwXKQmoEYga2", capabilities=["ViewBase"]))
    ],
    "another scheme": [post(MESSAGE, "Authorization: Basic eDp5", token=None)],
    "a lower-case scheme": [post(MESSAGE, f"Authorization: bearer {FULL}", token=None)],
    "a compressed body": [post(MESSAGE, "Content-Encoding: gzip"), post(MESSAGE, "Content-Encoding: identity")],
    "an empty line before": [b"\r\n" + post()],
    "a length with zeros before": [post(length=f"00{len(MESSAGE)}")],
}  # fmt: skip
"""What the front door answers itself; each request is sent when the one before is answered."""

OTHER: dict[str, list[bytes]] = {
    "another route": [GET, GET],
    "a message and another route": [post(), GET, post()],
    "another route with a body": [post(b"x" * 60_000, path="/api/v1/app"), post(), post(path="/nothing"), post()],
    "an unknown route": [post(path="/api/v1/app/acme/nothing"), post(path="/nothing")],
    "another method": [post().replace(b"POST", b"PUT", 1), post().replace(b"POST", b"OPTIONS", 1)],
    "a method that is none": [post().replace(b"POST", b"post", 1)],
    "pipelined": [post() + post() + post()],
    "pipelined with others": [post() + GET + post()],
    "rubbish behind it": [post() + b"rubbish\r\n\r\n"],
    "a body longer than its length": [post(length=10)],
    "to be closed": [post(MESSAGE, "Connection: close")],
    "of an older version": [headed(f"POST {PATH} HTTP/1.0")],
    "of no version": [headed(f"POST {PATH}"), b""],
    "of a later version": [headed(f"POST {PATH} HTTP/3.0")],
    "an absolute target": [post(path=f"http://other{PATH}")],
    "a fragment": [post(path=f"{PATH}#x")],
    "spaces in the target": [post(path=f"{PATH} x")],
    "no ASCII in the target": [post(path=f"{PATH}?\xff")],
    "no ASCII in a header": [post(MESSAGE, "X-A: \xff"), post(MESSAGE, "Authorization: Bearer \xff", token=None)],
    "a zero in a header": [post(MESSAGE, "X-A: \0")],
    "a name that is none": [post(MESSAGE, "X A: b")],
    "a space before the colon": [post(MESSAGE, "X-A : b")],
    "a folded header": [post(MESSAGE, "X-A: b\r\n c")],
    "lines without a return": [post().replace(b"\r\n", b"\n")],
    "no host": [post().replace(b"Host: x\r\n", b"")],
    "two tokens": [post(MESSAGE, BEARER, token="x"), post(MESSAGE, "Authorization: Bearer x")],
    "a header twice": [post(MESSAGE, "tracestate: a=b", "tracestate: c=d"), post(MESSAGE, "Host: y")],
    "an old socket": [post(MESSAGE, "Sec-WebSocket-Key1: a")],
    "two lengths": [post(MESSAGE, f"Content-Length: {len(MESSAGE)}")],
    "two lengths that differ": [post(MESSAGE, "Content-Length: 1")],
    "two lengths in one": [post(length=f"{len(MESSAGE)}, {len(MESSAGE)}")],
    "a length that is none": [post(length="+47"), post(length="-1"), post(length="0x2f"), post(length="")],
    "a length and chunks": [post(MESSAGE, "Transfer-Encoding: chunked")],
    "chunks": [post(b"%x\r\n%b\r\n0\r\n\r\n" % (len(MESSAGE), MESSAGE), "Transfer-Encoding: chunked", length="")],
    "an encoding that is unknown": [post(MESSAGE, "Transfer-Encoding: gzip", length="")],
    "an upgrade": [post(MESSAGE, "Connection: Upgrade", "Upgrade: websocket")],
    "what is expected": [post(MESSAGE, "Expect: 100-continue")],
    "what cannot be expected": [post(MESSAGE, "Expect: 200-ok")],
    "a huge header": [post(MESSAGE, f"X-A: {'a' * 20_000}")],
    "a large header": [post(MESSAGE, f"X-A: {'a' * 10_000}")],
    "very many headers": [post(MESSAGE, *(f"X-{each}: a" for each in range(200)))],
    "many headers": [post(MESSAGE, *(f"X-{each}: a" for each in range(100)))],
    "a long target": [post(path=f"{PATH}?{'a' * 20_000}")],
    "a large payload": [post(of(payload={"a": "x" * 2 * MAX_HELD}))],
    "a payload that is too large": [post(of(payload={"a": "x" * 1_100_000}))],
    "a body that is too large": [post(b"x" * 9_000_000)],
}
"""What is left to aiohttp."""


@asynccontextmanager
async def served(path: Path, **settings: object) -> AsyncIterator[Server]:
    async with (
        local_engine(path, **{"auth__jwt_secret": JWT_SECRET, "shutdown_grace": "1s", **settings}) as engine,
        engine.serve("127.0.0.1:0") as server,
    ):
        await engine.applications.create(name="Acme", uid="acme")
        yield server


def app_of(server: Server) -> App:
    assert server._acceptor is not None
    app = server._acceptor._server._app
    assert isinstance(app, App)
    return app


def doors(server: Server, writer: asyncio.StreamWriter | None = None) -> list[FrontDoor]:
    """The server's sides of connections: of all, or of one."""
    assert server._acceptor is not None
    found = [each for each in server._acceptor._server.connections if isinstance(each, FrontDoor) and each.transport]
    if writer is None:
        return found
    address = writer.get_extra_info("sockname")
    return [each for each in found if each.transport and each.transport.get_extra_info("peername") == address]


@asynccontextmanager
async def connected(server: Server) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1 << 24)
    try:
        async with asyncio.timeout(60):
            yield reader, writer
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def response(reader: asyncio.StreamReader) -> tuple[str, list[str], str] | None:
    """Status, headers and body, without what is never the same; ``None`` where the connection ended."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    status, *lines = head.split("\r\n")
    headers = sorted(f"{name.lower()}:{value}" for name, _, value in (line.partition(":") for line in lines if line))
    if status.startswith("HTTP/1.1 100"):
        return status, headers, ""
    [length] = [int(line.partition(":")[2]) for line in headers if line.startswith("content-length")]
    body = (await reader.readexactly(length)).decode()
    body = re.sub(r"(app|msg)_[0-9A-Za-z]{27}", r"\1_", body)
    return (
        status,
        [line for line in headers if not line.startswith("date")],
        re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "T", body),
    )


async def told(server: Server, requests: list[bytes]) -> list[object]:
    """All that comes back on one connection, and whether it is good for another request then."""
    found: list[object] = []
    async with connected(server) as (reader, writer):
        for request in requests:
            with suppress(ConnectionError):
                writer.write(request)
                await writer.drain()
            answers = max(1, request.count(b"HTTP/1.") + request.count(b"rubbish"))
            found += [await response(reader) for _ in range(answers)]
        with suppress(ConnectionError):
            writer.write(LAST)
            await writer.drain()
        while (one := await response(reader)) is not None:
            found.append(one)
    return found


async def stored(server: Server) -> list[Any]:
    """The messages, as far as they can be the same."""
    found: list[Any] = []
    async with aiohttp.ClientSession() as session:
        client, iterator = Client(session, server.url, FULL), ""
        while True:
            page = (await client.get(f"/app/acme/msg?limit=250{iterator}")).json
            found += [{**each, "id": "", "timestamp": ""} for each in page["data"]]
            if page["done"]:
                return found
            iterator = f"&iterator={page['iterator']}"


async def test_both_ways_say_and_do_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(tmp_path / "one.db") as one, served(tmp_path / "two.db") as two:
        assert two._acceptor is not None
        monkeypatch.setattr(two._acceptor._server, "_app", WithoutDoor(app_of(two)))
        answered = answered_here(monkeypatch)
        for what, requests in {**PLAIN, **OTHER}.items():
            answered.clear()
            here, there = await asyncio.gather(told(one, requests), told(two, requests))
            assert here == there, what
            if what in PLAIN:
                assert len(answered) == len(requests), what
        messages = await stored(one)
        assert messages == await stored(two)
        assert len(messages) > 20


async def test_clients_that_people_use_find_the_short_way(
    acme: Client, svix: SvixAsync, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = answered_here(monkeypatch)
    await svix.application.get("acme")
    for event_id in ("a", "b"):
        await svix.message.create("acme", MessageIn(event_type="a", event_id=event_id, payload={"a": 1}))
        assert (await acme.post("/app/acme/msg", MESSAGE)).status == 202
    assert len(answered) == 4


def answered_here(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Grows with each request that is answered without aiohttp."""
    answered: list[object] = []
    real = App._plain

    async def counted(app: App, *arguments: Any) -> bytes:
        answered.append(app)
        return await real(app, *arguments)

    monkeypatch.setattr(App, "_plain", counted)
    return answered


class WithoutDoor:
    """Leaves everything to aiohttp."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, request: Any) -> Any:
        return await self.app(request)

    def plain(self, *_: object) -> None:
        return None


@pytest.fixture
def settings() -> dict[str, object]:
    return {"max_payload": "16MiB"}


async def test_a_request_may_come_in_two_pieces(server: Server, acme: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front_door, "PATIENCE_S", 600.0)
    request = post(MESSAGE)
    async with connected(server) as (reader, writer):
        writer.write(request)
        whole = await response(reader)
        [door] = doors(server, writer)
        for place in range(1, len(request), 7):
            writer.write(request[:place])
            await until(partial(arrived, door, place))
            writer.write(request[place:])
            assert await response(reader) == whole


def arrived(door: FrontDoor, size: int) -> bool:
    return len(door._held) == size


async def test_after_another_request_the_next_one_is_read_here_again(server: Server, acme: Client) -> None:
    async with connected(server) as (reader, writer):
        for request in (GET, post(path="/nothing"), GET):
            writer.write(request)
            assert await response(reader) is not None
        [door] = doors(server, writer)
        writer.write(post())
        answer = await response(reader)
        assert answer is not None
        assert answer[0] == "HTTP/1.1 202 Accepted"
        assert door._reader is not None
        writer.write(GET + post())
        assert [(await response(reader) or [""])[0] for _ in range(2)] == ["HTTP/1.1 200 OK", "HTTP/1.1 202 Accepted"]
        assert door._reader is None


async def test_who_does_not_wait_for_a_response_of_aiohttp_is_left_to_it(
    server: Server, acme: Client, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = asyncio.Event()
    applications = engine.services.store.applications
    add = applications.add

    async def late(*arguments: Any) -> Any:
        await go_on.wait()
        return await add(*arguments)

    monkeypatch.setattr(applications, "add", late)
    async with connected(server) as (reader, writer):
        writer.write(post(b'{"name":"New"}', path="/api/v1/app"))
        await until(lambda: at_work(server, lent=True))
        [door] = doors(server, writer)
        writer.write(post())
        await until(lambda: door._reader is None)
        go_on.set()
        statuses = [(await response(reader) or [""])[0] for _ in range(2)]
    assert statuses == ["HTTP/1.1 201 Created", "HTTP/1.1 202 Accepted"]


async def test_a_request_that_is_slow_is_left_to_aiohttp(
    server: Server, acme: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front_door, "PATIENCE_S", 0.0)
    request = post(MESSAGE)
    async with connected(server) as (reader, writer):
        writer.write(request[:-5])
        await until(lambda: handed_over(server, writer))
        writer.write(request[-5:])
        answer = await response(reader)
        assert answer is not None
        assert answer[0] == "HTTP/1.1 202 Accepted"


def handed_over(server: Server, writer: asyncio.StreamWriter) -> bool:
    return any(door._reader is None for door in doors(server, writer))


async def test_requests_that_come_meanwhile_are_answered_in_their_order(
    server: Server, acme: Client, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = held_up(engine, monkeypatch)
    async with connected(server) as (reader, writer):
        writer.write(post(of("first")))
        await until(lambda: at_work(server))
        later = post(of("second", {"a": "x" * 30_000}))
        for _ in range(3):
            writer.write(later)
        [door] = doors(server, writer)
        await until(lambda: paused(door))
        go_on.set()
        types = []
        for _ in range(4):
            answer = await response(reader)
            assert answer is not None
            types.append(json.loads(answer[2])["eventType"])
    assert types == ["first", "second", "second", "second"]


def paused(door: FrontDoor) -> bool:
    return not door._reading and len(door._later) > MAX_HELD


def at_work(server: Server, *, lent: bool = False) -> bool:
    return any(door._lent if lent else door._work is not None for door in doors(server))


def held_up(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Messages are stored only when the event is set."""
    go_on = asyncio.Event()
    messages = engine.services.store.messages
    add = messages.add

    async def late(*arguments: Any) -> Any:
        await go_on.wait()
        return await add(*arguments)

    monkeypatch.setattr(messages, "add", late)
    return go_on


async def test_a_server_that_stops_answers_what_it_has_begun(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    await engine.applications.create(name="Acme", uid="acme")
    go_on = held_up(engine, monkeypatch)
    server = engine.serve("127.0.0.1:0")
    await server.start()
    async with connected(server) as (reader, writer):
        writer.write(post())
        await until(lambda: at_work(server))
        [door] = doors(server, writer)
        writer.write(post())
        stopping = asyncio.create_task(server.stop())
        try:
            await until(lambda: door._closing)
        finally:
            go_on.set()
        answer = await response(reader)
        assert answer is not None
        assert answer[0] == "HTTP/1.1 202 Accepted"
        assert await response(reader) is None
        await stopping


async def test_a_client_that_leaves_does_not_keep_its_message_from_being_accepted(
    server: Server, acme: Client, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = held_up(engine, monkeypatch)
    async with connected(server) as (_, writer):
        writer.write(post())
        await until(lambda: at_work(server))
        [door] = doors(server, writer)
    await until(lambda: lost(door))
    go_on.set()
    await until(lambda: one_stored(acme))


def lost(door: FrontDoor) -> bool:
    return door.transport is None


async def one_stored(acme: Client) -> bool:
    return len((await acme.get("/app/acme/msg")).json["data"]) == 1


async def test_a_store_that_refuses_is_told_in_the_same_way(
    server: Server, acme: Client, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object) -> None:
        raise StoreUnavailableError("the disk is full")

    monkeypatch.setattr(engine.services.store.messages, "add", full)
    async with connected(server) as (reader, writer):
        writer.write(post())
        answer = await response(reader)
    assert answer is not None
    assert answer[0] == "HTTP/1.1 503 Service Unavailable"
    assert "retry-after: 1" in answer[1]


async def test_an_answer_that_cannot_be_made_ends_the_connection(
    server: Server, acme: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_of(server)._whole, "whole", lambda *_: 1 / 0)
    async with connected(server) as (reader, writer):
        writer.write(post())
        assert await response(reader) is None


async def test_an_organization_sees_only_its_own(server: Server, acme: Client, tokens: Tokens) -> None:
    other = tokens.organization("org_23rb8YdGqMT0qIzpgGwdXfHirMx")
    async with connected(server) as (reader, writer):
        for token, status in ((other, 404), (tokens.organization(DEFAULT_ORGANIZATION), 202)):
            writer.write(post(token=token))
            answer = await response(reader)
            assert answer is not None
            assert answer[0].split()[1] == str(status)
