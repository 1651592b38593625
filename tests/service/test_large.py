"""A database with millions of rows is as quick to use as a small one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles

import pytest
from engines import local_engine
from receivers import Receiver
from service.large import fill
from stores import query

from webhook_engine import Engine

FEW, MANY = 5_000, 700_000
"""Messages; there are one and a half times as many deliveries, and as many attempts."""
KEEP_ALL = {"retention__attempts": "1000d", "retention__payload": "1000d"}
LONG_AGO = datetime.now(UTC) - timedelta(days=50)

Asked = Mapping[str, Callable[[Engine], Awaitable[object]]]

QUICK: Asked = {
    "messages": lambda engine: engine.messages.list("acme"),
    "messages of then": lambda engine: engine.messages.list("acme", before=LONG_AGO),
    "messages since then": lambda engine: engine.messages.list("acme", after=LONG_AGO),
    "messages of a type": lambda engine: engine.messages.list("acme", event_types=["invoice.lost"]),
    "messages of types": lambda engine: engine.messages.list("acme", event_types=["invoice.lost", "user.created"]),
    "messages of no such type": lambda engine: engine.messages.list("acme", event_types=["none"]),
    "messages with a tag": lambda engine: engine.messages.list("acme", tag="tenth"),
    "message by event id": lambda engine: engine.messages.get("acme", "event-4009"),
    "attempts of a message": lambda engine: engine.attempts.list_by_message("acme", "event-4009"),
    "destinations of a message": lambda engine: engine.attempts.list_attempted_destinations("acme", "event-4009"),
    "attempts": lambda engine: engine.attempts.list_by_endpoint("acme", "main"),
    "attempts of then": lambda engine: engine.attempts.list_by_endpoint("acme", "main", before=LONG_AGO),
    "attempts that failed": lambda engine: engine.attempts.list_by_endpoint("acme", "main", status=2),
    "attempts answered 5xx": lambda engine: engine.attempts.list_by_endpoint("acme", "main", status_code_class=500),
    "attempts of a type": lambda engine: engine.attempts.list_by_endpoint("acme", "main", event_types=["invoice.lost"]),
    "attempted messages": lambda engine: engine.attempts.list_attempted_messages("acme", "main"),
    "messages that failed": lambda engine: engine.attempts.list_attempted_messages("acme", "main", status=2),
    "applications": lambda engine: engine.applications.list(),
    "figures for metrics": lambda engine: engine.services.store.upkeep.figures(10_000),
    "first page of what is due": lambda engine: engine.services.store.deliveries.endpoints_with_due(None, 100),
}
"""What looks at one page, however much there is."""

LONG: Asked = {
    "statistics": lambda engine: engine.endpoints.stats("acme", "main"),
    "messages with no such tag": lambda engine: engine.messages.list("acme", tag="none"),
    "attempts answered 4xx": lambda engine: engine.attempts.list_by_endpoint("acme", "main", status_code_class=400),
    "attempts of no such type": lambda engine: engine.attempts.list_by_endpoint("acme", "main", event_types=["none"]),
    "attempted with no such tag": lambda engine: engine.attempts.list_attempted_messages("acme", "main", tag="none"),
}
"""What has to count, or looks in vain through all that an endpoint or application has: the work grows with that."""


async def seconds(work: Awaitable[object]) -> float:
    began_at = time.perf_counter()
    await work
    return time.perf_counter() - began_at


async def took(engine: Engine, asked: Asked) -> dict[str, float]:
    """How long each takes at best of a few times, in seconds."""
    return {name: min([await seconds(ask(engine)) for _ in range(3)]) for name, ask in asked.items()}


async def lags(engine: Engine, receiver: Receiver, count: int = 80) -> list[float]:
    """How long each of some messages takes from its creation to its arrival, in seconds."""
    found = []
    for number in range(count):
        already = len(receiver.requests)
        began_at = time.perf_counter()
        await engine.messages.create("acme", event_type="invoice.paid", payload={"n": number})
        await receiver.wait_for(already + 2, timeout=20)
        found.append(time.perf_counter() - began_at)
        await asyncio.sleep(0.01)
    return found


@asynccontextmanager
async def started(path: Path, **settings: object) -> AsyncIterator[tuple[Engine, float]]:
    """The engine, and how long it took to start."""
    engine = local_engine(path, **settings)
    took = await seconds(engine.start())
    try:
        yield engine, took
    finally:
        await engine.stop()


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_millions_of_rows_are_as_quick_as_few(tmp_path: Path) -> None:
    async with Receiver() as receiver:
        small, large = tmp_path / "small.db", tmp_path / "large.db"
        await fill(small, FEW, receiver.url)
        await fill(large, MANY, receiver.url)
        assert query(large, "SELECT count(*) FROM webhook_delivery")[0][0] == MANY * 3 / 2
        async with started(small, **KEEP_ALL) as (engine, start_of_few):
            of_few = await took(engine, QUICK)
            lag_of_few = median(await lags(engine, receiver))
        async with started(large, **KEEP_ALL) as (engine, start_of_many):
            assert start_of_many < start_of_few + 1.0
            of_many = await took(engine, QUICK)
            slower = {name: (of_few[name], it) for name, it in of_many.items() if it > of_few[name] * 5 + 0.05}
            assert slower == {}
            assert max((await took(engine, LONG)).values()) < 15.0
            # Whatever is asked meanwhile, deliveries go on.
            asking = [asyncio.ensure_future(ask(engine)) for ask in (*LONG.values(), *LONG.values())]
            assert median(await lags(engine, receiver)) < lag_of_few * 5 + 0.1
            await asyncio.gather(*asking)
        async with started(large) as (engine, start_of_many):
            # A tenth is older than what is kept, and goes now.
            before = query(large, "SELECT count(*) FROM webhook_message")[0][0]
            assert start_of_many < start_of_few + 1.0
            while_deleting = await lags(engine, receiver, 200)
            assert median(while_deleting) < lag_of_few * 5 + 0.1
            assert quantiles(while_deleting, n=20)[-1] < 5.0
            assert query(large, "SELECT count(*) FROM webhook_message")[0][0] < before - 500
            busy = await took(engine, QUICK)
            slower = {name: (of_few[name], it) for name, it in busy.items() if it > of_few[name] * 10 + 0.1}
            assert slower == {}
