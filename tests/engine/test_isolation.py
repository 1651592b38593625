"""A slow or dead endpoint never delays a healthy one."""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from engines import local_engine, until
from names import Names
from receivers import Arrivals, Receiver, Reply, Request, hanging

from webhook_engine import Engine
from webhook_engine.delivery.http import resolver

DEAD = 50
BACKLOG = 100
ONCE_WELL = 60
ANSWERED = 40
HEALTHY = 200
LIMIT_S = 1.5
"""Less than any time-out here, by which those who hang would delay it."""


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


def p99(latencies: list[float], when: str) -> float:
    value = statistics.quantiles(latencies, n=100)[98]
    print(f"{when}: create to arrival: median {statistics.median(latencies) * 1e3:.0f} ms, p99 {value * 1e3:.0f} ms")
    return value


@pytest.mark.slow
async def test_sixty_endpoints_that_were_well_and_hang_all_at_once_do_not_delay_a_healthy_one(tmp_path: Path) -> None:
    arrivals = Arrivals()
    slow = {"timeout": "3s", "shutdown_grace": "0s"}
    async with Receiver(arrivals) as receiver, Receiver() as busy, local_engine(tmp_path / "e.db", **slow) as engine:
        names = [f"busy{number}" for number in range(ONCE_WELL)]
        for name in (*names, "healthy"):
            await engine.applications.create(name=name, uid=name)
            await engine.endpoints.create(name, url=receiver.url if name == "healthy" else f"{busy.url}/{name}")

        async def send_to(name: str, count: int) -> None:
            await asyncio.gather(*(engine.messages.create(name, event_type="a.b", payload=b"{}") for _ in range(count)))

        # Each of them answers well, and so is trusted with many requests at once.
        for name in names:
            await send_to(name, ANSWERED)
        await engine.join(timeout=30)
        assert statistics.median(lane.limit for lane in engine._flow._dispatcher._lanes) > ANSWERED
        busy.behaviour = hanging().behaviour
        heard = len(busy.requests)
        # One after the other gets a backlog, so that each finds the places that those before it have left.
        for name in names:
            await send_to(name, BACKLOG)
        await until(lambda: len(busy.requests) >= heard + ONCE_WELL)
        before = await healthy_latencies(engine, arrivals)
        await until(lambda: failures(engine, names))
        after = await healthy_latencies(engine, arrivals)
    assert p99(before, "before the first time-out") < LIMIT_S
    assert p99(after, "after it") < LIMIT_S


async def failures(engine: Engine, names: Sequence[str]) -> int:
    """Attempts of the first of these applications that came to nothing."""
    [endpoint] = (await engine.endpoints.list(names[0])).data
    return (await engine.endpoints.stats(names[0], endpoint.id)).fail


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
    assert p99(early, "before the first time-out") < LIMIT_S
    assert p99(late, "after it") < LIMIT_S


async def test_names_of_one_customer_that_hang_do_not_delay_the_messages_of_another(
    tmp_path: Path, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The healthy receiver closes each connection, so that its name is wanted for each message."""
    monkeypatch.setattr(resolver, "KEEP_S", 0.0)
    hanging_names = [f"hang{number}.example" for number in range(150)]
    names.table |= dict.fromkeys(hanging_names, threading.Event())
    names.table["healthy.example"] = ["127.0.0.1"]
    arrivals = Arrivals()

    def closing(request: Request) -> Reply:
        return Reply(arrivals(request), close=True)

    settings = {"timeout": "6s", "shutdown_grace": "0s"}
    async with Receiver(closing) as receiver, local_engine(tmp_path / "e.db", **settings) as engine:
        await engine.applications.create(name="Hanging", uid="hanging")
        for name in hanging_names:
            await engine.endpoints.create("hanging", url=f"http://{name}/")
        await engine.applications.create(name="Healthy", uid="healthy")
        endpoint = await engine.endpoints.create("healthy", url=f"http://healthy.example:{receiver.port}/")
        await engine.messages.create("hanging", event_type="a.b", payload=b"{}")
        await until(lambda: len(names.asked) >= 20)
        latencies = await healthy_latencies(engine, arrivals)
        assert (await engine.endpoints.stats("healthy", endpoint.id)).fail == 0
    names.let_go()
    assert names.asked.count("healthy.example") > HEALTHY / 10
    assert p99(latencies, "while names hang") < 3 * LIMIT_S
