"""Several messages in one request."""

from __future__ import annotations

from typing import Any

from api_clients import Client
from receivers import Receiver

from webhook_engine import Engine


def message(number: int, **more: Any) -> dict[str, Any]:
    return {"eventType": "invoice.paid", "payload": {"id": number}, **more}


async def test_all_messages_of_a_batch_are_accepted_and_delivered(acme: Client, engine: Engine) -> None:
    async with Receiver() as receiver:
        assert (await acme.post("/app/acme/endpoint", {"url": receiver.url})).status == 201
        made = await acme.post("/app/acme/msg/batch", {"messages": [message(number) for number in range(20)]})
        assert made.status == 202
        data = made.json["data"]
        assert [each["status"] for each in data] == [202] * 20
        assert [each["message"]["payload"] for each in data] == [{"id": number} for number in range(20)]
        await receiver.wait_for(20)
        assert {each["message"]["id"] for each in data} == {
            request.headers["webhook-id"] for request in receiver.requests
        }


async def test_an_event_id_that_is_taken_does_not_keep_the_others_out(acme: Client) -> None:
    assert (await acme.post("/app/acme/msg", message(0, eventId="first"))).status == 202
    wanted = [message(1, eventId="second"), message(2, eventId="first"), message(3, eventId="second"), message(4)]
    made = await acme.post("/app/acme/msg/batch", {"messages": wanted})
    assert made.status == 202
    assert [each["status"] for each in made.json["data"]] == [202, 409, 409, 202]
    assert made.json["data"][1]["error"]["code"] == "conflict"
    assert len((await acme.get("/app/acme/msg")).json["data"]) == 3


async def test_nothing_is_accepted_where_one_is_not_allowed(acme: Client) -> None:
    wanted = {
        "event type": ({"eventType": "no spaces", "payload": {}}, ["body", "messages", "[1]", "event_type", "__all__"]),
        "payload": ({"eventType": "a"}, ["body", "messages", "[1]", "", ""]),
        "instant": (message(1, deliverAt="9999-01-01T00:00:00Z"), None),
    }
    for bad, place in wanted.values():
        made = await acme.post("/app/acme/msg/batch", {"messages": [message(0), bad]})
        assert made.status == 422
        if place is not None:
            assert made.json["detail"][0]["loc"] == place
        assert "[1]" in "".join(made.json["detail"][0]["loc"])
    for count in (0, 1_001):
        made = await acme.post("/app/acme/msg/batch", {"messages": [message(0)] * count})
        assert made.status == 422
    assert (await acme.get("/app/acme/msg")).json["data"] == []


async def test_a_batch_with_an_idempotency_key_is_accepted_once(acme: Client) -> None:
    key = {"idempotency-key": "batch-1"}
    first, second = [
        await acme.post("/app/acme/msg/batch", {"messages": [message(1), message(2)]}, headers=key) for _ in range(2)
    ]
    assert first.json == second.json
    assert len((await acme.get("/app/acme/msg")).json["data"]) == 2
