"""Positions of consumers: kept one for each, a bounded number, and gone with what they belong to."""

import msgspec
from records import SECOND, START, World

from webhook_engine.store.positions import Position
from webhook_engine.store.seam import Store

PLENTY = 100


def position(application_id: str, consumer: str = "one", sink: str = "warehouse", used_at: int = START) -> Position:
    return Position(application_id=application_id, sink=sink, consumer=consumer, after="msg_5", used_at=used_at)


async def test_a_position_is_kept_and_moved(store: Store, world: World) -> None:
    application = await world.application()
    first = position(application.id)
    assert await store.positions.get(application.id, "warehouse", "one") is None
    assert await store.positions.keep(first, PLENTY, 0)
    assert await store.positions.get(application.id, "warehouse", "one") == first
    moved = msgspec.structs.replace(first, after="msg_3", used_at=START + SECOND)
    assert await store.positions.keep(moved, PLENTY, 0)
    assert await store.positions.get(application.id, "warehouse", "one") == moved


async def test_each_consumer_of_each_sink_of_each_application_has_its_own(store: Store, world: World) -> None:
    application, other = await world.application(), await world.application()
    mine = position(application.id)
    await store.positions.keep(mine, PLENTY, 0)
    for application_id, sink, consumer in (
        (other.id, "warehouse", "one"),
        (application.id, "audit", "one"),
        (application.id, "warehouse", "two"),
    ):
        assert await store.positions.get(application_id, sink, consumer) is None
        await store.positions.keep(
            Position(application_id=application_id, sink=sink, consumer=consumer, after="msg_9", used_at=START),
            PLENTY,
            0,
        )
    assert await store.positions.get(application.id, "warehouse", "one") == mine


async def test_there_is_a_bounded_number_for_each_application(store: Store, world: World) -> None:
    application, other = await world.application(), await world.application()
    for consumer in ("one", "two"):
        assert await store.positions.keep(position(application.id, consumer), 2, START - 1)
    assert not await store.positions.keep(position(application.id, "three"), 2, START - 1)
    assert await store.positions.get(application.id, "warehouse", "three") is None
    assert await store.positions.keep(position(application.id, "one"), 2, START - 1)  # one that is there may move
    assert await store.positions.keep(position(other.id, "one"), 2, START - 1)


async def test_idle_ones_give_way_only_where_there_is_no_room(store: Store, world: World) -> None:
    application = await world.application()
    await store.positions.keep(position(application.id, "idle"), 2, START)
    await store.positions.keep(position(application.id, "busy", used_at=START + SECOND), 2, START)
    assert await store.positions.get(application.id, "warehouse", "idle") is not None
    assert await store.positions.keep(position(application.id, "new", used_at=START + SECOND), 2, START)
    assert await store.positions.get(application.id, "warehouse", "idle") is None
    assert await store.positions.get(application.id, "warehouse", "busy") is not None


async def test_they_go_with_the_application(store: Store, world: World) -> None:
    application, other = await world.application(), await world.application()
    for one in (application, other):
        await store.positions.keep(position(one.id), PLENTY, 0)
    await store.applications.delete(application.id, world.tick())
    assert await store.positions.get(application.id, "warehouse", "one") is None
    assert await store.positions.get(other.id, "warehouse", "one") is not None
    await store.positions.keep(position(application.id), PLENTY, 0)  # by somebody who has not heard of it yet
    assert await store.positions.get(application.id, "warehouse", "one") is None


async def test_they_go_with_the_endpoint_that_they_pull_from(store: Store, world: World) -> None:
    application, stored = await world.pair()
    for sink in (stored.endpoint.id, "warehouse"):
        await store.positions.keep(position(application.id, sink=sink), PLENTY, 0)
    await store.endpoints.delete(stored.endpoint.id, world.tick())
    assert await store.positions.get(application.id, stored.endpoint.id, "one") is None
    assert await store.positions.get(application.id, "warehouse", "one") is not None
