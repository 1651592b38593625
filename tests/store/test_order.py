"""The order of an endpoint's deliveries: who has the turn, and who gets it next."""

import itertools

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from records import START, World, addressed, change, progress

from webhook_engine.model import DeliveryStatus
from webhook_engine.store.order import NOT_YET, Turns, leaves, numbered
from webhook_engine.store.records import NewMessage, Outcomes, Span, StoredEndpoint
from webhook_engine.store.seam import Store

PENDING, SUCCEEDED = DeliveryStatus.PENDING, DeliveryStatus.SUCCEEDED
FAILED, CANCELLED = DeliveryStatus.FAILED, DeliveryStatus.CANCELLED
EVERYTHING = Span(limit=1_000)
FAR = START * 2


async def send(world: World, endpoint: StoredEndpoint, *keys: str | None, **fields: object) -> list[NewMessage]:
    """Messages with these keys, in one batch, to an endpoint that keeps order."""
    of = endpoint.endpoint
    sent = [world.new_message(of.application_id, ordering_key=key, **fields) for key in keys]
    await world.store.messages.add([addressed(one, endpoint, ordered=[of.id]) for one in sent])
    return sent


async def record(
    store: Store,
    message: NewMessage,
    endpoint: StoredEndpoint,
    status: DeliveryStatus,
    due_at: int | None = None,
    *,
    stops: bool = False,
    manual_id: str | None = None,
    settled_at: int = START,
) -> Turns:
    made = change(message, endpoint, status, due_at, manual_id=manual_id, settled_at=None if due_at else settled_at)
    return await store.deliveries.record(
        Outcomes(deliveries=[msgspec.structs.replace(made, ordered=True, stops=stops)])
    )


async def turns(store: Store, endpoint: StoredEndpoint) -> list[str]:
    """The messages that are due."""
    return sorted(one.message_id for one in await store.deliveries.due(endpoint.endpoint.id, FAR, 1_000))


def ids(*messages: NewMessage) -> list[str]:
    return sorted(one.id for one in messages)


def test_a_number_is_never_below_one_that_waits() -> None:
    line = ("ep_1", "")
    assert numbered([line, line], {}, 100) == [100, 101]
    assert numbered([line, ("ep_1", "a"), line], {line: 500}, 100) == [501, 100, 502]


@pytest.mark.parametrize(
    ("status", "stops", "gone"),
    [
        (PENDING, False, False),
        (PENDING, True, False),
        (SUCCEEDED, True, True),
        (FAILED, False, True),
        (FAILED, True, False),
        (CANCELLED, True, True),
    ],
)
def test_who_leaves_the_order(status: DeliveryStatus, stops: bool, gone: bool) -> None:
    assert leaves(status, stops=stops) is gone


async def test_one_of_each_key_is_due(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    a1, b1, none1, *_ = await send(world, endpoint, "a", "b", None, "a", None, "b")
    await send(world, endpoint, "a", None)
    assert await turns(store, endpoint) == ids(a1, b1, none1)
    [(endpoint_id, due_at)] = await store.deliveries.endpoints_with_due(None, 10)
    assert (endpoint_id, due_at < NOT_YET) == (endpoint.endpoint.id, True)


async def test_a_settled_delivery_gives_its_turn_to_the_next_one(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    first, second, third = await send(world, endpoint, "a", "a", "a", event_id=None)
    given = await record(store, first, endpoint, SUCCEEDED)
    [due] = given.due
    assert (due.message_id, due.payload, due.order_key, due.step) == (second.id, second.payload, "a", 0)
    assert (await record(store, second, endpoint, PENDING, START + 5)).due == ()
    assert (await record(store, second, endpoint, FAILED)).due[0].message_id == third.id
    assert not (await record(store, third, endpoint, SUCCEEDED)).due
    [fourth] = await send(world, endpoint, "a")
    assert await turns(store, endpoint) == ids(fourth)


async def test_an_order_stops_at_a_failure_until_somebody_acts(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    of = endpoint.endpoint.id
    first, second, third, fourth = await send(world, endpoint, *"aaaa")
    assert not (await record(store, first, endpoint, FAILED, stops=True)).due
    assert await turns(store, endpoint) == []
    [head] = await store.deliveries.line_heads(of, None, 10, 100)
    assert (head.ordering_key, head.message_id, head.status, head.waiting) == ("a", first.id, FAILED, 3)
    # A failure by hand changes nothing, a success goes on.
    await record(store, first, endpoint, FAILED, manual_id="m")
    assert await turns(store, endpoint) == []
    assert [due.message_id for due in (await record(store, first, endpoint, SUCCEEDED, manual_id="m")).due] == [
        second.id
    ]
    await record(store, second, endpoint, FAILED, stops=True)
    skipped = await store.deliveries.skip(second.id, of, "skipped", FAR)
    assert skipped is not None
    assert [due.message_id for due in skipped.due] == [third.id]
    assert await store.deliveries.skip(second.id, of, "skipped", FAR) is None
    await record(store, third, endpoint, FAILED, stops=True)
    assert (await store.deliveries.release(of, 10, FAR))[0] == 1
    assert await turns(store, endpoint) == ids(fourth)
    assert (await store.deliveries.release(of, 10, FAR))[0] == 0
    assert [one.status for one in await store.deliveries.list_by_message(third.id, EVERYTHING)] == [FAILED]


async def test_what_is_cancelled_or_skipped_leaves_the_order(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    first, second, third, fourth, fifth = await send(world, endpoint, *"aaaaa")
    await store.deliveries.cancel_message(second.id, "cancelled", FAR)
    concerned, given = await store.deliveries.cancel_message(first.id, "cancelled", FAR)
    assert (list(concerned), [due.message_id for due in given.due]) == ([endpoint.endpoint.id], [third.id])
    cancelled, given = await store.deliveries.cancel_before(endpoint.endpoint.id, fifth.id, "cancelled", FAR, 10)
    assert sorted(cancelled) == ids(third, fourth)
    assert [due.message_id for due in given.due] == [fifth.id]


async def test_a_disabled_endpoint_has_nobody_in_its_order(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    of = endpoint.endpoint.id
    stopped, *_ = await send(world, endpoint, "b", "a", "a", "a", "b")
    await record(store, stopped, endpoint, FAILED, stops=True)
    counts = [await store.deliveries.settle_pending(of, FAILED, "disabled", FAR, 2) for _ in range(4)]
    assert sum(counts) == 5
    assert counts[-1] == 0
    assert list(await store.deliveries.line_heads(of, None, 10, 100)) == []
    [after] = await send(world, endpoint, "a")
    assert await turns(store, endpoint) == ids(after)


async def test_what_is_recovered_comes_back_to_its_place(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    of = endpoint.endpoint.id
    first, second, third, fourth = await send(world, endpoint, *"aaaa")
    await record(store, first, endpoint, FAILED, settled_at=START)
    await record(store, second, endpoint, FAILED, settled_at=START)
    task = await world.task()
    assert (await store.deliveries.recover(of, START, FAR, FAR, 10, progress(task), ordered=True))[0] == 2
    assert await turns(store, endpoint) == ids(third)
    order = [third]
    for expected in (first, second, fourth):
        [due] = (await record(store, order[-1], endpoint, SUCCEEDED)).due
        assert due.message_id == expected.id
        order.append(expected)


async def test_replayed_messages_go_in_their_order(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    of = endpoint.endpoint.id
    missed = [await world.send(application=application, ordering_key="a") for _ in range(2)]
    [first] = await send(world, endpoint, "a")
    task = await world.task()
    wanted = [one.id for one in missed]
    await store.deliveries.replay(of, wanted, FAR, progress(task), ordered=True)
    assert await turns(store, endpoint) == ids(first)
    assert (await record(store, first, endpoint, SUCCEEDED)).due[0].message_id == missed[0].id
    await record(store, missed[0], endpoint, SUCCEEDED)
    await store.deliveries.replay_again(of, [first.id], FAR, progress(task), ordered=True)
    assert (await record(store, missed[1], endpoint, SUCCEEDED)).due[0].message_id == first.id


async def test_a_message_for_later_keeps_its_place(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    [first] = await send(world, endpoint, "a")
    [later] = await send(world, endpoint, "a", deliver_at=FAR + 7)
    given = await record(store, first, endpoint, SUCCEEDED)
    assert (list(given.due), list(given.later)) == ([], [(endpoint.endpoint.id, FAR + 7)])
    assert await store.deliveries.next_due_at(endpoint.endpoint.id, START) == FAR + 7
    [shown] = await store.deliveries.list_by_message(later.id, EVERYTHING)
    assert shown.next_attempt is not None


async def test_who_waits_has_no_next_attempt(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    _, second = await send(world, endpoint, "a", "a")
    [shown] = await store.deliveries.list_by_message(second.id, EVERYTHING)
    assert (shown.status.name, shown.next_attempt) == ("PENDING", None)
    # A clock that is set makes nobody due who waits.
    await store.deliveries.reschedule(None, 100, lambda due_at, ran, promised: START)
    assert second.id not in await turns(store, endpoint)


async def test_the_heads_come_in_pages(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    await send(world, endpoint, None, None, *"cab", *"cc")
    heads = await store.deliveries.line_heads(endpoint.endpoint.id, None, 2, 1)
    assert [(head.ordering_key, head.waiting) for head in heads] == [("", 1), ("a", 0)]
    heads = await store.deliveries.line_heads(endpoint.endpoint.id, "a", 2, 10)
    assert [(head.ordering_key, head.waiting) for head in heads] == [("b", 0), ("c", 2)]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["send", "succeed", "retry", "exhaust", "stop", "skip", "cancel", "recover", "again", "resend"]
        ),
        st.integers(0, 9),
    ),
    min_size=5,
    max_size=40,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=15)
@given(steps=STEPS)
async def test_whatever_happens_each_order_has_one_turn(
    store: Store, world: World, steps: list[tuple[str, int]]
) -> None:
    _, endpoint = await world.pair()
    of = endpoint.endpoint.id
    task = await world.task()
    sent: list[NewMessage] = []
    clock = itertools.count(FAR)
    for step, number in steps:
        now = next(clock)
        heads = await store.deliveries.line_heads(of, None, 100, 100)
        chosen = heads[number % len(heads)] if heads else None
        message = next((one for one in sent if chosen is not None and one.id == chosen.message_id), None)
        if step == "send":
            sent += await send(world, endpoint, [None, "a", "b"][number % 3], created_at=now)
        elif step == "recover":
            await store.deliveries.recover(of, START, now + 1, now, 1 + number, progress(task), ordered=True)
        elif step == "again" and sent:
            wanted = [sent[number % len(sent)].id]
            await store.deliveries.replay_again(of, wanted, now, progress(task), ordered=True)
        elif step == "cancel" and sent:
            await store.deliveries.cancel_message(sent[number % len(sent)].id, "cancelled", now)
        elif step == "resend" and sent:
            status = SUCCEEDED if number % 2 else FAILED
            await record(store, sent[number % len(sent)], endpoint, status, manual_id="m", settled_at=now)
        elif message is not None and chosen is not None and step == "skip":
            await store.deliveries.skip(message.id, of, "skipped", now)
        elif message is not None and chosen is not None and chosen.status is PENDING:
            if step == "succeed":
                await record(store, message, endpoint, SUCCEEDED, settled_at=now)
            elif step == "retry":
                await record(store, message, endpoint, PENDING, now + 5)
            elif step in {"exhaust", "stop"}:
                await record(store, message, endpoint, FAILED, stops=step == "stop", settled_at=now)
        await check(store, endpoint)


async def check(store: Store, endpoint: StoredEndpoint) -> None:
    """Each order that is not empty has one turn, or has stopped; who is pending is in an order."""
    of = endpoint.endpoint.id
    heads = await store.deliveries.line_heads(of, None, 100, 1_000)
    due = {one.message_id: one for one in await store.deliveries.due(of, NOT_YET - 1, 1_000)}
    waiting = {one.message_id for one in await store.deliveries.due(of, NOT_YET, 1_000)} - due.keys()
    assert set(due) == {head.message_id for head in heads if head.status is PENDING}
    assert len({one.order_key for one in due.values()}) == len(due)
    assert sum(head.waiting for head in heads) == len(waiting)
    assert all(head.due_at is None or head.due_at < NOT_YET for head in heads)
