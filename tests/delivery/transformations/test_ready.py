"""Messages for chat programs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from delivery.transformations.test_outgoing import outgoing

from webhook_engine.delivery.transformations.ready import READY

PAYLOAD = {"type": "invoice.paid", "data": {"id": "inv_1", "customer": {"name": "<A & B> @here"}, "lines": [1, 2]}}


def sent(name: str, payload: object = PAYLOAD, **more: Any) -> Any:
    webhook = outgoing(payload=payload, **more)
    assert READY[name](webhook) is None
    assert (webhook.method, webhook.content_type) == ("POST", None)
    return webhook.payload


def test_slack_gets_a_text_and_blocks_in_which_nothing_is_a_mention() -> None:
    assert sent("slack") == {
        "text": "invoice.paid",
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": "invoice.paid"}},
            {
                "type": "section",
                "text": {
                    "type": "mrkdwn",
                    "text": "*id*: inv_1\n*customer.name*: &lt;A &amp; B&gt; @here\n*lines*: [1,2]",
                },
            },
        ],
    }


def test_discord_gets_an_embed_that_mentions_nobody() -> None:
    said = sent("discord")
    assert said["allowed_mentions"] == {"parse": []}
    [embed] = said["embeds"]
    assert embed["title"] == "invoice.paid"
    assert embed["description"].splitlines()[0] == "**id**: inv\\_1"


def test_teams_gets_an_adaptive_card() -> None:
    said = sent("teams")
    [attachment] = said["attachments"]
    assert (said["type"], attachment["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    heading, facts = card["body"]
    assert heading["text"] == "invoice.paid"
    assert [fact["title"] for fact in facts["facts"]] == ["id", "customer.name", "lines"]


@pytest.mark.parametrize("name", list(READY))
@pytest.mark.parametrize(
    "payload",
    [
        {},
        [],
        {"data": {}},
        b"\xff<xml/>",
        {f"key{n}": "x" * 10_000 for n in range(1000)},
        {"a": {"b": {"c": {"d": {"e": [None, True, 1.5]}}}}},
    ],
)
def test_whatever_the_payload_is_the_limits_of_the_program_are_kept(name: str, payload: object) -> None:
    said = sent(name, payload, event_type="e" * 256)
    assert len(json.dumps(said)) < 28_000
    if name == "slack":
        header, *sections = said["blocks"]
        assert len(header["text"]["text"]) <= 150
        assert all(0 < len(section["text"]["text"]) <= 3_000 for section in sections)
    if name == "discord":
        [embed] = said["embeds"]
        assert len(embed["title"]) <= 256
        assert len(embed["description"]) <= 4_096
