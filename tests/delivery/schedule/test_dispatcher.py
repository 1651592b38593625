"""Deliveries that lanes, timers and the database hand to one another, where one of them might lose hold."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from engines import acme, destination, local_engine, send, send_many, until
from receivers import Receiver, Reply, Request, hanging

from webhook_engine import AttemptStatus, ManualClock
from webhook_engine.delivery.schedule import dispatcher as dispatcher_module
from webhook_engine.store.order import Turns
from webhook_engine.store.records import Outcomes


async def test_a_retry_from_before_a_restart_is_made_although_a_new_message_came_first(tmp_path: Path) -> None:
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    async with Receiver([500, 200]) as receiver:
        async with local_engine(tmp_path / "e.db", clock, retry_schedule=["5m"]) as engine:
            await acme(engine, receiver.url)
            failed = await send(engine)
            await engine.join(timeout=5)
        async with local_engine(tmp_path / "e.db", clock, retry_schedule=["5m"]) as engine:
            await engine.join(timeout=5)
            await send(engine, 2)
            await engine.join(timeout=5)
            assert len(receiver.requests) == 2
            clock.advance(timedelta(minutes=5))
            await engine.join(timeout=5)
            assert [request.headers["webhook-id"] for request in receiver.requests].count(failed) == 2


async def test_an_engine_that_is_started_again_repeats_what_it_let_go(tmp_path: Path) -> None:
    engine = local_engine(tmp_path / "e.db", shutdown_grace="0s")
    async with Receiver(Reply(200, delay=0.5)) as receiver:
        await engine.start()
        await acme(engine, receiver.url)
        await send(engine)
        await receiver.wait_for(1)
        await engine.stop()
        await engine.start()
        try:
            await engine.join(timeout=3)
            assert len(receiver.requests) == 2
        finally:
            await engine.stop()


async def test_a_lane_that_always_has_new_messages_makes_its_retries_in_time(tmp_path: Path) -> None:
    def fail_once(request: Request) -> int:
        return 500 if len(receiver.requests) <= 1 else 200

    async with Receiver(fail_once) as receiver, local_engine(tmp_path / "e.db", retry_schedule=["500ms"]) as engine:
        await acme(engine, receiver.url, throttle_rate=100)
        failed = await send(engine)
        await until(lambda: receiver.requests)
        await send_many(engine, 150)
        ends_at = time.perf_counter() + 15
        tries = 1
        while time.perf_counter() < ends_at and tries < 2:
            await send(engine)
            await asyncio.sleep(0.005)
            tries = sum(request.headers["webhook-id"] == failed for request in receiver.requests)
        assert tries == 2


async def test_what_a_restart_found_in_the_database_does_not_wait_while_new_messages_come_faster_than_they_go(
    tmp_path: Path,
) -> None:
    async with Receiver([500, 200]) as receiver:
        async with local_engine(tmp_path / "e.db", retry_schedule=["500ms"]) as engine:
            await acme(engine, receiver.url, throttle_rate=40)
            failed = await send(engine)
            await engine.join(timeout=5)
        async with local_engine(tmp_path / "e.db", retry_schedule=["500ms"]) as engine:
            await send_many(engine, 100)
            ends_at = time.perf_counter() + 15
            tries = 1
            while time.perf_counter() < ends_at and tries < 2:
                await send(engine)
                await asyncio.sleep(0.005)
                tries = sum(request.headers["webhook-id"] == failed for request in receiver.requests)
            assert tries == 2


async def test_a_dead_endpoint_with_large_payloads_leaves_the_engine_at_rest(tmp_path: Path) -> None:
    async with (
        hanging() as dead,
        Receiver() as receiver,
        local_engine(tmp_path / "e.db", shutdown_grace="0s") as engine,
    ):
        await acme(engine, dead.url)
        for _ in range(8):
            await engine.messages.create("acme", event_type="a.b", payload=b'"' + b"x" * 900_000 + b'"')
        await until(lambda: len(dead.requests) == 2)
        begun = time.process_time()
        await asyncio.sleep(0.5)
        assert time.process_time() - begun < 0.25
        await engine.applications.create(name="Well", uid="well")
        await engine.endpoints.create("well", url=receiver.url)
        await send(engine, application="well")
        await receiver.wait_for(1)


async def test_a_look_that_is_out_of_date_when_it_ends_is_made_again_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shards change hands while an engine looks for what is due in those that it had before."""
    monkeypatch.setattr(dispatcher_module, "PAUSE_AFTER_ERROR_S", 3600)
    began: asyncio.Queue[asyncio.Event] = asyncio.Queue()
    async with local_engine(tmp_path / "e.db") as engine:
        dispatcher = engine.services.flow._dispatcher
        look = dispatcher._deliveries.endpoints_with_due

        async def held(*asked: Any) -> Sequence[tuple[str, int]]:
            await began.put(go_on := asyncio.Event())
            await go_on.wait()
            return await look(*asked)

        monkeypatch.setattr(dispatcher._deliveries, "endpoints_with_due", held)
        dispatcher.look_for_due()
        async with asyncio.timeout(20):
            first = await began.get()
            dispatcher.look_for_due()
            first.set()
            (await began.get()).set()


async def test_nothing_is_sent_to_what_is_disabled_while_the_message_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An endpoint goes by event types, and that of a retry has to be read: what holds after that decides."""
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    async with (
        Receiver([500, 200]) as receiver,
        local_engine(tmp_path / "e.db", clock, retry_schedule=["5m"]) as engine,
    ):
        endpoint = await acme(engine, receiver.url, timeout_by_event_type={"a.b": timedelta(seconds=5)})
        await send(engine)
        await engine.join(timeout=5)
        attempter = engine.services.flow._dispatcher._attempter
        read, began, go_on = attempter._event_type_of, asyncio.Event(), asyncio.Event()

        async def held(message_id: str) -> str | None:
            began.set()
            await go_on.wait()
            return await read(message_id)

        monkeypatch.setattr(attempter, "_event_type_of", held)
        clock.advance(timedelta(minutes=5))
        async with asyncio.timeout(20):
            await began.wait()
            await engine.endpoints.disable("acme", endpoint.id)
            go_on.set()
            await engine.join(timeout=5)
        assert len(receiver.requests) == 1


async def test_what_waits_for_an_endpoint_is_settled_when_its_disabling_is_committed_and_not_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a crash in between, the endpoint would be enabled, and what was to come lost; and a look is for nothing."""
    async with Receiver([410]) as receiver, local_engine(tmp_path / "e.db") as engine:
        await acme(engine, receiver.url)
        deliveries = engine.services.store.deliveries
        record, began, go_on, early = deliveries.record, asyncio.Event(), asyncio.Event(), []

        async def held(outcomes: Outcomes) -> Turns:
            began.set()
            await go_on.wait()
            return await record(outcomes)

        async def settle_pending(*given: Any, **options: Any) -> int:
            early.append(not go_on.is_set())
            return await settle(*given, **options)

        settle = deliveries.settle_pending
        monkeypatch.setattr(deliveries, "record", held)
        monkeypatch.setattr(deliveries, "settle_pending", settle_pending)
        async with asyncio.timeout(20):
            await send(engine)
            await began.wait()
            messages = await send_many(engine, 3)
            for _ in range(100):
                await asyncio.sleep(0)
            go_on.set()
            await engine.join(timeout=10)
        assert early
        assert not any(early)
        assert len(receiver.requests) == 1
        found = [await destination(engine, one) for one in messages]
        assert {one.status for one in found} == {AttemptStatus.FAIL}
