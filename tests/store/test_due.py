"""What is due, and for which endpoints."""

import pytest
from records import START, World, addressed, change, manual

from webhook_engine.model import DeliveryStatus
from webhook_engine.store.records import AddressedMessage, Due, EndpointChanges, EndpointCondition, Outcomes
from webhook_engine.store.seam import Store

FAR = START * 2


async def test_a_delivery_is_due_when_its_message_was_made(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    sent = await world.send(endpoint, event_id="inv-1", payload=b"\xff\x00")
    endpoint_id = endpoint.endpoint.id
    expected = Due(sent.id, endpoint_id, sent.created_at, 0, 0, "inv-1", b"\xff\x00")
    assert await store.deliveries.due(endpoint_id, sent.created_at, 10) == [expected]
    assert await store.deliveries.due(endpoint_id, sent.created_at - 1, 10) == []
    assert await store.deliveries.get(sent.id, endpoint_id) == expected


async def test_or_later_where_that_was_asked_for(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    sent = await world.send(endpoint, deliver_at=START + 10**9)
    endpoint_id = endpoint.endpoint.id
    assert await store.deliveries.due(endpoint_id, START + 10**9 - 1, 10) == []
    [due] = await store.deliveries.due(endpoint_id, START + 10**9, 10)
    assert (due.message_id, due.due_at) == (sent.id, START + 10**9)


async def test_what_is_due_comes_earliest_first(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    sent = [await world.send(endpoint, deliver_at=START + offset) for offset in (50, 10, 40, 20, 30)]
    in_order = [sent[index].id for index in (1, 3, 4, 2, 0)]
    endpoint_id = endpoint.endpoint.id
    assert [due.message_id for due in await store.deliveries.due(endpoint_id, FAR, 10)] == in_order
    assert [due.message_id for due in await store.deliveries.due(endpoint_id, START + 30, 10)] == in_order[:3]
    assert [due.message_id for due in await store.deliveries.due(endpoint_id, FAR, 2)] == in_order[:2]
    assert await store.deliveries.due(endpoint_id, FAR, 0) == []


async def test_what_is_due_is_of_one_endpoint(store: Store, world: World) -> None:
    application, first = await world.pair()
    second = await world.endpoint(application)
    sent = await world.send(first, second)
    await world.send(second)
    assert [due.message_id for due in await store.deliveries.due(first.endpoint.id, FAR, 10)] == [sent.id]
    assert len(await store.deliveries.due(second.endpoint.id, FAR, 10)) == 2


async def test_a_disabled_endpoint_still_has_what_is_due(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    endpoint_id = endpoint.endpoint.id
    await store.endpoints.update(endpoint_id, EndpointChanges(condition=EndpointCondition(disabled_at=1)), world.tick())
    await world.send(endpoint)
    assert len(await store.deliveries.due(endpoint_id, FAR, 10)) == 1


async def test_what_is_due_can_be_cut_by_the_size_of_payloads(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    sent = [await world.send(endpoint, payload=b"x" * 100) for _ in range(5)]
    endpoint_id = endpoint.endpoint.id
    for size, count in ((1, 1), (100, 1), (101, 2), (250, 3), (10_000, 5)):
        due = await store.deliveries.due(endpoint_id, FAR, 10, payload_bytes=size)
        assert [one.message_id for one in due] == [message.id for message in sent[:count]]


async def test_the_next_due_instant(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    endpoint_id = endpoint.endpoint.id
    assert await store.deliveries.next_due_at(endpoint_id, 0) is None
    for offset in (10, 20):
        await world.send(endpoint, deliver_at=START + offset)
    assert await store.deliveries.next_due_at(endpoint_id, 0) == START + 10
    assert await store.deliveries.next_due_at(endpoint_id, START + 10) == START + 20
    assert await store.deliveries.next_due_at(endpoint_id, START + 20) is None


async def test_manual_attempts_come_first(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    endpoint_id = endpoint.endpoint.id
    early = await world.send(endpoint)
    late = await world.send(endpoint, deliver_at=FAR)
    await store.deliveries.request_attempt(manual(late, endpoint, "manual_1"))
    await store.deliveries.request_attempt(manual(early, endpoint, "manual_2"))
    due = await store.deliveries.due(endpoint_id, world.now, 10)
    assert [(one.message_id, one.manual_id) for one in due] == [
        (late.id, "manual_1"),
        (early.id, "manual_2"),
        (early.id, None),
    ]
    assert due[0].due_at == FAR
    assert [one.manual_id for one in await store.deliveries.due(endpoint_id, world.now, 1)] == ["manual_1"]


async def test_asking_twice_with_one_id_is_asking_once(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    sent = await world.send(endpoint, deliver_at=FAR)
    for _ in range(2):
        await store.deliveries.request_attempt(manual(sent, endpoint, "manual_1"))
    await store.deliveries.request_attempt(manual(sent, endpoint, "manual_2"))
    due = await store.deliveries.due(endpoint.endpoint.id, START, 10)
    assert [one.manual_id for one in due] == ["manual_1", "manual_2"]


async def test_a_manual_attempt_makes_the_delivery_that_is_missing(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    sent = await world.send(application=application)
    assert await store.deliveries.get(sent.id, endpoint.endpoint.id) is None
    await store.deliveries.request_attempt(manual(sent, endpoint, "manual_1"))
    [due] = await store.deliveries.due(endpoint.endpoint.id, FAR, 10)
    assert due == Due(sent.id, endpoint.endpoint.id, 0, 0, 0, None, sent.payload, "manual_1")
    assert await store.deliveries.next_due_at(endpoint.endpoint.id, 0) is None


async def test_a_message_may_go_to_one_endpoint_by_a_manual_attempt_alone(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    sent = world.new_message(application.id)
    await store.messages.add([AddressedMessage(sent, [], manual_to=endpoint.endpoint.id)])
    [due] = await store.deliveries.due(endpoint.endpoint.id, 0, 10)
    assert (due.message_id, due.manual_id is not None, due.due_at) == (sent.id, True, 0)
    assert await store.deliveries.next_due_at(endpoint.endpoint.id, 0) is None
    assert await store.deliveries.endpoints_with_due(None, 10) == [(endpoint.endpoint.id, 0)]


async def test_endpoints_with_something_due_are_told_page_by_page(store: Store, world: World) -> None:
    application = await world.application()
    endpoints = [await world.endpoint(application) for _ in range(7)]
    expected = []
    for number, endpoint in enumerate(endpoints):
        if number == 3:
            continue
        for offset in (30, 10 + number, 20):
            await world.send(endpoint, deliver_at=START + offset)
        expected.append((endpoint.shard, endpoint.endpoint.id, START + min(10 + number, 20)))
    expected = [told[1:] for told in sorted(expected)]
    assert await store.deliveries.endpoints_with_due(None, 100) == expected
    found: list[tuple[str, int]] = []
    while page := await store.deliveries.endpoints_with_due(found[-1][0] if found else None, 2):
        found.extend(page)
    assert found == expected


async def test_endpoints_with_manual_attempts_are_due_at_once(store: Store, world: World) -> None:
    application = await world.application()
    endpoints = [await world.endpoint(application) for _ in range(4)]
    for endpoint in endpoints[:3]:
        await world.send(endpoint, deliver_at=FAR)
    for endpoint in endpoints[1], endpoints[3]:
        sent = await world.send(application=application)
        await store.deliveries.request_attempt(manual(sent, endpoint, f"manual_{sent.id}"))
    due = sorted((one.shard, one.endpoint.id, at) for one, at in zip(endpoints, (FAR, 0, FAR, 0), strict=True))
    told = [one[1:] for one in due]
    assert await store.deliveries.endpoints_with_due(None, 10) == told
    assert await store.deliveries.endpoints_with_due(told[0][0], 2) == told[1:3]
    assert await store.deliveries.endpoints_with_due(told[3][0], 2) == []


@pytest.mark.parametrize("status", [DeliveryStatus.SUCCEEDED, DeliveryStatus.FAILED, DeliveryStatus.CANCELLED])
async def test_what_is_settled_is_not_due(store: Store, world: World, status: DeliveryStatus) -> None:
    _, endpoint = await world.pair()
    sent = await world.send(endpoint)
    await store.deliveries.record(Outcomes(deliveries=[change(sent, endpoint, status)]))
    assert await store.deliveries.due(endpoint.endpoint.id, FAR, 10) == []
    assert await store.deliveries.endpoints_with_due(None, 10) == []
    settled = await store.deliveries.get(sent.id, endpoint.endpoint.id)
    assert settled is not None
    assert settled.due_at == 0


async def test_there_is_no_delivery_of_what_was_never_sent(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    sent = await world.send(endpoint)
    assert await store.deliveries.get(sent.id, "ep_none") is None
    assert await store.deliveries.get("msg_none", endpoint.endpoint.id) is None
    assert list(await store.messages.add([addressed(sent, endpoint)])) != []
