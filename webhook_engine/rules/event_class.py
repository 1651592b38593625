"""Typed events: the declaration of a class made with ``webhook_engine.event``. Pure.

Only what sending an event needs is here, so that programs that enqueue load nothing else.
"""

from __future__ import annotations

from typing import Protocol

from webhook_engine.errors import ValidationError
from webhook_engine.rules.encoding import Default
from webhook_engine.rules.payload import payload_bytes

__all__ = ["ATTRIBUTE", "EventDeclaration", "declaration_of", "typed"]

ATTRIBUTE = "__webhook_event__"


class EventDeclaration(Protocol):
    """The declaration of an event class."""

    @property
    def name(self) -> str:
        """The event type."""
        ...

    def check(self, body: bytes) -> None:
        """Raise ``ValidationError`` if this is not a valid payload of the class."""
        ...


def declaration_of(kind: type) -> EventDeclaration | None:
    """The declaration of this class itself; a subclass needs its own."""
    found: EventDeclaration | None = vars(kind).get(ATTRIBUTE)
    return found


def typed(event: object, event_type: object, payload: object, default: Default | None) -> tuple[str, bytes]:
    """The event type and the checked payload of an instance of a declared class; raises ``ValidationError``."""
    declaration = declaration_of(type(event))
    if declaration is None:
        raise ValidationError("event", f"must be of a class declared with @event, not a {type(event).__name__}")
    if event_type is not None or payload is not None:
        raise ValidationError("event", "must not be given together with event_type or payload, which it says itself")
    body = payload_bytes(event, default=default)
    declaration.check(body)
    return declaration.name, body
