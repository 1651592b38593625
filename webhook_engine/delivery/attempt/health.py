"""The failure window of an endpoint: when it opens, warns, disables and ends. Pure: no I/O, no clock.

::

                 failure                 failure ≥ ½ window later           failure ≥ 1 window later
      well ────────────────► failing ─────────────────────────────► warned ─────────────────────────► disabled
       ▲                        │                                      │                                 │
       └────────────────────────┴──── success, or silence > 2 windows ─┘◄────────── re-enable ───────────┘
"""

from __future__ import annotations

from enum import Enum

from webhook_engine.model import Health

__all__ = ["WELL", "Signal", "after_failure", "after_success"]

WELL = Health()


class Signal(Enum):
    """What a failed attempt means for its endpoint."""

    NONE = "none"
    WARN = "warn"
    """Half of the window is over: ``endpoint.failing``."""
    DISABLE = "disable"
    """The window is over: ``endpoint.disabled``."""


def after_success(_health: Health) -> Health:
    """Any success ends the window, a manual one too."""
    return WELL


def after_failure(health: Health, now: int, window: int) -> tuple[Health, Signal]:
    """The window after a failed scheduled attempt, and what to do about it; times in microseconds.

    A manual attempt never opens or crosses a window; do not ask for it.
    """
    first, last = health.first_failure_at, health.last_failure_at
    if first is None or last is None or now - last > 2 * window:
        return Health(first_failure_at=now, last_failure_at=now), Signal.NONE
    # A clock that was set back must not lengthen the window or the silence that is measured from here.
    first, last = min(first, now), now
    age = now - first
    if age >= window:
        return Health(first, last, warned=True), Signal.DISABLE
    if age >= window // 2 and not health.warned:
        return Health(first, last, warned=True), Signal.WARN
    return Health(first, last, health.warned), Signal.NONE
