"""An edit of an endpoint: it holds the endpoint once, and begins with how it is then."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from webhook_engine import Endpoint, Engine, NotFoundError
from webhook_engine.resources.edits import EditLocks

Edit = Callable[[Engine, str], Awaitable[object]]

EDITS: dict[str, Edit] = {
    "update": lambda engine, key: engine.endpoints.update("acme", key, description="new"),
    "update, disabled": lambda engine, key: engine.endpoints.update("acme", key, disabled=True),
    "update, not disabled": lambda engine, key: engine.endpoints.update("acme", key, disabled=False),
    "disable": lambda engine, key: engine.endpoints.disable("acme", key),
    "enable": lambda engine, key: engine.endpoints.enable("acme", key),
    "rotate the secret": lambda engine, key: engine.endpoints.rotate_secret("acme", key),
    "set headers": lambda engine, key: engine.endpoints.set_headers("acme", key, {"X-A": "1"}),
    "patch headers": lambda engine, key: engine.endpoints.patch_headers("acme", key, {"X-A": "1"}),
    "delete": lambda engine, key: engine.endpoints.delete("acme", key),
}


@pytest.fixture(params=[False, True], ids=["enabled", "disabled"])
async def endpoint(engine: Engine, request: pytest.FixtureRequest) -> Endpoint:
    return await engine.endpoints.create("acme", url="http://127.0.0.1:9/", uid="e", disabled=request.param)


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
async def test_an_edit_reads_the_endpoint_once_and_holds_it_once(
    engine: Engine, endpoint: Endpoint, edit: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads, holds = [], []
    read, hold = engine.services.store.endpoints.get, EditLocks.of

    async def get(*arguments: Any) -> Any:
        reads.append(arguments)
        return await read(*arguments)

    def of(self: EditLocks, key: str) -> asyncio.Lock:
        holds.append(key)
        return hold(self, key)

    monkeypatch.setattr(engine.services.store.endpoints, "get", get)
    monkeypatch.setattr(EditLocks, "of", of)
    await edit(engine, "e")
    assert [key for _, key in reads] == [endpoint.id]
    assert holds == [endpoint.id]


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
async def test_an_edit_of_what_is_deleted_while_it_waits_is_refused(
    engine: Engine, endpoint: Endpoint, edit: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits, hold = asyncio.Event(), EditLocks.of

    def of(self: EditLocks, key: str) -> asyncio.Lock:
        waits.set()
        return hold(self, key)

    services = engine.services
    async with services.edits.of(endpoint.id):
        monkeypatch.setattr(EditLocks, "of", of)
        editing = asyncio.ensure_future(edit(engine, "e"))
        await waits.wait()
        assert await services.store.endpoints.delete(endpoint.id, services.clock.now(), ())
    with pytest.raises(NotFoundError):
        await editing
