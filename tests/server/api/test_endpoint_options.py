"""What an endpoint asks for, through the API."""

from __future__ import annotations

from datetime import timedelta

from api_clients import Client

from webhook_engine import Engine
from webhook_engine.model import DEFAULT_ORGANIZATION

ENDPOINTS = "/app/acme/endpoint"
ASKED = {"timeout": "1500ms", "retrySchedule": ["5s", "2h"], "filter": {"a.b": {"$gt": 1}}}
ASKED |= {"timeoutByEventType": {"a.*": "2s"}, "retryScheduleByEventType": {"a": ["5s"], "b": []}}
ASKED |= {"method": "PUT", "query": {"a": "1"}, "compression": "gzip", "userAgent": "X/1", "contentType": "text/json"}


async def test_what_is_asked_for_is_shown_and_the_rest_is_left_out(acme: Client, engine: Engine) -> None:
    bare = await acme.post(ENDPOINTS, {"url": "http://example.com"})
    assert not ASKED.keys() & bare.json.keys()
    made = await acme.post(ENDPOINTS, {"url": "http://example.com", "uid": "e", **ASKED})
    assert (made.status, made.json.items() >= ASKED.items()) == (201, True)
    assert (await acme.get(f"{ENDPOINTS}/e")).json.items() >= ASKED.items()
    kept = await engine.organization(DEFAULT_ORGANIZATION).endpoints.get("acme", "e")
    assert (kept.timeout, kept.retry_schedule) == (
        timedelta(seconds=1.5),
        (timedelta(seconds=5), timedelta(hours=2)),
    )


async def test_a_patch_leaves_what_it_does_not_name_and_a_put_takes_it_back(acme: Client) -> None:
    await acme.post(ENDPOINTS, {"url": "http://example.com", "uid": "e", **ASKED})
    patched = (await acme.patch(f"{ENDPOINTS}/e", {"retrySchedule": []})).json
    assert (patched["timeout"], patched["retrySchedule"]) == ("1500ms", [])
    patched = (await acme.patch(f"{ENDPOINTS}/e", {"timeout": None, "description": "d"})).json
    assert ("timeout" in patched, patched["retrySchedule"]) == (False, [])
    assert "retrySchedule" not in (await acme.put(f"{ENDPOINTS}/e", {"url": "http://example.com", "uid": "e"})).json


async def test_what_is_not_allowed_is_said_where_it_stands(acme: Client) -> None:
    for given, loc in (
        ({"timeout": "10m"}, ["body", "timeout"]),
        ({"timeout": 10}, ["body", "timeout"]),
        ({"filter": {"a": {"$x": 1}}}, ["body", "filter.a.$x"]),
        ({"retrySchedule": ["5s", "x"]}, ["body", "retry_schedule", "[1]"]),
    ):
        answer = await acme.post(ENDPOINTS, {"url": "http://example.com", **given})
        assert (answer.status, answer.json["detail"][0]["loc"]) == (422, loc)


OAUTH2 = {"type": "oauth2", "tokenUrl": "http://127.0.0.1:9/", "clientId": "acme", "clientSecret": "s3cret"}


async def test_what_is_secret_is_masked_and_a_mask_keeps_it(acme: Client) -> None:
    made = await acme.post(ENDPOINTS, {"url": "http://example.com", "uid": "e", "authentication": OAUTH2})
    masked = {**OAUTH2, "clientSecret": "*****"}
    assert (made.status, made.json["authentication"]) == (201, masked)
    assert "s3cret" not in str((await acme.get(ENDPOINTS)).json)
    whole = (await acme.get(f"{ENDPOINTS}/e")).json
    del whole["filterTypes"]  # It is another name for eventTypes.
    assert (await acme.put(f"{ENDPOINTS}/e", whole)).json["authentication"] == masked
    moved = await acme.patch(
        f"{ENDPOINTS}/e", {"authentication": {**masked, "tokenUrl": "http://elsewhere.example/token"}}
    )
    assert (moved.status, moved.json["detail"][0]["loc"]) == (422, ["body", "authentication.client_secret"])
    for given, loc in (
        ({"authentication": {"type": "basic", "username": "a"}}, "authentication.password"),
        ({"authentication": {"type": "digest"}}, "authentication.type"),
        ({"tls": {"ca": "nonsense"}}, "tls.ca"),
        ({"tls": {"certificate": "nonsense"}}, "tls"),
    ):
        refused = await acme.patch(f"{ENDPOINTS}/e", given)
        assert (refused.status, refused.json["detail"][0]["loc"]) == (422, ["body", loc])
    assert "authentication" not in (await acme.patch(f"{ENDPOINTS}/e", {"authentication": None})).json


async def test_trying_it_says_why_there_is_no_token(acme: Client) -> None:
    await acme.post(ENDPOINTS, {"url": "http://example.com", "uid": "e", "authentication": OAUTH2})
    tried = await acme.post(f"{ENDPOINTS}/e/authentication/try", {})
    assert (tried.status, tried.json["messageId"], tried.json["tokenLifeSeconds"]) == (200, None, None)
    assert tried.json["problem"].startswith("no access token: ")
    await acme.patch(f"{ENDPOINTS}/e", {"authentication": None})
    tried = await acme.post(f"{ENDPOINTS}/e/authentication/try", {})
    assert (tried.json["problem"], tried.json["messageId"][:4]) == (None, "msg_")


async def test_event_types_may_be_all_that_begin_so(acme: Client) -> None:
    await acme.post("/event-type", {"name": "invoice.paid", "description": ""})
    made = await acme.post(ENDPOINTS, {"url": "http://example.com", "uid": "e", "eventTypes": ["invoice.*"]})
    assert (made.status, made.json["eventTypes"]) == (201, ["invoice.*"])
    refused = await acme.patch(f"{ENDPOINTS}/e", {"eventTypes": ["invoice.*", "order.*", "nope"]})
    assert refused.json["detail"][0] == {
        "loc": ["body", "eventTypes"],
        "msg": "The following event types don't exist: order.*, nope",
        "type": "value_error",
    }
    for malformed in ("*", ".*x", "invoice*", "in voice.*", "x" * 256 + ".*"):
        refused = await acme.patch(f"{ENDPOINTS}/e", {"eventTypes": [malformed]})
        assert (refused.status, refused.json["detail"][0]["loc"][:2]) == (422, ["body", "event_types"])
    # What it wants already stays, though there may be no such event type any more.
    await acme("DELETE", "/event-type/invoice.paid")
    await acme.post("/event-type", {"name": "a", "description": ""})
    kept = await acme.patch(f"{ENDPOINTS}/e", {"eventTypes": ["invoice.*", "a"]})
    assert (kept.status, kept.json["eventTypes"]) == (200, ["invoice.*", "a"])


async def test_a_precheck_with_an_example_says_what_becomes_of_it_at_each_endpoint(acme: Client) -> None:
    path = "/app/acme/msg/precheck/active"
    large = {"amount": {"$gt": 100}}
    made = [
        (await acme.post(ENDPOINTS, {"url": "http://example.com", **more})).json["id"]
        for more in ({"filter": large}, {"disabled": True}, {"channels": ["c"]})
    ]
    assert (await acme.post(path, {"eventType": "a"})).json == {"active": True}
    found = (await acme.post(path, {"eventType": "a", "payload": {"amount": 5}})).json
    assert found["active"] is False
    by_id = {one["id"]: (one["obstacle"], one.get("condition")) for one in found["endpoints"]}
    assert by_id == dict(zip(made, [("filter", large), ("disabled", None), ("channels", None)], strict=True))
    found = (await acme.post(path, {"eventType": "a", "payload": {"amount": 101}})).json
    assert (found["active"], found["endpoints"][0]["obstacle"]) == (True, None)
