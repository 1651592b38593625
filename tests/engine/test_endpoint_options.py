"""An endpoint's own timeout and retries, which apply from the next attempt."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from engines import Answers, acme, local_engine, pass_time, send, until
from receivers import Receiver, Request, hanging

from webhook_engine import ManualClock
from webhook_engine.errors import ValidationError
from webhook_engine.model import AttemptStatus

START = datetime(2026, 1, 1, tzinfo=UTC)


async def test_it_gets_the_time_that_it_asks_for_and_others_what_is_configured(tmp_path: Path) -> None:
    enough = asyncio.Event()

    async def slow(_request: Request) -> int:
        await enough.wait()
        return 200

    async with Receiver(slow) as receiver, local_engine(tmp_path / "e.db", retry_schedule=[]) as engine:
        await acme(engine, receiver.url, uid="usual")
        await acme(engine, receiver.url, uid="short", timeout="50ms")
        await send(engine)

        async def timed_out() -> bool:
            return bool((await engine.attempts.list_by_endpoint("acme", "short")).data)

        await until(timed_out)
        [attempt] = (await engine.attempts.list_by_endpoint("acme", "short")).data
        assert (attempt.status, attempt.failure, attempt.response) == (
            AttemptStatus.FAIL,
            "timeout",
            "request timed out: no answer within 0.05 s",
        )
        assert not (await engine.attempts.list_by_endpoint("acme", "usual")).data
        enough.set()
        await engine.join(timeout=5)
        [attempt] = (await engine.attempts.list_by_endpoint("acme", "usual")).data
        assert attempt.status is AttemptStatus.SUCCESS


async def test_it_is_tried_again_when_it_asks_for(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with Receiver(Answers(500)) as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        endpoint = await acme(engine, receiver.url, retry_schedule=[timedelta(hours=1), "2h"])
        message = await send(engine)
        await engine.join(timeout=5)
        await pass_time(engine, clock, 3_599)
        assert len(receiver.requests) == 1
        await pass_time(engine, clock, 1)
        assert len(receiver.requests) == 2
        # What is edited meanwhile counts for the next attempt.
        await engine.endpoints.update("acme", endpoint.id, retry_schedule=["1h"])
        await pass_time(engine, clock, 7_200)
        assert len(receiver.requests) == 3
        [destination] = (await engine.attempts.list_attempted_destinations("acme", message)).data
        assert (destination.status, destination.reason) == (AttemptStatus.FAIL, "retries exhausted")


async def test_without_retries_it_is_tried_once(tmp_path: Path) -> None:
    async with Receiver(Answers(500)) as receiver, local_engine(tmp_path / "e.db") as engine:
        await acme(engine, receiver.url, retry_schedule=[])
        message = await send(engine)
        await engine.join(timeout=5)
        [destination] = (await engine.attempts.list_attempted_destinations("acme", message)).data
        assert (destination.status, destination.reason) == (AttemptStatus.FAIL, "retries exhausted")
        assert len(receiver.requests) == 1


async def test_the_bounds_are_the_operators_and_hold_as_they_are_today(tmp_path: Path) -> None:
    async with local_engine(tmp_path / "e.db", endpoint_max_timeout="1m") as engine:
        await acme(engine, "http://127.0.0.1:1/", timeout="1m", uid="e")
        with pytest.raises(ValidationError, match='from "1ms" to "1m"'):
            await engine.endpoints.update("acme", "e", timeout="61s")
    async with (
        hanging() as receiver,
        local_engine(tmp_path / "e.db", timeout="20ms", endpoint_max_timeout="10ms", retry_schedule=[]) as engine,
    ):
        await engine.endpoints.update("acme", "e", url=receiver.url)
        await send(engine)
        await engine.join(timeout=5)
        [attempt] = (await engine.attempts.list_by_endpoint("acme", "e")).data
        assert attempt.response == "request timed out: no answer within 0.02 s"


async def test_only_what_passes_its_filter_is_sent_and_a_replay_keeps_to_it(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with Receiver() as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        endpoint = await acme(engine, receiver.url, filter={"n": {"$gt": 2}})
        for number in range(5):
            await send(engine, number)
        await engine.join(timeout=5)
        assert receiver.bodies == [b'{"n":3}', b'{"n":4}']
        # An edit counts from the next message on, and for what was missed.
        await engine.endpoints.update("acme", endpoint.id, filter={"n": {"$in": [1, 2, 7]}})
        await send(engine, 7)
        await engine.join(timeout=5)
        clock.advance(timedelta(minutes=1))
        await engine.endpoints.replay_missing("acme", endpoint.id, START - timedelta(hours=1))
        await engine.join(timeout=5)
        assert sorted(receiver.bodies) == [b'{"n":1}', b'{"n":2}', b'{"n":3}', b'{"n":4}', b'{"n":7}']


async def test_a_filter_of_the_worst_kind_leaves_others_their_turn(tmp_path: Path) -> None:
    """While its messages are filtered, the event loop is never held for long at once."""
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        await acme(engine, receiver.url, filter={"l": {"$or": [{f"m{n}": n} for n in range(30)]}})
        longest = 0.0
        done = asyncio.Event()

        async def neighbour() -> None:
            nonlocal longest
            while not done.is_set():
                began = time.thread_time()
                await asyncio.sleep(0)
                longest = max(longest, time.thread_time() - began)

        watching = asyncio.create_task(neighbour())
        payload = b'{"l": [' + b", ".join([b"{}"] * 50_000) + b"]}"
        await asyncio.gather(
            *(engine.messages.create("acme", event_type="invoice.paid", payload=payload) for _ in range(20))
        )
        done.set()
        await watching
        assert longest < 1.0  # all of it together takes several times as long
