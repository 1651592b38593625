"""Which names are looked up next, and how many places anybody may hold."""

from __future__ import annotations

import itertools

from webhook_engine.delivery.http.lookup_queue import FREE_SHARE, PLACES, SHARES, LookUp, LookUpQueue, Pace


def ask(queue: LookUpQueue, application_id: str, count: int, pace: Pace = Pace.UNKNOWN) -> list[LookUp]:
    look_ups = [LookUp(f"{application_id}{number}.example", pace) for number in range(count)]
    for look_up in look_ups:
        queue.add(look_up, application_id)
    return look_ups


def begin_all(queue: LookUpQueue) -> list[LookUp]:
    return list(iter(queue.take, None))


def test_names_that_hang_leave_places_for_those_that_are_known_to_be_quick() -> None:
    queue = LookUpQueue()
    for number in range(100):
        ask(queue, f"app_{number}", 20, Pace.UNKNOWN)
        ask(queue, f"app_{number}", 20, Pace.SLOW)
    begun = begin_all(queue)
    assert len(begun) == PLACES * SHARES[Pace.UNKNOWN]
    [quick] = ask(queue, "quick", 1, Pace.QUICK)
    assert queue.take() is quick


def test_slow_names_leave_places_for_unknown_ones() -> None:
    queue = LookUpQueue()
    for number in range(100):
        ask(queue, f"app_{number}", 20, Pace.SLOW)
    assert len(begin_all(queue)) == PLACES * SHARES[Pace.SLOW]
    [unknown] = ask(queue, "new", 1)
    assert queue.take() is unknown


def test_one_application_cannot_take_the_places_of_the_others() -> None:
    queue = LookUpQueue()
    others = (f"other_{number}" for number in itertools.count())
    room = int(PLACES * SHARES[Pace.UNKNOWN])
    ask(queue, "greedy", 150)
    first = begin_all(queue)
    assert len(first) <= room / FREE_SHARE
    # However many more come with as many, the next one still begins at once.
    for other in itertools.islice(others, 8):
        ask(queue, other, 150)
        assert begin_all(queue)
    [healthy] = ask(queue, "healthy", 1)
    assert queue.take() is healthy


def test_an_application_with_names_that_hang_still_has_its_quick_ones_looked_up() -> None:
    queue = LookUpQueue()
    ask(queue, "app", 150)
    begin_all(queue)
    [quick] = ask(queue, "app", 1, Pace.QUICK)
    assert queue.take() is quick


def test_a_name_that_others_ask_for_too_does_not_wait_for_the_turn_of_the_first() -> None:
    queue = LookUpQueue()
    *_, shared = ask(queue, "greedy", 150)
    begin_all(queue)
    queue.add(shared, "healthy")
    assert queue.take() is shared
    assert shared.charged_to == "healthy"
    assert shared not in begin_all(queue)


def test_applications_take_turns() -> None:
    queue = LookUpQueue(places=4)
    ask(queue, "a", 3)
    ask(queue, "b", 3)
    turns = []
    for _ in range(6):
        look_up = queue.take()
        assert look_up is not None
        turns.append(look_up.charged_to)
        queue.release(look_up)
    assert turns == ["a", "b", "a", "b", "a", "b"]


def test_what_nobody_asks_for_any_more_is_not_begun() -> None:
    queue = LookUpQueue()
    first, second = ask(queue, "a", 2)
    queue.add(first, "b")
    queue.withdraw(first)
    assert queue.take() is second
    assert queue.take() is None
    assert len(queue) == 0


def test_a_place_that_is_given_back_is_taken_by_the_next() -> None:
    queue = LookUpQueue(places=1)
    first, second = ask(queue, "a", 2)
    assert queue.take() is first
    assert queue.take() is None
    queue.release(first)
    assert queue.take() is second
