"""Where the time comes from. Nothing else in the package reads a clock, so that a test can make days pass at once.

Inside the engine an instant is an ``int``: microseconds since the Unix epoch, UTC. ``datetime`` and ``timedelta``
appear only at the edges, through the conversions below.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

__all__ = ["Clock", "ManualClock", "from_datetime", "microseconds", "span", "to_datetime"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Clock:
    """The system's clock."""

    def now(self) -> int:
        """Wall-clock time, in microseconds since the Unix epoch."""
        return time.time_ns() // 1_000

    def monotonic(self) -> float:
        """Seconds that never run backwards, for measuring durations."""
        return time.monotonic()

    def process(self) -> float:
        """Seconds of real time that never run backwards, even if a test controls the other two."""
        return _process_s()

    def on_jump(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call ``wake()`` when the time is set by hand; returns a function that unsubscribes.

        The system's clock does not notify when it is set, so code that waits for an instant sleeps in bounded steps.
        """
        del wake
        return lambda: None


class ManualClock(Clock):
    """A clock that stands still until a test moves it, which wakes at once what waits on it."""

    def __init__(self, start: datetime | None = None) -> None:
        self._now = from_datetime(start) if start else int(time.time() * 1_000_000)
        self._monotonic = 0.0
        self._wakers: list[Callable[[], None]] = []

    def now(self) -> int:
        """Wall-clock time, in microseconds since the Unix epoch."""
        return self._now

    def monotonic(self) -> float:
        """Seconds advanced so far; a jump set with :meth:`set` does not count."""
        return self._monotonic

    def on_jump(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call ``wake()`` after each move, until the returned function is called."""
        self._wakers.append(wake)
        return lambda: self._wakers.remove(wake)

    def advance(self, by: timedelta | float = 0.0, **units: float) -> None:
        """Let time pass: a ``timedelta``, or seconds, or units as ``timedelta`` has them (``hours=5``)."""
        step = span(by, **units)
        self._now += microseconds(step)
        self._monotonic += step.total_seconds()
        self._wake()

    def set(self, instant: datetime) -> None:
        """Make the wall clock jump, forward or back, as an administrator or NTP does; no time passes."""
        self._now = from_datetime(instant)
        self._wake()

    def _wake(self) -> None:
        for wake in list(self._wakers):
            wake()


def span(by: timedelta | float = 0.0, **units: float) -> timedelta:
    """A duration as given by a test: a ``timedelta``, or seconds, or units as ``timedelta`` has them."""
    return (by if isinstance(by, timedelta) else timedelta(seconds=by)) + timedelta(**units)


def _elapsed_s() -> float:
    return os.times().elapsed


# freezegun and the like change neither. The first is much cheaper, but not available on every system.
_process_s = partial(time.clock_gettime, time.CLOCK_MONOTONIC) if hasattr(time, "clock_gettime") else _elapsed_s


def to_datetime(instant: int) -> datetime:
    """An aware UTC ``datetime`` of microseconds since the epoch."""
    return _EPOCH + timedelta(microseconds=instant)


def from_datetime(value: datetime) -> int:
    """Microseconds since the epoch; a naive ``datetime`` is taken as UTC."""
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return (aware - _EPOCH) // _MICROSECOND


def microseconds(value: timedelta) -> int:
    """A duration as whole microseconds."""
    return value // _MICROSECOND
