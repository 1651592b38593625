"""Notifies an engine in the same process that a row was just written to an outbox, so that it polls sooner."""

from __future__ import annotations

import os
from collections.abc import Callable

__all__ = ["subscribe", "wake"]

_wakers: dict[Callable[[], None], int] = {}
"""The registered callbacks, each with its process id: a fork copies them, but not the engine."""


def subscribe(waker: Callable[[], None]) -> Callable[[], None]:
    """Call ``waker()`` after each row that is written, in the writing thread; returns a function that unsubscribes.

    The row is not committed yet.
    """
    _wakers[waker] = os.getpid()

    def end() -> None:
        _wakers.pop(waker, None)

    return end


def wake() -> None:
    """Notify the subscribers that a row was written."""
    for waker, process in tuple(_wakers.items()):
        if process == os.getpid():
            waker()
