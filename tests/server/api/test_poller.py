"""The message poller: pulled in order, nothing twice and nothing passed over, whoever keeps the position."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from api_clients import Client, Tokens
from engines import until
from svix.api import MessagePollerConsumerPollOptions, SvixAsync
from svix.models import ApplicationIn, MessageIn, PollingEndpointConsumerSeekIn

from webhook_engine import Engine
from webhook_engine.resources import polling


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "SETTLED_AFTER", 50_000)


async def create(acme: Client, number: int, **fields: object) -> None:
    body = {"eventType": "a", "payload": {"n": number}, **fields}
    assert (await acme.post("/app/acme/msg", body)).status == 202


async def numbers(acme: Client, count: int, query: str = "", sink: str = "warehouse") -> list[int]:
    async def found() -> list[int] | None:
        data = (await acme.get(f"/app/acme/poller/{sink}?{query}")).json["data"]
        return [each["payload"]["n"] for each in data] if len(data) >= count else None

    result: list[int] = await until(found)
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


CONSUMER = "/app/acme/poller/warehouse/consumer/one"


async def test_the_sdk_pulls_as_a_consumer_whose_position_is_kept(svix: SvixAsync) -> None:
    await svix.application.create(ApplicationIn(name="Acme", uid="acme"))
    for number in range(3):
        await svix.message.create("acme", MessageIn(event_type="a", payload={"n": number}))
    poller = svix.message.poller

    async def pulled(iterator: str | None = None) -> tuple[list[int], str]:
        options = MessagePollerConsumerPollOptions(limit=2, iterator=iterator)
        page = await poller.consumer_poll("acme", "warehouse", "one", options)
        return [each.payload["n"] for each in page.data], page.iterator

    async def both() -> bool:
        return (await pulled())[0] == [0, 1]

    await until(both)
    _, iterator = await pulled()

    async def third() -> bool:
        return (await pulled(iterator))[0] == [2]

    await until(third)  # It was created a moment later than the others, and is held back as long as they were.
    assert (await pulled())[0] == [2]
    hour_ago = PollingEndpointConsumerSeekIn(after=datetime.now(UTC) - timedelta(hours=1))
    sought = await poller.consumer_seek("acme", "warehouse", "one", hour_ago)
    assert (await pulled())[0] == [0, 1]
    assert (await pulled(sought.iterator))[0] == [0, 1]


async def test_a_consumer_of_an_endpoint_gets_what_matches_it(acme: Client) -> None:
    await acme.post("/event-type", {"name": "b", "description": ""})
    endpoint = {"url": "https://example.com", "uid": "warehouse", "disabled": True, "eventTypes": ["b"]}
    made = (await acme.post("/app/acme/endpoint", endpoint)).json
    await create(acme, 1)
    await create(acme, 2, eventType="b")
    assert await numbers(acme, 2, sink="anything/consumer/one") == [1, 2]
    assert await numbers(acme, 1, sink="warehouse/consumer/one") == [2]
    page = (await acme.get(CONSUMER)).json
    assert (await acme.get(f"{CONSUMER}?iterator={page['iterator']}")).json["data"] == []
    assert (await acme.get(CONSUMER.replace("warehouse", made["id"]))).json["data"] == []


async def test_who_may_only_look_moves_no_position(acme: Client, tokens: Tokens) -> None:
    mine = (await acme.get("/app/acme")).json["id"]
    await create(acme, 1)
    assert await numbers(acme, 1, sink="warehouse/consumer/one") == [1]
    iterator = (await acme.get(CONSUMER)).json["iterator"]
    looking = acme.with_token(tokens.application(mine, capabilities=["ViewBase"]))
    assert (await looking.get(CONSUMER)).json["iterator"] == iterator
    for answer in (
        await looking.get(f"{CONSUMER}?iterator={iterator}"),
        await looking.post(f"{CONSUMER}/seek", {"after": "2030-01-01T00:00:00Z"}),
    ):
        assert (answer.status, answer.json["code"]) == (403, "insufficient access")
    assert len((await acme.get(CONSUMER)).json["data"]) == 1
    acting = acme.with_token(tokens.application(mine))
    assert (await acting.get(f"{CONSUMER}?iterator={iterator}")).json["data"] == []


async def test_an_application_has_a_bounded_number_of_consumers(acme: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "MAX_POSITIONS", 1)
    body = {"after": "2026-01-01 10:00:00.123456789 UTC"}
    assert (await acme.post(f"{CONSUMER}/seek", body)).status == 200
    refused = await acme.post("/app/acme/poller/warehouse/consumer/two/seek", body)
    assert (refused.status, refused.json["code"]) == (400, "limit_reached")
    assert "1 consumers" in refused.json["detail"]


@pytest.mark.parametrize("body", [{}, {"after": None}, {"after": "yesterday"}, {"after": 5}])
async def test_a_seek_to_nowhere_is_refused(acme: Client, body: dict[str, object]) -> None:
    answer = await acme.post(f"{CONSUMER}/seek", body)
    assert (answer.status, answer.json["detail"][0]["type"]) == (422, "value_error.jsondecode")


async def test_names_that_cannot_be_are_refused(acme: Client) -> None:
    for place, path in (("sink_id", "no%20good/consumer/one"), ("consumer_id", "warehouse/consumer/no%20good")):
        for answer in (
            await acme.get(f"/app/acme/poller/{path}"),
            await acme.post(f"/app/acme/poller/{path}/seek", {"after": "2030-01-01T00:00:00Z"}),
        ):
            assert (answer.status, answer.json["detail"][0]["loc"]) == (422, ["path", place, "__all__"])


@pytest.mark.parametrize("query", ["limit=0", "limit=300", "iterator=app_1", "iterator=-msg_1"])
async def test_a_consumer_cannot_ask_it_either(acme: Client, query: str) -> None:
    assert (await acme.get(f"{CONSUMER}?{query}")).status == 422


async def test_what_is_held_back_is_said_until_it_shows(acme: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "SETTLED_AFTER", 3_600_000_000)
    empty = (await acme.get("/app/acme/poller/warehouse")).json
    assert empty == {"data": [], "iterator": empty["iterator"], "done": True}
    await create(acme, 1)
    position = f"iterator={empty['iterator']}"
    for path in (f"warehouse?{position}", "warehouse/consumer/one?limit=5", f"warehouse?{position}&event_type=a"):
        held = (await acme.get(f"/app/acme/poller/{path}")).json
        assert (held["data"], held["done"], held.get("moreSoon")) == ([], True, True)
    other = (await acme.get(f"/app/acme/poller/warehouse?{position}&event_type=b")).json
    assert other == {"data": [], "iterator": empty["iterator"], "done": True}
    monkeypatch.setattr(polling, "SETTLED_AFTER", 0)
    assert await numbers(acme, 1, position) == [1]
    shown = (await acme.get(f"/app/acme/poller/warehouse?{position}")).json
    assert (len(shown["data"]), "moreSoon" in shown) == (1, False)
