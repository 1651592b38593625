"""A page ends early where there is much in it, and the next one goes on: in every list that carries bodies."""

from __future__ import annotations

import json

import pytest
from api_clients import Client
from engines import until

from webhook_engine import Engine
from webhook_engine.resources.pagination import MAX_BYTES

COUNT = 12
LARGE = {"text": "x" * 900_000}
ROOM = MAX_BYTES + 1_000_000
"""Of a page: the bound, the element that goes beyond it, and what there is besides payloads."""


@pytest.fixture
def settings() -> dict[str, object]:
    return {"retry_schedule": []}


async def walked(client: Client, path: str, *, back: bool = False) -> list[str]:
    """The ids of a list, in its order, page by page; each page is small enough, and none is empty."""
    seen: list[str] = []
    iterator = None
    while True:
        query = f"&iterator={iterator}" if iterator else ""
        answer = await client.get(f"{path}limit=250{query}")
        page = answer.json
        assert answer.status == 200
        assert len(answer.text) < ROOM
        if not page["data"]:
            return seen
        ids = [each["id"] for each in page["data"]]
        assert seen == [] or not set(ids) & set(seen)
        assert len(ids) <= 5
        seen = ids + seen if back else seen + ids
        if page["done"]:
            return seen
        iterator = page["prevIterator"] if back else page["iterator"]


async def test_lists_of_messages(acme: Client, engine: Engine) -> None:
    await acme.post("/app/acme/endpoint", {"url": "http://127.0.0.1:9/", "uid": "e", "disabled": False})
    made = [(await engine.messages.create("acme", event_type="a", payload=LARGE)).id for _ in range(COUNT)]
    await engine.join(timeout=60)
    newest_first = made[::-1]
    assert await walked(acme, "/app/acme/msg?") == newest_first
    assert await walked(acme, "/app/acme/msg?event_types=a&") == newest_first
    assert await walked(acme, "/app/acme/msg?after=2020-01-01T00:00:00Z&", back=True) == newest_first
    assert await walked(acme, "/app/acme/endpoint/e/msg?") == newest_first
    assert await walked(acme, "/app/acme/endpoint/e/msg?after=2020-01-01T00:00:00Z&", back=True) == newest_first
    assert await walked(acme, "/app/acme/message-state?with_content=true&") == newest_first
    assert await walked(acme, "/app/acme/message-state?with_content=true&status=2&") == newest_first
    attempts = [each.id async for each in engine.attempts.iterate_by_endpoint("acme", "e")]
    assert len(attempts) == COUNT
    assert await walked(acme, "/app/acme/attempt/endpoint/e?with_msg=true&") == attempts
    assert await walked(acme, "/app/acme/attempt/endpoint/e?with_msg=true&after=2020-01-01T00:00:00Z&", back=True) == (
        attempts
    )
    assert [each.id async for each in engine.messages.iterate("acme")] == newest_first
    light = (await acme.get("/app/acme/msg?limit=250&with_content=false")).json
    assert (len(light["data"]), light["done"]) == (COUNT, True)
    light = (await acme.get("/app/acme/attempt/endpoint/e?limit=250")).json
    assert (len(light["data"]), light["done"]) == (COUNT, True)


async def test_pulling(acme: Client, engine: Engine) -> None:
    made = [(await engine.messages.create("acme", event_type="a", payload=LARGE)).id for _ in range(COUNT)]
    path = "/app/acme/poller/mine/consumer/one?limit=250"

    async def settled() -> bool:
        # Asked without an iterator, it tells the same again and again.
        last = (await engine.messages.poll("acme", iterator=made[-2]))[0]
        return [each.id for each in last] == made[-1:]

    await until(settled, timeout=30)
    seen: list[str] = []
    iterator, done = None, False
    while not done:
        answer = await acme.get(path + (f"&iterator={iterator}" if iterator else ""))
        assert len(answer.text) < ROOM
        seen += [each["id"] for each in answer.json["data"]]
        iterator, done = answer.json["iterator"], answer.json["done"]
    assert seen == made


async def test_one_message_shown_with_each_of_its_attempts_counts_each_time(acme: Client, engine: Engine) -> None:
    for number in range(COUNT):
        await acme.post("/app/acme/endpoint", {"url": "http://127.0.0.1:9/", "uid": f"e{number}"})
    message = await engine.messages.create("acme", event_type="a", payload=LARGE)
    await engine.join(timeout=60)
    attempts = [each.id async for each in engine.attempts.iterate_by_message("acme", message.id)]
    assert len(attempts) == COUNT
    assert await walked(acme, f"/app/acme/attempt/msg/{message.id}?with_msg=true&") == attempts


async def test_lists_of_event_types(acme: Client) -> None:
    names = [f"type.{number:02}" for number in range(COUNT)]
    schemas = {"1": {"description": "x" * 900_000}}
    for name in names:
        body = json.dumps({"name": name, "description": "", "schemas": schemas})
        assert (await acme.post("/event-type", body)).status == 201
    seen, iterator, done = [], "", False
    while not done:
        answer = await acme.get(f"/event-type?with_content=true&limit=250{iterator}")
        assert len(answer.text) < ROOM
        seen += [each["name"] for each in answer.json["data"]]
        iterator, done = f"&iterator={answer.json['iterator']}", answer.json["done"]
    assert seen == names
