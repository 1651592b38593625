"""Who did what is kept, without secrets, and told to those who look after all customers."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from typing import Any

import msgspec
import pytest
from api_clients import Client
from commands import command

from webhook_engine import Engine
from webhook_engine.errors import StoreUnavailableError
from webhook_engine.server.api.routes import ROUTES
from webhook_engine.server.audit import UNAUDITED, changes_of
from webhook_engine.server.listener import Server


async def told(api: Client, query: str = "") -> list[dict[str, Any]]:
    """The log, oldest first."""
    return list(reversed((await api.get(f"/audit-log{query}")).json["data"]))


async def test_changes_are_told_with_who_made_them_and_no_secret(acme: Client) -> None:
    made = await acme.post("/app/acme/endpoint", {"url": "https://ada:hush@example.com/", "headers": {"X-Key": "hush"}})
    endpoint = made.json["id"]
    access = (await acme.post("/auth/app-portal-access/acme", {"sessionId": "ada"})).json
    portal = acme.with_token(access["token"])
    assert (
        await portal.patch(f"/app/acme/endpoint/{endpoint}", {"disabled": True, "url": "https://e.com"})
    ).status == 200
    await portal.post(f"/app/acme/endpoint/{endpoint}/secret/rotate", {"key": "whsec_" + "A" * 32})
    await acme.delete("/app/acme")
    log = await told(acme)
    application = log[0]["target"]
    assert [(each["action"], each["target"], each["changes"]) for each in log] == [
        ("application.create", application, ["name", "uid"]),
        ("endpoint.create", endpoint, ["url", "headers"]),
        ("authentication.app-portal-access", "acme", ["sessionId"]),
        ("endpoint.patch", endpoint, ["url", "disabled = true"]),
        ("endpoint.rotate-secret", endpoint, ["key"]),
        ("application.delete", "acme", []),
    ]
    assert {each["applicationId"] for each in log} == {application}
    assert [each["subject"][:4] for each in log] == ["org_", "org_", "org_", "app_", "app_", "org_"]
    assert [each["sessionId"] for each in log][2:4] == [None, "ada"]
    assert all(each["address"] == "127.0.0.1" and each["tokenId"].startswith("tok_") for each in log)
    text = json.dumps(log)
    assert "hush" not in text
    assert "whsec" not in text


async def test_what_is_refused_and_what_only_looks_is_not_told(acme: Client) -> None:
    before = len(await told(acme))
    assert (await acme.post("/app/acme/endpoint", {"url": "no url"})).status == 422
    assert (await acme.post("/app/acme/msg", {"eventType": "a", "payload": {}})).status == 202
    assert (await acme.post("/app/acme/msg/batch", {"messages": []})).status in (202, 422)
    assert (await acme.post("/app?get_if_exists=true", {"name": "Acme", "uid": "acme"})).status == 200
    assert (await acme.with_token(None).delete("/app/acme")).status == 401
    assert len(await told(acme)) == before


async def test_a_request_that_comes_again_is_told_once(acme: Client) -> None:
    before = len(await told(acme))
    for _ in range(2):
        await acme.post("/event-type", {"name": "a.b", "description": ""}, headers={"idempotency-key": "one"})
    [again] = (await told(acme))[before:]
    assert (again["action"], again["target"], again["applicationId"]) == ("event-type.create", "a.b", None)


async def test_the_log_is_listed_by_what_is_asked_for_and_for_operators_alone(acme: Client) -> None:
    await acme.post("/app", {"name": "Other", "uid": "other"})
    await acme.patch("/app/other", {"name": "Another"})
    assert [each["action"] for each in await told(acme, "?application=other")] == [
        "application.create",
        "application.patch",
    ]
    assert [each["changes"] for each in await told(acme, "?action=application.patch")] == [["name"]]
    assert await told(acme, "?after=2100-01-01T00:00:00Z") == await told(acme, "?subject=org_none") == []
    assert len((await acme.get("/audit-log?before=2100-01-01T00:00:00Z&order=ascending&limit=2")).json["data"]) == 2
    portal = acme.with_token((await acme.post("/auth/app-portal-access/acme", {})).json["token"])
    for path in ("/audit-log", "/operator/overview", "/operator/find?text=a"):
        assert (await portal.get(path)).status == 403
    assert (await portal.post("/auth/operator-access", {})).status == 403


async def test_a_change_that_cannot_be_written_down_is_made_and_the_servers_log_says_so(
    acme: Client, engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def full(entry: object) -> None:
        raise StoreUnavailableError("the disk is full")

    monkeypatch.setattr(engine.services.store.audit, "add", full)
    assert (await acme.patch("/app/acme", {"name": "New"})).status == 200
    assert "audit.unwritten" in caplog.text


class TestWithoutAddresses:
    @pytest.fixture
    def settings(self) -> dict[str, object]:
        return {"retention__audit_addresses": False}

    async def test_none_are_kept(self, acme: Client) -> None:
        assert [each["address"] for each in await told(acme)] == [None]


async def test_the_log_is_written_as_lines_and_as_a_table(acme: Client, server: Server) -> None:
    await acme.post("/event-type", {"name": "a.b", "description": ""})
    await acme.post("/app", {"name": "Formula", "uid": "x"})

    async def run(*arguments: str) -> str:
        options = ("--url", server.url, "--token", str(acme.token))
        done = await asyncio.to_thread(command, *arguments, *options)
        assert (done.code, done.err) == (0, "")
        return done.out

    lines = (await run("audit", "export")).splitlines()
    assert [json.loads(line)["action"] for line in lines] == [
        "application.create",
        "event-type.create",
        "application.create",
    ]
    table = list(csv.reader(io.StringIO(await run("audit", "export", "--format", "csv"))))
    assert table[0][:3] == ["id", "timestamp", "applicationId"]
    assert [row[table[0].index("changes")] for row in table[1:]] == ["name, uid", "description, name", "name, uid"]
    shown = await run("audit", "list")
    assert "event-type.create" in shown


async def test_a_link_for_operators_opens_once_and_shows_everything(acme: Client) -> None:
    url = (await acme.post("/auth/operator-access", {})).json["url"]
    key = url.partition("#key=")[2]
    session = (await acme.with_token(None).post("/auth/portal-session", {"key": key})).json
    assert (session["applicationId"], session["capabilities"]) == (None, None)
    operator = acme.with_token(session["token"])
    overview = (await operator.get("/operator/overview")).json
    assert (overview["figures"]["applications"], overview["engines"]) == (1, [])
    [found] = (await operator.get("/operator/find?text=ACME")).json["data"]
    assert (found["kind"], found["detail"]) == ("application", "acme")
    assert (await acme.with_token(None).post("/auth/portal-session", {"key": key})).status == 401
    for expiry in (60, -1, 10**30):
        assert (await acme.post("/auth/operator-access", {"expiry": expiry})).status in (400, 422), expiry


def test_what_is_not_told_of_are_operations_that_there_are() -> None:
    assert {route.operation for route in ROUTES} >= UNAUDITED
    assert not [route for route in ROUTES if route.method == "GET" and route.audited]


def test_values_are_told_only_where_they_can_hold_no_secret() -> None:
    class Body(msgspec.Struct, rename="camel"):
        some_text: str = ""
        some_flag: bool = False
        some_number: int | None = 5
        some_list: list[str] = []

    assert list(changes_of(Body("hush", True, None, ["hush"]))) == [
        "someText",
        "someFlag = true",
        "someNumber = null",
        "someList",
    ]
    assert list(changes_of(Body())) == []
