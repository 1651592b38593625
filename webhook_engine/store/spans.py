"""Spans of lists as SQL: a range of one column, in order, with a limit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from webhook_engine.store.records import Edge, Span, carried_bytes
from webhook_engine.store.rows import Row

__all__ = ["LAST", "bounds", "direction", "edge_of", "up_to"]

T = TypeVar("T")

LAST = "\U0010ffff"
"""Sorts after every id and name."""


def bounds(span: Span) -> tuple[str, str]:
    """Both ends, exclusive."""
    return span.low or "", span.high or LAST


def direction(span: Span) -> str:
    """The SQL direction of the order."""
    return "DESC" if span.descending else "ASC"


def up_to(elements: Iterable[T], max_bytes: int | None) -> list[T]:
    """The elements that fit, and the first one that does not; what comes after it is not looked at."""
    if max_bytes is None:
        return list(elements)
    found: list[T] = []
    carried = 0
    for element in elements:
        found.append(element)
        if carried >= max_bytes:
            break
        carried += carried_bytes(element)
    return found


def edge_of(found: Sequence[Row]) -> Edge | None:
    """The edge out of the keys of two elements, if there are two."""
    return Edge(found[0][0], found[1][0]) if len(found) == 2 else None
