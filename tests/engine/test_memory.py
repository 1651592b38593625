"""A million pending retries live in the database: a restart sends the first within seconds, in bounded memory."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from engines import local_engine
from receivers import Receiver

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

MILLION = 1_000_000
FIRST_DELIVERY_S = 10.0
GROWTH_MIB = 150

CHILD = """
import asyncio, json, os, sys, time
from webhook_engine import Engine

def rss():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

async def main():
    import webhook_engine.engine
    before, begun = rss(), time.perf_counter()
    engine = Engine.open(sys.argv[1], allow_subnets=["127.0.0.0/8"], shutdown_grace="1s")
    await engine.start()
    print(json.dumps({"started_s": time.perf_counter() - begun}), flush=True)
    most, ends_at = 0, time.perf_counter() + float(sys.argv[2])
    while time.perf_counter() < ends_at:
        most = max(most, rss())
        await asyncio.sleep(0.05)
    await engine.stop()
    print(json.dumps({"grown_mib": most - before, "rss_mib": most}), flush=True)

asyncio.run(main())
"""


async def fill(database: Path, url: str, endpoints: int) -> None:
    """A million deliveries that failed once and are due since a while, spread over so many endpoints."""
    async with local_engine(database) as engine:
        application = await engine.applications.create(name="Acme", uid="acme")
        for _ in range(endpoints):
            await engine.endpoints.create("acme", url=url)
    await asyncio.to_thread(_fill, database, application.id)


def _fill(database: Path, application_id: str) -> None:
    now = int(time.time() * 1_000_000)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("PRAGMA synchronous=OFF")
        endpoints = [one for (one,) in connection.execute("SELECT id FROM webhook_endpoint ORDER BY id")]
        connection.execute("CREATE TEMP TABLE target (number INTEGER PRIMARY KEY, id TEXT)")
        connection.executemany("INSERT INTO target VALUES (?, ?)", enumerate(endpoints))
        numbers = "WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?1 - 1)"
        connection.execute(
            f"{numbers} INSERT INTO webhook_message (id, application_id, event_type, created_at, payload)"
            " SELECT printf('msg_1%026d', n), ?2, 'a.b', ?3, CAST(printf('[%d,\"%0200d\"]', n, n) AS BLOB)"
            " FROM numbers",
            (MILLION, application_id, now - 3_600_000_000),
        )
        connection.execute(
            f"{numbers} INSERT INTO webhook_delivery"
            " (message_id, endpoint_id, status, due_at, step, attempt_count, attempted)"
            " SELECT printf('msg_1%026d', n), target.id, 1, ?2 + n, 1, 1, 1"
            " FROM numbers JOIN target ON target.number = n % ?3",
            (MILLION, now - 10_000_000, len(endpoints)),
        )


@pytest.mark.parametrize("endpoints", [1, 1_000])
async def test_a_restart_with_a_million_pending_retries(tmp_path: Path, endpoints: int) -> None:
    database = tmp_path / "e.db"
    async with Receiver() as receiver:
        await fill(database, receiver.url, endpoints)
        begun = time.perf_counter()
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(database), "20"], stdout=subprocess.PIPE, env={**os.environ}
        )
        try:
            await receiver.wait_for(1, timeout=120)
            first = time.perf_counter() - begun
            while child.poll() is None:
                # What came need not stay in the memory of this process.
                sent = len(receiver.requests)
                await asyncio.sleep(0.1)
        finally:
            child.kill()
            output, _ = child.communicate()
        started, end = (json.loads(line) for line in output.splitlines())
        print(
            f"{MILLION:,} due on {endpoints} endpoints: first delivery {first:.2f} s after the process began "
            f"(start() took {started['started_s']:.2f} s), {sent:,} sent in 20 s, "
            f"memory grew by {end['grown_mib']:.0f} MiB to {end['rss_mib']:.0f} MiB"
        )
        assert first < FIRST_DELIVERY_S
        assert end["grown_mib"] < GROWTH_MIB
        assert sent > 1_000
