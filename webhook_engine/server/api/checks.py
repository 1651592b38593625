"""The rules of the wire contract for values of the right type, in its words. Pure.

Every function returns what is wrong, so that an answer can name all of it at once. The engine's managers check again
in their own words, for callers who do not come through HTTP.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from msgspec import UnsetType

from webhook_engine.server.api.errors import Problem

__all__ = [
    "at_least_one",
    "channel_name",
    "channels",
    "control_free",
    "event_type",
    "items",
    "limited",
    "metadata",
    "tags",
    "uid",
]

MAX_NAME = 256
MAX_CHANNELS = 10
MAX_TAGS = 5
NAME_PATTERN = "[a-zA-Z0-9\\-_.]"
CHANNEL_PATTERN = "[a-zA-Z0-9\\-_.:+]"

_NAME = re.compile(r"[a-zA-Z0-9\-_.]+").fullmatch
_CHANNEL = re.compile(r"[a-zA-Z0-9\-_.:+]+").fullmatch
_TAG = re.compile(r"[a-zA-Z0-9\-_./\\#]{1,128}").fullmatch
_CONTROL = re.compile(r"[\x00-\x08]").search


def limited(loc: Sequence[str], value: str, pattern: str = NAME_PATTERN) -> Iterator[Problem]:
    """A name: 1 to 256 characters of a small alphabet."""
    matches = _CHANNEL if pattern == CHANNEL_PATTERN else _NAME
    place = (*loc, "__all__")
    if not value:
        yield Problem(place, "String must be at least one character")
    elif len(value) > MAX_NAME:
        yield Problem(place, "String too long")
    elif not matches(value):
        yield Problem(place, f"String must match the following pattern: {pattern}.")


def uid(loc: Sequence[str], value: str | None, prefix: str) -> Iterator[Problem]:
    """A uid; it must not look like an id."""
    if value is None:
        return
    yield from limited(loc, value)
    if value.startswith(prefix):
        yield Problem((*loc, "__all__"), "Uids are not allowed to have the same prefix as the ID. Prefix with _?")


def event_type(loc: Sequence[str], value: str) -> Iterator[Problem]:
    """The name of an event type."""
    yield from limited(loc, value)


def items(loc: Sequence[str], values: Iterable[str]) -> Iterator[Problem]:
    """Each of a list of names."""
    for index, value in enumerate(values):
        yield from limited((*loc, f"[{index}]"), value)


def channel_name(loc: Sequence[str], value: str) -> Iterator[Problem]:
    """The name of a channel."""
    yield from limited(loc, value, CHANNEL_PATTERN)


def channels(loc: Sequence[str], values: Sequence[str] | None) -> Iterator[Problem]:
    """1 to 10 channels, or null."""
    if values is None:
        return
    if not 1 <= len(set(values)) <= MAX_CHANNELS:
        yield Problem((*loc, "__all__"), "Channels must have at least 1 and at most 10 items, or be set to null.")
    for index, value in enumerate(values):
        yield from channel_name((*loc, f"[{index}]"), value)


def tags(loc: Sequence[str], values: Sequence[str] | None) -> Iterator[Problem]:
    """Up to 5 tags, or null."""
    if values is None:
        return
    if len(set(values)) > MAX_TAGS:
        yield Problem((*loc, "__all__"), "Tags must have at most 5 items.")
    for index, value in enumerate(values):
        if not _TAG(value):
            yield Problem(
                (*loc, f"[{index}]", "__all__"),
                "Tags must be 1 to 128 characters and match the following pattern: [a-zA-Z0-9\\-_./\\\\#].",
            )


def at_least_one(loc: Sequence[str], value: int | UnsetType | None, message: str) -> Iterator[Problem]:
    """A rate of at least one, or null."""
    if isinstance(value, int) and value < 1:
        yield Problem(tuple(loc), message)


def control_free(loc: Sequence[str], value: str) -> Iterator[Problem]:
    """A text without the control characters that cannot be stored and shown."""
    if _CONTROL(value):
        yield Problem(tuple(loc), "Control characters 0x00-0x08 not allowed.")


def metadata(loc: Sequence[str], encoded_size: int) -> Iterator[Problem]:
    """Metadata of a bounded size."""
    if encoded_size > 4096:
        yield Problem((*loc, "__all__"), "metadata must be less than or equal to 4096 bytes")
