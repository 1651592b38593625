"""Numbers that callers may choose within limits: rates, versions, retention and grace periods. Pure.

Each rule raises ``ValidationError`` for a value outside its limits.
"""

from __future__ import annotations

from datetime import timedelta

from webhook_engine.clock import microseconds
from webhook_engine.errors import ValidationError
from webhook_engine.rules.problems import Rule
from webhook_engine.rules.values import duration, integer

__all__ = [
    "DEFAULT_GRACE",
    "MAX_GRACE",
    "MAX_RATE",
    "MAX_RETENTION_DAYS",
    "MAX_VERSION",
    "grace_period",
    "payload_retention",
    "retention_days",
    "throttle_rate",
    "version",
]

MAX_RATE = 65_535
"""Messages per second."""
MAX_VERSION = 65_535
DEFAULT_GRACE = timedelta(hours=24)
"""How long a rotated signing secret still signs."""
MAX_GRACE = timedelta(days=7)
MAX_RETENTION_DAYS = 90
"""The longest retention that a message may ask for its payload."""

_HOUR = microseconds(timedelta(hours=1))


def throttle_rate(field: str, value: object) -> int | None:
    """Messages per second, or ``None`` for no limit."""
    return None if value is None else integer(field, value, 1, MAX_RATE)


def version(field: str, value: object) -> int:
    """The version of an endpoint."""
    return integer(field, value, 1, MAX_VERSION)


def grace_period(field: str, value: object) -> int:
    """How long a rotated secret still signs, in microseconds."""
    return duration(field, value, MAX_GRACE)


def payload_retention(days: object, hours: object) -> int | None:
    """How long a payload is kept, in microseconds, given in days or in hours; ``None`` if neither is given."""
    if hours is None:
        return None if days is None else retention_days("payload_retention_period", days) * 24 * _HOUR
    if days is not None:
        raise ValidationError("payload_retention_hours", "must not be given together with payload_retention_period")
    return integer("payload_retention_hours", hours, 1, MAX_RETENTION_DAYS * 24) * _HOUR


def retention_days(field: str, value: object) -> int:
    """For how many days a payload is kept."""
    try:
        return integer(field, value, 1, MAX_RETENTION_DAYS)
    except ValidationError as error:
        raise ValidationError(field, error.problem, Rule.PAYLOAD_RETENTION) from None
