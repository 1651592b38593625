"""What filters do, through the API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from api_clients import Client
from engines import until

from webhook_engine.delivery.accept import payload_filter
from webhook_engine.resources import polling
from webhook_engine.rules.payload import LARGE

TRY = "/app/acme/endpoint/precheck/filter"


async def test_a_filter_is_tried_on_an_example(acme: Client) -> None:
    said = {"amount": {"$gt": 100}, "currency": "EUR"}
    tried = await acme.post(TRY, {"filter": said, "payload": {"amount": 101, "currency": "EUR"}})
    assert (tried.status, tried.json) == (200, {"passes": True, "problem": None})
    tried = await acme.post(TRY, {"filter": said, "payload": {"amount": 101, "currency": "USD"}})
    assert tried.json == {"passes": False, "problem": None, "condition": {"currency": "EUR"}}
    tried = await acme.post(TRY, {"filter": {"a": {"$x": 1}}, "payload": 1})
    assert (tried.json["passes"], tried.json["problem"][:33]) == (None, "filter.a.$x: is no operator; thes")
    assert (tried.json["place"], tried.json["rule"]) == ("filter.a.$x", "filter_operator")


async def test_a_filter_that_is_refused_says_by_which_rule(acme: Client) -> None:
    refused = await acme.post("/app/acme/endpoint", {"url": "https://example.com", "filter": {"a_b": {"$gt": None}}})
    [problem] = refused.json["detail"]
    assert (refused.status, problem["type"]) == (422, "value_error.filter_ordered")
    assert problem["loc"] == ["body", "filter.a_b.$gt"]


async def test_a_message_says_which_endpoints_it_was_not_sent_to(acme: Client) -> None:
    endpoint = {"url": "http://example.com", "uid": "e", "filter": {"n": 1}}
    made = (await acme.post("/app/acme/endpoint", endpoint)).json["id"]
    message = (await acme.post("/app/acme/msg", {"eventType": "a", "payload": {"n": 2}})).json["id"]
    assert (await acme.get(f"/app/acme/msg/{message}/unsent")).json == {
        "data": [
            {
                "id": made,
                "uid": "e",
                "url": "http://example.com/",
                "obstacle": "filter",
                "condition": {"n": 1},
                "editedSince": False,
            }
        ]
    }
    assert (await acme.get("/app/acme/msg/nothing/unsent")).status == 404


async def test_no_large_payload_is_read_in_the_event_loop(acme: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload_filter, "Content", None)
    large = {"n": 2, "text": "x" * LARGE}
    url = {"url": "http://example.com"}
    await acme.post("/app/acme/endpoint", {**url, "uid": "all"})
    await acme.post("/app/acme/endpoint", {**url, "uid": "one", "filter": {"n": 1}})
    message = (await acme.post("/app/acme/msg", {"eventType": "a", "payload": large})).json["id"]
    [unsent] = (await acme.get(f"/app/acme/msg/{message}/unsent")).json["data"]
    assert (unsent["uid"], unsent["condition"]) == ("one", {"n": 1})
    tried = await acme.post(TRY, {"filter": {"n": 2}, "payload": large})
    assert tried.json["passes"]
    checked = await acme.post("/app/acme/msg/precheck/active", {"eventType": "a", "payload": large})
    assert [one["obstacle"] for one in checked.json["endpoints"]] == [None, "filter"]

    async def polled(uid: str) -> list[object]:
        found: list[object] = (await acme.get(f"/app/acme/poller/{uid}")).json["data"]
        return found

    monkeypatch.setattr(polling, "SETTLED_AFTER", 0)
    await until(lambda: polled("all"))
    assert await polled("one") == []
    since = {"since": (datetime.now(UTC) - timedelta(days=1)).isoformat()}
    replay = (await acme.post("/app/acme/endpoint/one/replay-missing", since)).json["id"]

    async def state() -> str:
        return str((await acme.get(f"/background-task/{replay}")).json["status"])

    async def ended() -> bool:
        return await state() != "running"

    await until(ended)
    assert await state() == "finished"
