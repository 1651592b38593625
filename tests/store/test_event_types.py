import msgspec
import pytest
from records import ORGANIZATION, World

from webhook_engine.clock import to_datetime
from webhook_engine.errors import ConflictError
from webhook_engine.store.records import EventTypeChanges, Span
from webhook_engine.store.seam import Store


async def test_an_event_type_comes_back_as_it_was(store: Store, world: World) -> None:
    added = world.new_event_type(
        "invoice.paid",
        deprecated=True,
        schemas={"1": {"type": "object", "properties": {"id": {"type": "integer"}}}},
        feature_flags=("beta", "eu"),
        group_name="invoice",
    )
    await store.event_types.add(added)
    assert await store.event_types.get(ORGANIZATION, "invoice.paid") == added
    assert await store.event_types.get("org_2", "invoice.paid") is None
    assert await store.event_types.get(ORGANIZATION, "invoice.void") is None


async def test_a_live_name_is_taken_in_its_organization(store: Store, world: World) -> None:
    await store.event_types.add(world.new_event_type("invoice.paid"))
    with pytest.raises(ConflictError) as caught:
        await store.event_types.add(world.new_event_type("invoice.paid", description="Another"))
    assert (caught.value.kind, caught.value.field, caught.value.value) == ("event type", "name", "invoice.paid")
    await store.event_types.add(world.new_event_type("invoice.paid", organization_id="org_2"))


async def test_an_archived_one_gives_way(store: Store, world: World) -> None:
    await store.event_types.add(world.new_event_type("invoice.paid", archived=True, schemas={"1": {}}))
    fresh = world.new_event_type("invoice.paid", description="Fresh")
    await store.event_types.add(fresh)
    assert await store.event_types.get(ORGANIZATION, "invoice.paid") == fresh


async def test_a_change_touches_only_what_is_given(store: Store, world: World) -> None:
    added = world.new_event_type("invoice.paid", schemas={"1": {}}, feature_flags=("beta",), group_name="g")
    await store.event_types.add(added)
    now = world.tick()
    changed = await store.event_types.update(ORGANIZATION, "invoice.paid", EventTypeChanges(archived=True), now)
    assert changed == msgspec.structs.replace(added, archived=True, updated_at=to_datetime(now))
    everything = EventTypeChanges(
        description="New", archived=False, deprecated=True, schemas=None, feature_flags=(), group_name=None
    )
    changed = await store.event_types.update(ORGANIZATION, "invoice.paid", everything, now)
    assert changed is not None
    assert (changed.description, changed.archived, changed.deprecated) == ("New", False, True)
    assert (changed.schemas, changed.feature_flags, changed.group_name) == (None, (), None)
    assert await store.event_types.get(ORGANIZATION, "invoice.paid") == changed
    assert await store.event_types.update("org_2", "invoice.paid", everything, now) is None


async def test_an_expunged_one_is_gone(store: Store, world: World) -> None:
    await store.event_types.add(world.new_event_type("invoice.paid"))
    assert await store.event_types.expunge("org_2", "invoice.paid") is False
    assert await store.event_types.expunge(ORGANIZATION, "invoice.paid") is True
    assert await store.event_types.expunge(ORGANIZATION, "invoice.paid") is False
    assert await store.event_types.get(ORGANIZATION, "invoice.paid") is None


async def test_lists_are_in_the_order_of_names(store: Store, world: World) -> None:
    for name, fields in {
        "b": {},
        "a": {"archived": True},
        "d": {"feature_flags": ("beta",)},
        "c": {"feature_flags": ("eu", "us")},
    }.items():
        await store.event_types.add(world.new_event_type(name, **fields))
    await store.event_types.add(world.new_event_type("e", organization_id="org_2"))

    async def listed(
        *, archived: bool = False, flags: tuple[str, ...] | None = None, descending: bool = False, **span: object
    ) -> str:
        found = await store.event_types.list(
            ORGANIZATION, Span(descending=descending, **span), include_archived=archived, feature_flags=flags
        )
        return "".join(one.name for one in found)

    assert await listed() == "bcd"
    assert await listed(archived=True) == "abcd"
    assert await listed(descending=True) == "dcb"
    assert await listed(low="b") == "cd"
    assert await listed(archived=True, high="c", limit=1) == "a"
    assert await listed(flags=()) == "b"
    assert await listed(flags=("beta",)) == "bd"
    assert await listed(flags=("us", "beta"), archived=True) == "abcd"
    assert await listed(flags=("other",)) == "b"


async def test_unknown_names_are_told_in_the_order_given(store: Store, world: World) -> None:
    await store.event_types.add(world.new_event_type("known"))
    await store.event_types.add(world.new_event_type("archived", archived=True))
    asked = ["z", "known", "archived", "a"]
    assert await store.event_types.unknown(ORGANIZATION, asked) == ["z", "archived", "a"]
    assert await store.event_types.unknown("org_2", ["known"]) == ["known"]
    assert await store.event_types.unknown(ORGANIZATION, []) == []
