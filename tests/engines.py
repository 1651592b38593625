"""What the tests of the whole engine share: an engine that may call loopback, and waiting on conditions."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from receivers import Receiver, Reply, Request

from webhook_engine import (
    Attempt,
    AttemptedDestination,
    Clock,
    Endpoint,
    Engine,
    ManualClock,
    OperationalEvent,
)

LOOPBACK = ["127.0.0.0/8"]
DAY = timedelta(days=1)
LADDER = [timedelta(seconds=5), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2), timedelta(hours=5)]
LADDER += [timedelta(hours=10)] * 2
PATIENCE_S = 30.0


def local_engine(database: Path, clock: Clock | None = None, **settings: object) -> Engine:
    """An engine that may call receivers on loopback, and retries without chance unless told otherwise."""
    return Engine.open(database, clock=clock, **{"allow_subnets": LOOPBACK, "jitter": 0, **settings})


async def acme(engine: Engine, url: str, **settings: object) -> Endpoint:
    """Application ``acme`` with one endpoint."""
    await engine.applications.get_or_create(name="Acme", uid="acme")
    return await engine.endpoints.create("acme", url=url, **settings)  # type: ignore[arg-type]


async def send(engine: Engine, number: int = 1, application: str = "acme", event_type: str = "invoice.paid") -> str:
    """Create a message; its id."""
    message = await engine.messages.create(application, event_type=event_type, payload={"n": number})
    return message.id


async def send_many(engine: Engine, count: int) -> list[str]:
    """Create messages together; their ids."""
    return list(await asyncio.gather(*(send(engine, number) for number in range(count))))


async def until(condition: Callable[[], Any], timeout: float = PATIENCE_S) -> Any:
    """The first true result of a condition, plain or awaitable; fails with its source after ``timeout`` seconds."""
    ends_at = time.perf_counter() + timeout
    while True:
        met = condition()
        if inspect.isawaitable(met):
            met = await met
        if met:
            return met
        if time.perf_counter() > ends_at:
            raise AssertionError(f"not so after {timeout} s: {inspect.getsource(condition).strip()}")
        await asyncio.sleep(0.003)


async def noticed_within(seconds: float, receiver: Receiver, add: Callable[[], Awaitable[None]]) -> None:
    """Rows that are added to an outbox arrive so soon: the median of some, of more where the machine is busy."""
    delays: list[float] = []
    for number in range(1, 50):
        await asyncio.sleep(0.013 * (number % 5))
        await add()
        committed = time.perf_counter()
        await receiver.wait_for(number)
        delays.append(time.perf_counter() - committed)
        if number % 7 == 0 and sorted(delays[-7:])[3] < seconds:
            return
    raise AssertionError(f"rows were noticed after {delays}")


async def pass_time(engine: Engine, clock: ManualClock, by: timedelta | float) -> None:
    """Let time pass, and the engine do all that is due then."""
    clock.advance(by)
    await engine.join(timeout=PATIENCE_S)


async def attempts_of(engine: Engine, message_id: str, application: str = "acme") -> list[Attempt]:
    """All attempts of a message, oldest first."""
    page = await engine.attempts.list_by_message(application, message_id, limit=250)
    return list(page.data)[::-1]


async def destination(engine: Engine, message_id: str, application: str = "acme") -> AttemptedDestination:
    """Where a message stands at the only endpoint that it goes to."""
    page = await engine.attempts.list_attempted_destinations(application, message_id)
    [only] = page.data
    return only


def record_events(engine: Engine, kind: type[OperationalEvent] = OperationalEvent) -> list[OperationalEvent]:
    """A list that gets every event of a class as it happens."""
    events: list[OperationalEvent] = []
    engine.on(kind)(events.append)
    return events


class Answers:
    """Answers for a receiver that a test may change as it goes; notes when each request came."""

    def __init__(self, status: int = 200, headers: Mapping[str, str] | None = None, body: str = "") -> None:
        self.status = status
        self.headers = dict(headers or {})
        self.body = body
        self.moments: list[float] = []
        """By ``time.perf_counter``, in the order of the requests."""

    def __call__(self, _request: Request) -> Reply:
        self.moments.append(time.perf_counter())
        return Reply(self.status, self.body.encode(), self.headers)


def ids_of(receiver: Receiver) -> list[str]:
    """The message ids of all requests, in the order of their arrival."""
    return [request.headers["webhook-id"] for request in receiver.requests]


async def cancelled(task: asyncio.Future[object]) -> None:
    """Cancel a task and wait for its end."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def soon(work: Awaitable[object], timeout: float = PATIENCE_S) -> object:
    """Wait for something that must not take long."""
    async with asyncio.timeout(timeout):
        return await work
