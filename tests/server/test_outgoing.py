"""What clients do not read costs little: so many lists are asked for and not read, and the server goes on."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from api_clients import Client
from engines import until

from webhook_engine import Engine
from webhook_engine.server import app, outgoing
from webhook_engine.server.listener import Server

LARGE = {"text": "x" * 900_000}
ASKING = 30


@pytest.fixture(autouse=True)
def made(monkeypatch: pytest.MonkeyPatch) -> list[outgoing.Outgoing]:
    """The one that the server makes."""
    found: list[outgoing.Outgoing] = []

    class Noted(outgoing.Outgoing):
        def __init__(self) -> None:
            super().__init__()
            found.append(self)

    monkeypatch.setattr(app, "Outgoing", Noted)
    return found


@pytest_asyncio.fixture
async def messages(acme: Client, engine: Engine) -> AsyncIterator[list[str]]:
    yield [(await engine.messages.create("acme", event_type="a", payload=LARGE)).id for _ in range(6)]


async def unread(server: Server, token: str | None) -> asyncio.StreamWriter:
    """A client that asks for a list of messages three times, and reads nothing of it."""
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    connection = socket.socket()
    # What the kernel takes in for the client is not unread by it.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, (host, int(port)))
    _, writer = await asyncio.open_connection(sock=connection, limit=1024)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    request = f"GET /api/v1/app/acme/msg?limit=250 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
    writer.write(request.encode() * 3)
    return writer


async def test_what_is_not_read_is_bounded_and_delays_nobody_else(
    server: Server, acme: Client, messages: list[str], made: list[outgoing.Outgoing]
) -> None:
    clients = [await unread(server, acme.token) for _ in range(ASKING)]
    try:

        async def full() -> bool:
            return made[0].unsent >= outgoing.MAX_UNSENT

        await until(full, timeout=60)
        async with asyncio.timeout(30):  # while nobody reads anything of all this
            assert (await acme.get("/health")).status == 200
            assert (await acme.post("/app/acme/msg", {"eventType": "a", "payload": {}})).status == 202
        room = outgoing.MAX_UNSENT + (outgoing.MAX_RENDERING + 1) * 5_500_000
        assert made[0].unsent <= room
    finally:
        for writer in clients:
            writer.transport.abort()

    async def empty() -> bool:
        return made[0].unsent == 0

    await until(empty, timeout=60)
    assert len((await acme.get("/app/acme/msg")).json["data"]) > 1


async def test_a_client_that_takes_nothing_is_cut_off(
    server: Server, acme: Client, messages: list[str], made: list[outgoing.Outgoing], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing, "STALLED_S", 0.3)
    monkeypatch.setattr(outgoing, "PIECE", 4 * 1024 * 1024)
    writer = await unread(server, acme.token)

    async def begun() -> bool:
        return made[0].unsent > 0

    async def ended() -> bool:
        return made[0].unsent == 0

    await until(begun, timeout=30)
    await until(ended, timeout=30)
    writer.transport.abort()


async def test_where_there_is_no_room_for_too_long_it_says_so(
    acme: Client, made: list[outgoing.Outgoing], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing, "LONGEST_WAIT_S", 0.2)
    made[0].unsent = outgoing.MAX_UNSENT
    refused = await acme.get("/app/acme/msg")
    assert (refused.status, refused.json["code"], refused.headers["retry-after"]) == (503, "overloaded", "1")
    assert (await acme.get("/app/acme")).status == 200  # what is small needs no room
    made[0].unsent = 0
    assert (await acme.get("/app/acme/msg")).status == 200


async def test_a_large_answer_comes_whole(acme: Client, messages: list[str]) -> None:
    page = await acme.get("/app/acme/msg?limit=250")
    assert len(page.text) > outgoing.LARGE
    assert int(page.headers["content-length"]) == len(page.text.encode())
    assert page.headers["content-type"] == "application/json"
    assert [each["id"] for each in page.json["data"]] == messages[:0:-1]
    assert (await acme("HEAD", "/app/acme/msg?limit=250")).status == 200
