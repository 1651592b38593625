"""A receiver that costs as little as it can: answers every POST with 200 and counts the message ids it saw.

Run as a process of its own, pinned to one core; prints its port. ``GET /`` answers ``<requests> <distinct ids>``,
``DELETE /`` forgets both.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import cast

import uvloop

_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


class Counter:
    def __init__(self) -> None:
        self.requests = 0
        self.ids: set[bytes] = set()


class Receiver(asyncio.Protocol):
    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            length = _header(head, b"\r\ncontent-length:")
            total = end + 4 + int(length or 0)
            if len(self._buffer) < total:
                return
            message_id = _header(self._buffer[:end], b"\r\nwebhook-id:")
            self._buffer = self._buffer[total:]
            self._transport.write(self._answer(head, message_id))

    def _answer(self, head: bytes, message_id: bytes) -> bytes:
        if head.startswith(b"post"):
            self._counter.requests += 1
            self._counter.ids.add(message_id)
            return _ANSWER
        body = b"%d %d" % (self._counter.requests, len(self._counter.ids))
        if head.startswith(b"delete"):
            self._counter.requests, self._counter.ids = 0, set()
        return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)


def _header(head: bytes, name: bytes) -> bytes:
    start = head.find(name)
    if start < 0:
        return b""
    end = head.find(b"\r\n", start + 2)
    return head[start + len(name) : end if end >= 0 else None].strip()


async def main() -> None:
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    counter = Counter()
    server = await asyncio.get_running_loop().create_server(lambda: Receiver(counter), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(main())
