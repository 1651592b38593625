"""Engines that are killed, stopped for long and started again, and a server that is: nothing is lost, little repeated.

Three engines as processes of their own, under load through whichever is there. Each message is accounted for at the
end by its id; the figures are printed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest
from receivers import Receiver, Request

pytestmark = pytest.mark.slow

ENDPOINTS = 24

ENGINE = """
import asyncio, json, sys
from webhook_engine import Config, Engine
from webhook_engine.errors import WebhookEngineError

async def main():
    url, schema, name = sys.argv[1:]
    engine = Engine(Config.for_database(
        url, allow_subnets=["127.0.0.1/32"], retry_schedule=["200ms"] * 30, store__schema=schema,
        security__main_secret="m" * 40, auth__jwt_secret="j" * 40,
    ))
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with engine:
        print("ready", flush=True)
        number = 0
        while True:
            try:
                async with asyncio.timeout(0.02):
                    if not await reader.read(1):
                        return
            except TimeoutError:
                pass
            try:
                payload = {"from": name, "number": number}
                message = await engine.messages.create("acme", event_type="a.b", payload=payload)
                print(message.id, flush=True)
            except WebhookEngineError as error:
                print("refused", flush=True)
                await asyncio.sleep(0.1)
            number += 1

asyncio.run(main())
"""


class Process:
    """An engine in a process of its own, which accepts a message every 20 ms or so and says which."""

    def __init__(self, url: str, schema: str, name: str, directory: Path) -> None:
        self.accepted: list[str] = []
        self.refused = 0
        self.log = (directory / f"{name}.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-c", ENGINE, url, schema, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            cwd=directory,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self.ready = asyncio.Event()
        self.reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), self.process.stdout
        )
        while line := (await reader.readline()).decode():
            if not line.endswith("\n"):
                break
            if line == "ready\n":
                self.ready.set()
            elif line == "refused\n":
                self.refused += 1
            else:
                self.accepted.append(line.strip())

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def killed(self) -> None:
        self.process.kill()
        await asyncio.to_thread(self.process.wait)
        await self.reading

    async def stopped(self) -> None:
        """End as a good engine does."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        await asyncio.to_thread(self.process.wait, 40)
        await self.reading


class Cluster:
    def __init__(self, url: str, schema: str, directory: Path) -> None:
        self._where = (url, schema)
        self._directory = directory
        self.engines: list[Process] = []
        self.all: list[Process] = []

    async def start(self) -> Process:
        engine = Process(*self._where, f"e{len(self.all)}", self._directory)
        self.all.append(engine)
        self.engines.append(engine)
        async with asyncio.timeout(60):
            await engine.ready.wait()
        return engine

    async def kill(self, engine: Process) -> None:
        self.engines.remove(engine)
        await engine.killed()

    @property
    def accepted(self) -> list[str]:
        return [message_id for engine in self.all for message_id in engine.accepted]


@asynccontextmanager
async def cluster(server: str, schema: str, tmp_path: Path, make_engine, receiver: Receiver) -> AsyncIterator[Cluster]:  # type: ignore[no-untyped-def]
    secrets = {"security__main_secret": "m" * 40, "auth__jwt_secret": "j" * 40}
    async with make_engine(**secrets) as engine:
        await engine.applications.create(name="Acme", uid="acme")
        for number in range(ENDPOINTS):
            await engine.endpoints.create("acme", url=f"{receiver.url}?{number}")
    engines = Cluster(server, schema, tmp_path)
    try:
        for _ in range(3):
            await engines.start()
        yield engines
    finally:
        for one in engines.all:
            if one.process.poll() is None:
                one.process.kill()
                one.process.wait()
            assert one.process.stdin is not None
            one.process.stdin.close()
            one.log.close()


def pending(server: str, schema: str) -> int:
    with psycopg.connect(server, autocommit=True) as connection:
        return connection.execute(f'SELECT count(*) FROM "{schema}".webhook_delivery WHERE status = 1').fetchone()[0]  # type: ignore[index]


async def finished(engines: Cluster, server: str, schema: str) -> None:
    """Let the load end, and all that was accepted be delivered by whoever is left."""
    [*others, last] = engines.engines
    for one in others:
        await one.stopped()
    async with asyncio.timeout(90):
        assert last.process.stdin is not None
        # It goes on to accept while it waits, so what is counted is what is overdue.
        while True:
            with psycopg.connect(server, autocommit=True) as connection:
                [(overdue,)] = connection.execute(
                    f'SELECT count(*) FROM "{schema}".webhook_delivery WHERE status = 1 AND due_at < %s',
                    (int((time.time() - 3) * 1_000_000),),
                ).fetchall()
            if not overdue:
                break
            await asyncio.sleep(0.2)
    await last.stopped()


def account(engines: Cluster, arrivals: dict[tuple[str, str], list[float]], server: str, schema: str) -> int:
    """Everything that was accepted arrived at every endpoint; returns how many requests were repeats."""
    left = pending(server, schema)
    accepted = set(engines.accepted)
    missing = [
        (message_id, number)
        for message_id in accepted
        for number in range(ENDPOINTS)
        if (message_id, str(number)) not in arrivals
    ]
    repeats = sum(len(times) - 1 for times in arrivals.values())
    assert len(missing) <= left, (
        f"{len(missing)} of {len(accepted) * ENDPOINTS} never arrived, {left} are still to come"
    )
    return repeats


def noting(arrivals: dict[tuple[str, str], list[float]], latest: dict[str, list[float]]):  # type: ignore[no-untyped-def]
    def note(request: Request) -> int:
        now = time.monotonic()
        number = request.target.partition("?")[2]
        arrivals.setdefault((request.message_id or "", number), []).append(now)
        latest.setdefault(number, []).append(now)
        return 200

    return note


def longest_pause(latest: dict[str, list[float]]) -> float:
    """The longest that any endpoint got nothing."""
    return max((after - before for times in latest.values() for before, after in pairwise(times)), default=0)


async def test_nothing_is_lost_when_engines_are_killed_again_and_again(
    server: str, schema: str, tmp_path: Path, make_engine
) -> None:  # type: ignore[no-untyped-def]
    arrivals: dict[tuple[str, str], list[float]] = {}
    latest: dict[str, list[float]] = {}
    async with (
        Receiver(noting(arrivals, latest)) as receiver,
        cluster(server, schema, tmp_path, make_engine, receiver) as engines,
    ):
        await asyncio.sleep(3)
        for _ in range(4):
            await engines.kill(engines.engines[0])
            await asyncio.sleep(7)
            await engines.start()
            await asyncio.sleep(1.5)
        await finished(engines, server, schema)
        repeats = account(engines, arrivals, server, schema)
        print(
            f"\n4 kills of 3 engines: {len(engines.accepted)} messages, {len(arrivals)} deliveries, "
            f"{repeats} repeated, longest pause of an endpoint {longest_pause(latest):.1f} s"
        )
        assert repeats < 4 * 600, "repeats are what was in flight or not recorded at a kill"


async def test_an_engine_that_stood_still_for_three_leases_does_no_harm(
    server: str, schema: str, tmp_path: Path, make_engine
) -> None:  # type: ignore[no-untyped-def]
    arrivals: dict[tuple[str, str], list[float]] = {}
    latest: dict[str, list[float]] = {}
    async with (
        Receiver(noting(arrivals, latest)) as receiver,
        cluster(server, schema, tmp_path, make_engine, receiver) as engines,
    ):
        await asyncio.sleep(3)
        late = engines.engines[0]
        late.signal(signal.SIGSTOP)
        await asyncio.sleep(15)
        late.signal(signal.SIGCONT)
        await asyncio.sleep(5)
        await finished(engines, server, schema)
        repeats = account(engines, arrivals, server, schema)
        counts = Counter(map(len, arrivals.values()))
        print(
            f"\nstopped for 15 s: {len(engines.accepted)} messages, {len(arrivals)} deliveries, {repeats} repeated "
            f"({dict(counts)}), longest pause of an endpoint {longest_pause(latest):.1f} s"
        )
        assert repeats < 600


async def test_terminated_backends_and_engines_that_come_and_go_lose_nothing(
    server: str, schema: str, tmp_path: Path, make_engine
) -> None:  # type: ignore[no-untyped-def]
    arrivals: dict[tuple[str, str], list[float]] = {}
    latest: dict[str, list[float]] = {}
    async with (
        Receiver(noting(arrivals, latest)) as receiver,
        cluster(server, schema, tmp_path, make_engine, receiver) as engines,
    ):
        for _ in range(4):
            await asyncio.sleep(2)
            with psycopg.connect(server, autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE application_name = 'webhook-engine' ORDER BY random() LIMIT 6"
                )
            gone = engines.engines.pop(0)
            await gone.stopped()
            await engines.start()
        await asyncio.sleep(3)
        await finished(engines, server, schema)
        repeats = account(engines, arrivals, server, schema)
        print(
            f"\nbackends terminated, 4 came and went: {len(engines.accepted)} messages, {len(arrivals)} deliveries, "
            f"{repeats} repeated, longest pause of an endpoint {longest_pause(latest):.1f} s"
        )
        assert repeats < 4 * 600, "whose lease could not be renewed in time has repeats of what was in flight"
