"""How fast the daemon accepts messages, as a ratio to an ``aiohttp.web`` route that does nothing.

    python tests/benchmarks/api.py [--messages 20000] [--rounds 3] [--keys]

Both servers are processes of their own, under uvloop; the client keeps one request going on each of 64 connections.
Every 202 of the daemon means that the message is on the disk. The application has no endpoint in the first part; in
the second it has one, and the time runs until its last delivery is recorded. ``--keys`` sends an idempotency key with
each request, as the SDKs do. Fails if anything was not accepted or not delivered. The printed ratio is the median of
the rounds; machines are noisy, so absolute rates mean little. The CPU that a message takes in all threads depends less
on what else the machine does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import uvloop
from aiohttp import web
from engine import PAYLOAD, receiver

CONNECTIONS = 64
BODY = b'{"eventType":"invoice.paid","payload":' + PAYLOAD + b"}"


class Connection(asyncio.Protocol):
    """Sends one request after the other as long as there are any."""

    def __init__(self, requests: Iterator[bytes], latencies: list[float], done: asyncio.Future[None]) -> None:
        self._requests = requests
        self._latencies = latencies
        self._done = done
        self._buffer = b""
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._next()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r")[0])
        if len(self._buffer) < end + 4 + length:
            return
        if not self._buffer.startswith(b"HTTP/1.1 202"):
            self._done.set_exception(RuntimeError(self._buffer[:500].decode()))
            return
        self._buffer = b""
        self._latencies.append(time.perf_counter() - self._sent)
        self._next()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(error or ConnectionError("the server closed the connection"))

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._done.set_result(None)
            self._transport.close()
            return
        self._sent = time.perf_counter()
        self._transport.write(request)


async def posted(port: int, token: str, messages: int, *, keys: bool) -> tuple[float, list[float]]:
    """Requests per second, and how long each took."""
    head = (
        b"POST /api/v1/app/bench/msg?with_content=false HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n" % (token.encode(), len(BODY))
    )
    stamp = time.time_ns()

    def requests() -> Iterator[bytes]:
        for number in range(messages):
            key = b"Idempotency-Key: auto_%d_%d\r\n" % (stamp, number) if keys else b""
            yield head + key + b"\r\n" + BODY

    latencies: list[float] = []
    loop = asyncio.get_running_loop()
    source, ends = requests(), []
    begun = time.perf_counter()
    for _ in range(CONNECTIONS):
        done = loop.create_future()
        ends.append(done)
        await loop.create_connection(lambda done=done: Connection(source, latencies, done), "127.0.0.1", port)
    await asyncio.gather(*ends)
    return messages / (time.perf_counter() - begun), sorted(latencies)


async def serve_nothing() -> None:
    """The route that does nothing."""

    async def nothing(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=202, body=b"{}", content_type="application/json")

    application = web.Application()
    application.router.add_post("/api/v1/app/{app_id}/msg", nothing)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


class Process:
    """A server of its own."""

    def __init__(self, *arguments: str, directory: str, **environment: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=directory,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def line(self, error: bool = False) -> str:
        stream = self._process.stderr if error else self._process.stdout
        assert stream
        return stream.readline()

    def cpu_s(self) -> float:
        """User and system time of all its threads."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mib(self) -> float:
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def end(self) -> None:
        self._process.terminate()
        self._process.communicate(timeout=30)


def call(method: str, url: str, token: str, body: object = None) -> dict[str, object]:
    request = urllib.request.Request(
        url,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"authorization": f"Bearer {token}"},
    )
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())  # type: ignore[no-any-return]


class Cost:
    """The CPU that each message takes in one process, round by round."""

    def __init__(self, process: Process, messages: int) -> None:
        self._process = process
        self._messages = messages
        self._began = 0.0
        self.each_us: list[float] = []

    def __enter__(self) -> None:
        self._began = self._process.cpu_s()

    def __exit__(self, *_: object) -> None:
        self.each_us.append((self._process.cpu_s() - self._began) / self._messages * 1e6)

    def __str__(self) -> str:
        return f"{statistics.median(self.each_us):.0f} µs"


def shown(number: int, what: str, rate: float, latencies: list[float], ratio: float) -> None:
    p50, p99 = (latencies[int(len(latencies) * share)] * 1e3 for share in (0.5, 0.99))
    print(f"{number:5} {what:<10} {rate:9,.0f} {p50:8.2f} {p99:8.2f} {ratio:6.2f}", flush=True)


async def delivered(api: str, token: str, endpoint: str, before: int, messages: int) -> None:
    """Return when so many more deliveries are recorded."""
    async with asyncio.timeout(120):
        while True:
            stats = await asyncio.to_thread(call, "GET", f"{api}/app/bench/endpoint/{endpoint}/stats", token)
            if int(str(stats["success"])) >= before + messages:
                return
            await asyncio.sleep(0.02)


async def main(messages: int, rounds: int, keys: bool) -> int:
    ratios, both = [], []
    with tempfile.TemporaryDirectory() as directory, receiver() as target:
        bare = Process(__file__, "--serve-nothing", directory=directory)
        bare_port = int(bare.line())
        daemon = Process(
            "-c", "from webhook_engine.cli import main; main()", "serve",
            directory=directory,
            WEBHOOK_ENGINE_SERVER__LISTEN="127.0.0.1:0",
            WEBHOOK_ENGINE_DELIVERY__ALLOW_SUBNETS='["127.0.0.1/32"]',
            WEBHOOK_ENGINE_LOG__FORMAT="json",
        )  # fmt: skip
        try:
            while "url" not in (said := json.loads(daemon.line(error=True))):
                pass
            url = str(said["url"])
            token = subprocess.run(
                [sys.executable, "-c", "from webhook_engine.cli import main; main()", "token"],
                cwd=directory, capture_output=True, text=True, check=True,
            ).stdout.strip()  # fmt: skip
            api, port = f"{url}/api/v1", int(url.rpartition(":")[2])
            call("POST", f"{api}/app", token, {"name": "Benchmark", "uid": "bench"})
            await posted(bare_port, token, 2_000, keys=keys)
            await posted(port, token, 2_000, keys=keys)
            print(f"{'round':>5} {'what':<10} {'each/s':>9} {'p50 ms':>8} {'p99 ms':>8} {'ratio':>6}")
            nothing = []
            costs = [Cost(bare, messages), Cost(daemon, messages), Cost(daemon, messages)]
            for number in range(1, rounds + 1):
                with costs[0]:
                    rate, latencies = await posted(bare_port, token, messages, keys=keys)
                nothing.append(rate)
                shown(number, "nothing", rate, latencies, 1.0)
                with costs[1]:
                    rate, latencies = await posted(port, token, messages, keys=keys)
                ratios.append(rate / nothing[-1])
                shown(number, "created", rate, latencies, ratios[-1])
            made = call("POST", f"{api}/app/bench/endpoint", token, {"url": target})
            for number in range(1, rounds + 1):
                begun = time.perf_counter()
                with costs[2]:
                    _, latencies = await posted(port, token, messages, keys=keys)
                    await delivered(api, token, str(made["id"]), (number - 1) * messages, messages)
                rate = messages / (time.perf_counter() - begun)
                both.append(rate / statistics.median(nothing))
                shown(number, "delivered", rate, latencies, both[-1])
            size = daemon.resident_mib()
        finally:
            bare.end()
            daemon.end()
    print(f"CPU of a message: nothing {costs[0]}, created {costs[1]}, created and delivered {costs[2]}")
    print(f"memory of the daemon at full rate: {size:.0f} MiB")
    print(f"median ratio: created {statistics.median(ratios):.2f}, created and delivered {statistics.median(both):.2f}")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keys", action="store_true")
    parser.add_argument("--serve-nothing", action="store_true")
    arguments = parser.parse_args()
    if arguments.serve_nothing:
        uvloop.run(serve_nothing())
    else:
        sys.exit(uvloop.run(main(arguments.messages, arguments.rounds, arguments.keys)))
