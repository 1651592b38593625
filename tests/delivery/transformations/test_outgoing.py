"""What a transformation may make of a request."""

from __future__ import annotations

from typing import Any

import pytest

from webhook_engine.delivery.transformations.outgoing import OutgoingWebhook, Transformed, is_json, transformed
from webhook_engine.errors import ValidationError

BEFORE = b'{ "n" : 1.50, "name": "caf\\u00e9" }'


def outgoing(**changes: Any) -> OutgoingWebhook:
    given: dict[str, Any] = {
        "payload": {"n": 1.5, "name": "café"},
        "headers": {"X-Own": "1"},
        "url": "https://a.example/hook",
        "event_type": "invoice.paid",
        "message_id": "msg_1",
        "endpoint_id": "ep_1",
        "application_id": "app_1",
    }
    return OutgoingWebhook(**(given | changes))


def result(**changes: Any) -> Transformed:
    made = transformed(BEFORE, outgoing(**changes), https_only=False)
    assert made is not None
    return made


def test_what_is_left_as_it_was_is_sent_in_the_same_bytes() -> None:
    assert result() == Transformed(BEFORE, None, "https://a.example/hook", "POST", {"X-Own": "1"})


@pytest.mark.parametrize(
    ("payload", "body"),
    [
        ({"n": 2, "name": "café"}, '{"n":2,"name":"café"}'.encode()),
        ({"n": True, "name": "café"}, '{"n":true,"name":"café"}'.encode()),
        ([1], b"[1]"),
        (b"<xml/>", b"<xml/>"),
        ("text", b"text"),
        (b"", b""),
    ],
)
def test_a_changed_payload_is_sent_as_json_or_as_it_stands(payload: object, body: bytes) -> None:
    assert result(payload=payload).body == body


def test_all_else_may_be_changed() -> None:
    made = result(url="HTTPS://B.example/x", method="PUT", headers={"Authorization": "x"}, content_type="text/xml")
    assert made == Transformed(BEFORE, "text/xml", "https://b.example/x", "PUT", {"Authorization": "x"})


def test_it_may_be_cancelled() -> None:
    assert transformed(BEFORE, outgoing(cancel=True, url="nonsense"), https_only=False) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("url", "ftp://a.example/"),
        ("url", "https://user:password@a.example/"),
        ("url", 7),
        ("method", "GET"),
        ("method", "POST / HTTP/1.1\r\n"),
        ("headers", {"webhook-signature": "v1,x"}),
        ("headers", {"X": "a\r\nb: c"}),
        ("headers", None),
        ("payload", {"n": float("nan")}),
        ("payload", {"n": object()}),
        ("payload", None),
        ("payload", 7),
        ("payload", b"x" * 2_000_001),
        ("content_type", "a\r\nb"),
        ("cancel", "yes"),
    ],
)
def test_what_may_not_be_sent_says_which_part(field: str, value: object) -> None:
    with pytest.raises(ValidationError) as raised:
        transformed(BEFORE, outgoing(**{field: value}), https_only=False)
    assert raised.value.field.startswith(field)


def test_a_url_must_be_as_safe_as_endpoints_are() -> None:
    with pytest.raises(ValidationError, match="https_only"):
        transformed(BEFORE, outgoing(url="http://a.example/"), https_only=True)


@pytest.mark.parametrize(
    ("content_type", "json"),
    [
        (None, True),
        ("application/json; charset=utf-8", True),
        ("application/cloudevents+json", True),
        ("text/xml", False),
    ],
)
def test_json_is_told_by_its_content_type(content_type: str | None, json: bool) -> None:
    assert is_json(content_type) is json
