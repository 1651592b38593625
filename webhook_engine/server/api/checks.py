"""What the rules for callers have against values of the right type, in the words of the wire contract. Pure.

Every function yields all that is wrong, so that an answer can name it at once. The rules themselves are those of
:mod:`webhook_engine.rules`; here stands only how clients of the contract are told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from msgspec import UnsetType

from webhook_engine.errors import ValidationError
from webhook_engine.rules import documents, headers, limits, names, pages, values
from webhook_engine.rules.problems import Rule
from webhook_engine.server.errors import Problem

__all__ = [
    "WORDS",
    "at_least_one",
    "channel_name",
    "channels",
    "content_type",
    "control_free",
    "event_type",
    "items",
    "iterator",
    "limited",
    "metadata",
    "payload_retention",
    "tags",
    "uid",
]

V = TypeVar("V")

WORDS: Mapping[object, str] = {
    Rule.NAME_EMPTY: "String must be at least one character",
    Rule.NAME_LENGTH: "String too long",
    Rule.NAME_ALPHABET: f"String must match the following pattern: {names.NAME_ALPHABET}.",
    Rule.CHANNEL_ALPHABET: f"String must match the following pattern: {names.CHANNEL_ALPHABET}.",
    Rule.TAG_FORM: (
        f"Tags must be 1 to {names.MAX_TAG} characters and match the following pattern: {names.TAG_ALPHABET}."
    ),
    Rule.LIKE_AN_ID: "Uids are not allowed to have the same prefix as the ID. Prefix with _?",
    Rule.CHANNEL_COUNT: (f"Channels must have at least 1 and at most {names.MAX_CHANNELS} items, or be set to null."),
    Rule.TAG_COUNT: f"Tags must have at most {names.MAX_TAGS} items.",
    Rule.CONTROL_CHARACTERS: "Control characters 0x00-0x08 not allowed.",
    Rule.ITERATOR: "Invalid id. Expected different prefix",
    Rule.PAYLOAD_RETENTION: "Validation error",
    Rule.METADATA_SIZE: f"metadata must be less than or equal to {documents.MAX_METADATA_BYTES} bytes",
}
"""How the wire says that a rule was broken."""


def limited(loc: Sequence[str], value: str) -> Iterator[Problem]:
    """A name: 1 to 256 characters of a small alphabet."""
    yield from _broken((*loc, "__all__"), names.name, value)


def uid(loc: Sequence[str], value: str | None, prefix: str) -> Iterator[Problem]:
    """A uid; it must not look like an id."""
    if value is None:
        return
    yield from limited(loc, value)
    yield from _broken((*loc, "__all__"), lambda field, name: names.unlike_id(field, name, prefix), value)


def event_type(loc: Sequence[str], value: str) -> Iterator[Problem]:
    """The name of an event type."""
    yield from limited(loc, value)


def items(loc: Sequence[str], each: Iterable[str]) -> Iterator[Problem]:
    """Each of a list of names."""
    for index, value in enumerate(each):
        yield from limited((*loc, f"[{index}]"), value)


def channel_name(loc: Sequence[str], value: str) -> Iterator[Problem]:
    """The name of a channel."""
    yield from _broken((*loc, "__all__"), names.channel, value)


def channels(loc: Sequence[str], each: Sequence[str] | None) -> Iterator[Problem]:
    """1 to 10 channels, or null."""
    if each is None:
        return
    yield from _broken((*loc, "__all__"), names.few_channels, each)
    for index, value in enumerate(each):
        yield from channel_name((*loc, f"[{index}]"), value)


def tags(loc: Sequence[str], each: Sequence[str] | None) -> Iterator[Problem]:
    """Up to 5 tags, or null."""
    if each is None:
        return
    yield from _broken((*loc, "__all__"), names.few_tags, each)
    for index, value in enumerate(each):
        yield from _broken((*loc, f"[{index}]", "__all__"), names.tag, value)


def at_least_one(
    loc: Sequence[str],
    value: int | UnsetType | None,
    words: str,
    rule: Callable[[str, object], object] = limits.throttle_rate,
) -> Iterator[Problem]:
    """A rate of at least one, or null; each has words of its own."""
    if isinstance(value, int):
        for problem in _broken(tuple(loc), rule, value):
            yield Problem(problem.loc, words)


def payload_retention(loc: Sequence[str], days: int | None) -> Iterator[Problem]:
    """For how many days a payload is kept, or null."""
    yield from _broken(tuple(loc), lambda _, given: limits.payload_retention(given, None), days)


def iterator(loc: Sequence[str], value: str | None, prefix: str, *, by_time: bool) -> Iterator[Problem]:
    """The iterator of a list, or null."""
    yield from _broken(
        (*loc, "__all__"), lambda field, given: pages.key_of(field, given, prefix, by_time=by_time), value
    )


def control_free(loc: Sequence[str], value: str) -> Iterator[Problem]:
    """A text without the control characters that cannot be stored and shown."""
    yield from _broken(tuple(loc), values.control_free, value)


def content_type(loc: Sequence[str], value: object) -> Iterator[Problem]:
    """What a payload is sent as, or null."""
    if value is not None:
        yield from _broken(tuple(loc), headers.content_type, value)


def metadata(loc: Sequence[str], value: Mapping[str, str] | None) -> Iterator[Problem]:
    """Metadata of a bounded size."""
    yield from _broken((*loc, "__all__"), documents.metadata, value)


def _broken(loc: tuple[str, ...], rule: Callable[[str, V], object], value: V) -> Iterator[Problem]:
    try:
        rule("", value)
    except ValidationError as error:
        yield Problem(loc, WORDS.get(error.rule, error.problem))
