"""Time passes by a manual clock, by freezegun and by time-machine: a retry is made when it is due by any of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from freezegun import freeze_time

from webhook_engine import Engine, ManualClock
from webhook_engine.testing import Receiver, assert_delivered, temporary_engine, travel

START = datetime(2030, 1, 1, tzinfo=UTC)


async def failing_once(engine: Engine, receiver: Receiver) -> None:
    receiver.fail()
    await engine.applications.create(name="Acme", uid="acme")
    await engine.endpoints.create("acme", url=receiver.url)
    receiver.verify_for(engine)
    await engine.messages.create("acme", event_type="invoice.paid", payload={"id": 1})
    await receiver.wait_for(1)
    await engine.join(timeout=5)


async def test_freezegun() -> None:
    with freeze_time(START, real_asyncio=True) as frozen:
        async with Receiver() as receiver, temporary_engine(retry_schedule=["5h"]) as engine:
            await failing_once(engine, receiver)
            frozen.tick(timedelta(hours=5))
            await receiver.wait_for(2)
            await assert_delivered(engine, event_type="invoice.paid")


async def test_time_machine() -> None:
    with time_machine.travel(START, tick=False) as traveller:
        async with Receiver() as receiver, temporary_engine(retry_schedule=["5h"]) as engine:
            await failing_once(engine, receiver)
            traveller.shift(timedelta(hours=5))
            await receiver.wait_for(2)
            await assert_delivered(engine, event_type="invoice.paid")


@pytest.mark.parametrize("by", [timedelta(hours=12), 12 * 3600.0])
async def test_travelling_stops_at_each_retry_on_the_way(by: timedelta | float) -> None:
    clock = ManualClock(START)
    async with Receiver(503, clock=clock) as receiver, temporary_engine(clock=clock) as engine:
        await failing_once(engine, receiver)
        await travel(engine, clock, by)
        assert len(receiver.requests) == 6
        assert clock.now() == int((START + timedelta(hours=12)).timestamp()) * 1_000_000
        await travel(engine, clock, days=1, hours=4)
        assert len(receiver.requests) == 8
