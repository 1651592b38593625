"""The own headers of endpoints."""

from __future__ import annotations

from resources.calls import send

from webhook_engine import Engine
from webhook_engine.model import Endpoint


async def test_headers_apply_from_the_next_message(engine: Engine, endpoint: Endpoint, receiver) -> None:
    await engine.endpoints.set_headers("acme", "main", {"X-A": "1", "Authorization": "Bearer s"})
    await send(engine)
    await engine.endpoints.patch_headers("acme", "main", {"X-A": None, "X-B": "2"})
    await send(engine)
    first, second = (request.headers for request in receiver.requests)
    assert (first["X-A"], first["Authorization"]) == ("1", "Bearer s")
    assert ("X-A" in second, second["X-B"], second["Authorization"]) == (False, "2", "Bearer s")
    shown = await engine.endpoints.get_headers("acme", "main")
    assert (shown.headers, shown.sensitive) == ({"X-B": "2"}, ("Authorization",))


async def test_one_name_is_one_header_however_it_is_written(engine: Engine, receiver) -> None:
    await engine.endpoints.create("acme", url=receiver.url, uid="main", headers={"x-tenant": "1", "X-Tenant": "2"})
    assert (await engine.endpoints.get_headers("acme", "main")).headers == {"X-Tenant": "2"}
    await engine.endpoints.patch_headers("acme", "main", {"x-TENANT": "3", "authorization": "Bearer s"})
    await engine.endpoints.patch_headers("acme", "main", {"AUTHORIZATION": "Bearer t"})
    shown = await engine.endpoints.get_headers("acme", "main")
    assert (shown.headers, shown.sensitive) == ({"x-TENANT": "3"}, ("AUTHORIZATION",))
    await send(engine)
    sent = [(name.lower(), value) for name, value in receiver.requests[0].headers.items()]
    assert [value for name, value in sent if name == "x-tenant"] == ["3"]
    assert [value for name, value in sent if name == "authorization"] == ["Bearer t"]
    await engine.endpoints.patch_headers("acme", "main", {"X-Tenant": None, "Authorization": None})
    shown = await engine.endpoints.get_headers("acme", "main")
    assert (shown.headers, shown.sensitive) == ({}, ())
    await engine.endpoints.set_headers("acme", "main", {"a": "1", "A": "2"})
    assert (await engine.endpoints.get_headers("acme", "main")).headers == {"A": "2"}


async def test_of_sensitive_headers_only_the_names_are_shown(engine: Engine, endpoint: Endpoint) -> None:
    sensitive = {"AUTHORIZATION": "2", "x-api-key": "3", "X-Auth-Token": "4", "www-authenticate": "5"}
    await engine.endpoints.set_headers("acme", "main", {"X-Foo": "1", **sensitive})
    shown = await engine.endpoints.get_headers("acme", "main")
    assert shown.headers == {"X-Foo": "1"}
    assert shown.sensitive == ("AUTHORIZATION", "x-api-key", "X-Auth-Token", "www-authenticate")
