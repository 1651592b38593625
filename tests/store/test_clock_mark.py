"""What the store keeps so that a clock that is set changes nothing that elapsed time decides."""

from __future__ import annotations

import msgspec
import pytest
from records import SECOND, START, World, change

from webhook_engine.model import DeliveryStatus, Health
from webhook_engine.store.records import ClockMark, EndpointCondition, Outcomes, Place
from webhook_engine.store.seam import Store

HOUR = 3_600 * SECOND
MARK = ClockMark(ran=5, seen_at=START, believed_at=START - 7, doubted_ran=3, last_id="2" * 27)


async def all_moved(store: Store, now: int, page: int) -> tuple[int, list[tuple[int, int | None, bool]]]:
    """Reschedule everything that is due later than ``now`` to that; how many were moved, and what was asked."""
    asked: list[tuple[int, int | None, bool]] = []

    def due_again(due_at: int, due_ran: int | None, promised: bool) -> int:
        asked.append((due_at, due_ran, promised))
        return due_at if promised else min(due_at, now)

    moved, after = 0, None
    while True:
        count, after = await store.deliveries.reschedule(after, page, due_again)
        moved += count
        if after is None:
            return moved, asked


async def test_nothing_is_known_of_the_clock_at_first(store: Store) -> None:
    assert await store.upkeep.clock_mark() is None
    assert await store.upkeep.longest_ran() == 0
    assert await store.upkeep.newest_id("msg_~") is None


async def test_what_the_clock_said_last_is_kept_and_what_only_grows_never_falls(store: Store) -> None:
    await store.upkeep.keep_clock_mark(MARK)
    assert await store.upkeep.clock_mark() == MARK
    later = ClockMark(ran=4, seen_at=START - 9, believed_at=START - 9, doubted_ran=None, last_id="1" * 27)
    await store.upkeep.keep_clock_mark(later)
    assert await store.upkeep.clock_mark() == msgspec.structs.replace(later, ran=5, last_id="2" * 27)


async def test_outcomes_bring_what_the_clock_said_with_them(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    health = Health(START, START, False, 11, 17)
    conditions = {endpoint.endpoint.id: EndpointCondition(health=health)}
    await store.deliveries.record(Outcomes(conditions=conditions, mark=MARK))
    assert await store.upkeep.clock_mark() == MARK
    assert await store.upkeep.longest_ran() == 17
    loaded = await store.endpoints.load(endpoint.endpoint.id)
    assert loaded is not None
    assert loaded.health == health


async def test_the_newest_message_is_found_up_to_a_bound(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    first, second = await world.send(endpoint), await world.send(endpoint)
    assert await store.upkeep.newest_id("msg_~") == second.id
    assert await store.upkeep.newest_id(second.id) == second.id
    assert await store.upkeep.newest_id(first.id) == first.id
    assert await store.upkeep.newest_id("msg_") is None


@pytest.mark.parametrize("page", [1, 2, 3, 100])
async def test_what_is_due_too_late_is_moved_forward_whatever_the_page(store: Store, world: World, page: int) -> None:
    application, endpoint = await world.pair()
    other = await world.endpoint(application)
    now, far = world.now + HOUR, world.now + 50 * HOUR
    for _ in range(4):
        message = await world.send(endpoint, other)
        for one in (endpoint, other):
            waits = msgspec.structs.replace(change(message, one, DeliveryStatus.PENDING, far), due_ran=77)
            await store.deliveries.record(Outcomes(deliveries=[waits]))
    at_once = await world.send(endpoint, created_at=far + 1)
    promised = await world.send(endpoint, deliver_at=far + 2)
    settled = await world.send(endpoint)
    await world.conclude(settled, endpoint, DeliveryStatus.SUCCEEDED)
    moved, asked = await all_moved(store, now, page)
    assert moved == 9
    assert sorted(asked) == sorted([(far, 77, False)] * 8 + [(far + 1, None, False), (far + 2, None, True)])
    due = await store.deliveries.due(endpoint.endpoint.id, now, 100)
    assert {one.due_at for one in due} == {now}
    assert at_once.id in {one.message_id for one in due}
    assert (await store.deliveries.next_due_at(endpoint.endpoint.id, now)) == promised.deliver_at
    assert (await all_moved(store, now, page))[0] == 0


async def test_nothing_is_moved_back(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    sent = await world.send(endpoint)
    place: Place | None = None
    assert await store.deliveries.reschedule(place, 10, lambda at, _ran, _promised: at + HOUR) == (0, None)
    [due] = await store.deliveries.due(endpoint.endpoint.id, sent.created_at, 10)
    assert due.due_at == sent.created_at
