"""Idempotency keys over HTTP: whose answers they give, and what becomes of a key that comes again with another body."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from api_clients import JWT_SECRET, Client, Tokens

from webhook_engine import Engine
from webhook_engine.server import idempotency

FIRST = {"eventType": "a", "payload": {"n": 1}, "eventId": "event-1"}
SECOND = {"eventType": "a", "payload": {"n": 2}, "eventId": "event-2"}
KEY = {"idempotency-key": "one and the same"}


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    seen: list[dict[str, Any]] = []

    class Log:
        def warning(self, event: str, **values: Any) -> None:
            seen.append({"event": event, **values})

    monkeypatch.setattr(idempotency, "log", Log())
    return seen


async def test_the_token_of_a_deleted_application_gets_no_kept_answer(acme: Client, tokens: Tokens) -> None:
    application = (await acme.get("/app/acme")).json["id"]
    consumer = acme.with_token(tokens.application(application))
    body = {"url": "https://example.com", "secret": None}
    made = await consumer.post("/app/acme/endpoint", body, headers=KEY)
    again = await consumer.post("/app/acme/endpoint", body, headers=KEY)
    assert (made.status, again.status, again.text) == (201, 201, made.text)
    secret = await consumer.post(f"/app/acme/endpoint/{made.json['id']}/secret/rotate", {}, headers=KEY)
    assert "key" in secret.json
    assert (await acme.delete("/app/acme")).status == 204
    for path, sent in (
        ("/app/acme/endpoint", body),
        (f"/app/{application}/endpoint", body),
        (f"/app/acme/endpoint/{made.json['id']}/secret/rotate", {}),
    ):
        late = await consumer.post(path, sent, headers=KEY)
        assert (late.status, "whsec_" in late.text, made.json["id"] in late.text) == (404, False, False)


async def test_another_body_gets_the_first_answer_and_a_warning_with_both_ids(
    acme: Client, warnings: list[dict[str, Any]]
) -> None:
    first = await acme.post("/app/acme/msg", FIRST, headers=KEY)
    same = await acme.post("/app/acme/msg", FIRST, headers=KEY)
    assert (same.status, same.text) == (202, first.text)
    assert warnings == []
    other = await acme.post("/app/acme/msg", SECOND, headers=KEY)
    assert (other.status, other.text) == (202, first.text)
    [warning] = warnings
    assert warning == {
        "event": "idempotency.other_body",
        "first": first.json["id"],
        "first_event_id": "event-1",
        "second": None,
        "second_event_id": "event-2",
        "refused": False,
    }
    assert (await acme.get("/app/acme/msg/event-2")).status == 404


async def test_a_warning_comes_for_every_kind_of_request(acme: Client, warnings: list[dict[str, Any]]) -> None:
    for path, bodies in {
        "/app": [{"name": "One", "uid": "one"}, {"name": "Two", "uid": "two"}],
        "/app/acme/endpoint": [{"url": "https://example.com/1"}, {"url": "https://example.com/2", "uid": "e"}],
        "/event-type": [{"name": "one", "description": ""}, {"name": "two", "description": ""}],
    }.items():
        for body in bodies:
            assert (await acme.post(path, body, headers=KEY)).status == 201
    assert [warning["second"] for warning in warnings] == ["two", "e", "two"]


async def test_a_failure_is_not_kept_so_another_body_is_welcome(acme: Client, warnings: list[dict[str, Any]]) -> None:
    assert (await acme.post("/app/acme/msg", {"eventType": "a"}, headers=KEY)).status == 422
    assert (await acme.post("/app/acme/msg", SECOND, headers=KEY)).status == 202
    assert warnings == []


async def test_it_is_noticed_over_a_restart_and_among_concurrent_requests(
    tmp_path: Path, session: aiohttp.ClientSession, tokens: Tokens, warnings: list[dict[str, Any]]
) -> None:
    token = tokens.organization()
    settings = {"auth__jwt_secret": JWT_SECRET}
    async with Engine.open(tmp_path / "w.db", **settings) as engine, engine.serve("127.0.0.1:0") as server:
        client = Client(session, server.url, token)
        await client.post("/app", {"name": "Acme", "uid": "acme"})
        answers = await asyncio.gather(
            *(client.post("/app/acme/msg", body, headers=KEY) for body in (FIRST, SECOND) for _ in range(5))
        )
        assert len({answer.text for answer in answers}) == 1
        assert len(warnings) == 5
        warnings.clear()
    async with Engine.open(tmp_path / "w.db", **settings) as engine, engine.serve("127.0.0.1:0") as server:
        client = Client(session, server.url, token)
        won, lost = (FIRST, SECOND) if "event-1" in answers[0].text else (SECOND, FIRST)
        assert (await client.post("/app/acme/msg", won, headers=KEY)).text == answers[0].text
        assert warnings == []
        assert (await client.post("/app/acme/msg", lost, headers=KEY)).text == answers[0].text
        assert len(warnings) == 1


class TestStrict:
    @pytest.fixture
    def settings(self) -> dict[str, object]:
        return {"server__strict_idempotency": True}

    async def test_another_body_is_refused(self, acme: Client, warnings: list[dict[str, Any]]) -> None:
        first = await acme.post("/app/acme/msg", FIRST, headers=KEY)
        refused = await acme.post("/app/acme/msg", SECOND, headers=KEY)
        assert refused.status == 422
        assert refused.json["detail"][0]["loc"] == ["header", "idempotency-key"]
        assert warnings[0]["refused"] is True
        assert (await acme.post("/app/acme/msg", FIRST, headers=KEY)).text == first.text
        assert (await acme.post("/app/acme/msg", SECOND)).status == 202
