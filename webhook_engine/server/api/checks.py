"""Checks of values of the right type, with the messages of the wire contract. Pure.

Every function returns all problems, so that a response can list them at once. The rules are those of
:mod:`webhook_engine.rules`; only their messages for clients stand here. A rule is applied to the whole value first, and
to its parts only if that fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Concatenate, ParamSpec

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
    "ordering_key",
    "payload_retention",
    "tags",
    "uid",
    "wanted_event_types",
]

P = ParamSpec("P")

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
"""The message of the wire contract for each broken rule."""


def limited(loc: Sequence[str], value: str) -> Sequence[Problem]:
    """A name: 1 to 256 characters of a small alphabet."""
    return _broken((*loc, "__all__"), names.name, value)


def uid(loc: Sequence[str], value: str | None, prefix: str) -> Sequence[Problem]:
    """A uid; it must not look like an id."""
    if value is None or _obeyed(names.uid, value, prefix):
        return ()
    return [*limited(loc, value), *_broken((*loc, "__all__"), names.unlike_id, value, prefix)]


def event_type(loc: Sequence[str], value: str) -> Sequence[Problem]:
    """The name of an event type."""
    return () if names.is_name(value) else limited(loc, value)


def items(loc: Sequence[str], each: Iterable[str]) -> Sequence[Problem]:
    """Each of a list of names."""
    return [problem for index, value in enumerate(each) for problem in limited((*loc, f"[{index}]"), value)]


def wanted_event_types(loc: Sequence[str], each: Iterable[str]) -> Sequence[Problem]:
    """The event types of an endpoint: names, and patterns such as ``invoice.*``."""
    return [
        problem
        for index, value in enumerate(each)
        for problem in _broken((*loc, f"[{index}]", "__all__"), names.wanted_event_type, value)
    ]


def channel_name(loc: Sequence[str], value: str) -> Sequence[Problem]:
    """The name of a channel."""
    return _broken((*loc, "__all__"), names.channel, value)


def channels(loc: Sequence[str], each: Sequence[str] | None) -> Sequence[Problem]:
    """1 to 10 channels, or null."""
    if each is None or _obeyed(names.channels, each):
        return ()
    return [
        *_broken((*loc, "__all__"), names.few_channels, each),
        *(problem for index, value in enumerate(each) for problem in channel_name((*loc, f"[{index}]"), value)),
    ]


def tags(loc: Sequence[str], each: Sequence[str] | None) -> Sequence[Problem]:
    """Up to 5 tags, or null."""
    if each is None or _obeyed(names.tags, each):
        return ()
    return [
        *_broken((*loc, "__all__"), names.few_tags, each),
        *(
            problem
            for index, value in enumerate(each)
            for problem in _broken((*loc, f"[{index}]", "__all__"), names.tag, value)
        ),
    ]


def at_least_one(
    loc: Sequence[str],
    value: int | UnsetType | None,
    words: str,
    rule: Callable[[str, object], object] = limits.throttle_rate,
) -> Sequence[Problem]:
    """A rate of at least one, or null; each has its own message."""
    return [Problem(tuple(loc), words)] if isinstance(value, int) and not _obeyed(rule, value) else ()


def payload_retention(loc: Sequence[str], days: int | None) -> Sequence[Problem]:
    """The retention of a payload in days, or null."""
    return () if days is None else _broken(tuple(loc), limits.retention_days, days)


def iterator(loc: Sequence[str], value: str | None, prefix: str, *, by_time: bool) -> Sequence[Problem]:
    """The iterator of a list, or null."""
    return () if value is None else _broken((*loc, "__all__"), pages.key_of, value, prefix, by_time)


def control_free(loc: Sequence[str], value: str) -> Sequence[Problem]:
    """A text without the control characters that cannot be stored and shown."""
    return _broken(tuple(loc), values.control_free, value)


def content_type(loc: Sequence[str], value: object) -> Sequence[Problem]:
    """The content type of a payload, or null."""
    return () if value is None else _broken(tuple(loc), headers.content_type, value)


def ordering_key(loc: Sequence[str], value: str) -> Sequence[Problem]:
    """The ordering key of a message."""
    return _broken(tuple(loc), names.ordering_key, value)


def metadata(loc: Sequence[str], value: Mapping[str, str] | None) -> Sequence[Problem]:
    """Metadata of limited size."""
    return _broken((*loc, "__all__"), documents.metadata, value)


def _broken(
    loc: tuple[str, ...], rule: Callable[Concatenate[str, P], object], *given: P.args, **named: P.kwargs
) -> Sequence[Problem]:
    try:
        rule("", *given, **named)
    except ValidationError as error:
        return [Problem(loc, WORDS.get(error.rule, error.problem))]
    return ()


def _obeyed(rule: Callable[Concatenate[str, P], object], *given: P.args, **named: P.kwargs) -> bool:
    try:
        rule("", *given, **named)
    except ValidationError:
        return False
    return True
