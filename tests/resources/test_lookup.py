"""How a thing is found by the key that a caller has."""

from __future__ import annotations

import pytest

from webhook_engine import Engine, NotFoundError, ValidationError


async def test_an_application_is_found_by_id_and_by_uid(engine: Engine) -> None:
    acme = await engine.applications.get("acme")
    assert await engine.applications.get(acme.id) == acme
    assert (acme.name, acme.uid, acme.throttle_rate, acme.metadata) == ("Acme", "acme", None, {})


@pytest.mark.parametrize("key", ["nobody", "", "a b", "\ud800", "\x00", "x" * 10_000])
async def test_what_does_not_exist_is_not_found(engine: Engine, key: str) -> None:
    with pytest.raises(NotFoundError):
        await engine.applications.get(key)
    with pytest.raises(NotFoundError):
        await engine.endpoints.get("acme", key)
    with pytest.raises(NotFoundError):
        await engine.messages.get("acme", key)
    with pytest.raises(NotFoundError):
        await engine.event_types.get(key)
    with pytest.raises(NotFoundError):
        await engine.tasks.get(key)


@pytest.mark.parametrize("key", [5, None, ["acme"], b"acme"])
async def test_a_key_of_a_wrong_type_is_refused(engine: Engine, key: object) -> None:
    for call in (
        engine.applications.get,
        engine.endpoints.list,
        engine.messages.list,
        engine.event_types.get,
        engine.tasks.get,
        lambda one: engine.endpoints.get("acme", one),
        lambda one: engine.messages.get("acme", one),
        lambda one: engine.messages.create(one, event_type="a", payload={}),
    ):
        with pytest.raises(ValidationError):
            await call(key)
