"""Alerts over HTTP, for the platform and for consumers."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from api_clients import Client, Tokens
from mailboxes import Mailbox

from webhook_engine import Engine
from webhook_engine.rules.capabilities import READ_ONLY

URL = "https://example.com/alerts"


@pytest_asyncio.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    async with Mailbox() as mailbox:
        yield mailbox


@pytest.fixture
def settings(mailbox: Mailbox) -> dict[str, object]:
    return mailbox.settings


async def test_an_alert_is_made_read_changed_and_deleted(acme: Client) -> None:
    made = await acme.post("/app/acme/alert", {"kind": "webhook", "to": URL})
    assert made.status == 201
    alert = made.json
    assert alert.keys() == {"id", "kind", "to", "events", "active", "inactiveReason", "createdAt", "updatedAt"}
    assert (alert["kind"], alert["to"], alert["active"], alert["inactiveReason"]) == ("webhook", URL, True, None)
    assert alert["events"] == ["endpoint.failing", "endpoint.disabled", "endpoint.recovered", "endpoint.backlog"]
    one = f"/app/acme/alert/{alert['id']}"
    assert (await acme.get(one)).json == alert
    assert (await acme.get("/app/acme/alert")).json == {"data": [alert], "iterator": None, "done": True}
    assert (await acme.get(f"{one}/secret")).json["key"].startswith("whsec_")
    changed = await acme.patch(one, {"events": ["endpoint.backlog"]})
    assert changed.json["events"] == ["endpoint.backlog"]
    assert (await acme.post(f"{one}/test")).status == 202
    assert (await acme.delete(one)).status == 204
    assert (await acme.get(one)).status == 404
    assert (await acme.get("/app/acme/alert")).json["data"] == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "fax", "to": URL}, "kind"),
        ({"kind": "webhook", "to": "ftp://x"}, "url"),
        ({"kind": "email", "to": "nobody"}, "to"),
        ({"kind": "email", "to": "a@b.c", "events": ["x"]}, "events"),
    ],
)
async def test_what_cannot_be_is_a_clear_error(acme: Client, body: dict[str, object], field: str) -> None:
    refused = await acme.post("/app/acme/alert", body)
    assert refused.status == 422
    assert field in str(refused.json["detail"][0]["loc"])


async def test_a_consumer_s_address_is_asked_and_a_reader_changes_nothing(
    acme: Client, engine: Engine, tokens: Tokens, mailbox: Mailbox
) -> None:
    application = (await acme.get("/app/acme")).json["id"]
    consumer = acme.with_token(tokens.application(application))
    made = await consumer.post("/app/acme/alert", {"kind": "email", "to": "ops@example.com"})
    assert made.status == 201
    assert made.json["active"] is False
    await engine.join(timeout=10)
    assert [letter["subject"] for letter in mailbox.letters] == ["Confirm alerts about webhooks"]
    reader = acme.with_token(tokens.application(application, capabilities=READ_ONLY))
    assert len((await reader.get("/app/acme/alert")).json["data"]) == 1
    assert (await reader.post("/app/acme/alert", {"kind": "webhook", "to": URL})).status == 403
    assert (await reader.delete(f"/app/acme/alert/{made.json['id']}")).status == 403


async def test_the_alerts_of_others_are_not_there(acme: Client, tokens: Tokens) -> None:
    made = (await acme.post("/app/acme/alert", {"kind": "webhook", "to": URL})).json
    await acme.post("/app", {"name": "Other", "uid": "other"})
    other = acme.with_token(tokens.application((await acme.get("/app/other")).json["id"]))
    assert (await other.get("/app/acme/alert")).status in (403, 404)
    assert (await other.get(f"/app/other/alert/{made['id']}")).status == 404
    elsewhere = acme.with_token(tokens.organization("org_elsewhere"))
    assert (await elsewhere.get("/app/acme/alert")).status == 404
