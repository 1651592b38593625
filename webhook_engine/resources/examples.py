"""Example messages, for trying out an endpoint. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping

from webhook_engine.errors import ExampleUnavailableError
from webhook_engine.model import EventType

__all__ = ["PING", "example_of", "is_ping"]

PING = b'{"success": true}'
"""The payload of the event types that every engine knows."""

_PINGS = frozenset({"svix.ping", "webhook.ping"})
_VERSION = "1"


def is_ping(event_type: str) -> bool:
    """Whether this event type has a built-in example."""
    return event_type in _PINGS


def example_of(event_type: EventType, index: int) -> bytes:
    """The example at ``index`` in the schema of version 1, as compact JSON; raises ``ExampleUnavailableError``."""
    schema = (event_type.schemas or {}).get(_VERSION)
    examples = schema.get("examples") if isinstance(schema, Mapping) else None
    if not isinstance(examples, list) or not examples:
        raise ExampleUnavailableError(
            "event_type",
            f"{event_type.name} has no example; put one into the `examples` of its JSON Schema of version {_VERSION}",
        )
    if index >= len(examples):
        raise ExampleUnavailableError("example_index", f"{event_type.name} has only {len(examples)} examples")
    return json.dumps(examples[index], ensure_ascii=False, separators=(",", ":")).encode()
