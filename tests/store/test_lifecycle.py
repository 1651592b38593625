"""Opening, closing, and many at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from records import START, World, addressed, change, ids, kept

from webhook_engine.errors import ConflictError, EngineAlreadyRunningError, StoreError
from webhook_engine.model import DeliveryStatus
from webhook_engine.store.lifecycle import Lifecycle
from webhook_engine.store.records import MessageFilter, Outcomes, Span
from webhook_engine.store.seam import Store

if TYPE_CHECKING:
    from store.conftest import Place

EVERYTHING = Span(limit=5_000, descending=False)


async def test_everything_is_there_after_opening_again(store: Store, world: World, place: Place) -> None:
    application, endpoint = await world.pair()
    sent = await world.send(endpoint)
    await store.close()
    again = place.store()
    await again.open()
    try:
        assert await again.messages.get(application.id, sent.id) == kept(sent)
        assert await again.endpoints.of_application(application.id) == [endpoint]
        assert len(await again.deliveries.due(endpoint.endpoint.id, world.now, 10)) == 1
    finally:
        await again.close()


async def test_one_store_can_be_opened_again(store: Store, world: World) -> None:
    application, _ = await world.pair()
    for _ in range(3):
        await store.close()
        await store.open()
        assert len(await store.endpoints.of_application(application.id)) == 1


async def test_closing_twice_is_harmless(store: Store) -> None:
    await store.close()
    await store.close()


async def test_closing_before_opening_is_harmless(place: Place) -> None:
    await place.store().close()


async def test_a_closed_store_says_so(store: Store, world: World) -> None:
    await store.close()
    with pytest.raises(StoreError):
        await store.applications.get("org", "app")
    with pytest.raises(StoreError):
        await world.application()
    with pytest.raises(StoreError):
        await store.outbox.changed()


async def test_a_second_one_is_refused_while_the_first_is_open_where_there_can_be_no_others(
    store: Store, place: Place
) -> None:
    second = place.store()
    if store.wakeups is not None:
        await second.open()
        await second.close()
        return
    with pytest.raises(EngineAlreadyRunningError):
        await second.open()
    await store.close()
    await second.open()
    await second.close()


async def test_opening_twice_is_refused_and_harms_nothing(store: Store, world: World) -> None:
    with pytest.raises(EngineAlreadyRunningError):
        await store.open()
    await world.pair()


async def test_closing_finishes_what_is_being_written(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    sent = [world.new_message(application.id) for _ in range(50)]
    writing = [asyncio.create_task(store.messages.add([addressed(message, endpoint)])) for message in sent]
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*writing)
    await store.open()
    assert ids(await store.messages.list(application.id, EVERYTHING, MessageFilter())) == ids(sent)


async def test_closing_waits_for_reads(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    await world.send(endpoint)
    reading = [asyncio.create_task(store.messages.list(application.id, EVERYTHING, MessageFilter())) for _ in range(20)]
    await asyncio.sleep(0)
    await store.close()
    assert [len(found) for found in await asyncio.gather(*reading)] == [1] * 20


async def test_closing_goes_on_without_a_caller_who_gives_up(store: Store, world: World, place: Place) -> None:
    application, endpoint = await world.pair()
    sent = world.new_message(application.id)
    writing = asyncio.create_task(store.messages.add([addressed(sent, endpoint)]))
    await asyncio.sleep(0)
    closing = asyncio.create_task(store.close())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.gather(closing, return_exceptions=True)
    await writing
    await store.close()
    again = place.store()
    await again.open()
    assert await again.messages.get(application.id, sent.id) == kept(sent)
    await again.close()


async def test_many_at_once_are_all_stored(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    sent = [world.new_message(application.id) for _ in range(1_500)]
    await asyncio.gather(*(store.messages.add([addressed(message, endpoint)]) for message in sent))
    assert ids(await store.messages.list(application.id, EVERYTHING, MessageFilter())) == ids(sent)


async def test_a_read_sees_what_returned_before_it(store: Store, world: World) -> None:
    application, endpoint = await world.pair()

    async def write_and_read() -> None:
        for _ in range(20):
            sent = await world.send(endpoint)
            assert await store.messages.get(application.id, sent.id) == kept(sent)
            await world.conclude(sent, endpoint, DeliveryStatus.SUCCEEDED)
            due = await store.deliveries.due(endpoint.endpoint.id, START * 2, 100)
            assert sent.id not in {one.message_id for one in due}

    await asyncio.gather(*(write_and_read() for _ in range(8)))


async def test_a_failing_change_does_not_hurt_the_others(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    await world.application(uid="taken")
    stranger = world.new_endpoint(application)
    good = [world.new_message(application.id) for _ in range(20)]
    bad = [world.new_message(application.id) for _ in range(5)]
    results = await asyncio.gather(
        *(store.messages.add([addressed(message, endpoint)]) for message in good[:10]),
        *(world.application(uid="taken") for _ in range(5)),
        *(store.messages.add([addressed(message, stranger)]) for message in bad),
        *(store.messages.add([addressed(message, endpoint)]) for message in good[10:]),
        return_exceptions=True,
    )
    assert all(list(result) == [] for result in (*results[:10], *results[20:]))
    assert all(isinstance(result, ConflictError) for result in results[10:15])
    assert all(isinstance(result, StoreError) for result in results[15:20])
    assert ids(await store.messages.list(application.id, EVERYTHING, MessageFilter())) == ids(good)


async def test_of_those_that_want_one_uid_one_gets_it(store: Store, world: World) -> None:
    results = await asyncio.gather(*(world.application(uid="acme") for _ in range(10)), return_exceptions=True)
    assert sum(isinstance(result, ConflictError) for result in results) == 9


async def test_of_those_that_want_one_event_id_one_gets_it(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    batches = [[addressed(world.new_message(application.id, event_id="inv-1"), endpoint)] for _ in range(10)]
    refused = await asyncio.gather(*(store.messages.add(batch) for batch in batches))
    assert sorted(len(one) for one in refused) == [0] + [1] * 9
    assert len(await store.messages.list(application.id, EVERYTHING, MessageFilter())) == 1


async def test_a_caller_who_gives_up_harms_nobody(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    sent = [world.new_message(application.id) for _ in range(60)]
    writing = [asyncio.create_task(store.messages.add([addressed(message, endpoint)])) for message in sent]
    reading = [asyncio.create_task(store.endpoints.of_application(application.id)) for _ in range(20)]
    await asyncio.sleep(0)
    for task in (*writing[::3], *reading[::2]):
        task.cancel()
    await asyncio.gather(*writing, *reading, return_exceptions=True)
    kept_ids = set(ids(await store.messages.list(application.id, EVERYTHING, MessageFilter())))
    assert kept_ids >= {message.id for number, message in enumerate(sent) if number % 3}
    await store.deliveries.record(
        Outcomes(deliveries=[change(message, endpoint, DeliveryStatus.SUCCEEDED) for message in sent])
    )
    for _ in range(10):
        assert len(await store.endpoints.of_application(application.id)) == 1


async def test_a_closing_waits_for_an_opening_and_goes_on_without_its_caller() -> None:
    lifecycle, said = Lifecycle(), []

    async def let_go() -> None:
        said.append("begun")
        await asyncio.sleep(0)
        said.append("done")

    async with lifecycle.one_at_a_time():
        caller = asyncio.create_task(lifecycle.close(let_go))
        await asyncio.sleep(0)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert said == []
    async with lifecycle.one_at_a_time():
        assert said == ["begun", "done"]


def test_the_next_event_loop_may_be_another() -> None:
    lifecycle, said = Lifecycle(), []

    async def let_go() -> None:
        said.append(asyncio.get_running_loop())

    for _ in range(2):
        asyncio.run(lifecycle.close(let_go))
    assert len(set(said)) == 2
