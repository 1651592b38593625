"""Engines that are killed, stopped for long and started again, and a server that is: nothing is lost, little repeated.

Three engines as processes of their own, under load through the API of whichever is there and through the outbox. Each
message is accounted for at the end by its id; the figures are printed. How long an endpoint got nothing is bounded by
what the lease of the engine that died still ran, and how late the others were after that.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from statistics import quantiles

import aiohttp
import psycopg
import pytest
from database_servers import RestartablePostgresql, restartable_postgresql
from receivers import Receiver, Request

from webhook_engine import Config
from webhook_engine.model import DEFAULT_ORGANIZATION
from webhook_engine.outbox import enqueue
from webhook_engine.server.tokens import TokenKeys, organization_claims

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ENDPOINTS = 24
KILLS = int(os.environ.get("WEBHOOK_ENGINE_TEST_KILLS", "2"))
LONGEST_PAUSE_S = 6.0
SHARED_OUT_WITHIN_S = 12.0
LATE_AT_EACH_STEP = 4
"""How often an engine may be as late as this process was at its latest: to hear, to take, to look and to send."""
QUIET = 40
"""Messages before a kill, to compare with."""
IN_FLIGHT = 600
"""More than what one engine can have under way, or not recorded, at this load."""
TIMES_SLOWER, TOLERATED_S = 3, 0.5
SECRETS = {"security__main_secret": "m" * 40, "auth__jwt_secret": "j" * 40}

ENGINE = """
import asyncio, sys
from webhook_engine import Config, Engine

async def main():
    url, schema = sys.argv[1:]
    engine = Engine(Config.for_database(
        url, allow_subnets=["127.0.0.1/32"], retry_schedule=["200ms"] * 30, store__schema=schema,
        security__main_secret="m" * 40, auth__jwt_secret="j" * 40,
    ))
    server = engine.serve("127.0.0.1:0")
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with engine, server:
        print(server.url, flush=True)
        await reader.read()

asyncio.run(main())
"""


class Process:
    """An engine in a process of its own."""

    def __init__(self, url: str, schema: str, name: str, directory: Path) -> None:
        self.url = ""
        self.log = (directory / f"{name}.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-c", ENGINE, url, schema],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            cwd=directory,
        )

    async def ready(self) -> None:
        assert self.process.stdout is not None
        async with asyncio.timeout(200):
            self.url = (await asyncio.to_thread(self.process.stdout.readline)).decode().strip()

    async def stopped(self) -> None:
        """End as a good engine does."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        await asyncio.to_thread(self.process.wait, 40)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.log):
            assert stream is not None
            stream.close()


class Arrivals:
    """What came to the receiver, and when."""

    def __init__(self) -> None:
        self.of: dict[tuple[str, int], list[float]] = {}
        """By message and the number of the endpoint."""
        self.at: list[list[float]] = [[] for _ in range(ENDPOINTS)]

    def __call__(self, request: Request) -> int:
        now, number = time.monotonic(), int(request.target.partition("?")[2])
        self.of.setdefault((request.message_id or "", number), []).append(now)
        self.at[number].append(now)
        return 200

    @property
    def repeats(self) -> int:
        return sum(len(times) - 1 for times in self.of.values())

    def longest_pause(self, since: float = 0.0) -> float:
        """The longest that any endpoint got nothing."""
        return max(
            (after - before for times in self.at for before, after in pairwise(times) if after > since), default=0
        )

    def p99(self, sent: dict[str, float], numbers: set[int], since: float, until: float) -> float:
        """Of the time from a request that creates a message to its arrival at these endpoints."""
        took = [
            times[0] - sent[message_id]
            for (message_id, number), times in self.of.items()
            if number in numbers and message_id in sent and since <= sent[message_id] < until
        ]
        return quantiles(took, n=100)[-1] if len(took) > 1 else 0.0


class Cluster:
    def __init__(self, url: str, schema: str, directory: Path) -> None:
        self.url, self.schema = url, schema
        self._directory = directory
        self.engines: list[Process] = []
        self.all: list[Process] = []
        self.endpoint_ids: list[str] = []
        self.sent: dict[str, float] = {}
        """Each message that was accepted, and when it was first asked for; in the outbox: when it was committed."""
        self.at_once: dict[str, float] = {}
        """Those of them that were accepted at the first try."""
        self.tried_again = 0
        self.late_s = 0.0
        """How long this process was kept from running: as much longer may anything take here."""
        self.loading = True
        self._token = TokenKeys.of(Config.for_database(url, **SECRETS)).sign(
            organization_claims(DEFAULT_ORGANIZATION, "tok_1", int(time.time()))
        )

    async def start(self) -> Process:
        engine = Process(self.url, self.schema, f"e{len(self.all)}", self._directory)
        self.all.append(engine)
        await engine.ready()
        self.engines.append(engine)
        return engine

    async def kill(self, engine: Process) -> None:
        self.engines.remove(engine)
        engine.process.kill()
        await asyncio.to_thread(engine.process.wait)

    async def post(self, number: int) -> None:
        """One client of the API: asks whichever engine is there, and asks another one if that is gone."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3)) as session:
            for count in range(1_000_000):
                if not self.loading:
                    return
                began, tries = time.monotonic(), 0
                headers = {"authorization": f"Bearer {self._token}", "idempotency-key": f"{number} {count}"}
                body = {"eventType": "a.b", "payload": {"from": number, "count": count}}
                while (message_id := await self._create(session, headers, body)) is None:
                    tries += 1
                    await asyncio.sleep(0.1)
                self.sent[message_id] = began
                self.tried_again += tries
                if not tries:
                    self.at_once[message_id] = began
                await asyncio.sleep(0.05)

    async def _create(
        self, session: aiohttp.ClientSession, headers: dict[str, str], body: dict[str, object]
    ) -> str | None:
        engine = random.choice(self.engines)
        try:
            async with session.post(f"{engine.url}/api/v1/app/acme/msg", json=body, headers=headers) as response:
                return str((await response.json())["id"]) if response.status == 202 else None
        except (aiohttp.ClientError, TimeoutError):
            return None

    def enqueue(self) -> None:
        """A program that writes to the outbox in its own transactions."""
        connection: psycopg.Connection | None = None
        while self.loading:
            try:
                connection = connection or psycopg.connect(self.url, options=f"-c search_path={self.schema}")
                with connection.transaction():
                    message_id = enqueue(connection, application="acme", event_type="a.b", payload={"by": "outbox"})
                self.sent[message_id] = time.monotonic()
            except psycopg.Error:
                # Whether it was committed is not known, so nobody counts on it.
                connection = None
            time.sleep(0.05)
        if connection is not None:
            connection.close()

    async def watch(self) -> None:
        """How late this process is: what nobody can blame the engines for."""
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.02)
            self.late_s = max(self.late_s, time.monotonic() - before - 0.02)

    def lease_left(self, engine: Process) -> tuple[float, set[int]]:
        """How long its lease runs if it is not renewed any more, and the numbers of its endpoints."""
        with psycopg.connect(self.url, options=f"-c search_path={self.schema}") as connection:
            held = connection.execute(
                "SELECT endpoint.id FROM webhook_endpoint AS endpoint"
                " JOIN webhook_shard AS shard ON shard.number = endpoint.shard"
                " JOIN webhook_member AS member ON member.id = shard.member_id WHERE member.pid = %s",
                (engine.process.pid,),
            ).fetchall()
            [left] = connection.execute(
                "SELECT extract(epoch FROM max(expires_at) - clock_timestamp())::float8"
                " FROM webhook_member WHERE pid = %s",
                (engine.process.pid,),
            ).fetchone() or (None,)
        return float(left or 0), {self.endpoint_ids.index(endpoint_id) for (endpoint_id,) in held}

    def pending(self) -> int:
        with psycopg.connect(self.url, options=f"-c search_path={self.schema}") as connection:
            [count] = connection.execute(
                "SELECT (SELECT count(*) FROM webhook_delivery WHERE due_at IS NOT NULL)"
                " + (SELECT count(*) FROM webhook_outbox)"
            ).fetchone() or (0,)
        return int(count)

    async def arrived(self, arrivals: Arrivals, numbers: set[int], since: float) -> None:
        """Wait until these endpoints have got something again."""
        async with asyncio.timeout(60):
            while not all(arrivals.at[number] and arrivals.at[number][-1] > since for number in numbers):
                await asyncio.sleep(0.02)

    def account(self, arrivals: Arrivals) -> None:
        """Everything that was accepted arrived at every endpoint."""
        missing = [
            (message_id, number)
            for message_id in self.sent
            for number in range(ENDPOINTS)
            if (message_id, number) not in arrivals.of
        ]
        assert not missing, f"{len(missing)} of {len(self.sent) * ENDPOINTS} never arrived"

    def figures(self, arrivals: Arrivals) -> str:
        counts = dict(sorted(Counter(map(len, arrivals.of.values())).items()))
        return (
            f"{len(self.sent)} messages, {len(arrivals.of)} deliveries, {arrivals.repeats} repeated ({counts}), "
            f"{self.tried_again} requests again, longest pause of an endpoint {arrivals.longest_pause():.1f} s, "
            f"this process late by up to {self.late_s:.2f} s"
        )


@asynccontextmanager
async def cluster(url: str, schema: str, tmp_path: Path, make_engine, arrivals: Arrivals) -> AsyncIterator[Cluster]:  # type: ignore[no-untyped-def]
    """Three engines under load; what was accepted has arrived when the block is done."""
    async with Receiver(arrivals) as receiver:
        engines = Cluster(url, schema, tmp_path)
        async with make_engine(url=url, store__schema=schema, **SECRETS) as engine:
            await engine.applications.create(name="Acme", uid="acme")
            for number in range(ENDPOINTS):
                made = await engine.endpoints.create("acme", url=f"{receiver.url}?{number}")
                engines.endpoint_ids.append(made.id)
        try:
            await asyncio.gather(*(engines.start() for _ in range(3)))
            outbox = asyncio.create_task(asyncio.to_thread(engines.enqueue))
            clients = [asyncio.create_task(engines.post(number)) for number in range(2)]
            watching = asyncio.create_task(engines.watch())
            try:
                await asyncio.sleep(2)
                yield engines
            finally:
                engines.loading = False
                watching.cancel()
                async with asyncio.timeout(90):
                    await asyncio.gather(outbox, *clients)
            async with asyncio.timeout(90):
                while await asyncio.to_thread(engines.pending):
                    await asyncio.sleep(0.1)
            await asyncio.gather(*(one.stopped() for one in engines.engines))
            engines.account(arrivals)
        finally:
            for one in engines.all:
                one.close()


async def test_nothing_is_lost_when_engines_are_killed_again_and_again(
    server: str, schema: str, tmp_path: Path, make_engine
) -> None:  # type: ignore[no-untyped-def]
    arrivals = Arrivals()
    quiet: list[float] = []
    while_one_is_dead: list[float] = []
    late: list[float] = []
    pauses: list[float] = []
    async with cluster(server, schema, tmp_path, make_engine, arrivals) as engines:
        since = time.monotonic() - 2
        for _ in range(KILLS):
            async with asyncio.timeout(60):
                while sum(sent >= since for sent in engines.at_once.values()) < QUIET:
                    await asyncio.sleep(0.05)
            left, numbers = engines.lease_left(engines.engines[0])
            at = time.monotonic()
            await engines.kill(engines.engines[0])
            await engines.arrived(arrivals, numbers, at + 0.5)
            again = max(min(one for one in arrivals.at[number] if one > at + 0.5) for number in numbers)
            late.append(again - at - left)
            pauses.append(again - at)
            others = set(range(ENDPOINTS)) - numbers
            quiet.append(arrivals.p99(engines.at_once, others, since, at - 0.5))
            while_one_is_dead.append(arrivals.p99(engines.at_once, others, at, again))
            await engines.start()
            since = time.monotonic() + 1
    print(f"\n{KILLS} kills of 3 engines: {engines.figures(arrivals)}")
    print(f"replaced after {', '.join(f'{one:.2f}' for one in pauses)} s, ", end="")
    print(f"{', '.join(f'{one:.2f}' for one in late)} s after their leases ended")
    print(f"p99 at the others: {max(quiet) * 1e3:.0f} ms unharmed, {max(while_one_is_dead) * 1e3:.0f} ms meanwhile")
    assert arrivals.repeats < KILLS * IN_FLIGHT, "repeats are what was in flight or not recorded at a kill"
    assert max(pauses) < LONGEST_PAUSE_S + LATE_AT_EACH_STEP * engines.late_s
    assert max(while_one_is_dead) < TIMES_SLOWER * max(quiet) + TOLERATED_S + engines.late_s


async def test_an_engine_that_stood_still_for_three_leases_does_no_harm(
    server: str, schema: str, tmp_path: Path, make_engine
) -> None:  # type: ignore[no-untyped-def]
    arrivals = Arrivals()
    async with cluster(server, schema, tmp_path, make_engine, arrivals) as engines:
        late = engines.engines.pop(0)
        _, numbers = engines.lease_left(late)
        late.process.send_signal(signal.SIGSTOP)
        at = time.monotonic()
        await engines.arrived(arrivals, numbers, at + 0.5)
        await asyncio.sleep(max(0.0, at + 15 - time.monotonic()))
        late.process.send_signal(signal.SIGCONT)
        engines.engines.append(late)
        await asyncio.sleep(2)
    print(f"\nstopped for 15 s: {engines.figures(arrivals)}")
    assert arrivals.repeats < IN_FLIGHT
    assert arrivals.longest_pause() < LONGEST_PAUSE_S + LATE_AT_EACH_STEP * engines.late_s


async def test_terminated_backends_and_engines_that_come_and_go_lose_nothing(
    server: str, schema: str, tmp_path: Path, make_engine
) -> None:  # type: ignore[no-untyped-def]
    arrivals = Arrivals()
    async with cluster(server, schema, tmp_path, make_engine, arrivals) as engines:
        for _ in range(3):
            with psycopg.connect(server, autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE application_name = 'webhook-engine' ORDER BY random() LIMIT 6"
                )
            gone = engines.engines.pop(0)
            await gone.stopped()
            await engines.start()
            await asyncio.sleep(0.5)
    print(f"\nbackends terminated, 3 came and went: {engines.figures(arrivals)}")
    assert arrivals.repeats < 3 * IN_FLIGHT, "what was in flight where a lease was not renewed in time"
    assert arrivals.longest_pause() < SHARED_OUT_WITHIN_S + LATE_AT_EACH_STEP * engines.late_s


@pytest.fixture
def own_server() -> Iterator[RestartablePostgresql]:
    with restartable_postgresql() as server:
        yield server


async def test_a_server_that_is_killed_under_several_engines_and_comes_back_loses_nothing(
    own_server: RestartablePostgresql, tmp_path: Path, make_engine: Callable[..., object]
) -> None:
    arrivals = Arrivals()
    async with cluster(own_server.url, "public", tmp_path, make_engine, arrivals) as engines:
        for away_s in (0.5, 6):
            await asyncio.to_thread(own_server.kill)
            await asyncio.sleep(away_s)
            await asyncio.to_thread(own_server.start)
            back = time.monotonic()
            await engines.arrived(arrivals, set(range(ENDPOINTS)), back)
            again = time.monotonic() - back
            print(f"\naway for {away_s} s: everything goes on {again:.1f} s after the server is back")
            assert again < LONGEST_PAUSE_S + LATE_AT_EACH_STEP * engines.late_s
    print(f"server killed twice: {engines.figures(arrivals)}")
    assert arrivals.repeats < 3 * 2 * IN_FLIGHT
