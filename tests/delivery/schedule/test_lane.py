import time

import pytest
from flow_parts import load, make_due, make_target
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from webhook_engine.delivery.attempt.health import WELL
from webhook_engine.delivery.attempt.outcome import Outcome, Reaction
from webhook_engine.delivery.schedule import lane as lane_module
from webhook_engine.delivery.schedule.lane import (
    INITIAL_LIMIT,
    MAX_QUEUED,
    MAX_QUEUED_BYTES,
    MAX_QUEUED_UNPROVEN,
    RETRIES,
    ROOM_FOR_MANUAL,
    Lane,
    Memory,
    Standing,
)
from webhook_engine.model import DeliveryStatus
from webhook_engine.store.records import DeliveryChange

MIB = 1024 * 1024


def take_all(lane: Lane) -> list[str]:
    taken = []
    while (due := lane.next(retries_allowed=True)) is not None:
        taken.append(due.manual_id or due.message_id)
    return taken


def test_a_new_lane_is_untried_and_begins_small() -> None:
    lane = Lane("ep_1", 64)
    assert (lane.standing, lane.limit) == (Standing.UNTRIED, INITIAL_LIMIT)
    assert Lane("ep_1", 1).limit == 1


def test_a_new_lane_has_no_failure_window_of_its_own_so_that_the_stored_one_is_taken() -> None:
    assert Lane("ep_1", 64).health is WELL


@pytest.mark.parametrize(
    ("reactions", "limit", "standing"),
    [
        ([Reaction.QUICK], 3, Standing.PROVEN),
        ([Reaction.QUICK] * 100, 64, Standing.PROVEN),
        ([Reaction.SLOW], 2, Standing.SLOW),
        ([Reaction.QUICK] * 100 + [Reaction.SLOW], 64, Standing.SLOW),
        ([Reaction.OVERLOADED], 1, Standing.SUSPECT),
        ([Reaction.QUICK] * 100 + [Reaction.OVERLOADED], 32, Standing.SUSPECT),
        ([Reaction.QUICK] * 100 + [Reaction.OVERLOADED] * 10, 1, Standing.SUSPECT),
        ([Reaction.QUICK] * 100 + [Reaction.TIMEOUT], 1, Standing.SUSPECT),
        ([Reaction.TIMEOUT, Reaction.QUICK], 2, Standing.PROVEN),
    ],
)
def test_a_lane_learns_from_its_answers(reactions: list[Reaction], limit: int, standing: Standing) -> None:
    lane = Lane("ep_1", 64)
    for reaction in reactions:
        lane.learn(reaction)
    assert (lane.limit, lane.standing) == (limit, standing)


def test_what_is_read_while_a_disabling_is_not_committed_yet_does_not_undo_it() -> None:
    lane, target, due = Lane("ep_1", 64), make_target(), make_due()
    load(lane, target)
    change = DeliveryChange("msg_1", "ep_1", DeliveryStatus.FAILED, None, 1, None, 0, None)
    outcome = Outcome(due, "app_1", change, closed=target.disabled("gone"))
    lane.begin_request()
    lane.apply(outcome)
    lane.outdate()
    assert lane.closed, "as far as anybody knows"
    load(lane, target)
    assert lane.closed
    assert lane.target is not None
    assert lane.target.endpoint.disabled_reason == "gone"
    lane.end_request()
    lane.recorded(outcome)
    lane.outdate()
    load(lane, target)
    assert not lane.closed, "what is read after that is how it is"


@given(st.lists(st.sampled_from(Reaction), max_size=200), st.integers(1, 64))
def test_the_limit_stays_between_one_and_the_configured_one(reactions: list[Reaction], most: int) -> None:
    lane = Lane("ep_1", most)
    for reaction in reactions:
        lane.learn(reaction)
        assert 1 <= lane.limit <= most


# Whose turn it is


def test_deliveries_of_a_kind_go_in_the_order_they_came() -> None:
    lane = Lane("ep_1", 64)
    for number in range(5):
        assert lane.push(make_due(f"msg_{number}"))
    assert take_all(lane) == [f"msg_{number}" for number in range(5)]


def test_what_a_person_asked_for_goes_first() -> None:
    lane = Lane("ep_1", 64)
    lane.push(make_due("msg_1"))
    lane.push(make_due("msg_2", step=1))
    lane.push(make_due("msg_1", manual_id="man_1"))
    assert take_all(lane)[0] == "man_1"


def test_while_first_attempts_wait_a_retry_gets_one_turn_in_four() -> None:
    lane = Lane("ep_1", 64)
    for number in range(40):
        lane.push(make_due(f"first_{number}"))
        lane.push(make_due(f"retry_{number}", step=1))
    taken = take_all(lane)
    for begin in range(0, 40, 4):
        turn = taken[begin : begin + 4]
        assert sum(name.startswith("retry") for name in turn) == 1
    assert len(taken) == 80


def test_retries_wait_while_they_are_not_allowed() -> None:
    lane = Lane("ep_1", 64)
    lane.push(make_due("retry", step=1))
    lane.push(make_due("first"))
    assert not lane.line & RETRIES
    first = lane.next(retries_allowed=False)
    assert first is not None
    assert first.message_id == "first"
    assert lane.next(retries_allowed=False) is None
    assert lane.line & RETRIES
    assert take_all(lane) == ["retry"]


def test_what_is_new_does_not_overtake_what_found_no_room_before_it() -> None:
    lane = Lane("ep_1", 64)
    for number in range(MAX_QUEUED_UNPROVEN):
        assert lane.push_new(make_due(f"msg_{number}"))
    assert not lane.push_new(make_due("left in the database"))
    lane.next(retries_allowed=True)
    assert lane.room()
    assert not lane.push_new(make_due("new"))
    assert lane.push(make_due("left in the database")), "it is read from there"
    lane.next(retries_allowed=True)
    assert not lane.push_new(make_due("newer")), "more may be left there"
    lane.caught_up()
    assert lane.push_new(make_due("newest"))
    assert take_all(lane)[-2:] == ["left in the database", "newest"]


def test_what_is_new_does_not_overtake_what_another_engine_accepted_before_it() -> None:
    lane = Lane("ep_1", 64)
    lane.note_accepted(5, now=4)
    assert lane.push_new(make_due("new")), "that is to be sent later"
    lane.note_accepted(5, now=5)
    assert not lane.push_new(make_due("newer"))
    lane.caught_up()
    assert lane.push_new(make_due("newest"))


# Nothing twice


@pytest.mark.parametrize("refilling", [False, True])
def test_a_success_that_a_person_asked_for_takes_the_scheduled_retry_out_of_the_lane(refilling: bool) -> None:
    lane = Lane("ep_1", 64)
    lane.push(make_due("msg_1", step=1))
    lane.push(make_due("msg_2", step=1))
    asked = make_due("msg_1", step=1, manual_id="man_1")
    lane.push(asked)
    assert lane.next(retries_allowed=True) is asked
    lane.begin_request()
    change = DeliveryChange("msg_1", "ep_1", DeliveryStatus.SUCCEEDED, None, 1, None, 0, "man_1")
    outcome = Outcome(asked, "app_1", change)
    lane.apply(outcome)
    lane.end_request()
    if refilling:
        lane.begin_refill()
    lane.recorded(outcome)
    if refilling:
        assert lane.push(make_due("msg_1", step=1)), "it was read before, and is settled since"
    assert take_all(lane) == ["msg_2"]


def test_what_is_queued_in_flight_or_unrecorded_is_not_queued_again() -> None:
    lane = Lane("ep_1", 64)
    assert lane.push(make_due("msg_1"))
    assert lane.push(make_due("msg_1")), "it is in memory, so there is nothing to note as stored"
    assert lane.queued == 1
    assert take_all(lane) == ["msg_1"]
    assert lane.push(make_due("msg_1"))
    assert (lane.queued, lane.known) == (0, 1)
    lane.forget("msg_1")
    assert lane.push(make_due("msg_1"))
    assert lane.queued == 1


def test_a_manual_attempt_and_a_scheduled_one_of_a_message_do_not_shut_each_other_out() -> None:
    lane = Lane("ep_1", 64)
    lane.push(make_due("msg_1"))
    lane.push(make_due("msg_1", manual_id="man_1"))
    lane.push(make_due("msg_1", manual_id="man_2"))
    assert sorted(take_all(lane)) == ["man_1", "man_2", "msg_1"]


def test_what_left_while_the_database_was_read_does_not_come_back_with_what_was_read() -> None:
    lane = Lane("ep_1", 64)
    lane.push(make_due("done"))
    lane.push(make_due("cancelled"))
    lane.note_stored(5)
    lane.begin_refill()
    assert lane.stored_from is None
    lane.next(retries_allowed=True)
    lane.forget("done")
    lane.drop("cancelled")
    lane.drop("cancelled and never in memory")
    for name in ("done", "cancelled", "cancelled and never in memory", "new"):
        assert lane.push(make_due(name))
    lane.end_refill()
    assert take_all(lane) == ["new"]


def test_after_the_read_a_delivery_that_was_scheduled_again_can_come_back() -> None:
    lane = Lane("ep_1", 64)
    lane.push(make_due("msg_1"))
    lane.begin_refill()
    lane.next(retries_allowed=True)
    lane.forget("msg_1")
    lane.note_stored(7)
    lane.end_refill()
    assert lane.stored_from == 7
    assert lane.push(make_due("msg_1", step=1))
    assert take_all(lane) == ["msg_1"]


def test_a_cancelled_delivery_leaves_the_queue_at_once() -> None:
    lane = Lane("ep_1", 64)
    for name in ("msg_1", "msg_2", "msg_3"):
        lane.push(make_due(name, payload=b"x" * 10))
    lane.push(make_due("msg_2", manual_id="man_1"))
    lane.drop("msg_2")
    assert (lane.queued, lane.known) == (3, 3)
    assert take_all(lane) == ["man_1", "msg_1", "msg_3"]


def test_cancelling_many_that_are_only_in_the_database_costs_next_to_nothing() -> None:
    lane = Lane("ep_1", 64)
    for _ in range(64):
        lane.learn(Reaction.QUICK)
    for number in range(MAX_QUEUED):
        lane.push(make_due(f"msg_{number}"))
    begun = time.process_time()
    for number in range(20_000):
        lane.drop(f"elsewhere_{number}")
    assert time.process_time() - begun < 0.5
    assert lane.queued == MAX_QUEUED


def test_a_delivery_cancelled_in_flight_stays_known_until_its_outcome_is_recorded() -> None:
    lane = Lane("ep_1", 64)
    lane.push(make_due("msg_1"))
    lane.next(retries_allowed=True)
    lane.drop("msg_1")
    assert lane.push(make_due("msg_1"))
    assert (lane.queued, lane.idle) == (0, False)
    lane.forget("msg_1")
    assert lane.idle


def test_clearing_leaves_manual_attempts_and_what_is_in_flight() -> None:
    lane = Lane("ep_1", 64)
    lane.push(make_due("flying"))
    lane.next(retries_allowed=True)
    lane.push(make_due("first"))
    lane.push(make_due("retry", step=1))
    lane.push(make_due("first", manual_id="man_1"))
    lane.clear()
    assert (lane.queued, lane.scheduled, lane.known) == (1, 0, 2)
    assert take_all(lane) == ["man_1"]


def test_what_was_cleared_during_a_refill_does_not_come_back_with_it() -> None:
    lane = Lane("ep_1", 64)
    lane.push(make_due("first"))
    lane.begin_refill()
    lane.clear()
    lane.push(make_due("first"))
    assert lane.queued == 0


def test_what_was_expunged_keeps_its_place_and_loses_its_payload() -> None:
    memory = Memory()
    lane = Lane("ep_1", 64, memory)
    lane.push(make_due("flying", payload=b"x" * 10))
    lane.next(retries_allowed=True)
    lane.push(make_due("first", payload=b"x" * 100))
    lane.push(make_due("other", payload=b"x" * 5))
    lane.push(make_due("retry", step=1, payload=b"x" * 100))
    lane.push(make_due("first", manual_id="man_1", payload=b"x" * 100))
    lane.expunge({"first", "retry", "flying", "elsewhere"})
    lane.expunge({"first", "retry", "flying", "elsewhere"})
    assert (memory.bytes, memory.queued, lane.refill_size(100)[1]) == (5, 4, MAX_QUEUED_BYTES - 5 + 15)
    left = [lane.next(retries_allowed=True) for _ in range(4)]
    assert [(due.manual_id or due.message_id, due.payload) for due in left if due] == [
        ("man_1", None),
        ("first", None),
        ("other", b"x" * 5),
        ("retry", None),
    ]
    for key in ("man_1", "first", "other", "retry", "flying"):
        lane.forget(key)
    assert (memory.bytes, lane.idle, lane.refill_size(100)[1]) == (0, True, MAX_QUEUED_BYTES)


def test_what_was_expunged_during_a_read_does_not_come_back_with_its_payload() -> None:
    lane = Lane("ep_1", 64)
    lane.begin_refill()
    lane.expunge({"msg_1"})
    lane.push(make_due("msg_1"))
    lane.push(make_due("msg_1", manual_id="man_1"))
    lane.end_refill()
    taken = [lane.next(retries_allowed=True) for _ in range(2)]
    assert [due.payload for due in taken if due] == [None, None]


# What stays in the database


def test_less_than_a_microsecond_of_a_pause_is_no_pause() -> None:
    lane = Lane("ep_1", 5)
    lane.paused_until = 1_066.253_015_428
    assert lane.pause_left(1_066.253) == pytest.approx(0.000_015, abs=1e-6)
    assert lane.pause_left(1_066.253_015_367) == 0.0
    lane.in_flight = 1
    assert lane.pause_left(1_066.253_015_367) == float("inf")


def test_the_earliest_instant_of_what_is_stored_is_remembered() -> None:
    lane = Lane("ep_1", 64)
    for instant in (30, 10, 20):
        lane.note_stored(instant)
    assert lane.stored_from == 10


def test_a_lane_wants_a_refill_when_something_stored_is_due_and_little_is_queued() -> None:
    lane = Lane("ep_1", 4)
    assert not lane.wants_refill(100)
    lane.note_stored(50)
    assert not lane.wants_refill(49)
    assert lane.wants_refill(50)
    for number in range(4):
        lane.push(make_due(f"msg_{number}"))
    assert lane.wants_refill(50)
    lane.push(make_due("msg_4"))
    assert not lane.wants_refill(50)


def test_what_a_person_asked_for_finds_room_in_a_full_lane() -> None:
    lane = Lane("ep_1", 64)
    for number in range(MAX_QUEUED_UNPROVEN):
        assert lane.push(make_due(f"msg_{number}", step=1))
    assert not lane.push(make_due("one more"))
    taken_up = [lane.push(make_due("msg_1", manual_id=f"man_{number}")) for number in range(ROOM_FOR_MANUAL + 1)]
    assert taken_up == [True] * ROOM_FOR_MANUAL + [False]
    assert take_all(lane)[0] == "man_0"


def test_what_a_person_asked_for_is_read_although_the_lane_is_full() -> None:
    lane = Lane("ep_1", 64)
    for number in range(MAX_QUEUED_UNPROVEN):
        lane.push(make_due(f"msg_{number}", step=1))
    lane.note_stored(5, older=True)
    assert (lane.stored_from, lane.wants_refill(10)) == (None, False)
    lane.note_manual(10)
    assert (lane.stored_from, lane.wants_refill(10)) == (5, True)
    lane.begin_refill()
    for number in range(ROOM_FOR_MANUAL):
        lane.push(make_due("msg_1", manual_id=f"man_{number}"))
    lane.end_refill()
    lane.note_manual(10)
    assert (lane.stored_from, lane.wants_refill(10)) == (None, False)


def test_a_lane_that_is_being_refilled_wants_no_other() -> None:
    lane = Lane("ep_1", 4)
    lane.note_stored(0)
    lane.begin_refill()
    lane.note_stored(0)
    assert not lane.wants_refill(10)
    lane.end_refill()
    assert lane.wants_refill(10)


def test_a_lane_without_room_for_one_more_wants_no_refill() -> None:
    # Otherwise it reads the database over and over, until its next request ends.
    lane = Lane("ep_1", 64)
    lane.note_stored(0)
    for number in range(4):
        lane.push(make_due(f"msg_{number}", payload=bytes(MIB)))
    assert lane.queued < lane.max_limit
    assert not lane.push(make_due("msg_4"))
    assert not lane.wants_refill(10)
    assert lane.stored_from is None, "so that nobody schedules it for now, over and over"
    lane.next(retries_allowed=True)
    assert lane.stored_from == 0
    assert lane.wants_refill(10)


@pytest.mark.parametrize("most", [64, 256, 512, 5_000])
def test_a_full_lane_wants_no_refill_whatever_its_limit(most: int) -> None:
    lane = Lane("ep_1", most)
    lane.note_stored(0)
    number = 0
    while lane.push(make_due(f"msg_{number}")):
        number += 1
    assert not lane.wants_refill(10)


@pytest.mark.parametrize(("proven", "most"), [(False, MAX_QUEUED_UNPROVEN), (True, MAX_QUEUED)])
def test_a_lane_keeps_so_many_deliveries_at_most(proven: bool, most: int) -> None:
    lane = Lane("ep_1", 64)
    if proven:
        lane.learn(Reaction.QUICK)
    assert lane.room() == most
    pushed = [lane.push(make_due(f"msg_{number}")) for number in range(most + 5)]
    assert (sum(pushed), lane.queued, lane.room()) == (most, most, 0)


def test_a_lane_keeps_so_many_bytes_at_most_but_always_takes_one() -> None:
    lane = Lane("ep_1", 64)
    huge = bytes(2 * MAX_QUEUED_BYTES)
    assert lane.push(make_due("msg_0", payload=huge))
    assert not lane.push(make_due("msg_1"))
    lane.next(retries_allowed=True)
    assert lane.push(make_due("msg_1"))


def test_a_delivery_whose_payload_is_gone_counts_no_bytes() -> None:
    lane = Lane("ep_1", 64)
    lane.push(make_due("msg_1", payload=None))
    assert take_all(lane) == ["msg_1"]
    assert lane.room() == MAX_QUEUED_UNPROVEN


def test_all_lanes_together_are_bounded_and_each_may_always_hold_one() -> None:
    memory = Memory(max_queued=10)
    lanes = [Lane(f"ep_{number}", 64, memory) for number in range(4)]
    for lane in lanes:
        lane.learn(Reaction.QUICK)
    for number in range(20):
        lanes[0].push(make_due(f"msg_{number}"))
    assert lanes[0].queued == memory.queued == 10
    for lane in lanes[1:]:
        assert lane.push(make_due("msg_0"))
        assert not lane.push(make_due("msg_1"))
    assert memory.queued == 13


@pytest.mark.parametrize("reaction", [None, Reaction.SLOW, Reaction.TIMEOUT])
def test_lanes_that_are_not_proven_leave_half_of_the_memory_to_those_that_are(reaction: Reaction | None) -> None:
    memory = Memory(max_queued=10, max_bytes=1_000)
    sick, well = Lane("ep_1", 64, memory), Lane("ep_2", 64, memory)
    if reaction is not None:
        sick.learn(reaction)
    well.learn(Reaction.QUICK)
    for number in range(20):
        sick.push(make_due(f"msg_{number}"))
    assert sick.queued == 5
    for number in range(20):
        well.push(make_due(f"msg_{number}"))
    assert well.queued == 5


def test_the_memory_of_all_lanes_is_bounded_in_bytes_too() -> None:
    memory = Memory(max_bytes=1_000)
    lane = Lane("ep_1", 64, memory)
    lane.learn(Reaction.QUICK)
    assert sum(lane.push(make_due(f"msg_{number}", payload=bytes(100))) for number in range(20)) == 10


def test_a_refill_reads_enough_to_find_something_new_and_no_more_than_there_is_room_for() -> None:
    lane = Lane("ep_1", 64)
    for number in range(3):
        lane.push(make_due(f"msg_{number}", payload=bytes(MIB)))
    lane.next(retries_allowed=True)
    rows, size = lane.refill_size(512)
    assert rows == MAX_QUEUED_UNPROVEN - 2 + 3 + 1
    assert size == 3 * MIB + (MAX_QUEUED_BYTES - 2 * MIB)
    assert lane.refill_size(10)[0] == 10 + 3 + 1


class Life(RuleBasedStateMachine):
    """A lane keeps its books whatever happens to it."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = Memory(max_queued=30, max_bytes=3_000)
        self.lane = Lane("ep_1", 8, self.memory)
        self.queued: dict[str, int] = {}
        self.flying: dict[str, int] = {}
        self.left: set[str] = set()

    @rule(
        number=st.integers(0, 30),
        manual=st.booleans(),
        step=st.integers(0, 1),
        size=st.integers(0, 300),
    )
    def push(self, number: int, manual: bool, step: int, size: int) -> None:
        key = f"man_{number}" if manual else f"msg_{number}"
        known = key in self.queued or key in self.flying
        before = self.lane.queued
        accepted = self.lane.push(
            make_due(f"msg_{number}", step=step, payload=bytes(size), manual_id=key if manual else None)
        )
        if known or key in self.left:
            assert accepted
            assert self.lane.queued == before
        elif accepted:
            self.queued[key] = size
        else:
            assert self.queued, "an empty lane always has room"

    @rule(allowed=st.booleans())
    def send(self, allowed: bool) -> None:
        due = self.lane.next(retries_allowed=allowed)
        if due is not None:
            key = due.manual_id or due.message_id
            self.flying[key] = self.queued.pop(key)
        elif allowed:
            assert not self.queued

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def record(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.flying)))
        del self.flying[key]
        self.lane.forget(key)
        self._leaves(key)

    @rule(number=st.integers(0, 30))
    def cancel(self, number: int) -> None:
        key = f"msg_{number}"
        self.lane.drop(key)
        self.queued.pop(key, None)
        self._leaves(key)

    @rule()
    def disable(self) -> None:
        self.lane.clear()
        for key in [key for key in self.queued if key.startswith("msg")]:
            del self.queued[key]
            self._leaves(key)

    @precondition(lambda self: not self.lane.refilling)
    @rule()
    def begin(self) -> None:
        self.lane.begin_refill()

    @rule()
    def end(self) -> None:
        self.lane.end_refill()
        self.left.clear()

    @rule(reaction=st.sampled_from(Reaction))
    def learn(self, reaction: Reaction) -> None:
        self.lane.learn(reaction)

    def _leaves(self, key: str) -> None:
        if self.lane.refilling:
            self.left.add(key)

    @invariant()
    def the_books_are_right(self) -> None:
        assert self.lane.queued == self.memory.queued == len(self.queued)
        assert self.lane.known == len(self.queued) + len(self.flying)
        assert self.memory.bytes == sum(self.queued.values())
        rows, size = self.lane.refill_size(5)
        assert rows > self.lane.known
        assert size > sum(self.queued.values()) + sum(self.flying.values()) or not self.lane.room()

    @invariant()
    def it_is_idle_only_when_nothing_is_going_on(self) -> None:
        assert self.lane.idle == (not self.queued and not self.flying and not self.lane.refilling)


TestLife = Life.TestCase


def test_the_bounds_of_a_lane_leave_room_for_many_lanes() -> None:
    assert lane_module.MAX_QUEUED_IN_ALL // 2 >= 100 * MAX_QUEUED_UNPROVEN
    assert lane_module.MAX_QUEUED_BYTES_IN_ALL // 2 >= 10 * MAX_QUEUED_BYTES


def test_the_next_of_an_order_waits_for_the_end_of_one_that_is_under_way() -> None:
    lane = Lane("ep_1", 64)
    load(lane, make_target())
    first, next_one, other = (
        make_due(name, order_key=key) for name, key in (("msg_1", "a"), ("msg_2", "a"), ("msg_3", "b"))
    )
    by_hand = make_due("msg_2", manual_id="atmpt_1", order_key="a")
    assert lane.push(first)
    assert take_all(lane) == ["msg_1"]
    # Somebody gave it the turn while the first one is being sent.
    assert all(lane.push(due) for due in (next_one, other, by_hand))
    assert sorted(take_all(lane)) == ["atmpt_1", "msg_3"]
    assert lane.stored_from is None
    lane.postpone(other)
    lane.postpone(first)
    assert lane.stored_from == next_one.due_at
    assert lane.push(next_one)
    assert take_all(lane) == ["msg_2"]


def test_of_two_of_an_order_that_are_queued_one_is_taken() -> None:
    lane = Lane("ep_1", 64)
    load(lane, make_target())
    assert all(lane.push(make_due(name, due_at=7, order_key="a")) for name in ("msg_1", "msg_2"))
    assert take_all(lane) == ["msg_1"]
    lane.over(make_due("msg_1", order_key="a"))
    assert lane.stored_from == 7
