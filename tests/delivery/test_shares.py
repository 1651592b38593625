"""Who holds which shards: the rules, by table and by property."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webhook_engine.delivery.shares import MARGIN_S, Plan, lease_until, plan, share, wait_after_move
from webhook_engine.store.members import ALL_SHARDS, SHARDS, shard_of

names = st.sets(st.integers(0, 99).map(lambda number: f"mbr_{number}"), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("moved", "held", "wait_s"),
    [
        (None, {1}, 0),
        ((7, 0.5), {1}, 4.5),
        ((7, 0.5), {1, 7}, 0),
        ((7, 6.0), {1}, 0),
    ],
)
def test_an_endpoint_that_has_moved_waits_until_whoever_held_it_must_know(
    moved: tuple[int, float] | None, held: set[int], wait_s: float
) -> None:
    assert wait_after_move(moved, held, 5.0) == wait_s


def test_one_alone_holds_everything() -> None:
    assert share("mbr_a", frozenset({"mbr_a"})) == ALL_SHARDS


@given(live=names)
@settings(max_examples=25, deadline=None)
def test_every_shard_is_the_part_of_exactly_one(live: set[str]) -> None:
    parts = [share(member, frozenset(live)) for member in live]
    assert frozenset().union(*parts) == ALL_SHARDS
    assert sum(map(len, parts)) == SHARDS


@given(live=names)
@settings(max_examples=25, deadline=None)
def test_the_parts_are_of_like_size(live: set[str]) -> None:
    fair = SHARDS / len(live)
    assert all(0.6 * fair < len(share(member, frozenset(live))) < 1.4 * fair for member in live)


@given(live=names, comer=st.just("mbr_new"))
@settings(max_examples=25, deadline=None)
def test_who_comes_takes_from_each_and_nothing_moves_between_the_others(live: set[str], comer: str) -> None:
    before, after = frozenset(live), frozenset(live) | {comer}
    for member in live:
        kept = share(member, after)
        assert kept <= share(member, before)
        assert share(member, before) - kept <= share(comer, after)


@given(live=names, held=st.sets(st.integers(0, SHARDS - 1)), free=st.sets(st.integers(0, SHARDS - 1)))
@settings(max_examples=50, deadline=None)
def test_a_plan_gives_only_what_is_held_and_takes_only_what_is_free(
    live: set[str], held: set[int], free: set[int]
) -> None:
    free -= held
    me = min(live)
    planned = plan(me, live, held, free)
    assert planned.give <= held
    assert planned.take <= free
    assert (held - planned.give) | planned.take <= share(me, frozenset(live))


def test_who_holds_its_part_has_nothing_to_do() -> None:
    live = {"mbr_a", "mbr_b"}
    assert plan("mbr_a", live, share("mbr_a", frozenset(live)), ()) == Plan(frozenset(), frozenset())


def test_a_lease_counts_from_before_it_was_asked_for() -> None:
    assert lease_until(100.0, 5.0) == 105.0 - MARGIN_S


def test_shards_of_ids_are_spread_and_stay_the_same() -> None:
    assert [shard_of(key) for key in ("ep_1", "ep_2", "app_1")] == [
        shard_of("ep_1"),
        shard_of("ep_2"),
        shard_of("app_1"),
    ]
    counts = [0] * SHARDS
    for number in range(SHARDS * 20):
        counts[shard_of(f"ep_{number}")] += 1
    assert min(counts) > 0
    assert max(counts) < 60
    assert shard_of("ep_23rb8YdGqMT0qIzpgGwdXfHirMu") == 685
