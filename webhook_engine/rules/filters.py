"""The filters of message lists. Pure."""

from __future__ import annotations

from typing import TypedDict

from webhook_engine.errors import ValidationError
from webhook_engine.rules import names, values

__all__ = ["MessageChoice", "message_choice", "status_code_class"]

STATUS_CODE_CLASSES = (0, 100, 200, 300, 400, 500)


class MessageChoice(TypedDict):
    """The filters of a message list; ``None`` means no filter."""

    event_types: tuple[str, ...] | None
    channel: str | None
    tag: str | None


def message_choice(event_types: object, channel: object, tag: object) -> MessageChoice:
    """The checked filters that a caller gave for a message list; raises ``ValidationError``."""
    return {
        "event_types": names.event_types("event_types", event_types),
        "channel": None if channel is None else names.channel("channel", channel),
        "tag": None if tag is None else names.tag("tag", tag),
    }


def status_code_class(value: object) -> int | None:
    """The lowest status code of a class, such as 400 for 4xx; 0 means no response, ``None`` means no filter.

    Raises ``ValidationError``.
    """
    if value is None:
        return None
    lowest = values.integer("status_code_class", value, STATUS_CODE_CLASSES[0], STATUS_CODE_CLASSES[-1])
    if lowest not in STATUS_CODE_CLASSES:
        raise ValidationError("status_code_class", f"must be one of {', '.join(map(str, STATUS_CODE_CLASSES))}")
    return lowest
