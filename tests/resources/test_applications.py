"""Applications and event types, and how their managers keep tenants apart."""

from __future__ import annotations

import asyncio

import pytest

from webhook_engine import ConflictError, Engine, ManualClock, NotFoundError, ValidationError
from webhook_engine.events import EndpointDeletedEvent, OperationalEvent


async def test_a_uid_is_taken_once_and_free_again_after_deletion(engine: Engine) -> None:
    with pytest.raises(ConflictError):
        await engine.applications.create(name="Other", uid="acme")
    await engine.applications.delete("acme")
    with pytest.raises(NotFoundError):
        await engine.applications.get("acme")
    again = await engine.applications.create(name="Other", uid="acme")
    assert (await engine.applications.get("acme")).id == again.id


async def test_get_or_create_makes_one_even_if_asked_many_times_at_once(engine: Engine) -> None:
    made = await asyncio.gather(*(engine.applications.get_or_create(name=f"N{n}", uid="new") for n in range(10)))
    assert len({one.id for one in made}) == 1
    one, other = [await engine.applications.get_or_create(name="x") for _ in range(2)]
    assert one.id != other.id


async def test_an_update_changes_only_what_is_given(engine: Engine, clock: ManualClock) -> None:
    before = await engine.applications.update("acme", throttle_rate=5, metadata={"a": "b"})
    clock.advance(1)
    after = await engine.applications.update("acme", name="New")
    assert (after.uid, after.name, after.throttle_rate, after.metadata) == ("acme", "New", 5, {"a": "b"})
    assert after.updated_at > before.updated_at
    cleared = await engine.applications.update("acme", uid=None, throttle_rate=None, metadata=None)
    assert (cleared.uid, cleared.name, cleared.throttle_rate, cleared.metadata) == (None, "New", None, {})
    assert await engine.applications.get(after.id) == cleared
    with pytest.raises(NotFoundError):
        await engine.applications.get("acme")


async def test_a_changed_uid_applies_at_once(engine: Engine) -> None:
    await engine.messages.create("acme", event_type="a", payload={})
    await engine.applications.update("acme", uid="other")
    with pytest.raises(NotFoundError):
        await engine.messages.create("acme", event_type="a", payload={})
    await engine.messages.create("other", event_type="a", payload={})


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"uid": "app_1"}, "uid"),
        ({"uid": 5}, "uid"),
        ({"throttle_rate": 0}, "throttle_rate"),
        ({"metadata": {"a": 1}}, "metadata"),
    ],
)
async def test_what_is_not_allowed_is_refused(engine: Engine, changes: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationError) as updating:
        await engine.applications.update("acme", **changes)  # type: ignore[arg-type]
    with pytest.raises(ValidationError) as creating:
        await engine.applications.create(**{"name": "New", **changes})  # type: ignore[arg-type]
    assert updating.value.field == creating.value.field == field


async def test_deleting_an_application_deletes_its_endpoints(
    engine: Engine, told: list[OperationalEvent], clock: ManualClock
) -> None:
    endpoint = await engine.endpoints.create("acme", url="http://127.0.0.1:9/")
    message = await engine.messages.create("acme", event_type="a", payload={})
    await engine.applications.delete("acme")
    await engine.join(5)
    await asyncio.sleep(0)
    assert [event.endpoint_id for event in told if isinstance(event, EndpointDeletedEvent)] == [endpoint.id]
    for call in (
        engine.endpoints.get("acme", endpoint.id),
        engine.messages.get("acme", message.id),
        engine.messages.create("acme", event_type="a", payload={}),
        engine.endpoints.create("acme", url="http://h"),
        engine.applications.delete("acme"),
    ):
        with pytest.raises(NotFoundError):
            await call


async def test_applications_are_listed_in_the_order_of_creation(engine: Engine) -> None:
    ids = [(await engine.applications.get("acme")).id]
    ids += [(await engine.applications.create(name=f"N{n}")).id for n in range(4)]
    first = await engine.applications.list(limit=3)
    second = await engine.applications.list(limit=3, iterator=first.iterator)
    assert [one.id for one in [*first.data, *second.data]] == ids
    assert (first.done, second.done) == (False, True)
    assert [one.id for one in (await engine.applications.list(order="descending")).data] == ids[::-1]
    assert [one.id async for one in engine.applications.iterate()] == ids
