"""Tells an engine in the same process that somebody has just written to an outbox, so that it looks sooner."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["subscribe", "wake"]

_wakers: set[Callable[[], None]] = set()


def subscribe(waker: Callable[[], None]) -> Callable[[], None]:
    """Call ``waker()``, on whatever thread it happens, after each row that is written; returns what ends that.

    The row is not committed yet.
    """
    _wakers.add(waker)
    return lambda: _wakers.discard(waker)


def wake() -> None:
    """A row was written."""
    for waker in tuple(_wakers):
        waker()
