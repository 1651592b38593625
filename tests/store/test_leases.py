"""Leases: each shard is held by one member, and free again when its lease has ended or it has left."""

from __future__ import annotations

import asyncio
import math

import pytest
from records import START

from webhook_engine.secrets.agreement import SharedSecret
from webhook_engine.store.members import ALL_SHARDS, Member
from webhook_engine.store.postgresql import leases
from webhook_engine.store.seam import Store
from webhook_engine.store.sqlite import SqliteStore


def member(name: str) -> Member:
    return Member(id=name, host="host", pid=7, version="1.0", started_at=START)


@pytest.fixture
def shared(store: Store) -> Store:
    if isinstance(store, SqliteStore):
        pytest.skip("a file is for one engine")
    return store


async def test_the_one_engine_of_a_file_holds_everything_for_ever(store: Store) -> None:
    if not isinstance(store, SqliteStore):
        pytest.skip("about the file")
    await store.leases.join(member("mem_1"))
    standing = await store.leases.renew("mem_1")
    assert standing is not None
    assert set(standing.held) == ALL_SHARDS
    assert math.isinf(store.leases.ttl_s)
    [alone] = await store.leases.members()
    assert (alone.id, alone.shards) == ("mem_1", len(ALL_SHARDS))
    assert not await store.leases.bury("mem_2")
    await store.leases.leave("mem_1")
    assert list(await store.leases.members()) == []


async def test_what_is_free_is_taken_by_one(shared: Store) -> None:
    for name in ("mem_1", "mem_2"):
        await shared.leases.join(member(name))
    first = await shared.leases.renew("mem_1", take={1, 2, 3})
    second = await shared.leases.renew("mem_2", take={3, 4})
    assert first is not None
    assert second is not None
    assert set(first.held) == {1, 2, 3}
    assert set(second.held) == {4}
    assert set(second.free) == ALL_SHARDS - {1, 2, 3, 4}
    assert set(second.live) == {"mem_1", "mem_2"}
    assert [(one.id, one.shards) for one in await shared.leases.members()] == [("mem_1", 3), ("mem_2", 1)]


async def test_a_generation_grows_with_each_change_of_hands(shared: Store) -> None:
    for name in ("mem_1", "mem_2"):
        await shared.leases.join(member(name))
    first = await shared.leases.renew("mem_1", take={5})
    assert first is not None
    assert (await shared.leases.renew("mem_1")).held == first.held
    await shared.leases.give_back("mem_1", {5})
    second = await shared.leases.renew("mem_2", take={5})
    assert second is not None
    assert second.held[5] > first.held[5]


async def test_nobody_takes_what_another_gives_back(shared: Store) -> None:
    for name in ("mem_1", "mem_2"):
        await shared.leases.join(member(name))
    await shared.leases.renew("mem_1", take={1})
    await shared.leases.give_back("mem_2", {1})
    standing = await shared.leases.renew("mem_1")
    assert standing is not None
    assert set(standing.held) == {1}


async def test_who_leaves_frees_all_and_has_no_lease_to_renew(shared: Store) -> None:
    for name in ("mem_1", "mem_2"):
        await shared.leases.join(member(name))
    await shared.leases.renew("mem_1", take={1, 2})
    await shared.leases.leave("mem_1")
    assert await shared.leases.renew("mem_1") is None
    standing = await shared.leases.renew("mem_2", take={1, 2})
    assert standing is not None
    assert set(standing.held) == {1, 2}


async def test_a_lease_is_buried_once_when_it_has_ended(shared: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    await shared.leases.join(member("mem_1"))
    await shared.leases.renew("mem_1", take={1})
    assert not await shared.leases.bury("mem_1")
    monkeypatch.setattr(leases, "TTL_S", 0.0)
    await shared.leases.renew("mem_1")
    assert await shared.leases.bury("mem_1")
    assert not await shared.leases.bury("mem_1")
    assert await shared.leases.renew("mem_1") is None
    await shared.leases.join(member("mem_2"))
    standing = await shared.leases.renew("mem_2")
    assert standing is not None
    assert set(standing.free) == ALL_SHARDS


async def test_what_another_member_promised_counts(shared: Store) -> None:
    await shared.leases.join(member("mem_1"))
    await shared.leases.renew("mem_1", stored_below="2" * 27)
    assert await shared.leases.stored_below() is None
    await shared.leases.join(member("mem_2"))
    await shared.leases.renew("mem_2", stored_below="3" * 27)
    assert await shared.leases.stored_below() == "2" * 27
    await shared.leases.renew("mem_1", stored_below="1" * 27)  # late: a promise is not taken back
    assert await shared.leases.stored_below() == "2" * 27
    await shared.leases.leave("mem_1")
    assert await shared.leases.stored_below() is None


async def test_who_has_another_secret_than_one_who_is_there_is_told_of_that_one(shared: Store) -> None:
    a, b, renewed = (
        SharedSecret.of("auth.jwt_secret", "a"),
        SharedSecret.of("auth.jwt_secret", "b"),
        SharedSecret.of("auth.jwt_secret", "new", ["a"]),
    )
    for name in ("mem_1", "mem_2", "mem_3"):
        await shared.leases.join(member(name))
    # At once: of two, the second sees the first.
    answers = await asyncio.gather(shared.leases.agree("mem_1", a), shared.leases.agree("mem_2", b))
    [other] = [one for one in answers if one is not None]
    first, second = ("mem_1", "mem_2") if other.id == "mem_1" else ("mem_2", "mem_1")
    assert (other.id, other.host, other.pid) == (first, "host", 7)
    assert await shared.leases.agree(second, a if first == "mem_1" else b) is None
    assert await shared.leases.agree("mem_3", SharedSecret.of("security.main_secret", "c")) is None
    await shared.leases.leave(first)
    await shared.leases.leave(second)
    assert await shared.leases.agree("mem_3", a) is None
    await shared.leases.join(member("mem_4"))
    # While it comes into use, the new one goes with the one before, and who has only that one is too late.
    assert await shared.leases.agree("mem_4", renewed) is None
    await shared.leases.join(member("mem_5"))
    late = await shared.leases.agree("mem_5", a)
    assert late is not None
    assert late.id == "mem_4"


async def test_a_secret_is_told_again_by_who_lost_its_lease(shared: Store) -> None:
    a, b = SharedSecret.of("auth.jwt_secret", "a"), SharedSecret.of("auth.jwt_secret", "b")
    await shared.leases.join(member("mem_1"))
    assert await shared.leases.agree("mem_1", a) is None
    await shared.leases.leave("mem_1")
    await shared.leases.join(member("mem_2"))
    await shared.leases.join(member("mem_3"))
    other = await shared.leases.agree("mem_3", b)
    assert other is not None


async def test_on_a_file_there_is_nobody_to_agree_with(store: Store) -> None:
    if not isinstance(store, SqliteStore):
        pytest.skip("about the file")
    for secret in ("a", "b"):
        assert await store.leases.agree("mem_1", SharedSecret.of("auth.jwt_secret", secret)) is None
