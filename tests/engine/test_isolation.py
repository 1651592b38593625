"""A slow or dead endpoint never delays a healthy one."""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path

from engine.helpers import local_engine, until
from receivers import Receiver, Request, hanging

from webhook_engine import Engine

DEAD = 50
BACKLOG = 100
HEALTHY = 200
LIMIT_S = 0.5


class Arrivals:
    """Answers at once, and notes when each message came."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}

    def __call__(self, request: Request) -> int:
        self.at[request.headers["webhook-id"]] = time.perf_counter()
        return 200


async def healthy_latencies(engine: Engine, arrivals: Arrivals) -> list[float]:
    """Seconds from ``create`` to arrival, of messages created one after the other."""
    created: dict[str, float] = {}
    for _ in range(HEALTHY):
        begun = time.perf_counter()
        message = await engine.messages.create("healthy", event_type="a.b", payload=b"{}")
        created[message.id] = begun
        await asyncio.sleep(0.002)
    await until(lambda: created.keys() <= arrivals.at.keys(), timeout=30)
    return [arrivals.at[message] - begun for message, begun in created.items()]


async def test_fifty_endpoints_that_never_answer_do_not_delay_a_healthy_one(tmp_path: Path) -> None:
    arrivals = Arrivals()
    slow = {"timeout": "2s", "shutdown_grace": "0s"}
    async with Receiver(arrivals) as receiver, hanging() as hang, local_engine(tmp_path / "e.db", **slow) as engine:
        await engine.applications.create(name="Dead", uid="dead")
        for number in range(DEAD):
            await engine.endpoints.create("dead", url=f"{hang.url}{number}")
        await engine.applications.create(name="Healthy", uid="healthy")
        endpoint = await engine.endpoints.create("healthy", url=receiver.url)
        await asyncio.gather(*(engine.messages.create("dead", event_type="a.b", payload=b"{}") for _ in range(BACKLOG)))
        await until(lambda: hang.connections >= DEAD)
        # The first half is sent before the first of the dead has timed out, the second half after.
        early = await healthy_latencies(engine, arrivals)
        [dead, *_] = (await engine.endpoints.list("dead")).data

        async def timed_out() -> bool:
            return (await engine.endpoints.stats("dead", dead.id)).fail > 0

        await until(timed_out)
        late = await healthy_latencies(engine, arrivals)
        assert (await engine.endpoints.stats("healthy", endpoint.id)).fail == 0
    for latencies in (early, late):
        p99 = statistics.quantiles(latencies, n=100)[98]
        print(f"create to arrival: median {statistics.median(latencies) * 1e3:.0f} ms, p99 {p99 * 1e3:.0f} ms")
        assert p99 < LIMIT_S
