"""What several engines on one PostgreSQL cost beside one, and one on PostgreSQL beside one on SQLite.

    python tests/benchmarks/cluster.py [--rate 400] [--seconds 10] [--rounds 3] [--engines 1,2,4,8] [--json FILE]

Every engine is a process of its own under uvloop and accepts its share of the same load: ``--rate`` messages a second
in all, each to the four endpoints of one of 16 applications; with several engines most of these are another one's.
Measured are the CPU of all engines, and the statements (pg_stat_statements), commits and bytes of WAL of the server,
each by delivery; then the same load on one engine with an SQLite file. The rounds go through all of them in turns, so
that whatever else the machine does concerns all; the medians are printed. Exits 1 if a message was not delivered, or if
the CPU is more than 1.2 times that of one engine, or on PostgreSQL more than 1.1 times that on SQLite.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg
import uvloop

sys.path.insert(0, str(Path(__file__).parents[1]))

from database_servers import postgresql
from engine import PAYLOAD, receiver

from webhook_engine import Config, Engine

APPLICATIONS, ENDPOINTS = 16, 4
TICK_S = 0.01
WARM_UP_S = 3
TIMES_OF_ONE, TIMES_OF_SQLITE = 1.2, 1.1
PATIENCE_S = 120.0
PRELOADED = ("shared_preload_libraries=pg_stat_statements", "max_connections=200", "max_wal_size=4GB")


def configured(url: str, schema: str) -> Config:
    settings: dict[str, object] = {"store__schema": schema} if url.startswith("postgresql:") else {}
    return Config.for_database(
        url, allow_subnets=["127.0.0.1/32"], security__main_secret="m" * 40, auth__jwt_secret="j" * 40, **settings
    )


# An engine's process.


async def serve(url: str, schema: str) -> None:
    """Create messages at the rate that a line of the standard input asks for, and say what that has cost."""
    sys.setswitchinterval(0.0002)
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with Engine(configured(url, schema)) as engine:
        print("ready", flush=True)
        while line := (await lines.readline()).split():
            if line[0] == b"cpu":
                print(time.process_time(), flush=True)
            else:
                await create(engine, float(line[1]), float(line[2]))
                print("created", flush=True)


async def create(engine: Engine, rate: float, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    began, count, wanted = loop.time(), 0, round(rate * seconds)
    creating: set[asyncio.Task[object]] = set()
    while count < wanted:
        due = min(wanted, int((loop.time() - began) * rate) + 1)
        for number in range(count, due):
            task: asyncio.Task[object] = asyncio.create_task(
                engine.messages.create(f"app-{number % APPLICATIONS}", event_type="invoice.paid", payload=PAYLOAD)
            )
            creating.add(task)
            task.add_done_callback(creating.discard)
        count = due
        # Not sooner than there is something to do: what wakes for nothing is no cost of the engine.
        await asyncio.sleep(max(TICK_S, began + count / rate - loop.time()))
    while creating:
        await asyncio.gather(*creating)


class Process:
    """An engine."""

    def __init__(self, url: str, schema: str, directory: str) -> None:
        command = [sys.executable, str(Path(__file__).resolve()), "--engine", url, schema]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=directory, stderr=subprocess.DEVNULL
        )

    def hear(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def say(self, *words: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        self._process.stdin.flush()

    def cpu_s(self) -> float:
        self.say("cpu")
        return float(self.hear())

    def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE_S)


@contextlib.contextmanager
def engines(count: int, url: str, schema: str, directory: str) -> Iterator[Sequence[Process]]:
    running = [Process(url, schema, directory) for _ in range(count)]
    try:
        for one in running:
            assert one.hear() == "ready"
        yield running
    finally:
        for one in running:
            one.stop()


# What is measured.


@dataclass
class Cost:
    """Of one delivery."""

    cpu_us: float
    statements: float = 0.0
    commits: float = 0.0
    wal_bytes: float = 0.0


async def prepare(url: str, schema: str, target: str) -> None:
    async with Engine(configured(url, schema)) as engine:
        for number in range(APPLICATIONS):
            await engine.applications.create(name=f"App {number}", uid=f"app-{number}")
            for _ in range(ENDPOINTS):
                await engine.endpoints.create(f"app-{number}", url=target)


def server_figures(url: str) -> tuple[int, int, int]:
    with psycopg.connect(url, autocommit=True) as connection:
        [row] = connection.execute(
            "SELECT (SELECT coalesce(sum(calls), 0) FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat%'),"
            " (SELECT sum(xact_commit) FROM pg_stat_database), pg_current_wal_insert_lsn() - '0/0'"
        ).fetchall()
    return int(row[0]), int(row[1]), int(row[2])


def left(url: str, schema: str, database: Path) -> int:
    """Deliveries that are still to be made."""
    query = "SELECT count(*) FROM {}webhook_delivery WHERE due_at IS NOT NULL"
    if url.startswith("postgresql:"):
        with psycopg.connect(url, autocommit=True) as connection:
            return int(connection.execute(query.format(f"{schema}.")).fetchone()[0])  # type: ignore[index]
    import sqlite3  # noqa: PLC0415 (the other database)

    with contextlib.closing(sqlite3.connect(database)) as connection:
        return int(connection.execute(query.format("")).fetchone()[0])


def measure(running: Sequence[Process], url: str, schema: str, database: Path, rate: float, seconds: float) -> Cost:
    """The cost of the same load, whoever bears it."""
    on_server = url.startswith("postgresql:")
    # Connections to endpoints are made once, and stay.
    for one in running:
        one.say("go", rate / len(running), WARM_UP_S)
    for one in running:
        one.hear()
    wait(url, schema, database)
    before = server_figures(url) if on_server else (0, 0, 0)
    cpu = [one.cpu_s() for one in running]
    for one in running:
        one.say("go", rate / len(running), seconds)
    for one in running:
        one.hear()
    wait(url, schema, database)
    spent = sum(one.cpu_s() - first for one, first in zip(running, cpu, strict=True))
    after = server_figures(url) if on_server else (0, 0, 0)
    deliveries = sum(round(rate / len(running) * seconds) for _ in running) * ENDPOINTS
    statements, commits, wal = (then - now for then, now in zip(after, before, strict=True))
    return Cost(spent / deliveries * 1e6, statements / deliveries, commits / deliveries, wal / deliveries)


def wait(url: str, schema: str, database: Path) -> None:
    ends_at = time.monotonic() + PATIENCE_S
    while left(url, schema, database):
        if time.monotonic() > ends_at:
            raise SystemExit("LOST: not everything was delivered")
        time.sleep(0.2)


def median(costs: Sequence[Cost]) -> Cost:
    return Cost(*(statistics.median(values) for values in zip(*(asdict(cost).values() for cost in costs), strict=True)))


def main(rate: float, seconds: float, rounds: int, counts: Sequence[int], report: Path | None) -> int:
    costs: dict[str, list[Cost]] = {}
    with receiver() as target, tempfile.TemporaryDirectory() as directory, postgresql(settings=PRELOADED) as url:
        os.chmod(directory, 0o755)
        database = Path(directory) / "bench.db"
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION pg_stat_statements")
        places = [(f"{count} on PostgreSQL", count, url, f"c{count}") for count in counts]
        places.append(("1 on SQLite", 1, f"sqlite:///{database}", ""))
        for _, _, where, schema in places:
            asyncio.run(prepare(where, schema, target))
        for number in range(rounds):
            for name, count, where, schema in places:
                with engines(count, where, schema, directory) as running:
                    # Each takes its part of the shards.
                    time.sleep(0 if count == 1 else 3)
                    cost = measure(running, where, schema, database, rate, seconds)
                costs.setdefault(name, []).append(cost)
                print(f"round {number + 1}, {name}: {cost}", file=sys.stderr, flush=True)
    medians = {name: median(each) for name, each in costs.items()}
    one, sqlite = medians[f"{counts[0]} on PostgreSQL"], medians["1 on SQLite"]
    print(f"{'engines':>16} {'CPU µs':>8} {'of one':>7} {'statements':>11} {'commits':>8} {'WAL bytes':>10}")
    failed = one.cpu_us > sqlite.cpu_us * TIMES_OF_SQLITE
    for name, cost in medians.items():
        times = cost.cpu_us / one.cpu_us
        failed |= times > TIMES_OF_ONE
        print(
            f"{name:>16} {cost.cpu_us:8.0f} {times:7.2f} {cost.statements:11.3f} {cost.commits:8.3f} "
            f"{cost.wal_bytes:10,.0f}"
        )
    print(f"{rate:g} messages a second, {rate * ENDPOINTS:g} deliveries; one on PostgreSQL: "
          f"{one.cpu_us / sqlite.cpu_us:.2f} times the CPU of one on SQLite")  # fmt: skip
    if report is not None:
        report.write_text(json.dumps({name: asdict(cost) for name, cost in medians.items()}, indent=2))
    return 1 if failed else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--engine"]:
        uvloop.run(serve(*sys.argv[2:]))
        sys.exit()
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=float, default=400)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engines", default="1,2,4,8")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    sys.exit(main(given.rate, given.seconds, given.rounds, [*map(int, given.engines.split(","))], given.json))
