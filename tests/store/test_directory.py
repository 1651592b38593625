import asyncio
from types import SimpleNamespace
from typing import cast

from records import make_application, make_endpoint, make_stored

from webhook_engine.model import DEFAULT_ORGANIZATION, Application
from webhook_engine.store.directory import Directory
from webhook_engine.store.records import Routes, StoredEndpoint
from webhook_engine.store.seam import Store

ORG = DEFAULT_ORGANIZATION


class Shelf:
    """The two reads that a directory makes; each waits where the test says so, after it has looked."""

    def __init__(self) -> None:
        self.applications: dict[str, Application] = {}
        self.endpoints: dict[str, list[StoredEndpoint]] = {}
        self.reads: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.looked = asyncio.Event()

    def directory(self, capacity: int = 100) -> Directory:
        store = SimpleNamespace(
            applications=SimpleNamespace(get=self._application),
            endpoints=SimpleNamespace(routes=self._routes),
            wakeups=None,
        )
        return Directory(cast(Store, store), capacity)

    async def _application(self, organization_id: str, key: str) -> Application | None:
        assert organization_id == ORG
        found = self.applications.get(key)
        await self._pause(key)
        return found

    async def _routes(self, application_id: str) -> Routes:
        found = list(self.endpoints.get(application_id, ()))
        await self._pause(application_id)
        return Routes(found)

    async def _pause(self, key: str) -> None:
        self.reads.append(key)
        self.looked.set()
        await self.gate.wait()


async def test_what_was_read_once_is_not_read_again() -> None:
    shelf = Shelf()
    shelf.applications["acme"] = make_application(uid="acme")
    directory = shelf.directory()
    assert directory.cached_application(ORG, "acme") is None
    for _ in range(3):
        assert await directory.application(ORG, "acme") == shelf.applications["acme"]
    assert directory.cached_application(ORG, "acme") == shelf.applications["acme"]
    assert shelf.reads == ["acme"]


async def test_that_there_is_no_such_application_is_remembered_until_there_is() -> None:
    shelf = Shelf()
    directory = shelf.directory()
    assert await directory.application(ORG, "acme") is None
    assert await directory.application(ORG, "acme") is None
    assert shelf.reads == ["acme"]
    shelf.applications["acme"] = make_application(uid="acme")
    directory.forget_application(ORG, "app_1", "acme", None)
    assert await directory.application(ORG, "acme") == shelf.applications["acme"]


async def test_an_edit_is_seen_from_the_next_look() -> None:
    shelf = Shelf()
    directory = shelf.directory()
    shelf.endpoints["app_1"] = [make_stored(make_endpoint("ep_1"))]
    assert len(await directory.endpoints("app_1")) == 1
    shelf.endpoints["app_1"].append(make_stored(make_endpoint("ep_2")))
    directory.forget_endpoints("app_1")
    assert directory.cached_routes("app_1") is None
    assert len(await directory.endpoints("app_1")) == 2


async def test_that_an_application_has_no_endpoints_is_remembered() -> None:
    shelf = Shelf()
    directory = shelf.directory()
    assert list(await directory.endpoints("app_1")) == []
    assert directory.cached_routes("app_1") == Routes([])
    assert list(await directory.endpoints("app_1")) == []
    assert shelf.reads == ["app_1"]


async def test_an_endpoint_is_found_by_id_and_by_uid() -> None:
    shelf = Shelf()
    directory = shelf.directory()
    stored = make_stored(make_endpoint("ep_1", uid="main"))
    shelf.endpoints["app_1"] = [make_stored(make_endpoint("ep_0")), stored]
    assert await directory.endpoint("app_1", "ep_1") is stored
    assert await directory.endpoint("app_1", "main") is stored
    assert await directory.endpoint("app_1", "other") is None


async def test_what_was_read_before_a_change_and_arrives_after_it_is_not_kept() -> None:
    shelf = Shelf()
    directory = shelf.directory()
    shelf.endpoints["app_1"] = [make_stored(make_endpoint("ep_1"))]
    shelf.gate.clear()
    loading = asyncio.create_task(_endpoint_ids(directory))
    await shelf.looked.wait()
    shelf.endpoints["app_1"] = [make_stored(make_endpoint("ep_2"))]
    directory.forget_endpoints("app_1")
    shelf.gate.set()
    await loading
    assert await _endpoint_ids(directory) == ["ep_2"]


async def test_a_reader_gets_an_answer_while_other_things_change_all_the_time() -> None:
    shelf = Shelf()
    directory = shelf.directory()
    shelf.endpoints["app_1"] = [make_stored(make_endpoint("ep_1"))]
    changes = 0

    async def change_for_ever() -> None:
        nonlocal changes
        while True:
            directory.forget_endpoints("app_2")
            changes += 1
            await asyncio.sleep(0)

    shelf.gate = _Steps(3)
    changing = asyncio.create_task(change_for_ever())
    try:
        async with asyncio.timeout(0.5):
            assert await _endpoint_ids(directory) == ["ep_1"]
    finally:
        changing.cancel()
    assert changes


async def test_only_so_many_are_kept_and_those_used_last() -> None:
    shelf = Shelf()
    directory = shelf.directory(capacity=3)
    for number in range(3):
        shelf.applications[f"app_{number}"] = make_application(f"app_{number}")
        await directory.application(ORG, f"app_{number}")
    await directory.application(ORG, "app_0")
    directory.cached_application(ORG, "app_1")
    await directory.application(ORG, "app_3")
    kept = [number for number in range(4) if directory.cached_application(ORG, f"app_{number}") is not None]
    assert kept == [0, 1]
    assert len(directory._applications._kept) == 3


async def test_two_readers_at_once_get_the_same_and_leave_one_copy() -> None:
    shelf = Shelf()
    directory = shelf.directory(capacity=1)
    shelf.endpoints["app_1"] = [make_stored(make_endpoint("ep_1"))]
    shelf.gate.clear()
    readers = [asyncio.create_task(_endpoint_ids(directory)) for _ in range(2)]
    await asyncio.sleep(0)
    shelf.gate.set()
    assert await asyncio.gather(*readers) == [["ep_1"], ["ep_1"]]
    assert len(directory._routes._kept) == 1


async def _endpoint_ids(directory: Directory) -> list[str]:
    return [stored.endpoint.id for stored in await directory.endpoints("app_1")]


class _Steps(asyncio.Event):
    """A gate that takes some turns of the loop to pass."""

    def __init__(self, turns: int) -> None:
        super().__init__()
        self.turns = turns

    async def wait(self) -> bool:  # type: ignore[override]
        for _ in range(self.turns):
            await asyncio.sleep(0)
        return True
