from datetime import timedelta

import msgspec
import pytest
from records import World

from webhook_engine.clock import to_datetime
from webhook_engine.errors import ConflictError, StoreError
from webhook_engine.model import EndpointOptions, Health, OldKey
from webhook_engine.store.records import EndpointChanges, EndpointCondition, Span
from webhook_engine.store.seam import Store

NOTHING = EndpointOptions()


async def test_an_endpoint_comes_back_as_it_was(store: Store, world: World) -> None:
    application = await world.application()
    added = await world.endpoint(
        application,
        uid="main",
        url="https://example.com/ü?a='b'",
        description="Line 1\nLine 2",
        event_types=("invoice.paid", "invoice.void"),
        channels=("a", "b"),
        throttle_rate=5,
        version=3,
        metadata={"k": "v"},
        encrypted_key=bytes(range(256)),
        old_keys=(OldKey(b"\x00\xff", 17), OldKey(b"", 18)),
        encrypted_headers=b"\x00headers\xfe",
        encrypted_user_info=b"\x00shop:secret\xfe",
        encrypted_credentials=b"\x00token\xfe",
        timeout=timedelta(milliseconds=1500),
        retry_schedule=(timedelta(0), timedelta(days=1)),
        filter={"a": {"$gt": 1}},
    )
    assert await store.endpoints.get(application.id, added.endpoint.id) == added
    assert await store.endpoints.get(application.id, "main") == added
    assert await store.endpoints.load(added.endpoint.id) == added
    assert await store.endpoints.of_application(application.id) == [added]
    assert await store.endpoints.count(application.id) == 1


async def test_a_disabled_endpoint_comes_back_as_it_was(store: Store, world: World) -> None:
    since = world.tick()
    added = await world.endpoint(
        await world.application(),
        disabled=True,
        disabled_at=to_datetime(since),
        disabled_reason="the receiver answered 410 Gone",
        first_failure_at=to_datetime(since),
        health=Health(since, since + 5, warned=True),
    )
    assert await store.endpoints.load(added.endpoint.id) == added


async def test_another_application_does_not_find_it(store: Store, world: World) -> None:
    added = await world.endpoint(await world.application(), uid="main")
    other = await world.application()
    assert await store.endpoints.get(other.id, added.endpoint.id) is None
    assert await store.endpoints.get(other.id, "main") is None


async def test_a_uid_is_unique_in_its_application(store: Store, world: World) -> None:
    application = await world.application()
    await world.endpoint(application, uid="main")
    with pytest.raises(ConflictError) as caught:
        await world.endpoint(application, uid="main")
    assert (caught.value.kind, caught.value.field, caught.value.value) == ("endpoint", "uid", "main")
    other = await world.endpoint(await world.application(), uid="main")
    second = await world.endpoint(application, uid="second")
    with pytest.raises(ConflictError):
        await store.endpoints.update(second.endpoint.id, EndpointChanges(uid="main"), world.tick())
    assert other.endpoint.uid == "main"


async def test_an_endpoint_needs_its_application(world: World) -> None:
    with pytest.raises(StoreError):
        await world.endpoint(world.new_application())


async def test_a_change_touches_only_what_is_given(store: Store, world: World) -> None:
    application = await world.application()
    added = await world.endpoint(
        application, uid="main", event_types=("a",), channels=("b",), old_keys=(OldKey(b"o", 1),)
    )
    now = world.tick()
    changed = await store.endpoints.update(added.endpoint.id, EndpointChanges(url="https://new.example"), now)
    expected = msgspec.structs.replace(
        added, endpoint=msgspec.structs.replace(added.endpoint, url="https://new.example", updated_at=to_datetime(now))
    )
    assert changed == expected
    assert await store.endpoints.get(application.id, "main") == expected


async def test_everything_can_be_changed(store: Store, world: World) -> None:
    application = await world.application()
    added = await world.endpoint(application)
    now = world.tick()
    health = Health(now - 10, now - 5, warned=True)
    changed = await store.endpoints.update(
        added.endpoint.id,
        EndpointChanges(
            uid="other",
            url="https://other.example",
            description="Other",
            event_types=("x",),
            channels=("y",),
            throttle_rate=9,
            version=2,
            metadata={"m": "n"},
            encrypted_key=b"new",
            old_keys=(OldKey(b"old", 99),),
            encrypted_headers=b"headers",
            encrypted_user_info=b"name",
            options=EndpointOptions(timeout=timedelta(seconds=1)),
            encrypted_credentials=b"token",
            condition=EndpointCondition(health=health, disabled_at=now, disabled_reason="asked for"),
        ),
        now,
    )
    assert changed == await store.endpoints.load(added.endpoint.id)
    assert changed is not None
    endpoint = changed.endpoint
    assert (endpoint.uid, endpoint.url, endpoint.description) == ("other", "https://other.example", "Other")
    assert (endpoint.event_types, endpoint.channels, endpoint.throttle_rate) == (("x",), ("y",), 9)
    assert (endpoint.version, endpoint.metadata) == (2, {"m": "n"})
    assert (endpoint.disabled, endpoint.disabled_at) == (True, to_datetime(now))
    assert (endpoint.disabled_reason, endpoint.first_failure_at) == ("asked for", to_datetime(now - 10))
    assert (changed.encrypted_key, changed.old_keys) == (b"new", (OldKey(b"old", 99),))
    assert (changed.encrypted_headers, changed.encrypted_user_info) == (b"headers", b"name")
    assert (endpoint.options, changed.encrypted_credentials) == (
        EndpointOptions(timeout=timedelta(seconds=1)),
        b"token",
    )
    assert changed.health == health

    well = await store.endpoints.update(
        added.endpoint.id,
        EndpointChanges(
            event_types=None,
            channels=None,
            encrypted_headers=None,
            options=NOTHING,
            condition=EndpointCondition(),
        ),
        now,
    )
    assert well is not None
    assert (well.endpoint.options, well.encrypted_credentials) == (NOTHING, b"token")
    assert (well.endpoint.event_types, well.endpoint.channels, well.encrypted_headers) == (None, None, None)
    assert (well.endpoint.disabled, well.endpoint.disabled_reason, well.health) == (False, None, Health())


async def test_a_deleted_endpoint_is_only_loaded_and_frees_its_uid(store: Store, world: World) -> None:
    application = await world.application()
    added = await world.endpoint(application, uid="main")
    assert await store.endpoints.delete(added.endpoint.id, world.tick()) is True
    assert await store.endpoints.delete(added.endpoint.id, world.tick()) is False
    assert await store.endpoints.get(application.id, added.endpoint.id) is None
    assert await store.endpoints.get(application.id, "main") is None
    assert await store.endpoints.of_application(application.id) == []
    assert await store.endpoints.count(application.id) == 0
    assert await store.endpoints.list(application.id, Span()) == []
    assert await store.endpoints.update(added.endpoint.id, EndpointChanges(version=2), world.tick()) is None
    loaded = await store.endpoints.load(added.endpoint.id)
    assert loaded is not None
    assert loaded.deleted
    again = await world.endpoint(application, uid="main")
    assert await store.endpoints.get(application.id, "main") == again


async def test_lists_are_in_the_order_of_ids_between_both_ends(store: Store, world: World) -> None:
    application = await world.application()
    added = [(await world.endpoint(application)).endpoint.id for _ in range(4)]
    await world.endpoint(await world.application())

    async def listed(**span: object) -> list[str]:
        return [stored.endpoint.id for stored in await store.endpoints.list(application.id, Span(**span))]

    assert await listed(descending=False) == added
    assert await listed(descending=True, limit=3) == added[:0:-1]
    assert await listed(descending=False, low=added[0], high=added[3]) == added[1:3]


async def test_what_is_not_there_is_not_found(store: Store, world: World) -> None:
    assert await store.endpoints.load("ep_none") is None
    assert await store.endpoints.get("app_none", "ep_none") is None
    assert await store.endpoints.delete("ep_none", world.tick()) is False


async def test_some_endpoint_is_found_if_there_is_any(store: Store, world: World) -> None:
    assert await store.endpoints.first() is None
    added = await world.endpoint(await world.application())
    assert await store.endpoints.first() == added


async def test_a_pause_ends_where_no_circuit_breaker_is_asked_for(store: Store, world: World) -> None:
    application = await world.application()
    until = world.tick()
    asking = [
        await world.endpoint(application, health=Health(paused_until=until), paused_until=to_datetime(until), **asked)
        for asked in ({}, {"circuit_breaker": False}, {"timeout": timedelta(seconds=1)}, {"circuit_breaker": True})
    ]
    assert await store.endpoints.of_application(application.id) == asking
    await store.endpoints.end_pauses()
    after = await store.endpoints.of_application(application.id)
    assert [stored.health.paused_until is None for stored in after] == [True, True, True, False]
    assert after[3] == asking[3]
