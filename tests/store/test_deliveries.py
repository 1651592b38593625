"""Ending what is scheduled, and scheduling again: disabling, deleting, cancelling, recovering, replaying."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from records import START, World, change, ids, manual, progress

from webhook_engine.model import AttemptStatus, DeliveryStatus, TaskStatus
from webhook_engine.store.records import WORK_DONE, DeliveryFilter, Outcomes, Span
from webhook_engine.store.seam import Store

PENDING, SUCCEEDED = DeliveryStatus.PENDING, DeliveryStatus.SUCCEEDED
FAILED, CANCELLED = DeliveryStatus.FAILED, DeliveryStatus.CANCELLED
EVERYTHING = Span(limit=1_000)
FAR = START * 2


async def test_scheduled_deliveries_are_settled_in_batches(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    other = await world.endpoint(application)
    for _ in range(5):
        await world.send(endpoint, other)
    endpoint_id = endpoint.endpoint.id
    counts = [await store.deliveries.settle_pending(endpoint_id, FAILED, "endpoint disabled", FAR, 2) for _ in range(4)]
    assert counts == [2, 2, 1, 0]
    listed = await store.deliveries.list_by_endpoint(endpoint_id, EVERYTHING, DeliveryFilter())
    assert {(one.status, one.reason, one.next_attempt) for one in listed} == {
        (AttemptStatus.FAIL, "endpoint disabled", None)
    }
    assert len(await store.deliveries.due(other.endpoint.id, FAR, 10)) == 5


async def test_what_is_settled_already_stays(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    sent = await world.send(endpoint)
    await world.conclude(sent, endpoint, SUCCEEDED)
    assert await store.deliveries.settle_pending(endpoint.endpoint.id, CANCELLED, "endpoint deleted", FAR, 10) == 0
    [seen] = await store.deliveries.list_by_message(sent.id, EVERYTHING)
    assert (seen.status, seen.reason) == (AttemptStatus.SUCCESS, None)


async def test_disabling_keeps_the_manual_attempts_that_wait(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    asked = await world.send(application=application)
    await store.deliveries.request_attempt(manual(asked, endpoint, "manual_1"))
    await world.send(endpoint)
    endpoint_id = endpoint.endpoint.id
    assert await store.deliveries.settle_pending(endpoint_id, FAILED, "endpoint disabled", FAR, 10) == 1
    assert await store.deliveries.settle_pending(endpoint_id, FAILED, "endpoint disabled", FAR, 10) == 0
    assert [due.manual_id for due in await store.deliveries.due(endpoint_id, FAR, 10)] == ["manual_1"]


async def test_deleting_ends_the_manual_attempts_that_wait(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    other = await world.endpoint(application)
    succeeded = await world.send(endpoint)
    await world.conclude(succeeded, endpoint, SUCCEEDED)
    asked = [await world.send(application=application) for _ in range(3)]
    for number, message in enumerate([*asked, succeeded]):
        await store.deliveries.request_attempt(manual(message, endpoint, f"manual_{number}"))
    await store.deliveries.request_attempt(manual(asked[0], other, "manual_other"))
    await world.send(endpoint)
    endpoint_id = endpoint.endpoint.id
    settled = []
    while count := await store.deliveries.settle_pending(endpoint_id, CANCELLED, "endpoint deleted", FAR, 2):
        settled.append(count)
    assert sum(settled) == 5
    assert max(settled) <= 2
    assert await store.deliveries.endpoints_with_due(None, 10) == [(other.endpoint.id, 0)]
    listed = await store.deliveries.list_by_endpoint(endpoint_id, EVERYTHING, DeliveryFilter())
    assert {(one.message.id, one.status) for one in listed if one.status is not AttemptStatus.CANCELED} == {
        (succeeded.id, AttemptStatus.SUCCESS)
    }
    assert len(listed) == 5


async def test_a_message_is_cancelled_where_it_is_scheduled(store: Store, world: World) -> None:
    application = await world.application()
    endpoints = [await world.endpoint(application) for _ in range(3)]
    sent = await world.send(*endpoints)
    other = await world.send(*endpoints)
    await world.conclude(sent, endpoints[1], SUCCEEDED)
    concerned, _ = await store.deliveries.cancel_message(sent.id, "message cancelled", FAR)
    assert sorted(concerned) == [endpoints[0].endpoint.id, endpoints[2].endpoint.id]
    assert list((await store.deliveries.cancel_message(sent.id, "message cancelled", FAR))[0]) == []
    seen = await store.deliveries.list_by_message(sent.id, EVERYTHING)
    assert sorted(one.status for one in seen) == [AttemptStatus.SUCCESS, AttemptStatus.CANCELED, AttemptStatus.CANCELED]
    for endpoint in endpoints:
        assert [due.message_id for due in await store.deliveries.due(endpoint.endpoint.id, FAR, 10)] == [other.id]


async def test_failed_deliveries_are_recovered_for_a_full_run(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    sent = await world.send(endpoint)
    await world.conclude(sent, endpoint, FAILED, settled_at=START + 10)
    task = await world.task()
    moved = progress(task, data={"processed": 1}, cursor="here")
    result = await store.deliveries.recover(endpoint.endpoint.id, START, START + 11, FAR, 10, moved)
    assert result == (1, None)
    [due] = await store.deliveries.due(endpoint.endpoint.id, FAR, 10)
    assert (due.message_id, due.due_at, due.step, due.attempt_count) == (sent.id, FAR, 0, 1)
    [seen] = await store.deliveries.list_by_message(sent.id, EVERYTHING)
    assert (seen.status, seen.reason) == (AttemptStatus.SENDING, None)
    [(running, cursor)] = await store.tasks.running()
    assert (running.id, running.data, cursor) == (task.id, {"processed": 2}, WORK_DONE)


async def test_only_what_failed_in_the_span_is_recovered(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    other = await world.endpoint(application)
    before, first, last, after = [await world.send(endpoint) for _ in range(4)]
    for message, offset in ((before, 9), (first, 10), (last, 19), (after, 20)):
        await world.conclude(message, endpoint, FAILED, settled_at=START + offset)
    succeeded, cancelled, scheduled = [await world.send(endpoint) for _ in range(3)]
    await world.conclude(succeeded, endpoint, SUCCEEDED, settled_at=START + 15)
    await world.conclude(cancelled, endpoint, CANCELLED, settled_at=START + 15)
    await world.conclude(scheduled, endpoint, PENDING, FAR * 2)
    elsewhere = await world.send(other)
    await world.conclude(elsewhere, other, FAILED, settled_at=START + 15)
    expunged = await world.send(endpoint)
    await world.conclude(expunged, endpoint, FAILED, settled_at=START + 15)
    await store.messages.expunge(expunged.id)
    task = await world.task()
    result = await store.deliveries.recover(endpoint.endpoint.id, START + 10, START + 20, FAR, 10, progress(task))
    assert result == (2, None)
    due = await store.deliveries.due(endpoint.endpoint.id, FAR, 10)
    assert {one.message_id for one in due} == {first.id, last.id}


async def test_a_recovery_goes_on_where_it_was(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    for number in range(5):
        message = await world.send(endpoint)
        await world.conclude(message, endpoint, FAILED, settled_at=START + number)
    task = await world.task()
    moved = progress(task, cursor="c", data={"processed": 2})
    count, following = await store.deliveries.recover(endpoint.endpoint.id, START, FAR, FAR, 2, moved)
    assert (count, following) == (2, START + 2)
    [(running, cursor)] = await store.tasks.running()
    assert (running.id, running.data, cursor) == (task.id, {"processed": 4}, str(START + 2))


async def test_two_recoveries_at_once_take_each_delivery_once(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    for _ in range(20):
        message = await world.send(endpoint)
        await world.conclude(message, endpoint, FAILED)
    tasks = [await world.task() for _ in range(3)]
    results = await asyncio.gather(
        *(store.deliveries.recover(endpoint.endpoint.id, START, FAR, FAR, 50, progress(task)) for task in tasks)
    )
    assert sum(count for count, _ in results) == 20


@given(
    settled=st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=25),
    limit=st.integers(1, 4),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_a_recovery_neither_skips_nor_goes_round_in_circles(
    store: Store, world: World, settled: list[tuple[int, bool]], limit: int
) -> None:
    """Many may have failed at the same instant, and some may have no payload any more."""
    _, endpoint = await world.pair()
    messages = await asyncio.gather(*(world.send(endpoint) for _ in settled))
    failed = [
        change(message, endpoint, FAILED, settled_at=START + offset)
        for message, (offset, _) in zip(messages, settled, strict=True)
    ]
    await store.deliveries.record(Outcomes(deliveries=failed))
    gone = {message.id for message, (_, expunged) in zip(messages, settled, strict=True) if expunged}
    await store.messages.expunge(*gone)
    expected = {message.id for message in messages} - gone
    task = await world.task()
    since: int | None = START
    counts = []
    while since is not None:
        assert len(counts) <= len(settled)
        count, since = await store.deliveries.recover(
            endpoint.endpoint.id, since, START + 4, FAR, limit, progress(task)
        )
        counts.append(count)
    assert sum(counts) == len(expected)
    assert max(counts) <= limit
    assert {due.message_id for due in await store.deliveries.due(endpoint.endpoint.id, FAR, 100)} == expected


async def test_missing_messages_are_found_page_by_page(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    old = await world.send(application=application)
    missing = [
        await world.send(application=application, event_type="a", channels=("x",)),
        await world.send(application=application, event_type="b"),
    ]
    had = await world.send(endpoint)
    await world.conclude(had, endpoint, SUCCEEDED)
    expunged = await world.send(application=application)
    await store.messages.expunge(expunged.id)
    missing.append(await world.send(application=application, event_type="c"))
    until = await world.send(application=application)
    await world.send(application=await world.application())
    found, after, pages = [], old.id, 0
    cursor: str | None = after
    while cursor is not None:
        candidates, cursor = await store.deliveries.missing(application.id, endpoint.endpoint.id, cursor, until.id, 2)
        found.extend(candidates)
        pages += 1
    assert [(one.message_id, one.event_type, one.channels) for one in found] == [
        (missing[0].id, "a", ("x",)),
        (missing[1].id, "b", None),
        (missing[2].id, "c", None),
    ]
    assert pages == 3


async def test_replayed_messages_are_due_at_once(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    sent = [await world.send(application=application, deliver_at=FAR * 2) for _ in range(3)]
    had = await world.send(endpoint)
    await world.conclude(had, endpoint, SUCCEEDED)
    task = await world.task()
    moved = progress(task, cursor=sent[-1].id, data={"processed": 4})
    wanted = [*ids(sent), had.id, "msg_gone"]
    await store.deliveries.replay(endpoint.endpoint.id, wanted, FAR, moved)
    await store.deliveries.replay(endpoint.endpoint.id, wanted, FAR + 5, moved)
    due = await store.deliveries.due(endpoint.endpoint.id, FAR, 10)
    assert [(one.message_id, one.due_at) for one in due] == [(message.id, FAR) for message in sent]
    [(running, cursor)] = await store.tasks.running()
    assert (running.data, cursor) == ({"processed": 4}, sent[-1].id)


@pytest.mark.parametrize("count", [0, 600])
async def test_replaying_any_number(store: Store, world: World, count: int) -> None:
    application, endpoint = await world.pair()
    sent = [await world.send(application=application) for _ in range(count)]
    task = await world.task()
    await store.deliveries.replay(endpoint.endpoint.id, ids(sent), FAR, progress(task, status=TaskStatus.FINISHED))
    assert len(await store.deliveries.due(endpoint.endpoint.id, FAR, 1_000)) == count
    assert await store.tasks.running() == []


async def test_retries_that_wait_are_found_by_when_they_failed_and_brought_forward(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    other = await world.endpoint(application)
    before, first, last, due_already, done, fresh, elsewhere = [await world.send(endpoint, other) for _ in range(7)]
    await world.conclude(before, endpoint, PENDING, FAR * 2)
    since = world.tick()
    await world.conclude(first, endpoint, PENDING, FAR * 2)
    await world.conclude(last, endpoint, PENDING, FAR * 2)
    await world.conclude(due_already, endpoint, PENDING, FAR)
    await world.conclude(done, endpoint, FAILED)
    await world.conclude(elsewhere, other, PENDING, FAR * 2)
    until = world.tick()
    await world.conclude(before, endpoint, PENDING, FAR * 2)

    async def retrying(after: str, limit: int) -> tuple[list[str], str | None]:
        found, following = await store.deliveries.retrying(endpoint.endpoint.id, since, until, after, FAR, limit)
        return list(found), following

    assert await retrying("", 2) == ([first.id], first.id)
    assert await retrying(first.id, 3) == ([last.id], None)

    task = await world.task()
    wanted = [first.id, last.id, due_already.id, done.id, fresh.id, elsewhere.id]
    due_before = {one.message_id: one.due_at for one in await store.deliveries.due(endpoint.endpoint.id, FAR, 10)}
    moved = progress(task, cursor="c", data={"processed": 2})
    await store.deliveries.bring_forward(endpoint.endpoint.id, wanted, FAR - 1, moved)
    due = {one.message_id: one for one in await store.deliveries.due(endpoint.endpoint.id, FAR - 1, 10)}
    assert {first.id, last.id} <= due.keys()
    assert done.id not in due
    assert (due[first.id].due_at, due[first.id].step, due[first.id].attempt_count) == (FAR - 1, 1, 1)
    assert due[fresh.id].due_at == due_before[fresh.id]
    [(running, cursor)] = await store.tasks.running()
    assert (running.data, cursor) == ({"processed": 2}, "c")
