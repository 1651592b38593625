"""Example messages, for trying out an endpoint. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from webhook_engine.errors import ExampleUnavailableError
from webhook_engine.model import EventType
from webhook_engine.resources.schema_examples import NoExampleError, example_from

__all__ = ["PING", "example_of", "examples_in", "is_ping"]

PING = b'{"success": true}'
"""The payload of the built-in event types."""

_PINGS = frozenset({"svix.ping", "webhook.ping"})
_VERSION = "1"
_SAYING_NOTHING = frozenset({"examples", "title", "description", "$schema", "$id", "$comment"})
"""Schema members that do not restrict the value."""


def is_ping(event_type: str) -> bool:
    """Whether this event type has a built-in example."""
    return event_type in _PINGS


def examples_in(schema: Mapping[str, Any]) -> Sequence[object]:
    """The examples in a JSON Schema, or one made from it; none if the schema allows anything.

    Raises :class:`~webhook_engine.resources.schema_examples.NoExampleError`.
    """
    examples = schema.get("examples")
    if isinstance(examples, list) and examples:
        return examples
    return [example_from(schema)] if schema.keys() - _SAYING_NOTHING else []


def example_of(event_type: EventType, index: int) -> bytes:
    """The example at ``index`` in the schema of version 1, as compact JSON; raises ``ExampleUnavailableError``.

    For a schema without examples, one is made from it.
    """
    schema = (event_type.schemas or {}).get(_VERSION)
    try:
        examples = examples_in(schema) if isinstance(schema, Mapping) else []
    except NoExampleError as error:
        raise ExampleUnavailableError(
            "event_type",
            f"{event_type.name} has no example, and none could be made from its JSON Schema of version {_VERSION}: "
            f"{error}; put one into its `examples`",
        ) from None
    if not examples:
        raise ExampleUnavailableError(
            "event_type",
            f"{event_type.name} has no example; put one into the `examples` of its JSON Schema of version {_VERSION}",
        )
    if index >= len(examples):
        raise ExampleUnavailableError("example_index", f"{event_type.name} has only {len(examples)} examples")
    return json.dumps(examples[index], ensure_ascii=False, separators=(",", ":")).encode()
