"""The messages of an endpoint, and the endpoints of a message."""

from __future__ import annotations

import pytest
from records import START, World, kept, make_every_kind, manual

from webhook_engine.clock import to_datetime
from webhook_engine.model import AttemptedMessage, AttemptStatus, DeliveryStatus
from webhook_engine.store.records import DeliveryFilter, Span
from webhook_engine.store.seam import Store

EVERYTHING = Span(limit=1_000)

PENDING, SENDING, SUCCESS = AttemptStatus.PENDING, AttemptStatus.SENDING, AttemptStatus.SUCCESS


async def test_a_listed_message_tells_how_it_stands(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    sent = await world.send(endpoint, channels=("x",), payload=b"\x00\xff")
    await world.conclude(sent, endpoint, DeliveryStatus.PENDING, START * 2)
    endpoint_id = endpoint.endpoint.id
    expected = AttemptedMessage(
        message=kept(sent), status=SENDING, reason=None, attempt_count=1, next_attempt=to_datetime(START * 2)
    )
    assert await store.deliveries.list_by_endpoint(endpoint_id, EVERYTHING, DeliveryFilter()) == [expected]
    [bare] = await store.deliveries.list_by_endpoint(endpoint_id, EVERYTHING, DeliveryFilter(with_content=False))
    assert bare.message == kept(sent, payload=None)


async def test_a_manual_attempt_that_waits_is_pending(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    sent = await world.send(application=application)
    await store.deliveries.request_attempt(manual(sent, endpoint, "manual_1"))
    [listed] = await store.deliveries.list_by_endpoint(endpoint.endpoint.id, EVERYTHING, DeliveryFilter(status=PENDING))
    assert (listed.message.id, listed.status, listed.next_attempt) == (sent.id, PENDING, None)


async def test_the_endpoints_of_a_message_include_deleted_ones(store: Store, world: World) -> None:
    application = await world.application()
    endpoints = [await world.endpoint(application, uid=f"uid-{number}") for number in range(4)]
    await world.endpoint(application)
    sent = await world.send(*endpoints)
    await world.send(*endpoints)
    await world.conclude(sent, endpoints[1], DeliveryStatus.SUCCEEDED)
    await store.endpoints.delete(endpoints[2].endpoint.id, world.tick())
    listed = await store.deliveries.list_by_message(sent.id, Span(descending=False))
    assert [one.endpoint.id for one in listed] == [stored.endpoint.id for stored in endpoints]
    assert [one.status for one in listed] == [PENDING, SUCCESS, PENDING, PENDING]
    assert listed[0].endpoint == endpoints[0].endpoint
    assert listed[0].next_attempt == to_datetime(sent.created_at)
    assert listed[2].endpoint.uid is None

    span = Span(low=endpoints[0].endpoint.id, high=endpoints[3].endpoint.id, descending=True, limit=1)
    [one] = await store.deliveries.list_by_message(sent.id, span)
    assert one.endpoint.id == endpoints[2].endpoint.id


async def test_what_is_still_to_come_is_counted(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    await make_every_kind(store, world, endpoint)
    await world.send(await world.endpoint(application))
    assert await store.deliveries.count_pending(endpoint.endpoint.id) == (8, 8)
    assert await store.deliveries.count_pending("ep_none") == (0, 0)


@pytest.mark.parametrize("descending", [True, False])
async def test_an_edge_tells_where_a_part_of_the_list_ends(store: Store, world: World, descending: bool) -> None:
    _, endpoint = await world.pair()
    made = await make_every_kind(store, world, endpoint)
    span = Span(descending=descending)
    for status in (None, *AttemptStatus):
        keys = [message.id for message, its in made if status in (None, its)][:: -1 if descending else 1]
        for count in (1, len(keys) - 1):
            edge = await store.deliveries.edge(endpoint.endpoint.id, status, span, count)
            assert edge == (keys[count - 1], keys[count])
        assert await store.deliveries.edge(endpoint.endpoint.id, status, span, len(keys)) is None
