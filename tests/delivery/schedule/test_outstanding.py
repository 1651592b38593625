"""What is due in a whole database, and what only looks like it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from records import SECOND, World, addressed, manual

from webhook_engine.delivery.schedule.outstanding import Outstanding
from webhook_engine.store.records import StoredEndpoint
from webhook_engine.store.sqlite import SqliteStore


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    store = SqliteStore(tmp_path / "e.db")
    await store.open()
    yield World(store)
    await store.close()


async def batching(world: World) -> StoredEndpoint:
    return await world.endpoint(
        await world.application(), ordering="fifo", batch_size=3, batch_wait=timedelta(seconds=100)
    )


def looks(world: World) -> Outstanding:
    return Outstanding(world.store.deliveries, world.store.endpoints)


async def send(world: World, endpoint: StoredEndpoint, *keys: str) -> None:
    of = endpoint.endpoint
    sent = [world.new_message(of.application_id, ordering_key=key) for key in keys]
    await world.store.messages.add([addressed(one, endpoint, ordered=[of.id]) for one in sent])


async def test_what_is_due_is_outstanding_and_what_is_scheduled_for_later_is_not(world: World) -> None:
    _, endpoint = await world.pair()
    assert not await looks(world).any(world.now)
    message = await world.send(endpoint, deliver_at=world.now + 50 * SECOND)
    assert not await looks(world).any(world.now)
    assert await looks(world).any(message.deliver_at or 0)


async def test_a_batch_that_waits_for_more_is_scheduled_for_later(world: World) -> None:
    endpoint = await batching(world)
    await send(world, endpoint, "a", "b", "b")
    began, outstanding = world.now, looks(world)
    assert not await outstanding.any(began)
    assert not await outstanding.any(began + 90 * SECOND)
    assert await outstanding.any(began + 101 * SECOND)


async def test_a_batch_that_is_full_is_outstanding(world: World) -> None:
    endpoint = await batching(world)
    await send(world, endpoint, "a", "b", "b", "b")
    assert await looks(world).any(world.now)


async def test_so_is_what_a_person_asked_for_beside_one_that_waits(world: World) -> None:
    endpoint = await batching(world)
    await send(world, endpoint, "a")
    message = await world.send(application=await world.application())
    await world.store.deliveries.request_attempt(manual(message, endpoint, "atmpt_1"))
    assert await looks(world).any(world.now)


async def test_and_what_is_due_elsewhere(world: World) -> None:
    endpoint = await batching(world)
    await send(world, endpoint, "a")
    outstanding = looks(world)
    assert not await outstanding.any(world.now)
    await world.send(await world.endpoint(await world.application()))
    assert await outstanding.any(world.now)
