"""A slow or dead endpoint never delays a healthy one."""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path

from receivers import Hang, Receiver

from webhook_engine import Engine

DEAD = 50
BACKLOG = 100
HEALTHY = 200
LIMIT_S = 0.5


async def healthy_latencies(engine: Engine, receiver: Receiver, count: int) -> list[float]:
    """Seconds from ``create`` to arrival, of messages created one after the other."""
    created: dict[str, float] = {}
    before = len(receiver.requests)
    for _ in range(count):
        begun = time.perf_counter()
        message = await engine.messages.create("healthy", event_type="a.b", payload=b"{}")
        created[message.id] = begun
        await asyncio.sleep(0.002)
    await receiver.wait_for(before + count, timeout=30)
    return [
        request.received_at - created[request.headers["webhook-id"]]
        for request in receiver.requests[before:]
        if request.headers["webhook-id"] in created
    ]


async def test_fifty_endpoints_that_never_answer_do_not_delay_a_healthy_one(tmp_path: Path) -> None:
    async with Receiver() as receiver, Hang() as hang:
        async with Engine.open(
            tmp_path / "isolation.db", allow_subnets=["127.0.0.1/32"], timeout="2s", shutdown_grace="0s"
        ) as engine:
            await engine.applications.create(name="Dead", uid="dead")
            for number in range(DEAD):
                await engine.endpoints.create("dead", url=f"{hang.url}{number}")
            await engine.applications.create(name="Healthy", uid="healthy")
            await engine.endpoints.create("healthy", url=receiver.url)
            await asyncio.gather(
                *(engine.messages.create("dead", event_type="a.b", payload=b"{}") for _ in range(BACKLOG))
            )
            # The first half is sent before the first of the dead has timed out, the second half after.
            early = await healthy_latencies(engine, receiver, HEALTHY)
            await asyncio.sleep(2.5)
            late = await healthy_latencies(engine, receiver, HEALTHY)
    for latencies in (early, late):
        p99 = statistics.quantiles(latencies, n=100)[98]
        print(f"create to arrival: median {statistics.median(latencies) * 1e3:.0f} ms, p99 {p99 * 1e3:.0f} ms")
        assert p99 < LIMIT_S
