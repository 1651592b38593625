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
