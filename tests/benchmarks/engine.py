"""How fast the engine delivers, as a ratio to a bare loop over a tuned aiohttp client in the same run.

    python tests/benchmarks/engine.py [--messages 20000] [--rounds 3] [--profile FILE]

Both post the same 500 bytes to the same receiver, a process of its own on one core, under uvloop and with a switch
interval of 0.2 ms. The bare loop has 64 workers; the engine's time runs from the first ``create`` (256 creators at
once, one endpoint, default limits) until the last delivery is recorded. Exits 1 if a message did not arrive or was not
recorded. The printed ratio is the median of the rounds; machines are noisy, so absolute rates mean little.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import aiohttp
import uvloop
from yarl import URL

from webhook_engine import Engine

PAYLOAD = (b'{"type":"invoice.paid","data":"' + b"x" * 500)[:498] + b'"}'
WORKERS = 64
CREATORS = 256


@contextlib.contextmanager
def receiver() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("receiver.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdin
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/"
    finally:
        process.stdin.close()
        process.wait(timeout=10)


async def counted(url: str) -> tuple[int, int]:
    async with aiohttp.ClientSession() as session, session.delete(url) as answer:
        requests, distinct = (await answer.text()).split()
        return int(requests), int(distinct)


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def resident_mib() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def bare(url: str, messages: int) -> float:
    """Requests per second of a bare loop."""
    target = URL(url, encoded=True)
    todo = iter(range(messages))
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
    ) as session:

        async def work() -> None:
            for number in todo:
                headers = {"content-type": "application/json", "webhook-id": f"msg_{number}"}
                async with session.post(target, data=PAYLOAD, headers=headers, allow_redirects=False) as answer:
                    await answer.read()

        begun = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(WORKERS)))
        return messages / (time.perf_counter() - begun)


async def engine_round(engine: Engine, messages: int, applications: Sequence[str] = ("bench",)) -> float:
    """Messages per second, to these applications in turn, from the first create to the last recorded success."""
    todo = iter(range(messages))

    async def create() -> None:
        for number in todo:
            application = applications[number % len(applications)]
            await engine.messages.create(application, event_type="invoice.paid", payload=PAYLOAD)

    begun = time.perf_counter()
    await asyncio.gather(*(create() for _ in range(CREATORS)))
    await engine.join(timeout=120)
    return messages / (time.perf_counter() - begun)


def recorded_in(database: Path) -> int:
    """How many deliveries are recorded as succeeded; read by a connection that keeps no page of it in memory."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        [count] = connection.execute("SELECT count(*) FROM webhook_delivery WHERE status = 0").fetchone()
    return int(count)


async def main(messages: int, rounds: int) -> int:
    sys.setswitchinterval(0.0002)
    ratios = []
    failed = False
    with receiver() as url, tempfile.TemporaryDirectory() as directory:
        database = Path(directory) / "bench.db"
        async with Engine.open(database, allow_subnets=["127.0.0.1/32"]) as engine:
            await engine.applications.create(name="Benchmark", uid="bench")
            await engine.endpoints.create("bench", url=url)
            await bare(url, 2_000)
            await engine_round(engine, 2_000)
            await counted(url)
            recorded = 2_000
            print(f"{'round':>5} {'bare/s':>9} {'engine/s':>9} {'ratio':>6} {'CPU µs each':>12} {'RSS MiB':>8}")
            for number in range(1, rounds + 1):
                bare_rate = await bare(url, messages)
                arrived_bare = await counted(url)
                cpu = cpu_seconds()
                engine_rate = await engine_round(engine, messages)
                cpu = (cpu_seconds() - cpu) / messages * 1e6
                arrived = await counted(url)
                recorded += messages
                found = recorded_in(database)
                ratios.append(engine_rate / bare_rate)
                rates = f"{bare_rate:9,.0f} {engine_rate:9,.0f} {ratios[-1]:6.2f}"
                print(f"{number:5} {rates} {cpu:12.0f} {resident_mib():8.0f}")
                if arrived_bare[1] != messages or arrived[1] != messages or found != recorded:
                    failed = True
                    print(f"LOST: {arrived[1]} of {messages} arrived, {found} of {recorded} are recorded")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"median ratio {statistics.median(ratios):.2f}, peak memory {peak:.0f} MiB, {messages} messages a round")
    return 1 if failed else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    sys.exit(uvloop.run(main(arguments.messages, arguments.rounds)))
