"""What an assertion expects, and the text of its failure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final, Generic, Protocol, TypeVar

from webhook_engine.errors import ValidationError
from webhook_engine.rules.payload import payload_bytes
from webhook_engine.secrets.signing import JsonValue

__all__ = ["ANY", "Expectation", "describe"]

MOST_LISTED = 20
SHOWN_CHARACTERS = 300


class _Any:
    """The type of :data:`ANY`."""

    def __repr__(self) -> str:
        return "ANY"


ANY: Final = _Any()
"""Matches any payload."""


class Item(Protocol):
    """A message as an assertion sees it."""

    @property
    def event_type(self) -> str:
        """Its event type."""
        ...

    @property
    def payload(self) -> JsonValue:
        """Its payload."""
        ...


T = TypeVar("T", bound=Item)


class Expectation(Generic[T]):
    """The expected attributes (``None``: any) and payload of a message."""

    def __init__(self, where: str, attributes: Mapping[str, object], payload: object) -> None:
        self._where = where
        self._attributes = {name: value for name, value in attributes.items() if value is not None}
        self._payload = payload

    def found_in(self, items: Sequence[T], times: int | None) -> T:
        """The first match; raises ``AssertionError`` if there is none, or not exactly ``times``."""
        fitting = [item for item in items if self._fits(item)]
        if not fitting or (times is not None and len(fitting) != times):
            wanted = "one" if times is None else f"{times}"
            raise AssertionError(
                f"expected {wanted} {self._where} with {self._words()}, found {len(fitting)}; {describe(items)}"
            )
        return fitting[0]

    def _fits(self, item: T) -> bool:
        if any(getattr(item, name) != value for name, value in self._attributes.items()):
            return False
        if self._payload is ANY:
            return True
        if callable(self._payload):
            return bool(self._payload(item.payload))
        return item.payload == self._payload or self._encoded(item)

    def _encoded(self, item: T) -> bool:
        """Whether the item equals the expected payload encoded as JSON, where a tuple becomes a list, and so on."""
        try:
            return bool(item.payload == json.loads(payload_bytes(self._payload)))
        except (ValidationError, ValueError):
            return False

    def _words(self) -> str:
        words = [f"{name}={value!r}" for name, value in self._attributes.items()]
        if self._payload is not ANY:
            words.append(f"payload={self._payload!r}")
        return ", ".join(words) or "anything"


def describe(items: Sequence[Item]) -> str:
    """List the messages found, a line each."""
    if not items:
        return "nothing is there"
    lines = [_line(item) for item in items[:MOST_LISTED]]
    if len(items) > MOST_LISTED:
        lines.append(f"… and {len(items) - MOST_LISTED} more")
    return "\n  ".join(["there is:", *lines])


def _line(item: Item) -> str:
    text = str(item)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
