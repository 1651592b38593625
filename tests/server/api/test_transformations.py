"""Transformations through the API: by name, and the consumer's own scripts."""

from __future__ import annotations

import pytest
from api_clients import Client
from consumer_scripts import needs_scripts
from engines import send
from receivers import Receiver
from svix.api import SvixAsync
from svix.models import EndpointIn, EndpointTransformationPatch

from webhook_engine import Engine

ENDPOINTS = "/app/acme/endpoint"
SCRIPT = "function handler(webhook) { webhook.payload = {by: webhook.variables.who}; return webhook }"


async def test_a_name_is_chosen_among_those_that_there_are(acme: Client) -> None:
    assert (await acme.get("/app/acme/transformations")).json == {
        "names": ["discord", "slack", "teams"],
        "scripts": False,
    }
    made = await acme.post(ENDPOINTS, {"url": "http://example.com", "uid": "e", "transformation": "slack"})
    assert (made.status, made.json["transformation"]) == (201, "slack")
    refused = await acme.patch(f"{ENDPOINTS}/e", {"transformation": "unknown"})
    assert (refused.status, refused.json["detail"][0]["loc"]) == (422, ["body", "transformation"])
    assert "transformation" not in (await acme.patch(f"{ENDPOINTS}/e", {"transformation": None})).json


async def test_scripts_are_refused_where_the_operator_does_not_allow_them(acme: Client) -> None:
    await acme.post(ENDPOINTS, {"url": "http://example.com", "uid": "e"})
    nothing = await acme.get(f"{ENDPOINTS}/e/transformation")
    assert nothing.json == {"code": None, "enabled": False, "variables": {}, "updatedAt": None}
    for answer in (
        await acme.patch(f"{ENDPOINTS}/e/transformation", {"code": SCRIPT}),
        await acme.post(f"{ENDPOINTS}/e/transformation/simulate", {"code": SCRIPT, "eventType": "a", "payload": {}}),
    ):
        assert (answer.status, "transformations.scripts" in answer.json["detail"]) == (400, True)
    short = await acme.patch(f"{ENDPOINTS}/e/transformation", {"code": "short"})
    assert (short.status, short.json["detail"][0]["loc"]) == (422, ["body", "code"])


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> dict[str, object]:
    return {"transformations__scripts": True} if "svix" in request.fixturenames else {}


@needs_scripts
async def test_the_client_library_sets_and_tries_a_script(svix: SvixAsync, acme: Client, engine: Engine) -> None:
    async with Receiver() as receiver:
        endpoint = await svix.endpoint.create("acme", EndpointIn(url=receiver.url))
        patch = EndpointTransformationPatch(code=SCRIPT, enabled=True, variables={"who": "us"})
        await svix.endpoint.transformation.patch("acme", endpoint.id, patch)
        kept = await svix.endpoint.transformation.get("acme", endpoint.id)
        assert (kept.code, kept.enabled, kept.variables) == (SCRIPT, True, {"who": "us"})
        message = await send(engine)
        await engine.join(timeout=10)
        assert receiver.bodies == [b'{"by":"us"}']
        [attempt] = (await acme.get(f"/app/acme/attempt/msg/{message}")).json["data"]
        exchange = f"/app/acme/msg/{message}/attempt/{attempt['id']}/exchange"
        shown = (await acme.get(exchange)).json
        assert (shown["requestMethod"], shown["requestBody"]) == ("POST", '{"by":"us"}')
        tried = await acme.post(
            f"{ENDPOINTS}/{endpoint.id}/transformation/simulate",
            {"code": SCRIPT, "eventType": "a.b", "payload": {"n": 1}},
        )
        assert (tried.status, tried.json["payload"], tried.json["problem"]) == (200, '{"by":"us"}', None)
        await acme.delete(f"/app/acme/msg/{message}/content")
        assert (await acme.get(exchange)).json["requestBody"] is None
        kept_attempt = await engine.attempts.get("acme", message, attempt["id"])
        assert kept_attempt.exchange is not None
        assert (kept_attempt.exchange.sent_method, kept_attempt.exchange.sent_body) == ("POST", None)
