"""What an organization has set up goes from one server to another with the official client."""

from __future__ import annotations

import pytest
from api_clients import Client, Tokens
from svix.api import SvixAsync
from svix.models import EnvironmentIn, EventTypeIn

from webhook_engine.server.api import environment

SCHEMAS = {"1": {"type": "object", "examples": [{"id": 1}]}}


async def test_an_export_is_imported_into_another_organization(svix: SvixAsync, tokens: Tokens, api: Client) -> None:
    await svix.event_type.create(
        EventTypeIn(
            name="invoice.paid", description="Paid", schemas=SCHEMAS, group_name="billing", feature_flags=["beta"]
        )
    )
    await svix.event_type.create(EventTypeIn(name="old", description="Gone", archived=True, deprecated=True))
    exported = await svix.environment.export()
    assert (exported.version, exported.settings, exported.connectors) == (1, None, [])
    assert [one.name for one in exported.event_types] == ["invoice.paid", "old"]

    other = api.with_token(tokens.organization("org_other"))
    assert (await other.post("/event-type", {"name": "invoice.paid", "description": "before"})).status == 201
    assert (await other.post("/event-type", {"name": "stays", "description": ""})).status == 201
    document = exported.model_dump(mode="json", by_alias=True)
    for _ in range(2):
        answer = await other.post("/environment/import", document)
        assert (answer.status, answer.text) == (204, "")
    again = (await other.post("/environment/export", None)).json
    kept = {one["name"]: one for one in again["eventTypes"]}
    assert sorted(kept) == ["invoice.paid", "old", "stays"]
    for one in document["eventTypes"]:
        same = ("name", "description", "archived", "deprecated", "schemas")
        assert {name: kept[one["name"]][name] for name in same} == {name: one[name] for name in same}
    assert kept["invoice.paid"]["featureFlags"] == ["beta"]
    assert kept["invoice.paid"]["groupName"] == "billing"


async def test_the_client_imports(svix: SvixAsync) -> None:
    await svix.environment.import_(
        EnvironmentIn(event_types=[EventTypeIn(name="a.b", description="One", schemas=SCHEMAS)])
    )
    assert (await svix.event_type.get("a.b")).schemas == SCHEMAS
    await svix.environment.import_(EnvironmentIn())


async def test_what_has_no_counterpart_is_left_out_and_logged(api: Client, caplog: pytest.LogCaptureFixture) -> None:
    body = {"settings": {"color": "red"}, "connectors": [{"name": "x", "transformation": ""}]}
    assert (await api.post("/environment/import", body)).status == 204
    [told] = [record.getMessage() for record in caplog.records if "environment.left_out" in record.getMessage()]
    assert "settings=['color'] connectors=1" in told


async def test_bad_input_is_named_and_nothing_is_imported(api: Client) -> None:
    body = {
        "eventTypes": [
            {"name": "good", "description": ""},
            {"name": "bad name", "description": ""},
            {"name": "worse", "description": "", "schemas": {"1": {"type": 7}}},
        ]
    }
    answer = await api.post("/environment/import", body)
    assert answer.status == 422
    assert [problem["loc"][:4] for problem in answer.json["detail"]] == [
        ["body", "event_types", "[1]", "name"],
        ["body", "event_types", "[2]", "schemas"],
    ]
    assert (await api.get("/event-type")).json["data"] == []
    assert (await api.post("/environment/import", {"eventTypes": 1})).status == 422


async def test_an_application_token_may_do_neither(acme: Client, tokens: Tokens) -> None:
    app = (await acme.get("/app/acme")).json["id"]
    consumer = acme.with_token(tokens.application(app))
    assert (await consumer.post("/environment/export", None)).status == 403
    assert (await consumer.post("/environment/import", {})).status == 403


async def test_an_export_has_a_bound(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "MAX_EXPORTED_BYTES", 10)
    assert (await api.post("/event-type", {"name": "a", "description": "", "schemas": SCHEMAS})).status == 201
    answer = await api.post("/environment/export", None)
    assert answer.status == 400
    assert "page by page" in answer.text
