"""An Outpost server's API."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from importing.conftest import TOKEN, EngineTarget, Recorded, counts, notes, taken

from webhook_engine import SyncEngine
from webhook_engine.importing.http_server import HttpServer
from webhook_engine.importing.outpost_server import OutpostServer
from webhook_engine.importing.source import SourceError
from webhook_engine.importing.transfer import Report

NOW = datetime.now(UTC)
STAMP = NOW.isoformat().replace("+00:00", "Z")
WHSEC = "whsec_" + base64.b64encode(b"k" * 24).decode()


def paged(items: list[dict[str, Any]], size: int = 1) -> Any:
    def answer(query: dict[str, str]) -> dict[str, Any]:
        start = int(query.get("next", "0"))
        following = str(start + size) if start + size < len(items) else None
        return {"models": items[start : start + size], "pagination": {"limit": size, "next": following, "prev": None}}

    return answer


def webhook(uid: str, **more: Any) -> dict[str, Any]:
    return {
        "id": uid,
        "type": "webhook",
        "topics": ["*"],
        "filter": None,
        "disabled_at": None,
        "created_at": STAMP,
        "updated_at": STAMP,
        "config": {"url": "https://example.com/hook"},
        "credentials": {"secret": WHSEC},
        "metadata": {"team": "one"},
        **more,
    }


def fill(recorded: Recorded) -> None:
    answers = recorded.answers
    answers["/api/v1/tenants"] = paged(
        [
            {"id": name, "destinations_count": 1, "topics": [], "metadata": {"k": "v"}, "created_at": STAMP}
            for name in ("acme", "a@example.com")
        ]
    )
    answers["/api/v1/topics"] = lambda query: ["user.created", "user.deleted", "order.paid"]
    answers["/api/v1/tenants/acme/destinations"] = lambda query: [
        webhook(
            "des_1",
            topics=["user.*", "*.paid"],
            config={"url": "https://example.com/hook", "custom_headers": json.dumps({"x-one": "1", "Webhook-Id": "2"})},
            credentials={
                "secret": WHSEC,
                "previous_secret": "p" * 30,
                "previous_secret_invalid_at": (NOW + timedelta(hours=3)).isoformat(),
            },
            filter={"data": {"amount": {"$gte": 1}}},
            delivery_metadata={"a": "b"},
        ),
        webhook("des_2", disabled_at=STAMP, credentials={"secret": "short"}, filter={"topic": {"$neq": "a"}}),
        {**webhook("des_3"), "type": "aws_sqs", "config": {"queue_url": "x"}},
    ]
    answers["/api/v1/tenants/a%40example.com/destinations"] = lambda query: [webhook("des_4", topics=["none.*"])]
    answers["/api/v1/events"] = lambda query: paged(
        [
            {"id": f"evt_{n}", "tenant_id": "acme", "topic": "order.paid", "time": STAMP, "data": {"n": n}}
            for n in range(3)
            if query["tenant_id"] == "acme"
        ]
    )(query)


def read(recorded: Recorded, target: EngineTarget, token: str = TOKEN, path: str = "", **more: Any) -> Report:
    with HttpServer("Outpost", recorded.url + path, token, pause_s=0.001) as server:
        return taken(OutpostServer(server), target, **more)


def test_everything_comes_along(recorded: Recorded, engine: SyncEngine, target: EngineTarget) -> None:
    fill(recorded)
    since = NOW - timedelta(days=1)
    planned = read(recorded, target, dry_run=True, messages_since=since)
    report = read(recorded, target, messages_since=since)
    assert counts(planned) == counts(report) == {
        "event type": {"created": 3},
        "application": {"created": 2},
        "endpoint": {"created": 3},
        "message": {"created": 3},
    }  # fmt: skip
    assert [app.name for app in engine.applications.iterate()] == ["acme", "a@example.com"]
    endpoint = engine.endpoints.get("acme", "des_1")
    assert endpoint.event_types == ("order.paid", "user.*")
    assert endpoint.metadata == {"team": "one"}
    assert endpoint.filter == {"amount": {"$gte": 1}}
    assert engine.endpoints.get_secret("acme", "des_1") == WHSEC
    assert engine.endpoints.get_headers("acme", "des_1").headers == {"x-one": "1"}
    [batch] = [one for one in target.batches if one.endpoints][-1:]
    assert len(batch.endpoints[0].old_keys or ()) == 1
    assert engine.endpoints.get("acme", "des_2").disabled
    other = next(app for app in engine.applications.iterate() if app.uid != "acme")
    assert engine.endpoints.get(other.id, "des_4").disabled
    assert engine.messages.get("acme", "evt_1").payload == b'{"n": 1}'
    told = " ".join(notes(report))
    for text in (
        "kind aws_sqs",
        "filter is taken over",
        "filter that cannot be said here (topic of an event",
        "delivery metadata",
        "a new one is made",
        "by a pattern",
        "uid here",
    ):
        assert text in told
    assert {s for found in counts(read(recorded, target, messages_since=since)).values() for s in found} == {"same"}


def test_an_older_version_has_topics_by_tenant(recorded: Recorded, engine: SyncEngine, target: EngineTarget) -> None:
    fill(recorded)
    recorded.answers["/api/v1/tenants/acme/topics"] = recorded.answers.pop("/api/v1/topics")
    assert counts(read(recorded, target))["event type"] == {"created": 3}


def test_the_hosted_service_has_its_api_elsewhere(recorded: Recorded, target: EngineTarget) -> None:
    fill(recorded)
    for path in list(recorded.answers):
        recorded.answers[path.replace("/api/v1", "/2025-07-01")] = recorded.answers.pop(path)
    assert counts(read(recorded, target, path="/2025-07-01"))["endpoint"] == {"created": 3}


def test_what_is_older_than_asked_for_is_left_out(recorded: Recorded, target: EngineTarget) -> None:
    fill(recorded)
    assert "message" not in counts(read(recorded, target, messages_since=NOW + timedelta(hours=1)))


def test_bad_input_is_named(recorded: Recorded, target: EngineTarget) -> None:
    fill(recorded)
    with pytest.raises(SourceError, match="does not accept the token"):
        read(recorded, target, "wrong")
    recorded.answers["/api/v1/tenants"] = lambda query: {"data": [], "done": True}
    with pytest.raises(SourceError, match="did not answer as an Outpost server does"):
        read(recorded, target)
