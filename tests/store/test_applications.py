import msgspec
import pytest
from records import ORGANIZATION, World, ids

from webhook_engine.clock import to_datetime
from webhook_engine.errors import ConflictError
from webhook_engine.store.records import ApplicationChanges, Span
from webhook_engine.store.seam import Store


async def test_an_application_is_found_by_id_and_by_uid(store: Store, world: World) -> None:
    added = await world.application(uid="acme", throttle_rate=7, metadata={"ключ": "a'b\"c\n"}, name="Ac'me \U0001f600")
    assert await store.applications.get(ORGANIZATION, added.id) == added
    assert await store.applications.get(ORGANIZATION, "acme") == added


async def test_another_organization_does_not_find_it(store: Store, world: World) -> None:
    added = await world.application(uid="acme")
    assert await store.applications.get("org_2", added.id) is None
    assert await store.applications.get("org_2", "acme") is None


async def test_a_uid_is_unique_in_its_organization(store: Store, world: World) -> None:
    await world.application(uid="acme")
    with pytest.raises(ConflictError) as caught:
        await world.application(uid="acme")
    assert (caught.value.kind, caught.value.field, caught.value.value) == ("application", "uid", "acme")
    await world.application(uid="acme", organization_id="org_2")
    await world.application()
    await world.application()


async def test_an_id_is_unique(store: Store, world: World) -> None:
    added = await world.application()
    with pytest.raises(ConflictError) as caught:
        await store.applications.add(added)
    assert caught.value.field == "id"


async def test_a_change_touches_only_what_is_given(store: Store, world: World) -> None:
    added = await world.application(uid="acme", throttle_rate=7, metadata={"a": "b"})
    now = world.tick()
    changed = await store.applications.update(added.id, ApplicationChanges(name="Beta"), now)
    assert changed == msgspec.structs.replace(added, name="Beta", updated_at=to_datetime(now))
    emptied = await store.applications.update(
        added.id, ApplicationChanges(uid=None, throttle_rate=None, metadata={}), now
    )
    assert emptied is not None
    assert (emptied.uid, emptied.throttle_rate, emptied.metadata) == (None, None, {})
    assert await store.applications.get(ORGANIZATION, added.id) == emptied


async def test_a_uid_cannot_be_changed_to_one_that_is_taken(store: Store, world: World) -> None:
    await world.application(uid="acme")
    other = await world.application(uid="beta")
    with pytest.raises(ConflictError) as caught:
        await store.applications.update(other.id, ApplicationChanges(uid="acme", name="Changed"), world.tick())
    assert (caught.value.field, caught.value.value) == ("uid", "acme")
    assert await store.applications.get(ORGANIZATION, "beta") == other


async def test_what_is_not_there_cannot_be_changed(store: Store, world: World) -> None:
    assert await store.applications.update("app_none", ApplicationChanges(name="x"), world.tick()) is None
    assert await store.applications.delete("app_none", world.tick()) is False


async def test_a_deleted_application_is_gone_with_its_endpoints_and_frees_its_uid(store: Store, world: World) -> None:
    added = await world.application(uid="acme")
    other = await world.application()
    deleted = await world.endpoint(added, uid="main")
    kept = await world.endpoint(other, uid="main")
    assert await store.applications.delete(added.id, world.tick()) is True
    assert await store.applications.delete(added.id, world.tick()) is False
    assert await store.applications.get(ORGANIZATION, added.id) is None
    assert await store.applications.get(ORGANIZATION, "acme") is None
    assert await store.applications.update(added.id, ApplicationChanges(name="x"), world.tick()) is None
    assert await store.endpoints.of_application(added.id) == []
    loaded = await store.endpoints.load(deleted.endpoint.id)
    assert loaded is not None
    assert loaded.deleted
    assert await store.endpoints.of_application(other.id) == [kept]
    again = await world.application(uid="acme")
    assert await store.applications.get(ORGANIZATION, "acme") == again


async def test_lists_are_in_the_order_of_ids_between_both_ends(store: Store, world: World) -> None:
    added = ids([await world.application() for _ in range(5)])
    await world.application(organization_id="org_2")

    async def listed(**span: object) -> list[str]:
        return ids(await store.applications.list(ORGANIZATION, Span(**span)))

    assert await listed(descending=False) == added
    assert await listed(descending=True) == added[::-1]
    assert await listed(descending=False, limit=2) == added[:2]
    assert await listed(descending=True, limit=2) == added[:2:-1]
    assert await listed(descending=False, low=added[1]) == added[2:]
    assert await listed(descending=True, high=added[3]) == added[2::-1]
    assert await listed(descending=False, low=added[0], high=added[4]) == added[1:4]
    assert await listed(limit=0) == []
    await store.applications.delete(added[2], world.tick())
    assert await listed(descending=False) == added[:2] + added[3:]


async def test_there_is_nothing_with_a_nul_in_its_name(store: Store, world: World) -> None:
    application = await world.application(uid="acme")
    assert await store.applications.get(application.organization_id, "acme\0") is None
    assert await store.applications.get("org\0", "acme") is None
    assert list(await store.applications.list("org\0", Span())) == []
