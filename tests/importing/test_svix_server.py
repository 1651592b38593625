"""A Svix server's API, with answers as the contract has them; and what happens when it is another server."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from importing.conftest import TOKEN, EngineTarget, Recorded, counts, notes, taken

from webhook_engine import SyncEngine
from webhook_engine.clock import from_datetime
from webhook_engine.ids import IdSource
from webhook_engine.importing.http_server import HttpServer
from webhook_engine.importing.source import SourceError
from webhook_engine.importing.svix_server import NO_PRIVATE_KEY, SvixServer
from webhook_engine.importing.transfer import Report

NOW = datetime.now(UTC)
STAMP = NOW.isoformat().replace("+00:00", "Z")
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def listed(items: list[dict[str, Any]], size: int, key: str = "id") -> Any:
    """A list with pages of its own size, as ``iterator`` asks for."""

    def answer(query: dict[str, str]) -> dict[str, Any]:
        keys = [item[key] for item in items]
        start = keys.index(query["iterator"]) + 1 if "iterator" in query else 0
        page = items[start : start + size]
        return {
            "data": page,
            "iterator": page[-1][key] if page else None,
            "prevIterator": f"-{page[0][key]}" if page else None,
            "done": start + size >= len(items),
        }

    return answer


def fill(recorded: Recorded, apps: int = 3) -> dict[str, str]:
    """Applications, of which the first has two endpoints and three messages."""
    ids = IdSource()
    made = [ids.new("app_", from_datetime(NOW - timedelta(days=1))) for _ in range(apps)]
    first, second = (ids.new("ep_", from_datetime(NOW - timedelta(days=1))) for _ in range(2))
    messages = [ids.new("msg_", from_datetime(NOW - timedelta(days=day))) for day in (9, 2, 1)]
    answers = recorded.answers
    answers["/api/v1/event-type"] = listed(
        [
            {
                "name": name,
                "description": "Words",
                "archived": name == "old",
                "deprecated": False,
                "schemas": {"1": {"type": "object"}},
                "createdAt": STAMP,
                "updatedAt": STAMP,
                "featureFlag": "beta" if name == "old" else None,
            }
            for name in ("invoice.paid", "old")
        ],
        1,
        "name",
    )
    answers["/api/v1/app"] = listed(
        [
            {
                "uid": f"uid-{place}",
                "name": f"App {place}",
                "throttleRate": 5,
                "rateLimit": 5,
                "id": app,
                "createdAt": STAMP,
                "updatedAt": STAMP,
                "metadata": {"a": "b"},
            }
            for place, app in enumerate(made)
        ],
        2,
    )
    for app in made:
        answers[f"/api/v1/app/{app}/endpoint"] = listed([], 2)
        answers[f"/api/v1/app/{app}/msg"] = listed([], 2)
    answers[f"/api/v1/app/{made[0]}/endpoint"] = listed(
        [
            {
                "description": "",
                "rateLimit": None,
                "throttleRate": None,
                "uid": None,
                "url": f"https://example.com/{endpoint}",
                "version": 1,
                "disabled": endpoint == second,
                "eventTypes": ["old"],
                "filterTypes": ["old"],
                "channels": None,
                "createdAt": STAMP,
                "updatedAt": STAMP,
                "id": endpoint,
                "metadata": {},
            }
            for endpoint in (first, second)
        ],
        1,
    )
    for endpoint, key in ((first, SECRET), (second, "whpk_" + SECRET[6:])):
        base = f"/api/v1/app/{made[0]}/endpoint/{endpoint}"
        answers[f"{base}/secret"] = lambda query, key=key: {"key": key}
        answers[f"{base}/headers"] = lambda query: {"headers": {"X-One": "1"}, "sensitive": ["Authorization"]}
    answers[f"/api/v1/app/{made[0]}/msg"] = listed(
        [
            {
                "eventId": f"e-{place}",
                "eventType": "invoice.paid",
                "payload": {"expired": True} if place == 1 else {"a": 1, "b": 2.0},
                "channels": ["a"],
                "id": message,
                "timestamp": (NOW - timedelta(days=day)).isoformat(),
            }
            for place, (message, day) in enumerate(zip(messages[::-1], (1, 2, 9), strict=True))
        ],
        2,
    )
    return {"app": made[0], "first": first, "second": second, "newest": messages[-1], "expired": messages[1]}


def read(recorded: Recorded, target: EngineTarget, token: str = TOKEN, url: str = "", **more: Any) -> Report:
    with HttpServer("Svix", url or recorded.url, token, pause_s=0.001) as server:
        return taken(SvixServer(server), target, **more)


def test_everything_comes_along(recorded: Recorded, engine: SyncEngine, target: EngineTarget) -> None:
    made = fill(recorded)
    since = NOW - timedelta(days=5)
    planned = read(recorded, target, dry_run=True, messages_since=since)
    assert engine.event_types.list(include_archived=True).data == []
    report = read(recorded, target, messages_since=since)
    assert counts(report) == {
        "event type": {"created": 2},
        "application": {"created": 3},
        "endpoint": {"created": 2},
        "message": {"created": 1},
    }
    assert (counts(planned), notes(planned)) == (counts(report), notes(report))
    assert [app.uid for app in engine.applications.iterate()] == ["uid-0", "uid-1", "uid-2"]
    endpoint = engine.endpoints.get(made["app"], made["first"])
    assert (endpoint.event_types, endpoint.disabled) == (("old",), False)
    assert engine.endpoints.get_secret(made["app"], made["first"]) == SECRET
    assert engine.endpoints.get_headers(made["app"], made["first"]).headers == {"X-One": "1"}
    assert engine.endpoints.get(made["app"], made["second"]).disabled
    assert engine.messages.get("uid-0", "e-0").payload == b'{"a": 1, "b": 2.0}'
    told = notes(report)
    assert told[NO_PRIVATE_KEY] == [made["second"]]
    assert [made["expired"]] in told.values()
    assert any("hidden by the API" in text for text in told)
    assert counts(read(recorded, target, messages_since=since)) == {
        "event type": {"same": 2},
        "application": {"same": 3},
        "endpoint": {"same": 2},
        "message": {"same": 1},
    }


def test_what_changed_there_is_told_and_updated(recorded: Recorded, engine: SyncEngine, target: EngineTarget) -> None:
    made = fill(recorded)
    read(recorded, target)
    recorded.answers[f"/api/v1/app/{made['app']}/endpoint/{made['first']}/secret"] = lambda query: {
        "key": "whsec_" + "B" * 32
    }
    report = read(recorded, target)
    [different] = report.different
    assert (different.key, different.differs) == (made["first"], ("secret",))
    assert counts(read(recorded, target, update=True))["endpoint"] == {"updated": 1, "same": 1}
    assert engine.endpoints.get_secret(made["app"], made["first"]) == "whsec_" + "B" * 32


def test_a_page_that_breaks_off_is_named_and_it_goes_on_from_there(
    recorded: Recorded, engine: SyncEngine, target: EngineTarget
) -> None:
    made = fill(recorded)
    path = f"/api/v1/app/{made['app']}/endpoint"
    whole = recorded.answers[path]

    def broken(query: dict[str, str]) -> Any:
        return json.dumps(whole(query)).encode()[:-20] if "iterator" in query else whole(query)

    recorded.answers[path] = broken
    with pytest.raises(SourceError, match=f"{recorded.url}{path}: did not answer as a Svix server does") as caught:
        read(recorded, target)
    assert "its answer whole" in str(caught.value)
    recorded.answers[path] = lambda query: (500, b"{}")
    with pytest.raises(SourceError, match="answered 500; run the command again"):
        read(recorded, target)
    recorded.answers[path] = whole
    report = read(recorded, target)
    assert report.complete
    assert sum(1 for _ in engine.endpoints.iterate("uid-0")) == 2


def test_a_server_that_is_busy_for_a_moment_is_asked_again(recorded: Recorded, target: EngineTarget) -> None:
    fill(recorded)
    whole, refusals = recorded.answers["/api/v1/app"], iter([429, 503, 502])

    def busy(query: dict[str, str]) -> Any:
        status = next(refusals, None)
        return whole(query) if status is None else (status, b"")

    recorded.answers["/api/v1/app"] = busy
    assert read(recorded, target).complete


def test_bad_input_is_named_with_a_way_out(recorded: Recorded, target: EngineTarget) -> None:
    fill(recorded)
    with pytest.raises(SourceError, match=r"does not accept the token \(401 for /api/v1/event-type\); --from-token"):
        read(recorded, target, token="wrong")
    with pytest.raises(SourceError, match=r"is .* the address of a Svix server"):
        read(recorded, target, url=f"{recorded.url}/api")
    with pytest.raises(SourceError, match="must begin with http"):
        read(recorded, target, url="svix.example.com")
    with pytest.raises(SourceError, match=r"no Svix server answers at http://127.0.0.1:1/.*refused"):
        read(recorded, target, url="http://127.0.0.1:1")
    with pytest.raises(SourceError, match="this is no URL"):
        read(recorded, target, url="http://[")
    recorded.answers["/api/v1/event-type"] = lambda query: {"models": [], "pagination": {}}
    with pytest.raises(SourceError, match=r"did not answer as a Svix server does .*`data`"):
        read(recorded, target)
    recorded.answers["/api/v1/event-type"] = lambda query: (302, b"")
    with pytest.raises(SourceError, match="answered 302"):
        read(recorded, target)
