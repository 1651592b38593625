"""Who may send next: in a simulated world where time is a number and receivers are functions."""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable

import pytest
from flow_parts import UNLIMITED, load, make_due, make_target
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from webhook_engine.delivery.attempt.outcome import Reaction
from webhook_engine.delivery.schedule import lanes as lanes_module
from webhook_engine.delivery.schedule.lane import RETRIES, Lane, Memory, Standing
from webhook_engine.delivery.schedule.lanes import FREE_SHARE, SHARES, Lanes, Slot
from webhook_engine.delivery.throttle import Throttle

TIMEOUT_S = 15.0

Receiver = Callable[[], tuple[float, Reaction]]
"""How long the next request takes, and what the lane learns from it."""


def healthy() -> tuple[float, Reaction]:
    return 0.02, Reaction.QUICK


def slow() -> tuple[float, Reaction]:
    return 2.0, Reaction.SLOW


def dead() -> tuple[float, Reaction]:
    return TIMEOUT_S, Reaction.TIMEOUT


class World:
    """Endpoints, what they answer, and the lanes between; every decision is made as soon as it can be."""

    def __init__(self, max_in_flight: int = 512, per_endpoint: int = 64) -> None:
        self.now = 0.0
        self.lanes = Lanes(max_in_flight, per_endpoint, self._throttled)
        # What does not fit in memory waits in the database, which is not part of this world.
        self.lanes._memory = Memory(max_queued=10**9)
        self.receivers: dict[str, Receiver] = {}
        self.waits: dict[str, list[float]] = {}
        self.sent: list[tuple[float, str]] = []
        self.most_retries = 0
        self._arrived: dict[str, float] = {}
        self._retries = 0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def add(
        self,
        endpoint_id: str,
        receiver: Receiver,
        *,
        proven: bool = False,
        throttle: Throttle = UNLIMITED,
        shared: Throttle = UNLIMITED,
    ) -> Lane:
        lane = self.lanes.open(endpoint_id)
        load(lane, make_target(endpoint_id, throttle=throttle, shared=shared))
        self.receivers[endpoint_id] = receiver
        self.waits[endpoint_id] = []
        for _ in range(64 if proven else 0):
            lane.learn(Reaction.QUICK)
        return lane

    def arrive(self, endpoint_id: str, count: int = 1, *, retries: bool = False) -> None:
        lane = self.lanes.open(endpoint_id)
        for _ in range(count):
            name = f"msg_{next(self._numbers)}"
            assert lane.push(make_due(name, endpoint_id, step=int(retries)))
            self._arrived[name] = self.now
        self.lanes.line_up(lane)
        self._pump()

    def at(self, instant: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._events, (instant, next(self._numbers), what))

    def run(self, until: float) -> None:
        while self._events and self._events[0][0] <= until:
            self.now, _, what = heapq.heappop(self._events)
            what()
            self._pump()
        self.now = until

    def _pump(self) -> None:
        while (slot := self.lanes.take(self.now)) is not None:
            name, endpoint_id = slot.due.message_id, slot.due.endpoint_id
            self.waits[endpoint_id].append(self.now - self._arrived.pop(name))
            self.sent.append((self.now, endpoint_id))
            self._retries += slot.retry
            self.most_retries = max(self.most_retries, self._retries)
            seconds, reaction = self.receivers[endpoint_id]()
            self.at(self.now + seconds, lambda slot=slot, reaction=reaction: self._answered(slot, reaction))

    def _answered(self, slot: Slot, reaction: Reaction) -> None:
        self._retries -= slot.retry
        slot.lane.learn(reaction)
        slot.lane.forget(slot.due.message_id)
        self.lanes.release(slot)

    def _throttled(self, lane: Lane, seconds: float) -> None:
        self.at(self.now + seconds, lambda: self.lanes.line_up(lane))


def send_now_and_then(world: World, endpoint_id: str, begin: float, end: float, every: float = 0.1) -> None:
    instant = begin
    while instant < end:
        world.at(instant, lambda: world.arrive(endpoint_id))
        instant += every


# A slow or dead endpoint never delays a healthy one


@pytest.mark.parametrize("proven", [False, True], ids=["new", "proven"])
def test_fifty_dead_endpoints_with_a_backlog_do_not_delay_a_healthy_one(proven: bool) -> None:
    world = World()
    for number in range(50):
        world.add(f"dead_{number}", dead)
        world.arrive(f"dead_{number}", 200)
    world.add("well", healthy, proven=proven)
    send_now_and_then(world, "well", 0, 60)
    world.run(61)
    assert len(world.waits["well"]) >= 600
    assert max(world.waits["well"]) == 0


@pytest.mark.parametrize("hogs", [8, 16, 24, 28, 60, 100])
def test_busy_endpoints_that_hang_all_at_once_do_not_delay_a_healthy_one_or_a_new_one(hogs: int) -> None:
    world = World()
    for number in range(hogs):
        world.add(f"hangs_{number}", dead, proven=True)
        world.arrive(f"hangs_{number}", 2_000)
    world.add("well", healthy, proven=True)
    world.add("new", healthy)
    send_now_and_then(world, "well", 0, 20)
    send_now_and_then(world, "new", 0.05, 20)
    world.run(21)
    assert max(world.waits["well"]) == 0
    assert max(world.waits["new"]) == 0


def test_sixty_endpoints_that_hang_while_all_of_them_are_busy_do_not_delay_a_healthy_one_or_a_new_one() -> None:
    world, hangs_at = World(), 5.0
    for number in range(60):
        name = f"hangs_{number}"
        world.add(name, lambda: healthy() if world.now < hangs_at else dead())
        world.at(0.001 * number, lambda name=name: world.arrive(name, 200))
        world.at(4.85 + 0.005 * number, lambda name=name: world.arrive(name, 2_000))
    world.add("well", healthy, proven=True)
    world.add("new", healthy)
    send_now_and_then(world, "well", 0, 40)
    send_now_and_then(world, "new", 0.05, 40)
    world.run(41)
    assert max(world.waits["well"]) == 0
    assert max(world.waits["new"]) == 0


def test_of_a_crowd_a_lane_that_answers_grows_and_one_that_is_silent_does_not() -> None:
    world = World(max_in_flight=256)
    for number in range(4):
        world.add(f"hangs_{number}", dead, proven=True)
        world.arrive(f"hangs_{number}", 500)
    assert world.lanes.in_flight >= 128
    world.add("silent", dead, proven=True)
    world.add("well", lambda: (0.1, Reaction.QUICK), proven=True)
    for name in ("silent", "well"):
        world.arrive(name, 500)
    by_round = [world.lanes.open("well").in_flight]
    for number in range(1, 5):
        world.run(0.1 * number + 0.05)
        by_round.append(world.lanes.open("well").in_flight)
    assert by_round[:3] == [2, 4, 8]
    assert max(by_round) >= 14
    assert world.lanes.open("silent").in_flight == 2


def test_four_hundred_endpoints_that_hang_under_steady_traffic_do_not_delay_a_healthy_one() -> None:
    world = World()
    for number in range(400):
        world.add(f"hangs_{number}", dead, proven=True)
        send_now_and_then(world, f"hangs_{number}", number / 1_000, 14, every=1.0)
    world.add("well", healthy, proven=True)
    send_now_and_then(world, "well", 0, 14)
    world.run(14)
    assert len(world.waits["well"]) >= 140
    assert max(world.waits["well"]) == 0


def test_six_hundred_dead_endpoints_do_not_delay_a_healthy_one() -> None:
    world = World()
    for number in range(600):
        world.add(f"dead_{number}", dead)
        world.arrive(f"dead_{number}", 100)
    world.add("well", healthy, proven=True)
    send_now_and_then(world, "well", 0, 90)
    world.run(91)
    assert max(world.waits["well"]) == 0


def test_six_hundred_dead_endpoints_do_not_delay_a_new_one_once_each_was_tried() -> None:
    world = World()
    for number in range(600):
        world.add(f"dead_{number}", dead)
        world.arrive(f"dead_{number}", 100)
    world.run(4 * TIMEOUT_S)
    for number in range(60):
        world.add(f"new_{number}", healthy)
        world.arrive(f"new_{number}", 1)
    assert [len(world.waits[f"new_{number}"]) for number in range(60)] == [1] * 60


def test_endpoints_that_refuse_at_once_do_not_delay_a_new_one() -> None:
    world = World()
    for number in range(600):
        world.add(f"refuses_{number}", lambda: (0.3, Reaction.OVERLOADED))
        world.arrive(f"refuses_{number}", 200)
    world.run(5)
    for number in range(60):
        world.add(f"new_{number}", healthy)
        world.arrive(f"new_{number}", 1)
        assert len(world.waits[f"new_{number}"]) == 1


def test_busy_slow_endpoints_leave_slots_for_a_new_one() -> None:
    world = World()
    for number in range(8):
        world.add(f"slow_{number}", slow, proven=True)
        world.arrive(f"slow_{number}", 4_000)
    world.run(10)
    for number in range(60):
        world.add(f"new_{number}", healthy)
        world.arrive(f"new_{number}", 1)
        assert len(world.waits[f"new_{number}"]) == 1


def test_six_hundred_dead_endpoints_do_not_starve_one_that_is_merely_slow() -> None:
    world = World()
    for number in range(600):
        world.add(f"dead_{number}", dead)
        world.arrive(f"dead_{number}", 100)
    world.add("slow", slow, proven=True)
    world.run(4 * TIMEOUT_S)
    send_now_and_then(world, "slow", world.now, world.now + 30, every=0.5)
    world.run(world.now + 31)
    assert len(world.waits["slow"]) >= 60
    assert max(world.waits["slow"]) == 0


def test_dead_endpoints_are_tried_all_the_same_and_none_is_forgotten() -> None:
    world = World()
    for number in range(600):
        world.add(f"dead_{number}", dead)
        world.arrive(f"dead_{number}", 50)
    world.run(20 * TIMEOUT_S)
    tries = Counter(endpoint_id for _, endpoint_id in world.sent)
    assert len(tries) == 600
    assert max(tries.values()) - min(tries.values()) <= 2


def test_however_busy_the_proven_are_a_new_endpoint_gets_a_turn_soon() -> None:
    world = World(max_in_flight=32)
    for number in range(100):
        world.add(f"busy_{number}", lambda: (0.5, Reaction.QUICK), proven=True)
        world.arrive(f"busy_{number}", 1_000)
    world.run(10)
    world.add("new", healthy)
    world.add("suspect", dead).learn(Reaction.TIMEOUT)
    world.arrive("new")
    world.arrive("suspect")
    world.run(11)
    assert len(world.waits["new"]) == 1
    assert len(world.waits["suspect"]) == 1


def test_an_endpoint_that_recovers_is_back_at_full_speed_soon_but_not_at_once() -> None:
    world, well_again = World(), 40.0
    world.add("sick", lambda: (TIMEOUT_S, Reaction.TIMEOUT) if world.now < well_again else (0.05, Reaction.QUICK))
    world.arrive("sick", 200)
    world.run(well_again)
    assert len(world.sent) == 2 + 1 + 1
    world.run(well_again + TIMEOUT_S)
    assert len(world.sent) == 200
    back_at = next(instant for instant, _ in world.sent if instant >= well_again)
    by_round = Counter(round((instant - back_at) / 0.05) for instant, _ in world.sent if instant >= back_at)
    assert [by_round[number] for number in range(5)] == [1, 2, 4, 8, 16]


# Fairness between the healthy


def test_a_lane_alone_may_use_its_whole_limit() -> None:
    world = World()
    lane = world.add("busy", dead, proven=True)
    world.arrive("busy", 500)
    assert lane.in_flight == lane.limit == 64


def test_who_has_fewer_requests_in_flight_goes_first() -> None:
    world = World(max_in_flight=100)
    for name in ("one", "two", "three"):
        world.add(name, dead, proven=True)
        world.arrive(name, 200)
    flying = [world.lanes.open(name).in_flight for name in ("one", "two", "three")]
    assert flying == [20, 16, 13]
    world.add("late", dead, proven=True)
    world.arrive("late", 2)
    assert len(world.waits["late"]) == 2


def test_equal_endpoints_are_served_equally() -> None:
    world = World(max_in_flight=16)
    for number in range(40):
        world.add(f"busy_{number}", lambda: (0.1, Reaction.QUICK), proven=True)
        world.arrive(f"busy_{number}", 1_000)
    world.run(30)
    served = Counter(endpoint_id for _, endpoint_id in world.sent)
    assert len(served) == 40
    assert min(served.values()) >= 0.8 * max(served.values())


# Retries


def test_a_storm_of_retries_leaves_half_of_the_slots_to_first_attempts() -> None:
    world = World()
    for number in range(600):
        world.add(f"storm_{number}", lambda: (0.9, Reaction.QUICK), proven=True)
        world.arrive(f"storm_{number}", 100, retries=True)
    world.add("well", healthy, proven=True)
    send_now_and_then(world, "well", 0, 30)
    world.run(30)
    assert max(world.waits["well"]) == 0
    assert world.most_retries == 256


def test_a_storm_of_retries_does_not_stop_either_while_first_attempts_never_end() -> None:
    world = World(max_in_flight=16)
    for number in range(40):
        world.add(f"new_{number}", lambda: (0.1, Reaction.QUICK), proven=True)
        world.arrive(f"new_{number}", 4_000)
    for number in range(40):
        world.add(f"storm_{number}", lambda: (0.1, Reaction.QUICK), proven=True)
        world.arrive(f"storm_{number}", 1_000, retries=True)
    world.run(30)
    retried = sum(endpoint_id.startswith("storm") for _, endpoint_id in world.sent)
    assert 0.15 <= retried / len(world.sent) <= 0.35


def test_a_lane_with_nothing_but_retries_sends_a_new_message_although_retries_must_wait() -> None:
    world = World(max_in_flight=8)
    for number in range(4):
        world.add(f"storm_{number}", dead, proven=True)
        world.arrive(f"storm_{number}", 10, retries=True)
    world.add("well", healthy, proven=True)
    world.arrive("well", 5, retries=True)
    assert world.waits["well"] == []
    world.arrive("well", 1)
    assert world.waits["well"] == [0]


def test_what_a_person_asked_for_is_no_retry() -> None:
    lanes = Lanes(8, 8, lambda lane, seconds: None)
    lane = lanes.open("ep_1")
    load(lane, make_target())
    lane.push(make_due(step=3, manual_id="man_1"))
    lanes.line_up(lane)
    slot = lanes.take(0.0)
    assert slot is not None
    assert not slot.retry


# Rate limits


def test_a_rate_limit_is_obeyed_and_used() -> None:
    world = World()
    world.add("limited", healthy, proven=True, throttle=Throttle(10))
    world.arrive("limited", 100)
    world.run(5)
    assert 50 <= len(world.sent) <= 52


def test_a_limited_endpoint_does_not_delay_another() -> None:
    world = World()
    for number in range(200):
        world.add(f"limited_{number}", healthy, proven=True, throttle=Throttle(1))
        world.arrive(f"limited_{number}", 100)
    world.add("well", healthy, proven=True)
    send_now_and_then(world, "well", 0, 5)
    world.run(5)
    assert max(world.waits["well"]) == 0


def test_the_endpoints_of_a_limited_application_share_its_rate_fairly() -> None:
    world, shared = World(), Throttle(20)
    for number in range(5):
        world.add(f"ep_{number}", healthy, proven=True, shared=shared)
        world.arrive(f"ep_{number}", 500)
    world.run(10)
    served = Counter(endpoint_id for _, endpoint_id in world.sent)
    assert 200 <= len(world.sent) <= 202
    assert min(served.values()) >= 35


def test_a_limited_lane_that_turned_empty_is_not_woken() -> None:
    told: list[str] = []
    lanes = Lanes(8, 8, lambda lane, seconds: told.append(lane.endpoint_id))
    throttle = Throttle(1)
    throttle.spend(0.0)
    lane = lanes.open("ep_1")
    load(lane, make_target(throttle=throttle))
    lane.push(make_due())
    lanes.line_up(lane)
    lane.drop("msg_1")
    assert lanes.take(0.0) is None
    assert told == []


# Lanes that come and go


def test_idle_lanes_are_forgotten_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes_module, "MAX_IDLE_LANES", 50)
    lanes = Lanes(8, 8, lambda lane, seconds: None)
    busy = [lanes.open(f"busy_{number}") for number in range(20)]
    for lane in busy:
        lane.push(make_due(endpoint_id=lane.endpoint_id))
    for number in range(1_000):
        lanes.open(f"idle_{number}")
    assert len(lanes) <= 51
    assert all(lanes.get(lane.endpoint_id) is lane for lane in busy)


def test_a_lane_without_a_target_waits_until_it_has_one() -> None:
    lanes = Lanes(8, 8, lambda lane, seconds: None)
    lane = lanes.open("ep_1")
    lane.push(make_due())
    lanes.line_up(lane)
    assert lanes.take(0.0) is None
    load(lane, make_target())
    lanes.line_up(lane)
    lane.outdate()
    assert lanes.take(0.0) is None
    load(lane, make_target())
    lanes.line_up(lane)
    assert lanes.take(0.0) is not None


@given(st.integers(1, 20), st.integers(1, 20))
def test_even_the_smallest_engine_sends_to_everybody(max_in_flight: int, per_endpoint: int) -> None:
    world = World(max_in_flight, per_endpoint)
    kinds: list[Receiver] = [healthy, slow, dead, lambda: (0.1, Reaction.OVERLOADED)]
    for number, receiver in enumerate(kinds):
        world.add(f"ep_{number}", receiver)
        world.arrive(f"ep_{number}", 3)
        world.arrive(f"ep_{number}", 3, retries=True)
    world.run(1_000)
    assert Counter(endpoint_id for _, endpoint_id in world.sent) == {f"ep_{number}": 6 for number in range(4)}


class NoLostWakeUps(RuleBasedStateMachine):
    """Whatever happens in whatever order: when nobody may send, each lane with something to send has its reason."""

    def __init__(self) -> None:
        super().__init__()
        self.throttled: set[Lane] = set()
        self.lanes = Lanes(12, 5, lambda lane, seconds: self.throttled.add(lane))
        self.slots: list[Slot] = []
        self.numbers = itertools.count()
        self.now = 0.0
        self.shared = Throttle(3)

    def lane(self, number: int) -> Lane:
        lane = self.lanes.open(f"ep_{number}")
        if lane.target is None and not lane.edits:
            throttle = Throttle(2) if number % 3 == 0 else UNLIMITED
            load(lane, make_target(throttle=throttle, shared=self.shared if number % 4 == 0 else UNLIMITED))
        return lane

    @rule(number=st.integers(0, 7), retry=st.booleans(), manual=st.booleans())
    def push(self, number: int, retry: bool, manual: bool) -> None:
        lane, name = self.lane(number), f"msg_{next(self.numbers)}"
        lane.push(make_due(name, lane.endpoint_id, step=int(retry), manual_id=f"man_{name}" if manual else None))
        self.lanes.line_up(lane)

    @rule()
    def take(self) -> None:
        slot = self.lanes.take(self.now)
        if slot is not None:
            self.slots.append(slot)
            assert slot.lane.in_flight <= slot.lane.limit
            assert slot.lane.standing is slot.standing

    @precondition(lambda self: self.slots)
    @rule(data=st.data(), reaction=st.none() | st.sampled_from(Reaction))
    def end(self, data: st.DataObject, reaction: Reaction | None) -> None:
        slot = self.slots.pop(data.draw(st.integers(0, len(self.slots) - 1)))
        if reaction is not None:
            slot.lane.learn(reaction)
        slot.lane.forget(slot.due.manual_id or slot.due.message_id)
        self.lanes.release(slot)

    @rule(number=st.integers(0, 7))
    def edit(self, number: int) -> None:
        lane = self.lane(number)
        lane.outdate()

    @rule(number=st.integers(0, 7))
    def load(self, number: int) -> None:
        lane = self.lane(number)
        if lane.target is None:
            load(lane, make_target())
            self.lanes.line_up(lane)

    @rule(number=st.integers(0, 7))
    def clear(self, number: int) -> None:
        self.lane(number).clear()

    @rule(seconds=st.floats(0, 1))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        for lane in self.throttled:
            self.lanes.line_up(lane)
        self.throttled.clear()

    @rule()
    def take_all(self) -> None:
        while (slot := self.lanes.take(self.now)) is not None:
            self.slots.append(slot)
        flying = Counter(slot.standing for slot in self.slots)
        retries = sum(slot.retry for slot in self.slots)
        for lane in self.lanes:
            if not lane.queued or lane.target is None or lane.in_flight >= lane.limit or lane in self.throttled:
                continue
            room = min(
                max(1, int(12 * SHARES[standing])) - sum(flying[other] for other in Standing if other >= standing)
                for standing in Standing
                if standing <= lane.standing
            )
            out_of_room = room <= 0 or 0 < lane.in_flight >= room / FREE_SHARE
            assert out_of_room or (lane.line & RETRIES and retries >= 6), lane.endpoint_id

    @invariant()
    def the_books_are_right(self) -> None:
        assert self.lanes.in_flight == len(self.slots) <= 12
        for standing in Standing:
            held = sum(slot.standing >= standing for slot in self.slots)
            assert held <= max(1, int(12 * SHARES[standing]))
        assert sum(slot.retry for slot in self.slots) <= 6
        assert sum(lane.in_flight for lane in self.lanes) == len(self.slots)


TestNoLostWakeUps = NoLostWakeUps.TestCase
