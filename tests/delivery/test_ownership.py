"""What an engine does about its lease, with a database of leases in memory, and a clock that the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from webhook_engine.clock import ManualClock
from webhook_engine.delivery.ownership import Ownership
from webhook_engine.delivery.shares import share
from webhook_engine.errors import StoreUnavailableError
from webhook_engine.ids import IdSource
from webhook_engine.secrets.agreement import SharedSecret
from webhook_engine.store.members import ALL_SHARDS, LeaseState, Member
from webhook_engine.store.sqlite.leases import SqliteLeases

TTL_S = 5.0


class RealTime(ManualClock):
    """Also what no test sets elsewhere is moved by hand here."""

    def process(self) -> float:
        return self.monotonic()


class Leases:
    """Leases in memory, as a database would keep them."""

    ttl_s = TTL_S

    def __init__(self, clock: RealTime) -> None:
        self.clock = clock
        self.until: dict[str, float] = {}
        self.holder: dict[int, str | None] = dict.fromkeys(ALL_SHARDS)
        self.generation = dict.fromkeys(ALL_SHARDS, 0)
        self.refuses = False

    async def join(self, member: Member) -> None:
        self._reached()
        self.until[member.id] = self.clock.monotonic() + TTL_S

    async def renew(self, member_id: str, *, take: Collection[int] = (), stored_below: str = "") -> LeaseState | None:
        self._reached()
        if member_id not in self.until:
            return None
        now = self.clock.monotonic()
        self.until[member_id] = now + TTL_S
        for shard in take:
            if self.holder[shard] is None:
                self.holder[shard] = member_id
                self.generation[shard] += 1
        return LeaseState(
            held={shard: self.generation[shard] for shard, holder in self.holder.items() if holder == member_id},
            free=[shard for shard, holder in self.holder.items() if holder is None],
            live=[member for member, until in self.until.items() if until > now],
            lapsed=[member for member, until in self.until.items() if until <= now],
        )

    def sends_for(self, shards: frozenset[int]) -> None:
        """Nobody else is told of anything here."""

    async def give_back(self, member_id: str, shards: Collection[int]) -> None:
        self._reached()
        for shard in shards:
            if self.holder[shard] == member_id:
                self.holder[shard] = None

    async def bury(self, member_id: str) -> bool:
        self._reached()
        if self.until.get(member_id, 0) > self.clock.monotonic():
            return False
        return await self._end(member_id)

    async def leave(self, member_id: str) -> None:
        self._reached()
        await self._end(member_id)

    async def members(self) -> Sequence[Member]:
        return ()

    async def agree(self, member_id: str, secret: SharedSecret) -> Member | None:
        return None

    async def stored_below(self) -> str | None:
        return None

    async def _end(self, member_id: str) -> bool:
        there = self.until.pop(member_id, None) is not None
        for shard, holder in self.holder.items():
            if holder == member_id:
                self.holder[shard] = None
        return there

    def _reached(self) -> None:
        if self.refuses:
            raise StoreUnavailableError("the database is down")


class Engine:
    """An engine as far as its ownership goes."""

    def __init__(self, leases: Leases | SqliteLeases, clock: RealTime) -> None:
        self.gained: list[frozenset[int]] = []
        self.lost: list[frozenset[int]] = []
        self.busy: set[int] = set()
        self.ownership = Ownership(
            leases,
            clock,
            IdSource(),
            gained=lambda shards: self.gained.append(frozenset(shards)),
            losing=lambda shards: self.lost.append(frozenset(shards)),
            drained=lambda shards: set(shards) - self.busy,
            stored_below=lambda: "",
        )

    async def round(self) -> None:
        await self.ownership._round()


@pytest.fixture
def clock() -> RealTime:
    return RealTime()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.001)


def truth(leases: Leases, *engines: Engine) -> None:
    """No shard is anybody's but its holder's."""
    for engine in engines:
        assert all(leases.holder[shard] == engine.ownership._id for shard in engine.ownership.shards)


async def test_a_database_of_ones_own_is_one_lease_that_never_ends(clock: RealTime) -> None:
    engine = Engine(SqliteLeases(), clock)
    await engine.ownership.start()
    assert engine.ownership.alone
    assert engine.ownership.shards == ALL_SHARDS
    assert engine.ownership.member_id is None
    clock.advance(days=400)
    assert engine.ownership.may_begin()
    await engine.ownership.stop()
    assert not engine.ownership.may_begin()
    assert engine.ownership.shards == frozenset()


async def test_the_first_has_everything_when_it_has_started(clock: RealTime) -> None:
    leases = Leases(clock)
    engine = Engine(leases, clock)
    await engine.ownership.start()
    assert engine.ownership.shards == ALL_SHARDS
    assert set(leases.generation.values()) == {1}
    await engine.ownership.stop()
    assert set(leases.holder.values()) == {None}


async def test_who_comes_gets_its_part_and_who_stops_gives_it_back(clock: RealTime) -> None:
    leases = Leases(clock)
    first, second = Engine(leases, clock), Engine(leases, clock)
    await first.ownership.start()
    await second.ownership.start()
    assert second.ownership.shards == frozenset()
    await first.round()
    truth(leases, first, second)
    await second.round()
    truth(leases, first, second)
    assert first.ownership.shards | second.ownership.shards == ALL_SHARDS
    assert second.ownership.shards == first.lost[0]
    live = frozenset(leases.until)
    assert {share(member, live) for member in live} == {first.ownership.shards, second.ownership.shards}
    await second.ownership.stop()
    await first.round()
    assert first.ownership.shards == ALL_SHARDS
    await first.ownership.stop()


async def test_a_shard_with_something_under_way_is_given_when_that_is_done(clock: RealTime) -> None:
    leases = Leases(clock)
    first, second = Engine(leases, clock), Engine(leases, clock)
    await first.ownership.start()
    first.busy = set(ALL_SHARDS)
    await second.ownership.start()
    await first.round()
    waiting = first.lost[0]
    assert not waiting & first.ownership.shards, "nothing new is begun for it"
    await second.round()
    assert second.ownership.shards == frozenset()
    first.busy = set(ALL_SHARDS - waiting)
    await first.ownership._give()
    await second.round()
    assert second.ownership.shards == waiting
    for engine in (first, second):
        engine.busy = set()
        await engine.ownership.stop()


async def test_nothing_begins_once_the_lease_may_have_ended(clock: RealTime) -> None:
    leases = Leases(clock)
    engine = Engine(leases, clock)
    await engine.ownership.start()
    assert engine.ownership.may_begin()
    leases.refuses = True
    clock.advance(TTL_S - 0.5)
    assert engine.ownership.may_begin()
    clock.advance(0.5)
    assert not engine.ownership.may_begin()
    leases.refuses = False
    await engine.round()
    # Nobody took anything meanwhile: what it knows of its lanes still holds.
    assert engine.ownership.may_begin()
    assert engine.lost == []
    await engine.ownership.stop()


async def test_who_stood_still_finds_its_part_taken_and_comes_back_as_another(clock: RealTime) -> None:
    leases = Leases(clock)
    late, other = Engine(leases, clock), Engine(leases, clock)
    await late.ownership.start()
    before = late.ownership.member_id
    await other.ownership.start()
    for engine in (late, other, late):
        await engine.round()
    mine = late.ownership.shards
    for _ in range(6):
        clock.advance(1)
        await other.round()
    assert other.ownership.shards == ALL_SHARDS, "replaced within the time to live and a round"
    assert not late.ownership.may_begin()
    await late.round()
    assert mine in late.lost
    assert late.ownership.member_id not in (None, before)
    for engine in (other, late):
        await engine.round()
        truth(leases, late, other)
    assert late.ownership.shards | other.ownership.shards == ALL_SHARDS
    for engine in (late, other):
        await engine.ownership.stop()


async def test_where_two_bury_the_same_member_at_once_both_have_their_part_with_that_look(
    clock: RealTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    leases = Leases(clock)
    dead, first, second = (Engine(leases, clock) for _ in range(3))
    for engine in (dead, first, second):
        await engine.ownership.start()
    for engine in (dead, first, second):
        await engine.round()
    for _ in range(5):
        clock.advance(0.9)
        await first.round()
        await second.round()
    clock.advance(0.6)

    async def bury_too_late(member_id: str) -> bool:
        await leases._end(member_id)  # By the other one, between the two statements.
        return False

    monkeypatch.setattr(leases, "bury", bury_too_late)
    await second.round()
    await first.round()
    assert not dead.ownership.may_begin()
    truth(leases, first, second)
    assert first.ownership.shards | second.ownership.shards == ALL_SHARDS
    for engine in (dead, first, second):
        await engine.ownership.stop()


async def test_an_engine_that_stops_gives_back_what_is_idle_at_once(clock: RealTime) -> None:
    leases = Leases(clock)
    engine = Engine(leases, clock)
    await engine.ownership.start()
    engine.busy = {1, 2}
    await engine.ownership.give_all()
    await until(lambda: {shard for shard, holder in leases.holder.items() if holder} == {1, 2})
    engine.busy = set()
    await until(lambda: not any(leases.holder.values()))
    await engine.ownership.stop()
    assert leases.until == {}


STEPS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["round", "start", "stop", "still", "busy", "idle", "down", "up"])),
    max_size=40,
)


@given(steps=STEPS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_two_never_hold_one_shard_whatever_happens(steps: list[tuple[int, str]]) -> None:
    asyncio.run(_two_never_hold_one_shard(steps))


async def _two_never_hold_one_shard(steps: list[tuple[int, str]]) -> None:
    clock = RealTime()
    leases = Leases(clock)
    engines = [Engine(leases, clock) for _ in range(4)]
    running: set[int] = set()
    for number, step in steps:
        engine = engines[number]
        leases.refuses = step == "down" or (leases.refuses and step != "up")
        try:
            if step == "start" and number not in running:
                await engine.ownership.start()
                running.add(number)
            elif step == "stop" and number in running:
                running.discard(number)
                await engine.ownership.stop()
            elif step == "still":
                clock.advance(TTL_S / 2)
            elif step == "busy":
                engine.busy = set(engine.ownership.shards)
            elif step == "idle":
                engine.busy = set()
            elif step == "round" and number in running:
                await engine.round()
        except StoreUnavailableError:
            pass
        sending = [one.ownership.shards for one in engines if one.ownership.may_begin()]
        assert sum(map(len, sending)) == len(frozenset().union(*sending)), "two send for one shard"
    leases.refuses = False
    for number in running:
        await engines[number].ownership.stop()
