"""Connections to the server are bounded, for whatever is served, and what is idle goes first."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from api_clients import Client
from engines import until

from webhook_engine import Engine
from webhook_engine.delivery.troubles import Lack
from webhook_engine.server import acceptor, connections, descriptors, protocol
from webhook_engine.server.acceptor import Acceptor
from webhook_engine.server.listener import Server

MOST = 12


@pytest.fixture
def settings() -> dict[str, object]:
    return {"server__max_connections": MOST}


Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connected(server: Server, count: int, data: bytes = b"") -> AsyncIterator[list[Pair]]:
    """So many connections, each of which sends something and then nothing."""
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    pairs = []
    try:
        for _ in range(count):
            pairs.append(await asyncio.open_connection(host, int(port)))
            pairs[-1][1].write(data)
        yield pairs
    finally:
        for _, writer in pairs:
            writer.transport.abort()


async def first_bytes(pair: Pair) -> bytes:
    """What comes, up to the end; nothing if the connection is reset."""
    try:
        async with asyncio.timeout(10):
            return await pair[0].read()
    except ConnectionError:
        return b""


def acceptor_of(server: Server) -> Acceptor:
    assert server._acceptor is not None
    return server._acceptor


@pytest.mark.parametrize("path", ["/api/v1/health/ping", "/api/v1/app", "/play", "/metrics", "/docs", "/nothing"])
async def test_idle_connections_do_not_keep_others_out(server: Server, path: str) -> None:
    async with connected(server, 3 * MOST) as idle:
        async with aiohttp.ClientSession() as session, session.get(server.url + path, allow_redirects=False) as answer:
            assert answer.status < 500
        assert len(acceptor_of(server)) <= MOST
        # The first to come is the first to go.
        assert await first_bytes(idle[0]) == b""
    await until(lambda: none_left(server))


async def none_left(server: Server) -> bool:
    return len(acceptor_of(server)) == 0


async def test_one_that_was_used_lately_is_kept_rather_than_one_that_was_not(server: Server) -> None:
    async with connected(server, MOST) as first:
        reader, writer = first[0]
        writer.write(b"GET /api/v1/health/ping HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 204")
        async with connected(server, MOST - 1):
            for pair in first[1:]:
                assert await first_bytes(pair) == b""
            writer.write(b"GET /api/v1/health/ping HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 204")


async def test_who_comes_when_all_are_at_work_is_told_so(
    server: Server, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = asyncio.Event()

    async def slow() -> list[object]:
        await go_on.wait()
        return []

    monkeypatch.setattr(engine.services.store.revocations, "all", slow)
    monkeypatch.setattr("webhook_engine.server.api.health.PATIENCE_S", 30)
    async with connected(server, MOST, b"GET /api/v1/health HTTP/1.1\r\nHost: a\r\n\r\n") as working:
        await until(lambda: all_at_work(server))
        async with connected(server, 1) as [one]:
            refusal = await first_bytes(one)
            assert refusal.startswith(b"HTTP/1.1 503 ")
            assert b'"code":"overloaded"' in refusal
        go_on.set()
        for reader, _ in working:
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    assert acceptor_of(server).refused == 1


async def all_at_work(server: Server) -> bool:
    places = acceptor_of(server)._server.places
    return len(places) == MOST and places.to_close(0) is None


DRIPPING = b"POST /api/v1/app HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{"


async def test_bodies_that_drip_do_not_keep_others_out(
    server: Server, api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "SLOW_BODY_S", 0.0)
    async with connected(server, MOST, DRIPPING):
        await until(lambda: all_there(server))
        assert (await api.post("/app", {"name": "x"})).status == 201


async def all_there(server: Server) -> bool:
    return len(acceptor_of(server)._server.places._receiving) == MOST


@pytest.mark.parametrize("head", [b"", b"GET /api/v1/", b"POST /api/v1/app HTTP/1.1\r\nHost: a\r\nX: "])
async def test_a_head_that_does_not_end_is_given_up(
    engine: Engine, head: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "IDLE_S", 0.3)
    async with engine.serve("127.0.0.1:0") as server, connected(server, 1, head) as [one]:
        dripping = asyncio.create_task(drip(one) if head else asyncio.sleep(0))
        assert await first_bytes(one) == b""
        dripping.cancel()


async def drip(pair: Pair) -> None:
    while True:
        pair[1].write(b"x")
        await asyncio.sleep(0.02)


async def test_a_response_that_is_not_read_is_given_up(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "UNREAD_S", 0.3)
    request = b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 8
    async with engine.serve("127.0.0.1:0") as server, connected(server, 1) as [(reader, writer)]:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(request * 8)
        await until(lambda: one_there(server))
        await until(lambda: none_left(server), timeout=20)


async def one_there(server: Server) -> bool:
    return len(acceptor_of(server)) == 1


async def test_a_lack_of_descriptors_is_told_and_passes(
    server: Server, engine: Engine, api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Lacking:
        """The listening socket, while the system has no descriptors."""

        def __init__(self, real: socket.socket) -> None:
            self.real = real
            self.times = 3

        def accept(self) -> tuple[socket.socket, object]:
            if self.times:
                self.times -= 1
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            return self.real.accept()

        def fileno(self) -> int:
            return self.real.fileno()

        def close(self) -> None:
            self.real.close()

    monkeypatch.setattr(acceptor, "LACKING_S", 0.01)
    listening = acceptor_of(server)
    monkeypatch.setattr(listening, "_listening", Lacking(listening._listening))
    assert (await api.post("/app", {"name": "x"})).status == 201
    assert engine.measures.troubles.count(Lack.DESCRIPTORS) == 3
    answer = await api.get("/health")
    assert answer.status == 500
    assert "Too many open files" in answer.json["queue"]["detail"]


async def test_the_limit_of_a_host_program_is_respected(
    server: Server, api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(descriptors, "LEAST_SHARE", 100)
    monkeypatch.setattr(acceptor, "soft_limit", lambda: 600)
    assert acceptor_of(server).most == 6
    async with connected(server, 30):
        assert (await api.post("/app", {"name": "x"})).status == 201
        assert len(acceptor_of(server)) <= 6


async def test_some_descriptors_stay_free_whatever_the_host_program_has(
    server: Server, api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(server, 3):
        await until(lambda: three_there(server))
        monkeypatch.setattr(acceptor, "HEADROOM", 1)  # as if they were all taken
        for _ in range(3):
            assert (await api.post("/app", {"name": "x"}, headers={"connection": "close"})).status == 201
        assert acceptor_of(server).crowded_out == 3


async def three_there(server: Server) -> bool:
    return len(acceptor_of(server)) == 3
