"""How payloads are given, shown and delivered."""

from __future__ import annotations

from typing import Any

import pytest
from api_clients import Answer, Client
from engines import until
from receivers import Receiver

from webhook_engine import Engine


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ('{"test":"value"}', '{"test":"value"}'),
        ("{ }", "{}"),
        ('{"b":1, "a":2.0}', '{"a":2.0,"b":1}'),
        ('{"n":1e400,"m":12345678901234567890123,"z":-0}', '{"m":12345678901234567890123,"n":1e400,"z":-0}'),
        ('{"a":1,"a":2}', '{"a":2}'),
        (r'{"\u00e9":"\/","\ud83d\ude00":null}', '{"é":"/","😀":null}'),
        ('{"Z":1,"a":{"y":[1.50,{"b":1,"a":2}],"x":true}}', '{"Z":1,"a":{"x":true,"y":[1.50,{"a":2,"b":1}]}}'),
    ],
)
async def test_payload_is_shown_sorted_with_its_own_numbers_and_delivered_to_the_byte(
    acme: Client, given: str, shown: str
) -> None:
    async with Receiver() as receiver:
        await acme.post("/app/acme/endpoint", {"url": receiver.url})
        made = await acme.post("/app/acme/msg", f'{{"eventType":"a", "payload" : {given} }}')
        assert made.status == 202
        assert f'"payload":{shown},"channels"' in made.text
        got = await acme.get(f"/app/acme/msg/{made.json['id']}")
        assert f'"payload":{shown},' in got.text
        await receiver.wait_for(1)
        assert receiver.bodies == [given.encode()]
    hidden = await acme.get(f"/app/acme/msg/{made.json['id']}?with_content=false")
    assert '"payload":{},' in hidden.text


async def test_data_is_another_name_of_payload(acme: Client) -> None:
    made = await acme.post("/app/acme/msg", {"eventType": "a", "data": {"x": 1}})
    assert made.json["payload"] == {"x": 1}


async def test_raw_payload_is_delivered_instead_and_shown_as_text(acme: Client) -> None:
    async with Receiver() as receiver:
        await acme.post("/app/acme/endpoint", {"url": receiver.url})
        made = await acme.post(
            "/app/acme/msg",
            {"eventType": "a", "payload": {}, "transformationsParams": {"rawPayload": "<x/>", "headers": {"a": "b"}}},
        )
        assert (made.json["payload"], made.json["payloadEncoding"]) == ("<x/>", "utf-8")
        await receiver.wait_for(1)
        assert receiver.bodies == [b"<x/>"]


@pytest.mark.parametrize(
    ("payload", "shown", "encoding"),
    [
        (b"<x>\xc3\xa9</x>", "<x>é</x>", "utf-8"),
        (b'say "hi"\\\n', 'say "hi"\\\n', "utf-8"),
        (b"", "", "utf-8"),
        (b'{"a":NaN}', '{"a":NaN}', "utf-8"),
        (b"[" * 5000 + b"]" * 5000, "[" * 5000 + "]" * 5000, "utf-8"),
        (b"\xff\x00", "/wA=", "base64"),
        (b'{"a":"\xff"}', "eyJhIjoi/yJ9", "base64"),
        (b"[1, 2]", [1, 2], None),
        (b'"text"', "text", None),
    ],
)
async def test_a_payload_that_is_no_json_is_shown_wherever_payloads_are(
    acme: Client, engine: Engine, payload: bytes, shown: object, encoding: str | None
) -> None:
    await acme.post("/app/acme/endpoint", {"url": "http://127.0.0.1:9/", "uid": "e"})
    message = await engine.messages.create("acme", event_type="a", payload=payload)
    await engine.join(timeout=10)
    poll = f"/app/acme/poller/sink?iterator=msg_{'0' * 27}"

    async def polled() -> Any:
        return (await acme.get(poll)).json["data"]

    found = [
        (await acme.get(f"/app/acme/msg/{message.id}")).json,
        (await acme.get("/app/acme/msg")).json["data"][0],
        (await acme.get("/app/acme/attempt/endpoint/e?with_msg=true")).json["data"][0]["msg"],
        (await acme.get(f"/app/acme/attempt/msg/{message.id}?with_msg=true")).json["data"][0]["msg"],
        (await acme.get("/app/acme/endpoint/e/msg")).json["data"][0],
        (await acme.get("/app/acme/message-state?with_content=true")).json["data"][0],
        (await until(polled, timeout=20))[0],
    ]
    assert [(each["payload"], each.get("payloadEncoding")) for each in found] == [(shown, encoding)] * len(found)
    hidden = (await acme.get(f"/app/acme/msg/{message.id}?with_content=false")).json
    assert (hidden["payload"], hidden.get("payloadEncoding")) == ({}, None)


async def test_the_content_type_of_a_payload_is_shown_and_checked(acme: Client) -> None:
    async def create(headers: object) -> Answer:
        params = {"rawPayload": "<x/>", "headers": headers}
        return await acme.post("/app/acme/msg", {"eventType": "a", "payload": {}, "transformationsParams": params})

    made = await create({"X-Foo": 1, "Content-Type": "application/xml"})
    assert made.json["contentType"] == "application/xml"
    [listed] = (await acme.get("/app/acme/msg")).json["data"]
    assert listed["contentType"] == "application/xml"
    for ignored in ({}, {"content-type": None}, ["content-type"], None, "x"):
        assert "contentType" not in (await create(ignored)).json
    for wrong in ("", "a\nb", 5, "ü"):
        refused = await create({"content-type": wrong})
        assert refused.status == 422
        [problem] = refused.json["detail"]
        assert problem["loc"] == ["body", "transformationsParams", "headers", "content-type"]


async def test_expunged_payload_is_shown_as_expired(acme: Client) -> None:
    made = await acme.post("/app/acme/msg", {"eventType": "a", "payload": {}})
    deleted = await acme.delete(f"/app/acme/msg/{made.json['id']}/content")
    assert (deleted.status, deleted.text) == (204, "")
    assert '"payload":{"expired":true}' in (await acme.get(f"/app/acme/msg/{made.json['id']}")).text
