"""What is known in full goes out as one piece, with the same head as everything else."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from aiohttp import HttpVersion10, HttpVersion11, web

from webhook_engine.server.listener import Server
from webhook_engine.server.whole_response import WholeResponses


class Written:
    """In place of a connection."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    async def write_eof(self, piece: bytes) -> None:
        self.pieces.append(piece)


def request(**changes: Any) -> web.BaseRequest:
    usual = {"keep_alive": True, "version": HttpVersion11, "method": "POST", "writer": Written()}
    return cast(web.BaseRequest, SimpleNamespace(**usual | changes))


async def test_it_is_one_piece() -> None:
    asked = request()
    response = WholeResponses({"server": "x"}, lambda: 1_700_000_000).of(asked, 202, b'{"id":1}')
    assert response is not None
    assert response.keep_alive
    await response.prepare(asked)
    await response.write_eof()
    assert cast(Any, asked.writer).pieces == [
        b"HTTP/1.1 202 Accepted\r\nserver: x\r\ndate: Tue, 14 Nov 2023 22:13:20 GMT\r\ncontent-length: 8\r\n\r\n"
        b'{"id":1}'
    ]


async def test_the_date_goes_on_and_each_status_has_its_own_head() -> None:
    times = iter([1_700_000_000, 1_700_000_000, 1_700_000_001])
    whole = WholeResponses({}, lambda: next(times))
    asked = request()
    for status in (200, 404, 200):
        response = whole.of(asked, status, b"{}")
        assert response is not None
        await response.prepare(asked)
    found = [(piece.split(b" ")[1], piece.partition(b"22:13:")[2][:2]) for piece in cast(Any, asked.writer).pieces]
    assert found == [(b"200", b"20"), (b"404", b"20"), (b"200", b"21")]


def test_what_ends_the_connection_or_has_no_body_is_made_in_the_usual_way() -> None:
    whole = WholeResponses({}, lambda: 0)
    assert whole.of(request(keep_alive=False), 200, b"{}") is None
    assert whole.of(request(version=HttpVersion10), 200, b"{}") is None
    assert whole.of(request(method="HEAD"), 200, b"{}") is None


async def test_a_client_sees_no_difference(server: Server) -> None:
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    get = b"GET /api/v1/app HTTP/1.1\r\nhost: x\r\n"
    writer.write(get + b"\r\n" + get + b"\r\n" + get + b"connection: close\r\n\r\n")
    async with asyncio.timeout(10):
        first, second, third = (await reader.read()).split(b"HTTP/1.1 401 Unauthorized\r\n")[1:]
    writer.close()

    def headers(text: bytes) -> dict[str, str]:
        lines = text.decode().partition("\r\n\r\n")[0].lower().split("\r\n")
        return dict(line.split(": ", 1) for line in lines)

    last = headers(third)
    assert last.pop("connection") == "close"
    assert headers(first).keys() == headers(second).keys() == last.keys()
    assert {**headers(first), "date": ""} == {**headers(second), "date": ""} == {**last, "date": ""}
    assert first.partition(b"\r\n\r\n")[2] == third.partition(b"\r\n\r\n")[2]
