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

__all__ = ["WELL", "Signal", "after_failure", "after_success", "opened"]

WELL = Health()


class Signal(Enum):
    """What an attempt means for its endpoint."""

    NONE = "none"
    WARN = "warn"
    """Half of the window is over: ``endpoint.failing``."""
    DISABLE = "disable"
    """The window is over: ``endpoint.disabled``."""
    RECOVER = "recover"
    """A success after the warning: ``endpoint.recovered``."""


_NO_SIGNAL = Signal.NONE


def after_success(health: Health) -> tuple[Health, Signal]:
    """Any success ends the window, a manual one too."""
    return WELL, Signal.RECOVER if health.warned else _NO_SIGNAL


def after_failure(health: Health, now: int, ran: int, window: int) -> tuple[Health, Signal]:
    """The window after a failed scheduled attempt, and what to do about it; times in microseconds.

    ``ran`` is how long the engine has run; it alone decides, and ``now`` is only stored for display. Do not call this
    for a manual attempt, which never opens or crosses a window.
    """
    since, last = health.first_failure_ran, health.last_failure_ran
    if health.first_failure_at is None or since is None or last is None or ran - last > 2 * window:
        return opened(now, ran), Signal.NONE
    age, warned, signal = ran - since, health.warned, Signal.NONE
    if age >= window:
        warned, signal = True, Signal.DISABLE
    elif age >= window // 2 and not warned:
        warned, signal = True, Signal.WARN
    # A clock that was set back must not show a window that begins in the future.
    return Health(min(health.first_failure_at, now), now, warned, since, ran), signal


def opened(now: int, ran: int) -> Health:
    """A window that begins now."""
    return Health(now, now, False, ran, ran)
