"""What of Convoy becomes of what, and what is lost."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from webhook_engine.importing.convoy_records import endpoint, event_type, messages, require_outgoing
from webhook_engine.importing.source import Item, Note, SourceError
from webhook_engine.resources.imported import ImportedEndpoint

SECRET = "a-secret-of-25-characters"


def converted(found: dict[str, Any], *subscriptions: dict[str, Any]) -> tuple[ImportedEndpoint, list[str]]:
    base = {"uid": "E1", "url": "https://example.com", "secrets": [{"value": SECRET, "expires_at": None}]}
    items: list[Item] = list(endpoint({**base, **found}, subscriptions, "P1"))
    made = items[-1]
    assert isinstance(made, ImportedEndpoint)
    return made, [one.text for one in items if isinstance(one, Note)]


ALL = {"type": "api", "filter_config": {"event_types": ["*"]}}


def test_subscriptions_are_the_filter() -> None:
    a = {"type": "api", "filter_config": {"event_types": ["a", "b"]}}
    c = {"type": "api", "filter_config": {"event_types": ["c"]}}
    assert converted({}, a, c)[0].event_types == ("a", "b", "c")
    assert converted({}, a, ALL)[0].event_types is None
    assert not converted({}, a)[0].disabled
    none, told = converted({}, {**a, "type": "cli"})
    assert none.disabled
    assert any("no subscription" in text for text in told)


def test_secrets_that_expire_are_old_keys() -> None:
    secrets = [
        {"value": "gone", "deleted_at": "2030-01-01T00:00:00Z"},
        {"value": SECRET[::-1], "expires_at": "2031-01-01T00:00:00Z"},
        {"value": SECRET, "expires_at": None, "deleted_at": None},
    ]
    made, told = converted({"secrets": secrets}, ALL)
    assert made.secret == "whsec_" + base64.b64encode(SECRET.encode()).decode()
    assert [key.expires_at.year for key in made.old_keys or ()] == [2031]
    assert told == []
    made, told = converted({"secrets": [{"value": "short"}]}, ALL)
    assert made.secret is None
    assert any("a new one is made" in text for text in told)


@pytest.mark.parametrize(
    ("authentication", "headers", "lost"),
    [
        ({"type": "api_key", "api_key": {"header_name": "X-Key", "header_value": "k"}}, {"X-Key": "k"}, False),
        (
            {"type": "basic_auth", "basic_auth": {"username": "u", "password": "p"}},
            {"Authorization": "Basic dTpw"},
            False,
        ),
        ({"type": "oauth2"}, {}, True),
        ({"type": "api_key", "api_key": {"header_name": "webhook-id", "header_value": "k"}}, {}, True),
        (None, {}, False),
    ],
)
def test_authentication_is_a_header(authentication: Any, headers: dict[str, str], lost: bool) -> None:
    made, told = converted({"authentication": authentication}, ALL)
    assert (made.headers, bool(told)) == (headers, lost)


@pytest.mark.parametrize(
    ("found", "subscription", "text"),
    [
        ({}, {"filter_config": {"event_types": ["*"], "filter": {"headers": {"a": 1}}}}, "filters by headers"),
        ({}, {"filter_config_event_types": ["*"], "filter_config_filter_headers": {"a": 1}}, "filters by headers"),
        ({}, {"filter_config": {"filter": {"body": {"a": {"$regex": "x"}}}}}, "$regex"),
        ({}, {"function": "function f() {}"}, "transformation"),
        ({}, {"retry_config": {"retry_count": 3}}, "retries of its own"),
        ({"slack_webhook_url": "https://example.com"}, {}, "Slack"),
        ({"rate_limit": 1, "rate_limit_duration": 60}, {}, "rounded up"),
    ],
)
def test_what_is_lost_is_said(found: dict[str, Any], subscription: dict[str, Any], text: str) -> None:
    made, told = converted(found, {"type": "api", **subscription})
    assert [one for one in told if text in one], told
    assert made.event_types is None


@pytest.mark.parametrize(("status", "disabled"), [("active", False), ("inactive", True), ("paused", True)])
def test_the_state_comes_along(status: str, disabled: bool) -> None:
    assert converted({"status": status}, ALL)[0].disabled is disabled


def test_event_types() -> None:
    assert list(event_type({"name": "*"})) == []
    note, made = event_type({"name": "a", "category": "In words", "deprecated_at": "2030-01-01T00:00:00Z"})
    assert isinstance(note, Note)
    assert getattr(made, "deprecated", False)


def test_an_event_without_a_payload_is_left_out() -> None:
    [note] = messages({"uid": "V", "event_type": "a", "created_at": "2030-01-01T00:00:00Z"}, {}, b"")
    assert isinstance(note, Note)


def test_a_project_that_receives_is_refused() -> None:
    require_outgoing({"type": "outgoing"})
    with pytest.raises(SourceError, match="incoming"):
        require_outgoing({"type": "incoming", "name": "In"})


def test_a_filter_comes_along_where_it_means_the_same_for_the_whole_endpoint() -> None:
    body: dict[str, Any] = {"filter_config": {"event_types": ["*"], "filter": {"body": {"a": {"$gt": 1}}}}}
    column: dict[str, Any] = {"filter_config_event_types": ["*"], "filter_config_filter_body": {"a": {"$gt": 1}}}
    for subscriptions in ([body], [column], [body, column]):
        made, told = converted({}, *subscriptions)
        assert made.options == {"filter": {"a": {"$gt": 1}}}
        assert any("filter is taken over" in text for text in told)
    made, told = converted({}, body, ALL)
    assert made.options == {}
    assert any("different filters" in text for text in told)
