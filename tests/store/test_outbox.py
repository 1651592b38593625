from __future__ import annotations

import math
from typing import TYPE_CHECKING

from records import World, addressed

from webhook_engine.store.members import shard_of
from webhook_engine.store.postgresql import PostgresqlStore
from webhook_engine.store.records import AddressedMessage, OutboxRow, RefusedRow
from webhook_engine.store.seam import Store

if TYPE_CHECKING:
    from store.conftest import Place


async def test_a_row_is_read_as_it_was_written(store: Store, place: Place) -> None:
    number = place.write_outbox(
        application="acme",
        event_type="invoice.paid",
        payload=b"\x00\xff",
        event_id="inv-1",
        channels='["a"]',
        tags='["t"]',
        deliver_at="2030-01-01T00:00:00Z",
        organization="org_1",
        message_id="msg_1",
    )
    assert await store.outbox.waiting(10) == [
        OutboxRow(
            id=number,
            message_id="msg_1",
            organization="org_1",
            application="acme",
            event_type="invoice.paid",
            payload=b"\x00\xff",
            event_id="inv-1",
            channels='["a"]',
            tags='["t"]',
            deliver_at="2030-01-01T00:00:00Z",
        )
    ]


async def test_a_payload_may_be_text(store: Store, place: Place) -> None:
    place.write_outbox(application="acme", event_type="a", payload='{"ü":1}')
    place.write_outbox(application="acme", event_type="a", payload="")
    assert [row.payload for row in await store.outbox.waiting(10)] == ['{"ü":1}'.encode(), b""]


async def test_rows_come_oldest_first(store: Store, place: Place) -> None:
    numbers = [place.write_outbox(application="acme", event_type="a", payload=b"") for _ in range(5)]
    assert [row.id for row in await store.outbox.waiting(3)] == numbers[:3]
    assert [row.id for row in await store.outbox.waiting(10)] == numbers


async def test_the_shards_that_rows_wait_for(store: Store, place: Place) -> None:
    assert await store.outbox.waited_for(10) == frozenset()
    for application in ("acme", "globex", "acme"):
        place.write_outbox(application=application, event_type="a.b", payload=b"{}")
    shared = not math.isinf(store.leases.ttl_s)
    assert await store.outbox.waited_for(10) == ({shard_of("acme"), shard_of("globex")} if shared else frozenset())
    assert await store.outbox.waited_for(1) == ({shard_of("acme")} if shared else frozenset())


async def test_what_is_set_aside_waits_no_more(store: Store, world: World, place: Place) -> None:
    numbers = [place.write_outbox(application="acme", event_type="a", payload=b"") for _ in range(3)]
    refused = [RefusedRow(numbers[0], "no such application"), RefusedRow(numbers[2], "bad 'type'")]
    await store.outbox.set_aside(refused, world.now)
    assert [row.id for row in await store.outbox.waiting(10)] == [numbers[1]]
    await store.outbox.set_aside([], world.now)


async def test_a_row_goes_when_its_message_is_stored(store: Store, world: World, place: Place) -> None:
    application, endpoint = await world.pair()
    numbers = [place.write_outbox(application=application.id, event_type="a", payload=b"") for _ in range(2)]
    message = world.new_message(application.id)
    await store.messages.add([addressed(message, endpoint, outbox_id=numbers[0])])
    assert [row.id for row in await store.outbox.waiting(10)] == [numbers[1]]


async def test_a_row_goes_also_when_its_message_is_there_already(store: Store, world: World, place: Place) -> None:
    application, endpoint = await world.pair()
    sent = await world.send(endpoint, event_id="inv-1")
    numbers = [place.write_outbox(application=application.id, event_type="a", payload=b"") for _ in range(3)]
    batch = [
        AddressedMessage(world.new_message(application.id, event_id="inv-1"), [], outbox_id=numbers[0]),
        AddressedMessage(sent, [], outbox_id=numbers[1]),
        AddressedMessage(world.new_message(application.id), [], outbox_id=numbers[2]),
    ]
    assert list(await store.messages.add(batch)) == batch[:2]
    assert await store.outbox.waiting(10) == []


async def test_a_row_of_another_program_is_noticed(store: Store, place: Place) -> None:
    await store.outbox.changed()
    place.write_outbox(application="acme", event_type="a", payload=b"")
    assert await store.outbox.changed() is True


async def test_a_row_that_was_left_over_is_noticed(store: Store, place: Place) -> None:
    place.write_outbox(application="acme", event_type="a", payload=b"")
    await store.outbox.changed()
    await store.close()
    await store.open()
    assert await store.outbox.changed() is True


async def test_of_two_that_move_one_row_one_stores_its_message(store: Store, world: World, place: Place) -> None:
    """Each has given it an id of its own, as it does with a row that was written without one."""
    application, endpoint = await world.pair()
    number = place.write_outbox(application=application.id, event_type="a", payload=b"")
    first, second = world.new_message(application.id), world.new_message(application.id)
    assert list(await store.messages.add([addressed(first, endpoint, outbox_id=number)])) == []
    late = addressed(second, endpoint, outbox_id=number)
    if isinstance(store, PostgresqlStore):  # where several engines may be at work on one outbox
        assert list(await store.messages.add([late])) == [late]
        assert await store.messages.get(application.id, second.id) is None
