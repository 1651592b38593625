"""How much CPU the sender takes for a request, as a ratio to a bare loop over httptools in the same run.

    python tests/benchmarks/sender.py [--requests 20000] [--rounds 5]

Both post the same 500 bytes with the same headers to the same receiver, a process of its own, from 64 workers under
uvloop. The bare loop writes a request that was put together beforehand and parses the response; it checks nothing, has
no timeout and reads no body. What is printed is the CPU time of this process for a request, best and median of the
rounds, which alternate; machines are noisy, so compare the ratio.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from ipaddress import ip_network
from typing import cast

import httptools
import uvloop
from engine import PAYLOAD, cpu_seconds, receiver
from yarl import URL

from webhook_engine.clock import Clock
from webhook_engine.delivery.http.guard import AddressGuard
from webhook_engine.delivery.http.request import Destination
from webhook_engine.delivery.http.sender import Sender

WORKERS = 64
HEADERS = (("content-type", "application/json"), ("user-agent", "Webhook-Engine/1"))
SIGNED = "".join(
    f"{prefix}-id: msg_2eXaMpLeIdOfAMessageThatIsSent\r\n{prefix}-timestamp: 1700000000\r\n"
    f"{prefix}-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=\r\n"
    for prefix in ("webhook", "svix")
)


class Bare(asyncio.Protocol):
    """The least that an HTTP client can be."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def ask(self, request: bytes) -> asyncio.Future[int]:
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._waiter

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        assert self._waiter
        self._waiter.set_result(self._parser.get_status_code())

    def close(self) -> None:
        self._transport.close()


async def shared_out(requests: int, worker: Callable[[int], Awaitable[None]]) -> float:
    """Microseconds of CPU for each request, made by all workers together."""
    before = cpu_seconds()
    await asyncio.gather(*(worker(requests // WORKERS) for _ in range(WORKERS)))
    return (cpu_seconds() - before) / (requests // WORKERS * WORKERS) * 1e6


async def bare(url: str, requests: int) -> float:
    target = URL(url)
    loop = asyncio.get_running_loop()
    lines = f"POST / HTTP/1.1\r\nHost: {target.authority}\r\n" + "".join(
        f"{name}: {text}\r\n" for name, text in HEADERS
    )
    request = f"{lines}{SIGNED}Content-Length: {len(PAYLOAD)}\r\n\r\n".encode() + PAYLOAD
    made = [await loop.create_connection(Bare, target.host, target.port) for _ in range(WORKERS)]
    free = [protocol for _, protocol in made]

    async def work(count: int) -> None:
        protocol = free.pop()
        for _ in range(count):
            assert await protocol.ask(request) == 200
        protocol.close()

    return await shared_out(requests, work)


async def sender(url: str, requests: int) -> float:
    guard = AddressGuard([ip_network("127.0.0.0/8")])
    destination = Destination(URL(url), HEADERS)
    async with Sender(timeout_s=15.0, response_limit=20_000, guard=guard, clock=Clock()) as ready:

        async def work(count: int) -> None:
            for _ in range(count):
                assert (await ready.send(destination, SIGNED, PAYLOAD)).status_code == 200

        await shared_out(WORKERS, work)  # the connections are made before
        return await shared_out(requests, work)


async def measured(requests: int, rounds: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {"bare": [], "sender": []}
    with receiver() as url:
        for _ in range(rounds):
            found["bare"].append(await bare(url, requests))
            found["sender"].append(await sender(url, requests))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    sys.setswitchinterval(0.0002)
    began = time.monotonic()
    found = uvloop.run(measured(options.requests, options.rounds))
    for name, each in found.items():
        print(f"{name:>8}: {min(each):6.1f} µs best, {statistics.median(each):6.1f} µs median of {len(each)}")
    ratios = [one / other for one, other in zip(found["sender"], found["bare"], strict=True)]
    print(f"   ratio: {statistics.median(ratios):6.2f} (median), in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
