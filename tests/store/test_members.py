"""Shards: the same for the database as for the engine, and spread evenly."""

from __future__ import annotations

from collections import Counter

from records import World

from webhook_engine.store.members import ALL_SHARDS, SHARDS, LateOutcomesError, RoutingChangedError, shard_of
from webhook_engine.store.postgresql import PostgresqlStore
from webhook_engine.store.seam import Store


def test_a_shard_is_always_the_same_and_one_of_all() -> None:
    assert [shard_of(key) for key in ("ep_1", "ep_2", "ep_3")] == [shard_of(key) for key in ("ep_1", "ep_2", "ep_3")]
    assert {shard_of(f"ep_{number}") for number in range(20_000)} == ALL_SHARDS
    assert len(ALL_SHARDS) == SHARDS


def test_endpoints_are_spread_evenly() -> None:
    counted = Counter(shard_of(f"ep_{number}") % 16 for number in range(16_000))
    assert min(counted.values()) > 850
    assert max(counted.values()) < 1_150


async def test_the_database_computes_the_same_shard(store: Store, world: World) -> None:
    application = await world.application()
    for _ in range(20):
        stored = await world.endpoint(application)
        loaded = await store.endpoints.load(stored.endpoint.id)
        assert loaded is not None
        assert loaded.shard == (shard_of(stored.endpoint.id) if isinstance(store, PostgresqlStore) else 0)


async def test_endpoints_of_an_application_with_a_rate_limit_are_in_one_shard(store: Store, world: World) -> None:
    application = await world.application(throttle_rate=5)
    stored = [await world.endpoint(application) for _ in range(5)]
    shards = {(await store.endpoints.load(one.endpoint.id)).shard for one in stored}
    assert shards == {shard_of(application.id) if isinstance(store, PostgresqlStore) else 0}


def test_errors_name_what_they_are_about() -> None:
    assert str(RoutingChangedError(["app_2", "app_1"])).endswith("app_1, app_2")
    assert "mem_1" in str(LateOutcomesError("mem_1"))
