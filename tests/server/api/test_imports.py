"""Taking over through the API, as the command line does it."""

from __future__ import annotations

import base64
import time

from api_clients import Client, Tokens

from webhook_engine.ids import IdSource


async def test_a_batch_is_taken_over(api: Client) -> None:
    # An hour ago: of an older message, retention might take the payload away meanwhile.
    ids, instant = IdSource(), time.time_ns() // 1_000 - 3_600_000_000
    app, endpoint, message = (ids.new(prefix, instant) for prefix in ("app_", "ep_", "msg_"))
    secret = "whsec_" + base64.b64encode(b"k" * 24).decode()
    body = {
        "eventTypes": [{"name": "a.b", "description": "One"}],
        "applications": [{"id": app, "uid": "acme", "name": "Acme"}],
        "endpoints": [
            {
                "application": app,
                "id": endpoint,
                "url": "https://example.com/",
                "eventTypes": ["a.b"],
                "secret": secret,
                "oldKeys": [{"secret": secret, "expiresAt": "2031-01-01T00:00:00Z"}],
            },
            {"application": app, "uid": "bad uid", "url": "https://example.com/"},
        ],
        "messages": [
            {
                "application": app,
                "id": message,
                "eventType": "a.b",
                "payload": base64.b64encode(b'{"b": 1,"a":2}').decode(),
            }
        ],
    }
    planned = await api.post("/import", {**body, "dryRun": True})
    assert planned.status == 200
    assert (await api.get("/app")).json["data"] == []
    answer = await api.post("/import", body)
    assert answer.json == planned.json
    outcomes = answer.json["outcomes"]
    assert [one["status"] for one in outcomes] == ["created", "created", "created", "refused", "created"]
    assert [one["kind"] for one in outcomes] == ["event type", "application", "endpoint", "endpoint", "message"]
    assert outcomes[3]["problem"].startswith("uid: ")
    assert (await api.get(f"/app/acme/endpoint/{endpoint}/secret")).json == {"key": secret}
    assert (await api.get(f"/app/acme/msg/{message}/payload")).json["payload"] == '{"b": 1,"a":2}'
    again = await api.post("/import", body)
    assert [one["status"] for one in again.json["outcomes"]] == ["same", "same", "same", "refused", "same"]


async def test_bad_input_is_named(api: Client) -> None:
    for body, loc in (
        ({"applications": [{"uid": "x"}]}, ["body", "applications[0]"]),
        ({"endpoints": 1}, ["body", "endpoints"]),
        ({"messages": [{"application": "a", "id": "b", "eventType": "c", "payload": "%"}]}, ["body", "messages[0]"]),
    ):
        answer = await api.post("/import", body)
        assert answer.status == 422
        assert answer.json["detail"][0]["loc"][:2] == loc, answer.text


async def test_an_application_token_may_not(acme: Client, tokens: Tokens) -> None:
    app = (await acme.get("/app/acme")).json["id"]
    assert (await acme.with_token(tokens.application(app)).post("/import", {})).status == 403
