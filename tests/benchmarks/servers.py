"""What it costs to answer a request in each of the ways there are, where nothing else is done: the floor of the API.

    python tests/benchmarks/servers.py [--messages 6000] [--rounds 5]

An ``aiohttp.web`` route; its lower level, a handler of ``web.Server`` without an application; the same with the
response of the API, made as one piece; and a protocol of asyncio on httptools that knows of nothing that a client may
do wrong. The CPU of the server's process, in turns.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from typing import cast

import api
import httptools
import uvloop
from aiohttp import web

from webhook_engine.server.whole_response import WholeResponses

WAYS = {
    "route": "aiohttp.web, a route of an application",
    "server": "aiohttp.web, a handler of web.Server",
    "whole": "the same, with a response in one piece",
    "protocol": "a bare protocol on httptools",
}
RESPONSE = b"HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


class Bare(asyncio.Protocol):
    """Answers whatever comes; a task for each request, as those have who wait for a database."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._parser = httptools.HttpRequestParser(self)
        self._loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self._task = self._loop.create_task(self._answer())

    async def _answer(self) -> None:
        self._transport.write(RESPONSE)


async def serve(way: str) -> None:
    whole = WholeResponses({"content-type": "application/json"}, lambda: int(time.time()))

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        await request.read()
        response = whole.of(request, 202, b"{}") if way == "whole" else None
        return response or web.Response(status=202, body=b"{}", content_type="application/json")

    protocol = Bare if way == "protocol" else web.Server(handle, access_log=None)
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


async def main(messages: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        servers = {
            way: api.Process(
                *((api.__file__, "--serve-nothing") if way == "route" else (__file__, "--serve", way)),
                directory=directory,
            )
            for way in WAYS
        }
        ports = {way: int(server.line()) for way, server in servers.items()}
        costs = {way: api.Cost(server, messages) for way, server in servers.items()}
        try:
            for way in WAYS:
                await api.posted(ports[way], "token", 2_000, keys=False)
            for _ in range(rounds):
                for way in WAYS:
                    with costs[way]:
                        await api.posted(ports[way], "token", messages, keys=False)
        finally:
            for server in servers.values():
                server.end()
    for way, what in WAYS.items():
        print(f"{what:<45} {costs[way]}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=6_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", choices=WAYS)
    arguments = parser.parse_args()
    if arguments.serve:
        uvloop.run(serve(arguments.serve))
    else:
        uvloop.run(main(arguments.messages, arguments.rounds))
