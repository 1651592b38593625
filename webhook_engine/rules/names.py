"""Names: of event types, channels, tags and organizations, and the form of ids and uids. Pure.

Each rule raises ``ValidationError`` for an invalid value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet

from webhook_engine.errors import ValidationError
from webhook_engine.rules.problems import Rule
from webhook_engine.rules.values import quoted

__all__ = [
    "CHANNEL_ALPHABET",
    "MAX_CHANNELS",
    "MAX_FEATURE_FLAGS",
    "MAX_NAME",
    "MAX_TAG",
    "MAX_TAGS",
    "NAME_ALPHABET",
    "TAG_ALPHABET",
    "channel",
    "channels",
    "event_types",
    "feature_flags",
    "few_channels",
    "few_tags",
    "is_name",
    "is_wildcard",
    "name",
    "names",
    "nearest",
    "optional_name",
    "organization",
    "tag",
    "tags",
    "uid",
    "unlike_id",
    "wanted_event_type",
    "wanted_event_types",
]

MAX_NAME = 256
"""Characters of a name, or of a channel."""
MAX_TAG = 128
"""Characters of a tag."""
MAX_CHANNELS = 10
"""Channels per message or endpoint."""
MAX_TAGS = 5
MAX_FEATURE_FLAGS = 100
"""Feature flags per event type or session."""
MAX_EVENT_TYPES = 1000
"""Names in the filter of an endpoint or list."""

NAME_ALPHABET = r"[a-zA-Z0-9\-_.]"
CHANNEL_ALPHABET = r"[a-zA-Z0-9\-_.:+]"
TAG_ALPHABET = r"[a-zA-Z0-9\-_./\\#]"

Form = Callable[[str], object]

_NAME = re.compile(f"{NAME_ALPHABET}{{1,{MAX_NAME}}}").fullmatch
_CHANNEL = re.compile(f"{CHANNEL_ALPHABET}{{1,{MAX_NAME}}}").fullmatch
_TAG = re.compile(f"{TAG_ALPHABET}{{1,{MAX_TAG}}}").fullmatch
_ORDERING_KEY = re.compile(f"[^\\x00-\\x1f\\x7f\\ud800-\\udfff]{{1,{MAX_NAME}}}").fullmatch
_ORGANIZATION = re.compile(f"org_{NAME_ALPHABET}{{1,{MAX_NAME - 4}}}").fullmatch
_NAME_RULE = f"must be 1 to {MAX_NAME} characters out of letters, digits, '-', '_' and '.'"
_WANTED_RULE = f"{_NAME_RULE}, or such a name and '.*' for all that begin with it"
_CHANNEL_RULE = f"must be 1 to {MAX_NAME} characters out of letters, digits and '-_.:+'"
_TAG_RULE = f"must be 1 to {MAX_TAG} characters out of letters, digits and '-_./\\#'"
_ORDERING_KEY_RULE = f"must be 1 to {MAX_NAME} characters, without control characters"
_ORGANIZATION_RULE = f"must be 'org_' and 1 to {MAX_NAME - 4} characters out of letters, digits, '-', '_' and '.'"


def is_name(value: object) -> bool:
    """Whether a value has the form of an id, uid or event type."""
    return isinstance(value, str) and _NAME(value) is not None


def name(field: str, value: object) -> str:
    """A name, such as an event type."""
    if isinstance(value, str) and _NAME(value):
        # Some drivers refuse a subclass of str (an enumeration, a marked-safe string), so make it a plain str.
        return value if type(value) is str else str.__str__(value)
    raise _refusal(field, value, _NAME, _NAME_RULE)


def optional_name(field: str, value: object) -> str | None:
    """A name or ``None``."""
    return None if value is None else name(field, value)


def uid(field: str, value: object, prefix: str) -> str | None:
    """A uid or ``None``; it must not begin with ``prefix``, which marks an id."""
    return None if value is None else unlike_id(field, name(field, value), prefix)


def unlike_id(field: str, value: str, prefix: str) -> str:
    """A name that does not begin with the prefix of its kind's ids."""
    if value.startswith(prefix):
        raise ValidationError(field, f"must not begin with {prefix!r}, as ids do; put '_' before it", Rule.LIKE_AN_ID)
    return value


def organization(field: str, value: object) -> str:
    """The id of an organization."""
    return _string(field, value, _ORGANIZATION, _ORGANIZATION_RULE)


def channel(field: str, value: object) -> str:
    """The name of a channel."""
    return _string(field, value, _CHANNEL, _CHANNEL_RULE)


def channels(field: str, value: object) -> tuple[str, ...] | None:
    """1 to 10 channels without duplicates, or ``None``."""
    if value is None:
        return None
    found = _strings(field, value, _CHANNEL, _CHANNEL_RULE)
    return found if 1 <= len(found) <= MAX_CHANNELS else few_channels(field, found)


def few_channels(field: str, value: Collection[str]) -> tuple[str, ...]:
    """Channels without duplicates, within the limit."""
    found = tuple(dict.fromkeys(value))
    if not 1 <= len(found) <= MAX_CHANNELS:
        raise ValidationError(
            field, f"must have 1 to {MAX_CHANNELS} items, or be None, not {len(found)} items", Rule.CHANNEL_COUNT
        )
    return found


def tag(field: str, value: object) -> str:
    """A tag of a message."""
    return _string(field, value, _TAG, _TAG_RULE)


def tags(field: str, value: object) -> tuple[str, ...] | None:
    """Up to 5 tags without duplicates, or ``None``; none at all is ``None``."""
    if value is None:
        return None
    found = _strings(field, value, _TAG, _TAG_RULE)
    return found if 1 <= len(found) <= MAX_TAGS else few_tags(field, found)


def few_tags(field: str, value: Collection[str]) -> tuple[str, ...] | None:
    """Tags without duplicates, within the limit; ``None`` if there are none."""
    found = tuple(dict.fromkeys(value))
    if len(found) > MAX_TAGS:
        raise ValidationError(field, f"must have at most {MAX_TAGS} items, not {len(found)}", Rule.TAG_COUNT)
    return found or None


def ordering_key(field: str, value: object) -> str:
    """The key by which messages keep their order: any text."""
    return _string(field, value, _ORDERING_KEY, _ORDERING_KEY_RULE)


def names(field: str, value: object, most: int) -> tuple[str, ...]:
    """Up to ``most`` names without duplicates."""
    found = _strings(field, value, _NAME, _NAME_RULE)
    if len(found) > most:
        raise ValidationError(field, f"must have at most {most} items, not {len(found)}")
    return found


def event_types(field: str, value: object) -> tuple[str, ...] | None:
    """At least one event type, or ``None`` for all."""
    if value is None:
        return None
    found = names(field, value, MAX_EVENT_TYPES)
    if not found:
        raise ValidationError(field, "must have at least one item, or be None for all event types")
    return found


def wanted_event_types(field: str, value: object) -> tuple[str, ...] | None:
    """The event types of an endpoint: at least one, or ``None`` for all. ``invoice.*`` is all below ``invoice``."""
    if value is None:
        return None
    found = _strings(field, value, _wanted, _WANTED_RULE)
    if not 1 <= len(found) <= MAX_EVENT_TYPES:
        return event_types(field, found)
    return found


def wanted_event_type(field: str, value: object) -> str:
    """One event type or pattern of an endpoint."""
    return _string(field, value, _wanted, _WANTED_RULE)


def nearest(wanted: Collection[str], event_type: str) -> str | None:
    """The name or pattern that matches an event type most specifically; ``None`` if none matches."""
    if event_type in wanted:
        return event_type
    dot = event_type.rfind(".")
    while dot > 0:
        if (wildcard := f"{event_type[:dot]}.*") in wanted:
            return wildcard
        dot = event_type.rfind(".", 0, dot)
    return None


def is_wildcard(event_type: str) -> bool:
    """Whether it is a pattern such as ``invoice.*``, for all event types with that prefix."""
    return event_type.endswith(".*")


def feature_flags(field: str, value: object) -> tuple[str, ...]:
    """The feature flags that make an event type visible."""
    return names(field, value, MAX_FEATURE_FLAGS)


def _wanted(value: str) -> object:
    return len(value) <= MAX_NAME and _NAME(value[:-2] if is_wildcard(value) else value)


def _string(field: str, value: object, form: Form, rule: str) -> str:
    if isinstance(value, str) and form(value):
        return str.__str__(value)
    raise _refusal(field, value, form, rule)


def _strings(field: str, value: object, form: Form, rule: str) -> tuple[str, ...]:
    """Strings of one form, without duplicates."""
    found: dict[str, None] = {}
    for index, item in enumerate(value if isinstance(value, list | tuple) else _items(field, value)):
        if not isinstance(item, str) or not form(item):
            raise _refusal(f"{field}[{index}]", item, form, rule)
        found[str.__str__(item)] = None
    return tuple(found)


def _items(field: str, value: object) -> Iterable[object]:
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Collection):
        raise ValidationError(field, f"must be a list of strings, not {quoted(value)}")
    # A set has no order of its own; sorting makes the result the same each time.
    return sorted(value, key=str) if isinstance(value, AbstractSet) else value


def _refusal(field: str, value: object, form: Form, rule: str) -> ValidationError:
    return ValidationError(field, f"{rule}, not {quoted(value)}", _broken(value, form))


def _broken(value: object, form: Form) -> Rule | None:
    if not isinstance(value, str):
        return None
    if form is _TAG:
        return Rule.TAG_FORM
    if form is _ORDERING_KEY:
        return None
    if not value:
        return Rule.NAME_EMPTY
    if len(value) > MAX_NAME:
        return Rule.NAME_LENGTH
    return Rule.CHANNEL_ALPHABET if form is _CHANNEL else Rule.NAME_ALPHABET
