"""The delivery options of an endpoint, and their limits. Pure.

Each option has a name in :class:`OptionValues`, the type that callers give, and a rule in ``_RULES``, which converts it
to the stored value. ``None`` resets an option.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from itertools import accumulate
from typing import NamedTuple, TypedDict, TypeVar

from webhook_engine.errors import ValidationError
from webhook_engine.rules import headers, names, payload_filter
from webhook_engine.rules.quantities import MILLISECOND, format_duration, parse_duration
from webhook_engine.rules.values import boolean, integer, kind_of, quoted, text

__all__ = [
    "OptionBounds",
    "OptionValues",
    "check_together",
    "checked",
    "for_event_type",
    "schedule_within",
    "timeout_within",
]

T = TypeVar("T")

SHORTEST_TIMEOUT = MILLISECOND
METHODS = ("POST", "PUT", "PATCH")
COMPRESSIONS = ("gzip",)
MAX_BY_EVENT_TYPE = 50
MAX_PARAMETERS = 20
MAX_PARAMETER = 512
"""Characters of a query parameter's name, and of its value."""
ORDERINGS = ("fifo",)
ON_EXHAUSTED = ("skip", "stop")
MAX_BATCH_SIZE = 1_000
LONGEST_BATCH_WAIT = timedelta(minutes=5)


def _no_name(field: str, name: object) -> str | None:
    raise ValidationError(field, "must be registered, and nothing is")


class OptionBounds(NamedTuple):
    """The limits that the operator sets for these options."""

    timeout: timedelta
    """The longest timeout."""
    retries: int
    """The most retries."""
    retry_time: timedelta
    """The highest sum of all delays in a retry schedule."""
    transformation: Callable[[str, object], str | None] = _no_name
    """Checks the name of a transformation, as ``check(field, name)``."""


class OptionValues(TypedDict, total=False):
    """The options that a caller gives for an endpoint; omitted ones keep their values, and are unset at first."""

    timeout: timedelta | str | None
    """The timeout of the whole exchange, such as ``"10s"``."""
    retry_schedule: Sequence[timedelta | str] | None
    """The delays after the first attempt, such as ``["5s", "5m"]``; an empty list means no retries."""
    timeout_by_event_type: Mapping[str, timedelta | str] | None
    """Replaces ``timeout`` for some event types: ``{"invoice.*": "5s"}``."""
    retry_schedule_by_event_type: Mapping[str, Sequence[timedelta | str]] | None
    authentication: Mapping[str, str] | None
    """``type`` (``basic``, ``bearer`` or ``oauth2``), and the members of that type."""
    transformation: str | None
    """The name of a registered transformation, or of a built-in one such as ``"slack"``."""
    tls: Mapping[str, str] | None
    """``certificate`` and ``key``, ``ca``, or all three, in PEM."""
    ordering: str | None
    """``"fifo"``: messages are sent one at a time, in the order in which they were accepted."""
    ordering_on_exhausted: str | None
    """``"skip"``: continue after a message whose retries are exhausted. ``"stop"``: wait for manual action."""
    batch_size: int | None
    """The most messages of an order in one request, as a JSON array."""
    batch_wait: timedelta | str | None
    """How long a batch that is not full waits for more messages, such as ``"5s"``."""
    circuit_breaker: bool | None
    """Whether to pause the whole endpoint when too many attempts fail."""

    filter: Mapping[str, object] | None
    """The conditions on a message's payload, such as ``{"amount": {"$gt": 100}}``."""
    method: str | None
    """``POST``, ``PUT`` or ``PATCH``."""
    query: Mapping[str, str] | None
    """Parameters that are added to the URL, such as ``{"source": "shop"}``."""
    compression: str | None
    """``gzip``: payloads that get smaller are sent compressed, and signed as sent."""
    user_agent: str | None
    content_type: str | None
    """The content type of payloads whose message names none, such as ``application/cloudevents+json``."""


def checked(given: Mapping[str, object], bounds: OptionBounds) -> dict[str, object]:
    """Options in their stored form; raises ``ValidationError``."""
    for name in given:
        if name not in _RULES:
            raise ValidationError(name, f"is nothing that an endpoint can ask for; these are: {', '.join(_RULES)}")
    return {name: None if value is None else _RULES[name](name, value, bounds) for name, value in given.items()}


def check_together(options: Mapping[str, object]) -> None:
    """Check that the options of an endpoint are consistent with each other; raises ``ValidationError``."""
    if options.get("ordering") is None:
        for name in ("ordering_on_exhausted", "batch_size", "batch_wait"):
            if options.get(name) is not None:
                raise ValidationError(name, 'goes with ordering "fifo" alone; ask for that too')
    if options.get("batch_wait") is not None and options.get("batch_size") is None:
        raise ValidationError("batch_wait", "goes with a batch_size alone; ask for that too")


def timeout_within(asked: timedelta | None, bounds: OptionBounds) -> timedelta | None:
    """A stored timeout, limited by the current bounds."""
    return None if asked is None else min(asked, bounds.timeout)


def schedule_within(asked: Sequence[timedelta] | None, bounds: OptionBounds) -> Sequence[timedelta] | None:
    """A stored retry schedule, cut to the current bounds."""
    if asked is None:
        return None
    ends = accumulate(asked)
    return [delay for delay, end in zip(asked, ends, strict=True) if end <= bounds.retry_time][: bounds.retries]


def for_event_type(event_type: str, wanted: Mapping[str, T] | None, usual: T | None) -> T | None:
    """The value with the most specific pattern for this event type, or else the default."""
    name = None if wanted is None else names.nearest(wanted, event_type)
    return usual if wanted is None or name is None else wanted[name]


def _timeout(field: str, value: object, bounds: OptionBounds) -> timedelta:
    return _duration(field, value, SHORTEST_TIMEOUT, bounds.timeout)


def _retry_schedule(field: str, value: object, bounds: OptionBounds) -> tuple[timedelta, ...]:
    if not isinstance(value, list | tuple):
        raise ValidationError(field, f"must be a list of delays, not {kind_of(value)}")
    if len(value) > bounds.retries:
        raise ValidationError(field, f"must have at most {bounds.retries} delays, not {len(value)}")
    delays = tuple(
        _duration(f"{field}[{place}]", one, timedelta(0), bounds.retry_time) for place, one in enumerate(value)
    )
    if (together := sum(delays, timedelta(0))) > bounds.retry_time:
        allowed = format_duration(bounds.retry_time)
        raise ValidationError(field, f"must take at most {allowed} in all, not {format_duration(together)}")
    return delays


def _by_event_type(
    field: str, value: object, bounds: OptionBounds, rule: Callable[[str, object, OptionBounds], object]
) -> dict[str, object] | None:
    if not isinstance(value, Mapping):
        raise ValidationError(field, f"must be a mapping of event types to values, not {kind_of(value)}")
    if len(value) > MAX_BY_EVENT_TYPE:
        raise ValidationError(field, f"must have at most {MAX_BY_EVENT_TYPE} event types, not {len(value)}")
    found = {
        names.wanted_event_type(field, event_type): rule(f"{field}.{event_type}", one, bounds)
        for event_type, one in value.items()
    }
    return found or None


def _one_of(field: str, value: object, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise ValidationError(field, f"must be one of {', '.join(allowed)}, not {quoted(value)}")
    return str(value)


def _query(field: str, value: object) -> dict[str, str] | None:
    if not isinstance(value, Mapping):
        raise ValidationError(field, f"must be a mapping of names to values, not {kind_of(value)}")
    if len(value) > MAX_PARAMETERS:
        raise ValidationError(field, f"must have at most {MAX_PARAMETERS} parameters, not {len(value)}")
    found = {
        text(field, name, least=1, most=MAX_PARAMETER): text(f"{field}.{name}", one, most=MAX_PARAMETER)
        for name, one in value.items()
    }
    return found or None


def _duration(field: str, value: object, least: timedelta, most: timedelta) -> timedelta:
    allowed = f'must be a duration from "{format_duration(least)}" to "{format_duration(most)}"'
    try:
        read = parse_duration(value) if isinstance(value, str) else value
    except ValueError as error:
        raise ValidationError(field, f"{allowed}, not {quoted(value)}: {error}") from None
    if not isinstance(read, timedelta) or not least <= read <= most:
        raise ValidationError(field, f"{allowed}, not {quoted(value)}")
    if read % MILLISECOND:
        raise ValidationError(field, "is counted in whole milliseconds")
    return read


_RULES: Mapping[str, Callable[[str, object, OptionBounds], object]] = {
    "transformation": lambda field, value, bounds: bounds.transformation(field, value),
    "timeout": _timeout,
    "retry_schedule": _retry_schedule,
    "timeout_by_event_type": lambda field, value, bounds: _by_event_type(field, value, bounds, _timeout),
    "retry_schedule_by_event_type": lambda field, value, bounds: _by_event_type(field, value, bounds, _retry_schedule),
    "method": lambda field, value, _: _one_of(field, value, METHODS),
    "query": lambda field, value, _: _query(field, value),
    "compression": lambda field, value, _: _one_of(field, value, COMPRESSIONS),
    "user_agent": lambda field, value, _: headers.user_agent(field, value),
    "content_type": lambda field, value, _: headers.content_type(field, value),
    "filter": lambda field, value, _: payload_filter.checked(field, value),
    "ordering": lambda field, value, _: _one_of(field, value, ORDERINGS),
    "ordering_on_exhausted": lambda field, value, _: _one_of(field, value, ON_EXHAUSTED),
    "batch_size": lambda field, value, _: integer(field, value, 1, MAX_BATCH_SIZE),
    "batch_wait": lambda field, value, _: _duration(field, value, timedelta(0), LONGEST_BATCH_WAIT),
    "circuit_breaker": lambda field, value, _: boolean(field, value),
}
