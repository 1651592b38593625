"""Which rule a value breaks, for those who say it in other words than the error does, as the HTTP API must."""

from __future__ import annotations

from enum import Enum

__all__ = ["Rule"]


class Rule(Enum):
    """A rule, by what it demands."""

    NAME_EMPTY = "a name has at least one character"
    NAME_LENGTH = "a name is not too long"
    NAME_ALPHABET = "a name is out of a few characters"
    CHANNEL_ALPHABET = "a channel is out of a few characters"
    TAG_FORM = "a tag is short and out of a few characters"
    LIKE_AN_ID = "a uid does not look like an id"
    CHANNEL_COUNT = "there are few channels"
    TAG_COUNT = "there are few tags"
    CONTROL_CHARACTERS = "a text can be stored and shown"
    METADATA_SIZE = "metadata is small"
    ITERATOR = "an iterator is that of a page of its list"
    PAYLOAD_RETENTION = "a payload is kept for a while, and not for ever"
