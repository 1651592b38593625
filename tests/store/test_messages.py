import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from records import World, addressed, ids, kept, manual

from webhook_engine.errors import StoreError
from webhook_engine.store.kept_responses import KeptResponse
from webhook_engine.store.records import MessageFilter, Span
from webhook_engine.store.seam import Store

EVERYTHING = Span(limit=1_000)


async def test_a_message_is_found_by_id_and_by_event_id(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    sent = await world.send(
        endpoint, event_id="inv-1", channels=("a", "ü"), tags=("t",), deliver_at=world.now + 5, payload=b"\x00\xff"
    )
    assert await store.messages.get(application.id, sent.id) == kept(sent)
    assert await store.messages.get(application.id, "inv-1") == kept(sent)


async def test_another_application_does_not_find_it(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    other = await world.application()
    sent = await world.send(endpoint, event_id="inv-1")
    assert await store.messages.get(other.id, sent.id) is None
    assert await store.messages.get(other.id, "inv-1") is None


async def test_its_event_type_is_read_alone(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    sent = await world.send(endpoint, event_type="invoice.paid")
    assert await store.messages.event_type(sent.id) == "invoice.paid"
    assert await store.messages.event_type("msg_unknown") is None


async def test_a_message_may_go_nowhere(store: Store, world: World) -> None:
    application = await world.application()
    sent = await world.send(application=application)
    assert await store.messages.get(application.id, sent.id) == kept(sent)
    assert await store.deliveries.list_by_message(sent.id, EVERYTHING) == []


async def test_an_empty_batch_is_nothing(store: Store) -> None:
    assert list(await store.messages.add([])) == []


@given(payloads=st.lists(st.binary(max_size=300), min_size=1, max_size=20))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_payloads_are_kept_byte_for_byte(store: Store, world: World, payloads: list[bytes]) -> None:
    application, endpoint = await world.pair()
    sent = [world.new_message(application.id, payload=payload) for payload in payloads]
    await store.messages.add([addressed(message, endpoint) for message in sent])
    listed = await store.messages.list(application.id, Span(descending=False), MessageFilter())
    assert [message.payload for message in listed] == payloads
    due = await store.deliveries.due(endpoint.endpoint.id, world.now, 100)
    assert [one.payload for one in due] == payloads


async def test_a_large_batch_is_stored_whole(store: Store, world: World) -> None:
    application, first = await world.pair()
    second = await world.endpoint(application)
    sent = [world.new_message(application.id, payload=str(number).encode()) for number in range(1_100)]
    await store.messages.add([addressed(message, first, second) for message in sent])
    listed = await store.messages.list(application.id, Span(descending=False, limit=2_000), MessageFilter())
    assert listed == [kept(message) for message in sent]
    for stored in (first, second):
        assert len(await store.deliveries.due(stored.endpoint.id, world.now, 2_000)) == 1_100


async def test_the_response_to_its_creation_is_kept_with_it(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    batch = [
        msgspec.structs.replace(
            addressed(world.new_message(application.id, event_id=f"e{number // 2}"), endpoint),
            response=KeptResponse(
                digest=bytes([number] * 32), encrypted=b"response %d" % number, expires_at=world.now + number
            ),
        )
        for number in range(4)
    ]
    refused = await store.messages.add(batch)
    assert refused == [batch[1], batch[3]]
    found = [await store.kept_responses.find(bytes([number] * 32), 0) for number in range(4)]
    assert found == [batch[0].response, None, batch[2].response, None]
    assert list(await store.messages.add([batch[1]])) == [batch[1]]
    assert await store.kept_responses.find(bytes([1] * 32), 0) is None


async def test_a_response_takes_the_place_of_one_that_has_expired(store: Store, world: World) -> None:
    application, digest = await world.application(), b"d" * 32
    responses = [
        KeptResponse(digest=digest, encrypted=encrypted, expires_at=world.tick()) for encrypted in (b"old", b"new")
    ]
    for response in responses:
        await store.messages.add(
            [msgspec.structs.replace(addressed(world.new_message(application.id)), response=response)]
        )
    assert await store.kept_responses.find(digest, 0) == responses[1]


async def test_a_large_payload_is_kept(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    sent = await world.send(endpoint, payload=bytes(range(256)) * 20_000)
    found = await store.messages.get(application.id, sent.id)
    assert found is not None
    assert found.payload == sent.payload


async def test_an_event_id_is_taken_in_its_application(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    first = await world.send(endpoint, event_id="inv-1")
    again = addressed(world.new_message(application.id, event_id="inv-1"), endpoint)
    fresh = addressed(world.new_message(application.id, event_id="inv-2"), endpoint)
    other = await world.application()
    elsewhere = addressed(world.new_message(other.id, event_id="inv-1"))
    assert list(await store.messages.add([again, fresh, elsewhere])) == [again]
    listed = await store.messages.list(application.id, EVERYTHING, MessageFilter())
    assert ids(listed) == [fresh.message.id, first.id]
    assert ids(await store.messages.list(other.id, EVERYTHING, MessageFilter())) == [elsewhere.message.id]
    assert await store.deliveries.list_by_message(again.message.id, EVERYTHING) == []


async def test_of_several_in_a_batch_the_first_is_stored(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    batch = [addressed(world.new_message(application.id, event_id="inv-1"), endpoint) for _ in range(3)]
    assert list(await store.messages.add(batch)) == batch[1:]
    found = await store.messages.get(application.id, "inv-1")
    assert found == kept(batch[0].message)


async def test_a_message_id_is_stored_once(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    sent = await world.send(endpoint)
    again = addressed(sent, endpoint)
    other = addressed(world.new_message(application.id), endpoint)
    assert list(await store.messages.add([again, other, other])) == [again, other]
    assert len(await store.messages.list(application.id, EVERYTHING, MessageFilter())) == 2
    assert len(await store.deliveries.due(endpoint.endpoint.id, world.now, 10)) == 2


async def test_a_batch_is_stored_whole_or_not_at_all(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    good = addressed(world.new_message(application.id), endpoint)
    bad = addressed(world.new_message(application.id), world.new_endpoint(application))
    with pytest.raises(StoreError):
        await store.messages.add([good, bad])
    assert await store.messages.list(application.id, EVERYTHING, MessageFilter()) == []
    assert await store.deliveries.due(endpoint.endpoint.id, world.now, 10) == []
    assert list(await store.messages.add([good])) == []


async def test_lists_are_in_the_order_of_ids_between_both_ends(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    sent = [await world.send(endpoint) for _ in range(5)]
    _, elsewhere = await world.pair()
    await world.send(elsewhere)

    async def listed(**span: object) -> list[str]:
        return ids(await store.messages.list(application.id, Span(**span), MessageFilter()))

    assert await listed() == ids(sent)[::-1]
    assert await listed(descending=False, limit=2) == ids(sent)[:2]
    assert await listed(low=sent[0].id, high=sent[4].id) == ids(sent)[3:0:-1]


async def test_lists_are_filtered(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    sent = {
        "plain": await world.send(endpoint, event_type="a"),
        "channel": await world.send(endpoint, event_type="b", channels=("x", "y")),
        "tag": await world.send(endpoint, event_type="c", tags=("x",)),
        "both": await world.send(endpoint, event_type="a", channels=("x",), tags=("t",)),
    }

    async def listed(**where: object) -> set[str]:
        found = await store.messages.list(application.id, EVERYTHING, MessageFilter(**where))
        assert ids(found) == sorted(ids(found), reverse=True)
        return {name for name, message in sent.items() if message.id in ids(found)}

    assert await listed() == set(sent)
    assert await listed(event_types=("a",)) == {"plain", "both"}
    assert await listed(event_types=("a", "b", "a")) == {"plain", "channel", "both"}
    assert await listed(event_types=(*(f"t{number}" for number in range(600)), "c")) == {"tag"}
    assert await listed(event_types=()) == set()
    assert await listed(channel="x") == {"channel", "both"}
    assert await listed(tag="x") == {"tag"}
    assert await listed(channel="x", event_types=("a",)) == {"both"}
    assert await listed(channel="x", tag="t", event_types=("a", "b")) == {"both"}
    assert await listed(channel="none") == set()


async def test_merged_lists_keep_order_and_limit(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    sent = [await world.send(endpoint, event_type="abc"[number % 3]) for number in range(12)]
    wanted = [message for message in sent if message.event_type != "b"]
    where = MessageFilter(event_types=("c", "a"))
    listed = await store.messages.list(application.id, Span(limit=3), where)
    assert ids(listed) == ids(wanted)[:-4:-1]
    listed = await store.messages.list(application.id, Span(low=wanted[1].id, descending=False, limit=3), where)
    assert ids(listed) == ids(wanted)[2:5]


async def test_payloads_may_be_left_out_of_a_list(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    sent = await world.send(endpoint)
    listed = await store.messages.list(application.id, EVERYTHING, MessageFilter(with_content=False))
    assert listed == [kept(sent, payload=None)]


async def test_what_was_expunged_cannot_be_asked_for_again(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    sent = await world.send(endpoint)
    await store.messages.expunge(sent.id)
    assert await store.deliveries.request_attempt(manual(sent, endpoint, "manual_1")) is False
    assert [due.manual_id for due in await store.deliveries.due(endpoint.endpoint.id, 2**62, 10)] == [None]


async def test_an_expunged_payload_is_gone_and_the_message_stays(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    sent = await world.send(endpoint, event_id="inv-1")
    await store.messages.expunge(sent.id)
    assert await store.messages.get(application.id, sent.id) == kept(sent, payload=None)
    [due] = await store.deliveries.due(endpoint.endpoint.id, world.now, 10)
    assert due.payload is None
    taken = addressed(world.new_message(application.id, event_id="inv-1"), endpoint)
    assert list(await store.messages.add([taken])) == [taken]


async def test_an_edge_tells_where_a_part_of_a_list_ends(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    await world.pair()
    sent = [(await world.send(endpoint)).id for _ in range(5)]
    for span, keys in ((Span(), sent[::-1]), (Span(descending=False, low=sent[0]), sent[1:])):
        for count in range(1, len(keys)):
            assert await store.messages.edge(application.id, span, count) == (keys[count - 1], keys[count])
        assert await store.messages.edge(application.id, span, len(keys)) is None
        assert await store.messages.edge("app_other", span, 1) is None
