"""A stretch of a list as SQL: a range of one column, in order, with a limit."""

from __future__ import annotations

from webhook_engine.store.records import Span

__all__ = ["LAST", "bounds", "direction"]

LAST = "\U0010ffff"
"""Sorts after every id and name."""


def bounds(span: Span) -> tuple[str, str]:
    """Both ends, exclusive."""
    return span.low or "", span.high or LAST


def direction(span: Span) -> str:
    """How to order it."""
    return "DESC" if span.descending else "ASC"
