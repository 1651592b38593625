"""A Convoy server's API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from importing.conftest import TOKEN, EngineTarget, Recorded, counts, taken

from webhook_engine import SyncEngine
from webhook_engine.importing.convoy_server import ConvoyServer
from webhook_engine.importing.http_server import HttpServer
from webhook_engine.importing.source import SourceError
from webhook_engine.importing.transfer import Report

NOW = datetime.now(UTC)
STAMP = NOW.isoformat()
BASE = "/api/v1/projects/P1"


def answered(data: Any) -> Any:
    return lambda query: {"status": True, "message": "fetched", "data": data}


def paged(items: list[dict[str, Any]], size: int = 1) -> Any:
    """Pages with cursors: the first element of the next page."""

    def answer(query: dict[str, str]) -> dict[str, Any]:
        found = [one for one in items if "endpointId" not in query or one["endpoint_id"] == query["endpointId"]]
        start = next((n for n, one in enumerate(found) if one["uid"] == query.get("next_page_cursor")), 0)
        following = found[start + size]["uid"] if start + size < len(found) else ""
        pagination = {"per_page": size, "has_next_page": bool(following), "next_page_cursor": following}
        return {
            "status": True,
            "message": "",
            "data": {"content": found[start : start + size], "pagination": pagination},
        }

    return answer


def fill(recorded: Recorded) -> None:
    answers = recorded.answers
    answers[BASE] = answered({"uid": "P1", "name": "Shop", "type": "outgoing", "created_at": STAMP})
    answers[f"{BASE}/event-types"] = answered(
        [{"uid": "T1", "name": "invoice.paid", "description": "Paid", "category": "billing", "deprecated_at": None}]
    )
    answers[f"{BASE}/endpoints"] = paged(
        [
            {
                "uid": uid,
                "project_id": "P1",
                "owner_id": owner,
                "url": "https://example.com/",
                "name": "Name",
                "secrets": [{"uid": "S1", "value": "a-secret-of-25-characters", "expires_at": None}],
                "description": "",
                "http_timeout": 10,
                "rate_limit": 60,
                "rate_limit_duration": 60,
                "status": "active",
                "authentication": {"type": "api_key", "api_key": {"header_name": "X-Key", "header_value": "k"}},
                "created_at": STAMP,
            }
            for uid, owner in (("E1", "acme"), ("E2", "acme"), ("E3", "a@example.com"))
        ]
    )
    answers[f"{BASE}/subscriptions"] = paged(
        [
            {"uid": f"S-{uid}", "type": "api", "endpoint_id": uid, "filter_config": {"event_types": ["invoice.paid"]}}
            for uid in ("E1", "E2", "E3")
        ]
    )
    answers[f"{BASE}/events"] = paged(
        [
            {
                "uid": uid,
                "event_type": "invoice.paid",
                "endpoints": ["E1", "E3"],
                "data": {"id": 1},
                "raw": '{"id":  1}' if uid == "V1" else "",
                "created_at": STAMP,
            }
            for uid in ("V1", "V2")
        ]
    )


def read(recorded: Recorded, target: EngineTarget, project: str = "P1", token: str = TOKEN, **more: Any) -> Report:
    with HttpServer("Convoy", recorded.url, token, pause_s=0.001) as server:
        return taken(ConvoyServer(server, project), target, **more)


def test_everything_comes_along(recorded: Recorded, engine: SyncEngine, target: EngineTarget) -> None:
    fill(recorded)
    since = NOW - timedelta(days=1)
    planned = read(recorded, target, dry_run=True, messages_since=since)
    report = read(recorded, target, messages_since=since)
    assert counts(planned) == counts(report) == {
        "event type": {"created": 1},
        "application": {"created": 2},
        "endpoint": {"created": 3},
        "message": {"created": 4},
    }  # fmt: skip
    assert engine.event_types.get("invoice.paid").group_name == "billing"
    endpoint = engine.endpoints.get("acme", "E1")
    assert (endpoint.event_types, endpoint.throttle_rate) == (("invoice.paid",), 1)
    assert engine.messages.get("acme", "V1").payload == b'{"id":  1}'
    assert engine.messages.get("acme", "V2").payload == b'{"id": 1}'
    assert {s for found in counts(read(recorded, target, messages_since=since)).values() for s in found} == {"same"}


def test_a_version_without_event_types_has_those_of_its_filters(recorded: Recorded, target: EngineTarget) -> None:
    fill(recorded)
    del recorded.answers[f"{BASE}/event-types"]
    assert counts(read(recorded, target))["event type"] == {"created": 1}


def test_what_is_older_than_asked_for_is_left_out(recorded: Recorded, target: EngineTarget) -> None:
    fill(recorded)
    assert "message" not in counts(read(recorded, target, messages_since=NOW + timedelta(hours=1)))


def test_bad_input_is_named(recorded: Recorded, target: EngineTarget) -> None:
    fill(recorded)
    with pytest.raises(SourceError, match="no project 'P9'"):
        read(recorded, target, "P9")
    with pytest.raises(SourceError, match="does not accept the token"):
        read(recorded, target, token="wrong")
    recorded.answers[BASE] = lambda query: {"id": "app_1", "name": "x"}
    with pytest.raises(SourceError, match="did not answer as a Convoy server does"):
        read(recorded, target)
    recorded.answers[BASE] = answered({"uid": "P1", "name": "In", "type": "incoming"})
    with pytest.raises(SourceError, match="an incoming one"):
        read(recorded, target)
