"""What filters do, through the API."""

from __future__ import annotations

from api_clients import Client

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
