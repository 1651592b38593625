"""Built-in transformations for chat programs: each converts a message for the program's incoming webhooks. Pure.

A message is shown by its event type, and a line for each of its values; what is too long is cut, with a note. For
another layout, register your own function under the same name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from webhook_engine.delivery.transformations.functions import Function
from webhook_engine.delivery.transformations.outgoing import OutgoingWebhook

__all__ = ["READY", "discord", "slack", "teams"]

MAX_LINES = 20
MAX_VALUE = 200
"""Characters of one value."""
MAX_DEPTH = 3
SLACK_TEXT = 2_900
"""Characters; a section of a block takes 3,000."""
DISCORD_TEXT = 3_900
"""Characters; the description of an embed takes 4,096."""
DISCORD_TITLE = 256
TEAMS_TEXT = 6_000
"""Characters; a whole card takes 28 kB."""


def slack(webhook: OutgoingWebhook) -> None:
    """Convert to Block Kit: a text for notifications, and a header with a section."""
    title, lines = _shown(webhook)
    body = _cut("\n".join(f"*{_slack(name)}*: {_slack(value)}" for name, value in lines), SLACK_TEXT)
    blocks: list[object] = [{"type": "header", "text": {"type": "plain_text", "text": title[:150]}}]
    if body:
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": body}})
    _become(webhook, {"text": _slack(title), "blocks": blocks})


def discord(webhook: OutgoingWebhook) -> None:
    """Convert to an embed, which mentions nobody."""
    title, lines = _shown(webhook)
    body = _cut("\n".join(f"**{_marked(name)}**: {_marked(value)}" for name, value in lines), DISCORD_TEXT)
    embed = {"title": title[:DISCORD_TITLE], "description": body}
    _become(webhook, {"embeds": [embed], "allowed_mentions": {"parse": []}})


def teams(webhook: OutgoingWebhook) -> None:
    """Convert to an adaptive card, for webhooks of the Workflows app."""
    title, lines = _shown(webhook)
    facts: list[object] = []
    room = TEAMS_TEXT
    for name, value in lines:
        room -= len(name) + len(value)
        if room < 0:
            facts.append({"title": "…", "value": "…"})
            break
        facts.append({"title": _marked(name), "value": _marked(value)})
    heading = {"type": "TextBlock", "text": _marked(title), "weight": "Bolder", "size": "Medium", "wrap": True}
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [heading, {"type": "FactSet", "facts": facts}] if facts else [heading],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    _become(webhook, {"type": "message", "attachments": [attachment]})


READY: Mapping[str, Function] = {"discord": discord, "slack": slack, "teams": teams}


def _become(webhook: OutgoingWebhook, payload: dict[str, object]) -> None:
    webhook.payload = payload
    webhook.content_type = None
    webhook.method = "POST"


def _shown(webhook: OutgoingWebhook) -> tuple[str, list[tuple[str, str]]]:
    """A title, and the values of the payload by their paths."""
    payload = webhook.payload
    if isinstance(payload, bytes):
        payload = {"payload": payload.decode("utf-8", "replace")}
    if isinstance(payload, Mapping) and isinstance(payload.get("data"), Mapping | list):
        payload = payload["data"]  # The payload structure of Standard Webhooks.
    lines: list[tuple[str, str]] = []
    for name, value in _values("", payload, MAX_DEPTH):
        if len(lines) == MAX_LINES:
            lines.append(("…", "…"))
            break
        lines.append((name or "payload", value))
    return webhook.event_type, lines


def _values(path: str, value: object, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value and depth:
        for name, each in value.items():
            yield from _values(f"{path}.{name}" if path else str(name), each, depth - 1)
    elif isinstance(value, str):
        yield path, _cut(value, MAX_VALUE)
    else:
        yield path, _cut(json.dumps(value, ensure_ascii=False, separators=(",", ":")), MAX_VALUE)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _slack(text: str) -> str:
    """Escape what Slack would take for a mention or a link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _marked(text: str) -> str:
    """Escape Markdown."""
    return "".join("\\" + each if each in "\\`*_{}[]()<>#|~" else each for each in text)
