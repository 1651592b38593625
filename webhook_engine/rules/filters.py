"""By what the messages of a list are chosen. Pure."""

from __future__ import annotations

from typing import TypedDict

from webhook_engine.rules import names

__all__ = ["MessageChoice", "message_choice"]


class MessageChoice(TypedDict):
    """Which messages are listed; ``None`` leaves none out."""

    event_types: tuple[str, ...] | None
    channel: str | None
    tag: str | None


def message_choice(event_types: object, channel: object, tag: object) -> MessageChoice:
    """What a caller said of the messages to list."""
    return {
        "event_types": names.event_types("event_types", event_types),
        "channel": None if channel is None else names.channel("channel", channel),
        "tag": None if tag is None else names.tag("tag", tag),
    }
