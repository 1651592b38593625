"""A stretch of a list as SQL: a range of one column, in order, with a limit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from webhook_engine.store.records import Span, carried_bytes

__all__ = ["LAST", "bounds", "direction", "up_to"]

T = TypeVar("T")

LAST = "\U0010ffff"
"""Sorts after every id and name."""


def bounds(span: Span) -> tuple[str, str]:
    """Both ends, exclusive."""
    return span.low or "", span.high or LAST


def direction(span: Span) -> str:
    """How to order it."""
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
