"""Which attempt of how many it was, by the retry schedule that counts for it."""

from __future__ import annotations

import pytest
from api_clients import Client
from receivers import Receiver

from webhook_engine import Engine


@pytest.fixture
def settings() -> dict[str, object]:
    return {"retry_schedule": ["1h"]}


@pytest.mark.parametrize(
    ("asked", "event_type", "number_of"),
    [
        ({}, "a", 2),
        ({"retry_schedule": ["1h", "2h", "3h"]}, "a", 4),
        ({"retry_schedule": []}, "a", 1),
        ({"retry_schedule_by_event_type": {"invoice.*": ["1h"] * 5}}, "invoice.paid", 6),
        ({"retry_schedule_by_event_type": {"invoice.*": ["1h"] * 5}, "retry_schedule": ["1h", "1h"]}, "a", 3),
    ],
)
async def test_an_attempt_is_counted_by_the_schedule_of_its_endpoint(
    acme: Client, engine: Engine, asked: dict[str, object], event_type: str, number_of: int
) -> None:
    async with Receiver(500) as receiver:
        endpoint = await engine.endpoints.create("acme", url=receiver.url, **asked)  # type: ignore[arg-type]
        message = await engine.messages.create("acme", event_type=event_type, payload={})
        await receiver.wait_for(1)
        await engine.join(10)
    path = f"/app/acme/attempt/msg/{message.id}?with_number=true"
    [attempt] = (await acme.get(path)).json["data"]
    assert (attempt["number"], attempt["numberOf"]) == (1, number_of)
    [attempt] = (await acme.get(f"/app/acme/attempt/endpoint/{endpoint.id}?with_number=true")).json["data"]
    assert (attempt["number"], attempt["numberOf"]) == (1, number_of)
    exchange = (await acme.get(f"/app/acme/msg/{message.id}/attempt/{attempt['id']}/exchange")).json
    assert (exchange["number"], exchange["numberOf"]) == (1, number_of)


async def test_an_endpoint_that_was_deleted_asks_for_nothing(acme: Client, engine: Engine) -> None:
    async with Receiver(500) as receiver:
        endpoint = await engine.endpoints.create("acme", url=receiver.url, retry_schedule=[])
        message = await engine.messages.create("acme", event_type="a", payload={})
        await receiver.wait_for(1)
        await engine.join(10)
    await engine.endpoints.delete("acme", endpoint.id)
    [attempt] = (await acme.get(f"/app/acme/attempt/msg/{message.id}?with_number=true")).json["data"]
    assert (attempt["number"], attempt["numberOf"]) == (1, 2)
