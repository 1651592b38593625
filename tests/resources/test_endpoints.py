"""Endpoints: edits, secrets, switching off and on, catching up."""

from __future__ import annotations

import asyncio

import pytest
from resources.calls import HOUR, clock_time, send

from webhook_engine import ConflictError, Engine, ManualClock, NotFoundError, RotationLimitError, ValidationError
from webhook_engine.events import EndpointEvent, OperationalEvent
from webhook_engine.model import AttemptStatus, Endpoint


def types(told: list[OperationalEvent]) -> list[str]:
    return [event.type for event in told if isinstance(event, EndpointEvent)]


async def test_an_endpoint_is_kept_as_given(engine: Engine, clock: ManualClock) -> None:
    await engine.event_types.create(name="a")
    made = await engine.endpoints.create(
        "acme",
        url="HTTP://Example.com",
        description="d",
        uid="u",
        event_types=["a"],
        channels=["c"],
        throttle_rate=5,
        version=2,
        metadata={"k": "v"},
    )
    assert (made.url, made.event_types, made.channels, made.version) == ("http://example.com/", ("a",), ("c",), 2)
    assert await engine.endpoints.get("acme", "u") == await engine.endpoints.get("acme", made.id) == made


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"url": "example.com"}, "url"),
        ({"url": None}, "url"),
        ({"description": None}, "description"),
        ({"uid": "ep_1"}, "uid"),
        ({"event_types": []}, "event_types"),
        ({"event_types": ["unknown"]}, "event_types"),
        ({"event_types": "a"}, "event_types"),
        ({"channels": ["a b"]}, "channels[0]"),
        ({"throttle_rate": "5"}, "throttle_rate"),
        ({"version": 0}, "version"),
        ({"disabled": 1}, "disabled"),
        ({"metadata": []}, "metadata"),
    ],
)
async def test_what_is_not_allowed_is_refused(
    engine: Engine, endpoint: Endpoint, arguments: dict[str, object], field: str
) -> None:
    with pytest.raises(ValidationError) as creating:
        await engine.endpoints.create("acme", **{"url": "http://h", **arguments})  # type: ignore[arg-type]
    with pytest.raises(ValidationError) as updating:
        await engine.endpoints.update("acme", "main", **arguments)  # type: ignore[arg-type]
    assert creating.value.field == updating.value.field == field


@pytest.mark.parametrize(
    ("arguments", "field"), [({"secret": "x"}, "secret"), ({"headers": {"svix-id": "1"}}, 'headers["svix-id"]')]
)
async def test_what_only_a_new_endpoint_takes(engine: Engine, arguments: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        await engine.endpoints.create("acme", url="http://h", **arguments)  # type: ignore[arg-type]
    assert caught.value.field == field


async def test_unknown_event_types_are_all_named(engine: Engine) -> None:
    await engine.event_types.create(name="a")
    await engine.event_types.create(name="old")
    await engine.event_types.delete("old")
    with pytest.raises(ValidationError, match="don't exist: x, old"):
        await engine.endpoints.create("acme", url="http://h", event_types=["x", "a", "old"])


async def test_what_an_endpoint_has_it_may_keep(engine: Engine) -> None:
    for name in ("a", "old", "gone", "never"):
        await engine.event_types.create(name=name)
    made = await engine.endpoints.create("acme", url="http://h", uid="u", event_types=["a", "old", "gone"])
    await engine.event_types.delete("old")
    await engine.event_types.delete("gone", expunge=True)
    await engine.event_types.delete("never")
    for key in ("u", made.id):
        same = await engine.endpoints.update("acme", key, description=key, event_types=["a", "old", "gone"])
        assert same.event_types == ("a", "old", "gone")
    with pytest.raises(ValidationError, match=r"don't exist: never$"):
        await engine.endpoints.update("acme", "u", event_types=["a", "old", "never"])
    fewer = await engine.endpoints.update("acme", "u", event_types=["old"])
    assert fewer.event_types == ("old",)
    with pytest.raises(ValidationError, match=r"don't exist: gone$"):  # it has that one no more
        await engine.endpoints.update("acme", "u", event_types=["old", "gone"])
    with pytest.raises(ValidationError, match=r"don't exist: old$"):  # another endpoint never had it
        await engine.endpoints.create("acme", url="http://h", event_types=["old"])
    with pytest.raises(ValidationError, match=r"don't exist: old$"):
        await engine.endpoints.update("acme", "nobody", event_types=["old"])


async def test_every_change_is_told(engine: Engine, told: list[OperationalEvent]) -> None:
    await engine.endpoints.create("acme", url="http://h", uid="u")
    await engine.endpoints.update("acme", "u", description="x")
    await engine.endpoints.set_headers("acme", "u", {"a": "b"})
    await engine.endpoints.rotate_secret("acme", "u")
    await engine.endpoints.disable("acme", "u")
    await engine.endpoints.disable("acme", "u")
    await engine.endpoints.enable("acme", "u")
    await engine.endpoints.enable("acme", "u")
    await engine.endpoints.delete("acme", "u")
    await asyncio.sleep(0)
    assert types(told) == [
        *("endpoint.created", "endpoint.updated", "endpoint.updated", "endpoint.updated"),
        *("endpoint.updated", "endpoint.enabled", "endpoint.deleted"),
    ]
    assert told[-1].data()["endpointUid"] == "u"


async def test_uids_are_unique_in_the_application(engine: Engine, endpoint: Endpoint) -> None:
    with pytest.raises(ConflictError):
        await engine.endpoints.create("acme", url="http://h", uid="main")
    other = await engine.endpoints.create("acme", url="http://h")
    with pytest.raises(ConflictError):
        await engine.endpoints.update("acme", other.id, uid="main")
    await engine.endpoints.delete("acme", "main")
    assert (await engine.endpoints.update("acme", other.id, uid="main")).uid == "main"
    with pytest.raises(NotFoundError):
        await engine.endpoints.get("acme", endpoint.id)


async def test_an_update_changes_only_what_is_given(engine: Engine, endpoint: Endpoint) -> None:
    await engine.endpoints.update("acme", "main", description="d", channels=["c"], throttle_rate=5, metadata={"a": "b"})
    after = await engine.endpoints.update("acme", "main", url="http://h")
    assert (after.url, after.description, after.channels, after.throttle_rate) == ("http://h/", "d", ("c",), 5)
    cleared = await engine.endpoints.update("acme", "main", channels=None, throttle_rate=None, metadata=None, uid=None)
    assert (cleared.channels, cleared.throttle_rate, cleared.metadata, cleared.uid) == (None, None, {}, None)


async def test_edits_at_the_same_time_do_not_lose_one_another(engine: Engine, endpoint: Endpoint) -> None:
    await asyncio.gather(*(engine.endpoints.patch_headers("acme", "main", {f"x-{n}": "1"}) for n in range(20)))
    assert len((await engine.endpoints.get_headers("acme", "main")).headers) == 20
    await asyncio.gather(*(engine.endpoints.rotate_secret("acme", "main") for _ in range(10)))
    with pytest.raises(RotationLimitError):
        await engine.endpoints.rotate_secret("acme", "main")


async def test_a_disabled_endpoint_gets_nothing_until_it_is_enabled(
    engine: Engine, endpoint: Endpoint, receiver
) -> None:
    disabled = await engine.endpoints.update("acme", "main", disabled=True)
    assert (disabled.disabled, disabled.disabled_reason) == (True, "disabled by hand")
    assert disabled.disabled_at is not None
    await send(engine)
    assert receiver.bodies == []
    enabled = await engine.endpoints.update("acme", "main", disabled=False)
    assert (enabled.disabled, enabled.disabled_at, enabled.disabled_reason) == (False, None, None)
    await send(engine)
    assert len(receiver.bodies) == 1


async def test_what_was_scheduled_fails_when_the_endpoint_is_disabled(
    engine: Engine, endpoint: Endpoint, clock
) -> None:
    later = await engine.messages.create("acme", event_type="a", payload={}, deliver_at=clock_time(clock) + HOUR)
    assert (await engine.endpoints.stats("acme", "main")).pending == 1
    await engine.endpoints.disable("acme", "main")
    (row,) = (await engine.attempts.list_attempted_messages("acme", "main")).data
    assert (row.message.id, row.status, row.reason) == (later.id, AttemptStatus.FAIL, "endpoint disabled")
    await engine.endpoints.enable("acme", "main")
    assert (await engine.endpoints.stats("acme", "main")).pending == 0


async def test_what_was_scheduled_is_cancelled_when_the_endpoint_is_deleted(
    engine: Engine, endpoint: Endpoint, clock: ManualClock
) -> None:
    later = await engine.messages.create("acme", event_type="a", payload={}, deliver_at=clock_time(clock) + HOUR)
    await engine.endpoints.delete("acme", "main")
    (row,) = (await engine.attempts.list_attempted_destinations("acme", later.id)).data
    assert (row.endpoint.id, row.status) == (endpoint.id, AttemptStatus.CANCELED)
    with pytest.raises(NotFoundError):
        await engine.attempts.resend("acme", later.id, endpoint.id)


async def test_endpoints_are_listed_newest_first(engine: Engine) -> None:
    ids = [(await engine.endpoints.create("acme", url="http://h")).id for _ in range(3)]
    assert [one.id for one in (await engine.endpoints.list("acme")).data] == ids[::-1]
    assert [one.id for one in (await engine.endpoints.list("acme", order="ascending", limit=2)).data] == ids[:2]
    assert [one.id async for one in engine.endpoints.iterate("acme")] == ids


async def test_a_cancelled_edit_is_either_made_or_not(engine: Engine, endpoint: Endpoint) -> None:
    for turns in range(12):
        task = asyncio.create_task(engine.endpoints.update("acme", "main", description=f"turn {turns}"))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        stored = await engine._store.endpoints.get(endpoint.application_id, endpoint.id)
        assert stored is not None
        assert await engine.endpoints.get("acme", "main") == stored.endpoint
