"""The message poller: pulled in order, nothing twice and nothing passed over."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from server.helpers import Client, eventually

from webhook_engine import Engine
from webhook_engine.resources import messages


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "SETTLED_AFTER", 50_000)


async def create(acme: Client, number: int, **fields: object) -> None:
    body = {"eventType": "a", "payload": {"n": number}, **fields}
    assert (await acme.post("/app/acme/msg", body)).status == 202


async def numbers(acme: Client, count: int, query: str = "", sink: str = "warehouse") -> list[int]:
    async def found() -> list[int] | None:
        data = (await acme.get(f"/app/acme/poller/{sink}?{query}")).json["data"]
        return [each["payload"]["n"] for each in data] if len(data) >= count else None

    result: list[int] = await eventually(found)
    return result


async def test_messages_are_pulled_oldest_first_with_the_position_of_the_client(acme: Client) -> None:
    empty = (await acme.get("/app/acme/poller/warehouse")).json
    assert (empty["data"], empty["done"]) == ([], True)
    for number in range(5):
        await create(acme, number)
    assert await numbers(acme, 5) == [0, 1, 2, 3, 4]
    first = (await acme.get(f"/app/acme/poller/warehouse?limit=3&iterator={empty['iterator']}")).json
    second = (await acme.get(f"/app/acme/poller/warehouse?limit=3&iterator={first['iterator']}")).json
    assert [each["payload"]["n"] for each in first["data"] + second["data"]] == [0, 1, 2, 3, 4]
    assert (first["done"], second["done"]) == (False, True)
    nothing = (await acme.get(f"/app/acme/poller/warehouse?iterator={second['iterator']}")).json
    assert nothing == {"data": [], "iterator": second["iterator"], "done": True}
    later = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert (await acme.get(f"/app/acme/poller/warehouse?after={later}")).json["data"] == []


async def test_filters_of_the_query_and_of_the_endpoint_of_that_name_apply(acme: Client) -> None:
    await acme.post("/event-type", {"name": "b", "description": ""})
    endpoint = {"url": "https://example.com", "uid": "warehouse", "disabled": True, "eventTypes": ["b"]}
    assert (await acme.post("/app/acme/endpoint", endpoint)).status == 201
    await create(acme, 1)
    await create(acme, 2, eventType="b")
    await create(acme, 3, channels=["x"])
    assert await numbers(acme, 3, sink="anything") == [1, 2, 3]
    assert await numbers(acme, 1) == [2]
    assert await numbers(acme, 1, "event_type=b", "anything") == [2]
    assert await numbers(acme, 1, "channel=x", "anything") == [3]


async def test_a_message_that_is_not_stored_yet_is_not_passed_over(
    acme: Client, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    store: Any = engine.services.store.messages
    add, stuck, released = store.add, asyncio.Event(), asyncio.Event()

    async def slow(batch: Any) -> Any:
        if not stuck.is_set():
            stuck.set()
            await released.wait()
        return await add(batch)

    monkeypatch.setattr(store, "add", slow)
    first = asyncio.create_task(create(acme, 1))
    await stuck.wait()
    second = asyncio.create_task(create(acme, 2))
    await asyncio.sleep(0.2)  # longer than a message needs to settle
    page = (await acme.get("/app/acme/poller/warehouse")).json
    assert page["data"] == []
    released.set()
    await asyncio.gather(first, second)
    assert await numbers(acme, 2, f"iterator={page['iterator']}") == [1, 2]


@pytest.mark.parametrize("query", ["limit=0", "limit=300", "iterator=app_1", "event_type=", "channel=no%20good"])
async def test_what_cannot_be_asked_is_refused(acme: Client, query: str) -> None:
    assert (await acme.get(f"/app/acme/poller/warehouse?{query}")).status == 422
