"""All that docs/performance.md shows, in one run: a table, and JSON for who wants to compare.

    python tests/benchmarks/everything.py [--messages 20000] [--rounds 5] [--json FILE] [--without-others]

Rates depend on the machine and on what else it does; what can be compared are ratios within one run, and the CPU that
a delivery takes. Each ratio is the median of the rounds, in which the two sides alternate. Exits 1 if anything that was
accepted did not arrive.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import re
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import others
import uvloop
from engine import PAYLOAD, bare, counted, engine_round, receiver, resident_mib

from webhook_engine import Engine
from webhook_engine.version import __version__

HERE = Path(__file__).parent
PROGRAM = [sys.executable, "-m", "webhook_engine"]
STARTS = 5
LATENCY_S = 8


class Figure(NamedTuple):
    """One line of the table."""

    what: str
    value: float
    unit: str
    note: str = ""


async def deliveries(messages: int, rounds: int, endpoints: int, applications: int = 1) -> Iterator[Figure]:
    """Rate and CPU beside the bare loop, with so many endpoints in each of so many applications."""
    names = [f"bench-{number}" for number in range(applications)]
    rates, engine_cpu, bare_cpu, speed, lost = [], [], [], [], 0
    with receiver() as url, tempfile.TemporaryDirectory() as directory:
        async with Engine.open(Path(directory) / "bench.db", allow_subnets=["127.0.0.1/32"]) as engine:
            for name in names:
                await engine.applications.create(name="Benchmark", uid=name)
                for number in range(endpoints):
                    await engine.endpoints.create(name, url=f"{url}{number}")
            await bare(url, 2_000)
            await engine_round(engine, max(1, 2_000 // endpoints), names)
            each = max(1, messages // endpoints)
            for _ in range(rounds):
                before = time.process_time()
                bare_rate = await bare(url, messages)
                bare_cpu.append((time.process_time() - before) / messages * 1e6)
                await counted(url)
                before = time.process_time()
                rate = await engine_round(engine, each, names) * endpoints
                engine_cpu.append((time.process_time() - before) / (each * endpoints) * 1e6)
                speed.append(rate)
                rates.append(rate / bare_rate)
                requests, distinct = await counted(url)
                lost += each * endpoints - requests if endpoints > 1 else each - distinct
    name = "one endpoint" if endpoints == 1 else f"one message to {endpoints:,} endpoints"
    if applications > 1:
        name = f"to {applications:,} endpoints in turn"
    note = f"LOST {lost}" if lost > 0 else ""
    return iter(
        [
            Figure(f"embedded, {name}: rate", statistics.median(speed), "/s", note),
            Figure(f"embedded, {name}: rate, of a bare aiohttp loop's", statistics.median(rates), "ratio"),
            Figure(f"embedded, {name}: CPU of a delivery", statistics.median(engine_cpu), "µs"),
            Figure("bare aiohttp loop beside it: CPU of a request", statistics.median(bare_cpu), "µs"),
            Figure(f"embedded, {name}: memory", resident_mib(), "MiB"),
        ]
    )


async def latency(per_second: int) -> Iterator[Figure]:
    """From ``create`` to the first byte at a receiver in the same process, at a steady rate."""
    begun: dict[bytes, float] = {}
    found: list[float] = []

    class Receiver(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            number = re.search(rb'"data":"(\d+)', data)
            if number:
                found.append((time.perf_counter() - begun[number[1]]) * 1e3)
                self.transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")  # type: ignore[attr-defined]

    server = await asyncio.get_running_loop().create_server(Receiver, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with tempfile.TemporaryDirectory() as directory:
        async with Engine.open(Path(directory) / "bench.db", allow_subnets=["127.0.0.1/32"]) as engine:
            await engine.applications.create(name="Benchmark", uid="bench")
            await engine.endpoints.create("bench", url=f"http://127.0.0.1:{port}/")

            async def create(number: int) -> None:
                key = b"%d" % number
                begun[key] = time.perf_counter()
                payload = PAYLOAD.replace(b'"data":"', b'"data":"%d ' % number)
                await engine.messages.create("bench", event_type="invoice.paid", payload=payload)

            await create(0)
            await engine.join(timeout=30)
            first, found[:] = found[0], []
            start, tasks = time.perf_counter(), []
            for number in range(1, per_second * LATENCY_S):
                await asyncio.sleep(max(0, start + number / per_second - time.perf_counter()))
                tasks.append(asyncio.create_task(create(number)))
            await asyncio.gather(*tasks)
            await engine.join(timeout=30)
    server.close()
    found.sort()
    lost = len(begun) - 1 - len(found)
    return iter(
        [
            Figure(
                f"create to arrival, {per_second}/s: first to an endpoint", first, "ms", f"LOST {lost}" if lost else ""
            )
        ]
        + [
            Figure(f"create to arrival, {per_second}/s: p{share}", found[int(len(found) * share / 100)], "ms")
            for share in (50, 95, 99)
        ]
    )


def compiled_once() -> dict[str, str]:
    """An environment in which modules are compiled when they are installed or run first, as they usually are."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def starts() -> Iterator[Figure]:
    """Best of several: help, the import of the outbox, and the daemon until it listens."""

    def cpu(command: list[str]) -> float:
        took = []
        for _ in range(STARTS):
            before = os.times()
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=compiled_once())
            after = os.times()
            took.append(after.children_user + after.children_system - before.children_user - before.children_system)
        return min(took)

    yield Figure("webhook-engine --help: CPU", cpu([*PROGRAM, "--help"]), "s")
    empty = cpu([sys.executable, "-c", "pass"])
    outbox = cpu([sys.executable, "-c", "import webhook_engine.outbox"])
    yield Figure("import webhook_engine.outbox: CPU, without that of Python", (outbox - empty) * 1e3, "ms")
    waits, cpus, sizes = [], [], []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as directory:
            begun = time.perf_counter()
            settings = {"WEBHOOK_ENGINE_SERVER__LISTEN": "127.0.0.1:0", "WEBHOOK_ENGINE_LOG__FORMAT": "json"}
            daemon = subprocess.Popen(
                [*PROGRAM, "serve"],
                cwd=directory,
                env={**compiled_once(), **settings},
                stderr=subprocess.PIPE,
                text=True,
            )
            assert daemon.stderr
            while "url" not in json.loads(daemon.stderr.readline()):
                pass
            waits.append(time.perf_counter() - begun)
            used = Path(f"/proc/{daemon.pid}/stat").read_text().rpartition(")")[2].split()
            cpus.append((int(used[11]) + int(used[12])) / os.sysconf("SC_CLK_TCK"))
            time.sleep(1)
            status = Path(f"/proc/{daemon.pid}/status").read_text()
            sizes.append(int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024)
            daemon.send_signal(signal.SIGTERM)
            daemon.communicate()
    yield Figure("daemon on an empty database: until it listens", min(waits), "s")
    yield Figure("daemon on an empty database: CPU until then", min(cpus), "s")
    yield Figure("daemon, idle: memory", min(sizes), "MiB")


def api(messages: int, rounds: int) -> Iterator[Figure]:
    """Of a bare route's rate, from the benchmark of its own."""
    command = [sys.executable, str(HERE / "api.py"), "--messages", str(messages), "--rounds", str(rounds)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    created, both = map(float, re.findall(r"ratio: created ([\d.]+), created and delivered ([\d.]+)", said)[0])
    costs = re.findall(r"nothing (\d+) µs, created (\d+) µs, created and delivered (\d+) µs", said)[0]
    yield Figure("daemon, created durably: rate, of an empty aiohttp.web route's", created, "ratio")
    yield Figure("daemon, created and delivered: rate, of an empty aiohttp.web route's", both, "ratio")
    whats = ("an empty aiohttp.web route", "daemon, created durably", "daemon, created and delivered")
    for what, cost in zip(whats, costs, strict=True):
        yield Figure(f"{what}: CPU of a message", float(cost), "µs")
    yield Figure("daemon, at full rate: memory", float(re.findall(r"full rate: (\d+) MiB", said)[0]), "MiB")


def of_others(jobs: int) -> Iterator[Figure]:
    """Other ways; and the engine with as many."""
    with receiver() as url:

        def arrived(forget: bool) -> int:
            request = urllib.request.Request(url, method="DELETE" if forget else "GET")
            with urllib.request.urlopen(request) as answer:
                return int(answer.read().split()[1])

        for name, rate, cpu, problem in others.measured(url, arrived, jobs):
            yield Figure(f"{name}: rate", rate, "/s", problem)
            yield Figure(f"{name}: CPU of a delivery", cpu, "µs", problem)


def machine() -> dict[str, str]:
    """What the figures were made on."""
    model = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    return {
        "date": time.strftime("%Y-%m-%d"),
        "webhook-engine": __version__,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "system": f"{platform.system()} {platform.release()}",
        "cpu": f"{os.cpu_count()} x {model[1] if model else platform.machine()}",
        "load at the beginning": f"{os.getloadavg()[0]:.1f}",
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=5_000, help="for each of the other ways")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--without-others", action="store_true")
    options = parser.parse_args()
    sys.setswitchinterval(0.0002)
    about, figures = machine(), []
    for name, text in about.items():
        print(f"{name}: {text}")
    parts = [
        lambda: uvloop.run(deliveries(options.messages, options.rounds, 1)),
        lambda: uvloop.run(deliveries(options.messages, options.rounds, 100)),
        lambda: uvloop.run(deliveries(options.messages, options.rounds, 1_000)),
        lambda: uvloop.run(deliveries(options.messages, options.rounds, 1, applications=1_000)),
        lambda: api(options.messages, options.rounds),
        lambda: uvloop.run(latency(200)),
        lambda: uvloop.run(latency(500)),
        starts,
        *([] if options.without_others else [lambda: of_others(options.jobs)]),
    ]
    for part in parts:
        for figure in part():
            figures.append(figure)
            print(f"{figure.what:<72} {figure.value:10,.2f} {figure.unit:<6} {figure.note}", flush=True)
    if options.json:
        made = {"about": about, "figures": [figure._asdict() for figure in figures]}
        options.json.write_text(json.dumps(made, indent=2, ensure_ascii=False) + "\n")
    return 1 if any("LOST" in figure.note for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
