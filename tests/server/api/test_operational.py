"""Operational endpoints over HTTP: whichever way one is made, it may choose among all operational event types."""

from __future__ import annotations

import json

import pytest
from api_clients import Client, Tokens
from receivers import Receiver
from svix.api import SvixAsync
from svix.exceptions import HttpError
from svix.models import (
    ApplicationIn,
    EndpointIn,
    OperationalWebhookEndpointHeadersIn,
    OperationalWebhookEndpointIn,
    OperationalWebhookEndpointSecretIn,
    OperationalWebhookEndpointUpsertIn,
)
from svix.webhooks import Webhook

from webhook_engine import Engine
from webhook_engine.model import DEFAULT_ORGANIZATION

MANAGEMENT = "org_00000000000SvixManagement00"
CHOSEN = ["endpoint.disabled", "message.attempt.exhausted"]


async def by_the_operational_routes(svix: SvixAsync, url: str) -> list[str] | None:
    made = await svix.operational_webhook.endpoint.create(OperationalWebhookEndpointIn(url=url, event_types=CHOSEN))
    return made.event_types


async def by_the_routes_of_the_organization(management: SvixAsync, url: str) -> list[str] | None:
    made = await management.endpoint.create(DEFAULT_ORGANIZATION, EndpointIn(url=url, event_types=CHOSEN))
    return made.event_types


@pytest.mark.parametrize("way", ["operational routes", "routes of its organization", "embedded"])
async def test_only_what_was_chosen_comes(
    engine: Engine, acme: Client, svix: SvixAsync, sdk, tokens: Tokens, way: str
) -> None:
    async with Receiver() as receiver, Receiver(410) as failing:
        if way == "operational routes":
            chosen = await by_the_operational_routes(svix, receiver.url)
        else:
            management = sdk(tokens.organization(MANAGEMENT))
            assert len((await management.event_type.list()).data) == 12
            await acme.with_token(tokens.organization(MANAGEMENT)).post(
                "/app", {"name": "ops", "uid": DEFAULT_ORGANIZATION}
            )
            if way == "embedded":
                made = await engine.organization(MANAGEMENT).endpoints.create(
                    DEFAULT_ORGANIZATION, url=receiver.url, event_types=CHOSEN
                )
                chosen = list(made.event_types or ())
            else:
                chosen = await by_the_routes_of_the_organization(management, receiver.url)
        assert chosen == CHOSEN
        await acme.post("/app/acme/endpoint", {"url": failing.url})
        await acme.post("/app/acme/msg", {"eventType": "a", "payload": {}})
        await engine.join(timeout=10)
        assert [json.loads(each.body)["type"] for each in receiver.requests] == ["endpoint.disabled"]


@pytest.mark.parametrize(
    ("types", "rate"), [("filterTypes", "rateLimit"), ("eventTypes", "throttleRate"), ("filterTypes", "throttleRate")]
)
async def test_who_reads_changes_and_writes_back_loses_nothing(api: Client, types: str, rate: str) -> None:
    """Whichever names they know: the older libraries have the former pair, the newer ones the latter."""
    body = {"url": "https://example.com/a", "uid": "ops", types: CHOSEN, rate: 7}
    assert (await api.post("/operational-webhook/endpoint", body)).status == 201
    [read] = (await api.get("/operational-webhook/endpoint")).json["data"]
    assert (read["filterTypes"], read["eventTypes"]) == (CHOSEN, CHOSEN)
    assert (read["rateLimit"], read["throttleRate"]) == (7, 7)
    written = {"url": "https://example.com/b", "uid": "ops", types: read[types], rate: read[rate]}
    after = (await api.put("/operational-webhook/endpoint/ops", written)).json
    assert after == {**read, "url": "https://example.com/b", "updatedAt": after["updatedAt"]}


async def test_one_that_takes_all_says_so_in_both_names(api: Client) -> None:
    made = (await api.post("/operational-webhook/endpoint", {"url": "https://example.com"})).json
    assert [made[name] for name in ("filterTypes", "eventTypes", "rateLimit", "throttleRate")] == [None] * 4


async def test_operational_webhook_endpoints_get_the_events_of_the_organization(svix: SvixAsync) -> None:
    manager = svix.operational_webhook.endpoint
    assert (await manager.list()).data == []
    with pytest.raises(HttpError):
        await manager.get("nobody")
    async with Receiver() as receiver:
        made = await manager.create(
            OperationalWebhookEndpointIn(url=receiver.url, uid="ops", event_types=["endpoint.created"])
        )
        assert (made.uid, made.event_types, made.description) == ("ops", ["endpoint.created"], "")
        assert [each.id for each in (await manager.list()).data] == [made.id]
        await manager.set_headers("ops", OperationalWebhookEndpointHeadersIn(headers={"X-Ops": "1"}))
        assert (await manager.get_headers("ops")).headers == {"X-Ops": "1"}
        before = (await manager.get_secret("ops")).key
        await manager.rotate_secret("ops", OperationalWebhookEndpointSecretIn(grace_period_seconds=0))
        secret = (await manager.get_secret("ops")).key
        assert secret != before
        await svix.application.create(ApplicationIn(name="Acme", uid="acme"))
        endpoint = await svix.endpoint.create("acme", EndpointIn(url="https://example.com"))
        [request] = await receiver.wait_for(1)
        Webhook(secret).verify(request.body, dict(request.headers))
        event = json.loads(request.body)
        assert (event["type"], event["data"]["endpointId"]) == ("endpoint.created", endpoint.id)
        changed = await manager.upsert("ops", OperationalWebhookEndpointUpsertIn(url=receiver.url, disabled=True))
        assert (changed.id, changed.uid, changed.disabled, changed.event_types) == (made.id, None, True, None)
        await manager.delete(made.id)
        assert (await manager.list()).data == []
    assert [each.uid for each in (await svix.application.list()).data] == ["acme"]
