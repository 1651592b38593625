from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from webhook_engine.delivery.schedule.timers import Timers


def test_endpoints_come_out_when_their_instant_has_come_earliest_first() -> None:
    timers = Timers()
    timers.schedule("late", 30)
    timers.schedule("early", 10)
    timers.schedule("middle", 20)
    assert timers.pop_due(9) == []
    assert timers.pop_due(20) == ["early", "middle"]
    assert timers.pop_due(1_000) == ["late"]
    assert timers.pop_due(1_000) == []


def test_an_endpoint_is_woken_once_at_the_earliest_instant_asked_for() -> None:
    timers = Timers()
    for instant in (30, 10, 20, 10):
        timers.schedule("ep", instant)
    assert len(timers) == 1
    assert timers.due_at("ep") == 10
    assert timers.pop_due(100) == ["ep"]
    assert timers.next_at() is None


def test_an_endpoint_can_be_asked_for_again_after_it_came_out() -> None:
    timers = Timers()
    timers.schedule("ep", 20)
    timers.schedule("ep", 10)
    assert timers.pop_due(10) == ["ep"]
    timers.schedule("ep", 20)
    assert timers.pop_due(20) == ["ep"]


def test_a_limit_leaves_the_later_ones_for_the_next_time() -> None:
    timers = Timers()
    for number in range(5):
        timers.schedule(f"ep{number}", number)
    assert timers.pop_due(10, 2) == ["ep0", "ep1"]
    assert timers.next_at() == 2
    assert timers.pop_due(10, 0) == []
    assert timers.pop_due(10) == ["ep2", "ep3", "ep4"]


def test_what_is_unknown_has_no_instant() -> None:
    assert Timers().due_at("ep") is None
    assert Timers().next_at() is None


def test_beyond_the_capacity_the_latest_are_forgotten_and_the_horizon_says_from_when() -> None:
    timers = Timers(capacity=10)
    for number in range(11):
        timers.schedule(f"ep{number}", number)
    assert len(timers) <= 10
    assert timers.horizon is not None
    kept = timers.pop_due(1_000)
    assert kept == [f"ep{number}" for number in range(timers.horizon)]


def test_the_horizon_is_what_comes_next_when_nothing_before_it_is_known() -> None:
    timers = Timers()
    timers.horizon = 50
    assert timers.next_at() == 50
    timers.schedule("early", 40)
    assert timers.next_at() == 40
    timers.schedule("late", 60)
    assert len(timers) == 1


@given(st.lists(st.integers(0, 1_000), max_size=2_000))
def test_asking_over_and_over_for_the_same_endpoints_does_not_grow_the_heap(instants: list[int]) -> None:
    timers = Timers(capacity=8)
    for number, instant in enumerate(instants):
        timers.schedule(f"ep{number % 5}", 1_000_000 - number * 1_001 - instant)
        assert len(timers._heap) <= 2 * 8 + 65


class Promise(RuleBasedStateMachine):
    """Whatever was asked for either comes out in time, or the horizon says to look in the database by then."""

    def __init__(self) -> None:
        super().__init__()
        self.timers = Timers(capacity=6)
        self.asked: dict[str, int] = {}
        self.now = 0

    @rule(endpoint=st.integers(0, 20).map(str), delay=st.integers(-5, 50))
    def schedule(self, endpoint: str, delay: int) -> None:
        instant = self.now + delay
        self.timers.schedule(endpoint, instant)
        self.asked[endpoint] = min(instant, self.asked.get(endpoint, instant))

    @rule(step=st.integers(0, 30), limit=st.none() | st.integers(0, 4))
    def pass_time(self, step: int, limit: int | None) -> None:
        self.now += step
        for endpoint in self.timers.pop_due(self.now, limit):
            assert self.asked.pop(endpoint) <= self.now, "nobody is woken before time"
        if limit is None:
            for instant in self.asked.values():
                assert instant > self.now or (self.timers.horizon is not None and self.timers.horizon <= instant)

    @precondition(lambda self: self.timers.horizon is not None and self.timers.horizon <= self.now)
    @rule()
    def look_in_the_database(self) -> None:
        self.timers.horizon = None
        for endpoint, instant in sorted(self.asked.items()):
            self.timers.schedule(endpoint, instant)

    @invariant()
    def everything_is_known_or_beyond_the_horizon(self) -> None:
        for endpoint, instant in self.asked.items():
            known = self.timers.due_at(endpoint)
            beyond = self.timers.horizon is not None and self.timers.horizon <= instant
            assert known == instant or beyond

    @invariant()
    def next_at_is_never_too_late(self) -> None:
        if self.asked:
            next_at = self.timers.next_at()
            assert next_at is not None
            assert next_at <= min(self.asked.values())

    @invariant()
    def memory_is_bounded(self) -> None:
        assert len(self.timers) <= 6
        assert len(self.timers._heap) <= 2 * 6 + 65


TestPromise = Promise.TestCase
