"""Example messages, for trying out an endpoint. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from webhook_engine.errors import ExampleUnavailableError
from webhook_engine.model import EventType
from webhook_engine.resources.schema_examples import NoExampleError, example_from

__all__ = ["PING", "example_of", "is_ping"]

PING = b'{"success": true}'
"""The payload of the event types that every engine knows."""

_PINGS = frozenset({"svix.ping", "webhook.ping"})
_VERSION = "1"
_SAYING_NOTHING = frozenset({"examples", "title", "description", "$schema", "$id", "$comment"})
"""Members of a schema that leave open what it allows."""


def is_ping(event_type: str) -> bool:
    """Whether this event type has a built-in example."""
    return event_type in _PINGS


def example_of(event_type: EventType, index: int) -> bytes:
    """The example at ``index`` in the schema of version 1, as compact JSON; raises ``ExampleUnavailableError``.

    A schema without examples has one, which is made from it.
    """
    schema = (event_type.schemas or {}).get(_VERSION)
    examples = schema.get("examples") if isinstance(schema, Mapping) else None
    if not isinstance(schema, Mapping) or not (examples or schema.keys() - _SAYING_NOTHING):
        raise ExampleUnavailableError(
            "event_type",
            f"{event_type.name} has no example; put one into the `examples` of its JSON Schema of version {_VERSION}",
        )
    if not isinstance(examples, list) or not examples:
        examples = [_made(event_type, schema)]
    if index >= len(examples):
        raise ExampleUnavailableError("example_index", f"{event_type.name} has only {len(examples)} examples")
    return json.dumps(examples[index], ensure_ascii=False, separators=(",", ":")).encode()


def _made(event_type: EventType, schema: Mapping[str, Any]) -> object:
    try:
        return example_from(schema)
    except NoExampleError as error:
        raise ExampleUnavailableError(
            "event_type",
            f"{event_type.name} has no example, and none could be made from its JSON Schema of version {_VERSION}: "
            f"{error}; put one into its `examples`",
        ) from None
