"""What an e-mail says of events."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook_engine.delivery.mail.letters import CONFIRM, TEST, LetterLinks, letter_of
from webhook_engine.rules.alerts import ALERTS

DATA = {
    "appId": "app_1",
    "appName": "Acme",
    "endpointId": "ep_1",
    "endpointUrl": "https://example.com/hook",
    "failSince": "2030-01-01T09:30:00Z",
    "waitingSince": "2030-01-02T10:00:00Z",
    "msgId": "msg_1",
}
LINKS = LetterLinks(unsubscribe="https://hooks.example.com/u", confirm="https://hooks.example.com/c")


def event(kind: str, **data: Any) -> dict[str, Any]:
    return {"type": kind, "data": {**DATA, **data}}


def body(*events: dict[str, Any]) -> bytes:
    if len(events) == 1:
        return json.dumps(events[0]).encode()
    return json.dumps([{"id": f"msg_{n}", "payload": one} for n, one in enumerate(events)]).encode()


@pytest.mark.parametrize(
    ("kind", "subject", "part"),
    [
        ("endpoint.failing", "Failing: https://example.com/hook of Acme", "has failed since 2030-01-01 09:30 UTC"),
        ("endpoint.disabled", "Disabled: https://example.com/hook of Acme", "Nothing more is sent to it"),
        ("endpoint.recovered", "Recovered: https://example.com/hook of Acme", "takes messages again"),
        ("endpoint.backlog", "Behind: https://example.com/hook of Acme", "due at 2030-01-02 10:00 UTC"),
        ("message.attempt.exhausted", "Not delivered: msg_1", "retries are used up"),
        (TEST, "Test: alerts about webhooks of Acme", "This is a test"),
        (CONFIRM, "Confirm alerts about webhooks", "https://hooks.example.com/c"),
        ("something.new", "something.new", '"endpointId": "ep_1"'),
    ],
)
def test_one_event(kind: str, subject: str, part: str) -> None:
    letter = letter_of(body(event(kind)), LINKS)
    assert letter.subject == subject
    assert part in letter.text


def test_every_alert_has_words_of_its_own() -> None:
    for kind in ALERTS:
        assert letter_of(body(event(kind)), LINKS).subject != kind


def test_several_events_are_one_letter_and_too_many_are_counted() -> None:
    letter = letter_of(body(*[event("endpoint.failing", endpointUrl=f"https://{n}.example") for n in range(60)]), LINKS)
    assert letter.subject == "60 notices about webhook endpoints"
    assert letter.text.count("\n* ") == 50
    assert "and 10 more." in letter.text


def test_a_letter_says_how_to_get_no_more_unless_it_asks_whether_to_send_any() -> None:
    assert "No more such mails: https://hooks.example.com/u" in letter_of(body(event("endpoint.failing")), LINKS).text
    assert "No more such mails" not in letter_of(body(event(CONFIRM)), LINKS).text
    assert "No more such mails" not in letter_of(body(event("endpoint.failing")), LetterLinks()).text


def test_a_template_is_filled() -> None:
    letter = letter_of(body(event("endpoint.failing")), LINKS, "Hello\n${text}\n${unsubscribe_url} $$5")
    assert letter.text.startswith("Hello\nhttps://example.com/hook of Acme has failed")
    assert letter.text.endswith("https://hooks.example.com/u $5\n")


@pytest.mark.parametrize("payload", [b"", b"[]", b"5", b'"x"', b"[1]", b'[{"payload":3}]', b"\xff"])
def test_what_holds_no_event_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError, match="no event"):
        letter_of(payload, LINKS)


@given(st.dictionaries(st.sampled_from([*DATA, "x"]), st.text() | st.integers() | st.none()), st.sampled_from(ALERTS))
def test_whatever_is_in_an_event_the_subject_is_one_short_line(data: dict[str, Any], kind: str) -> None:
    letter = letter_of(json.dumps({"type": kind, "data": data}).encode(), LINKS)
    assert len(letter.subject.splitlines()) <= 1
    assert len(letter.subject) <= 200
