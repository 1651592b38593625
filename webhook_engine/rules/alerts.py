"""Alerts: what a consumer can be notified about, how, and which application holds another's alerts. Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from webhook_engine.errors import ValidationError
from webhook_engine.rules.values import kind_of, quoted

__all__ = ["ALERTS", "CHATS", "KINDS", "alert_events", "alert_kind", "alerts_application"]

ALERTS: Final = (
    "endpoint.failing",
    "endpoint.disabled",
    "endpoint.recovered",
    "endpoint.backlog",
    "message.attempt.exhausted",
)
"""The operational events that an alert can be for."""

USUAL: Final = ALERTS[:4]
"""The default events of an alert: those about endpoints, not about single messages."""

CHATS: Final = ("slack", "discord", "teams")
"""Chat services; each has a transformation of the same name."""

KINDS: Final = ("email", *CHATS, "webhook")


def alert_kind(field: str, value: object) -> str:
    """One of :data:`KINDS`; raises ``ValidationError``."""
    if value not in KINDS:
        raise ValidationError(field, f"must be {', '.join(KINDS[:-1])} or {KINDS[-1]}, not {quoted(value)}")
    return str(value)


def alert_events(field: str, value: object) -> tuple[str, ...]:
    """Some of :data:`ALERTS`, in their order; ``None`` means the default. Raises ``ValidationError``."""
    if value is None:
        return USUAL
    if isinstance(value, str) or not isinstance(value, Collection):
        raise ValidationError(field, f"must be a list of events, not {kind_of(value)}")
    for place, each in enumerate(value):
        if each not in ALERTS:
            raise ValidationError(f"{field}[{place}]", f"must be one of {', '.join(ALERTS)}, not {quoted(each)}")
    if not value:
        raise ValidationError(field, "must name at least one event")
    return tuple(each for each in ALERTS if each in value)


def alerts_application(application_id: str) -> str:
    """The uid of the application that holds the alerts of another."""
    return f"alerts.{application_id}"
