"""The texts of e-mails about one or several operational events. Pure.

A message is the body of an operational event, ``{"type": …, "data": {…}}``; a batch is the JSON array that an ordered
endpoint gets, with the body as ``payload`` of each element.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from string import Template
from typing import Any, NamedTuple

import msgspec

__all__ = ["CONFIRM", "DEFAULT_TEMPLATE", "MOST_NAMED", "TEST", "Letter", "LetterLinks", "letter_of"]

TEST = "alert.test"
"""The type of a test message of an alert."""

CONFIRM = "alert.confirm"
"""The type of the message that asks an address to confirm its alerts."""

MOST_NAMED = 50
"""Events listed in one e-mail; of further ones only the number is given."""

DEFAULT_TEMPLATE = """\
${subject}

${text}

${portal_line}
${unsubscribe_line}
"""

_SAID: Mapping[str, tuple[str, str]] = {
    "endpoint.failing": (
        "Failing: {where}",
        "{where} has failed since {since}. Messages are tried again; if none succeeds, it will be disabled.",
    ),
    "endpoint.disabled": (
        "Disabled: {where}",
        "{where} was disabled: it has failed since {since}. Nothing more is sent to it until somebody enables it "
        "again; what failed can be recovered then.",
    ),
    "endpoint.recovered": ("Recovered: {where}", "{where}, which had failed since {since}, takes messages again."),
    "endpoint.backlog": (
        "Behind: {where}",
        "{where} does not keep up: messages wait for it that were due at {waiting}.",
    ),
    "endpoint.enabled": ("Enabled: {where}", "{where} was enabled again, and gets messages from now on."),
    "message.attempt.exhausted": (
        "Not delivered: {message}",
        "The message {message} could not be delivered to {where}: its retries are used up. It can be sent again by "
        "hand.",
    ),
    TEST: (
        "Test: alerts about webhooks of {application}",
        "This is a test of the alerts about webhook endpoints of {application}. If something happens to one of them, "
        "you will hear of it here.",
    ),
    CONFIRM: (
        "Confirm alerts about webhooks",
        "Somebody asked for alerts about webhook endpoints of {application} at this address. If it was you, confirm "
        "it:\n\n{confirm}\n\nIf it was not, do nothing, and you will hear nothing more.",
    ),
}
"""Subject and text by type."""


class Letter(NamedTuple):
    """Subject and text of an e-mail."""

    subject: str
    text: str


class LetterLinks(NamedTuple):
    """The links in an e-mail; ``None`` if no server runs."""

    portal: str | None = None
    unsubscribe: str | None = None
    confirm: str | None = None


def letter_of(payload: bytes, links: LetterLinks, template: str = DEFAULT_TEMPLATE) -> Letter:
    """The e-mail about one or several events; raises ``ValueError`` if the payload has none."""
    events = _events(payload)
    said = [_say(event, links) for event in events[:MOST_NAMED]]
    more = len(events) - len(said)
    subject = said[0].subject if len(events) == 1 else f"{len(events)} notices about webhook endpoints"
    text = said[0].text if len(events) == 1 else "\n\n".join(f"* {one.text}" for one in said)
    if more:
        text += f"\n\nand {more} more."
    asking = events[0].get("type") == CONFIRM
    filled = Template(template).safe_substitute(
        subject=subject,
        text=text,
        portal_url=links.portal or "",
        portal_line=f"See your endpoints: {links.portal}" if links.portal and not asking else "",
        unsubscribe_url=links.unsubscribe or "",
        unsubscribe_line=f"No more such mails: {links.unsubscribe}" if links.unsubscribe and not asking else "",
    )
    return Letter(_one_line(subject), filled.strip() + "\n")


def _events(payload: bytes) -> Sequence[Mapping[str, Any]]:
    try:
        decoded = msgspec.json.decode(payload)
    except msgspec.DecodeError as error:
        raise ValueError(f"the message holds no event: {error}") from None
    found = [one.get("payload") for one in decoded if isinstance(one, dict)] if isinstance(decoded, list) else [decoded]
    events = [one for one in found if isinstance(one, dict)]
    if not events:
        raise ValueError("the message holds no event")
    return events


def _say(event: Mapping[str, Any], links: LetterLinks) -> Letter:
    kind, data = str(event.get("type", "")), event.get("data")
    data = data if isinstance(data, dict) else {}
    if kind not in _SAID:
        return Letter(kind or "A message", f"{kind or 'A message'}: {json.dumps(data or event, ensure_ascii=False)}")
    subject, text = _SAID[kind]
    application = data.get("appName") or data.get("appUid") or data.get("appId") or "an application"
    endpoint = data.get("endpointUrl") or data.get("endpointUid") or data.get("endpointId") or "an endpoint"
    places = {
        "application": application,
        "where": f"{endpoint} of {application}",
        "since": _time(data.get("failSince")),
        "waiting": _time(data.get("waitingSince")),
        "message": data.get("msgEventId") or data.get("msgId") or "a message",
        "confirm": links.confirm or "(the address of this server is not known to it)",
    }
    return Letter(subject.format_map(places), text.format_map(places))


def _time(value: object) -> str:
    try:
        return datetime.fromisoformat(str(value)).strftime("%Y-%m-%d %H:%M UTC")
    except ValueError:
        return "some time"


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]
