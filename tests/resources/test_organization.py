"""Tenants are apart."""

from __future__ import annotations

import pytest

from webhook_engine import Engine, NotFoundError


async def test_tenants_do_not_see_each_other(engine: Engine) -> None:
    endpoint = await engine.endpoints.create("acme", url="http://h")
    message = await engine.messages.create("acme", event_type="a", payload={})
    acme = await engine.applications.get("acme")
    other = engine.organization("org_other")
    own = await other.applications.create(name="Own", uid="acme")
    assert (await other.applications.get("acme")).id == own.id
    assert [one.id async for one in other.applications.iterate()] == [own.id]
    for call in (
        other.applications.get(acme.id),
        other.endpoints.get(acme.id, endpoint.id),
        other.endpoints.get("acme", endpoint.id),
        other.messages.get("acme", message.id),
        other.attempts.resend("acme", message.id, endpoint.id),
    ):
        with pytest.raises(NotFoundError):
            await call
