"""Timeouts of exchanges, counted only while the event loop runs."""

from __future__ import annotations

import asyncio
from typing import Protocol

__all__ = ["Deadlines", "Expiring"]

LOOK_EVERY_S = 0.5
"""Maximum seconds between checks whether the event loop was blocked, while there are exchanges."""
LATE_S = 0.1
"""A timer later than this (in seconds) shows that the process was suspended or the event loop was blocked."""
READING_S = 0.05
"""Seconds that the event loop then gets to read what has arrived, before anything expires."""
SHORTEST_S = 0.000_001
"""What has fewer seconds left is over: added to a clock with many digits they may change nothing, and so for ever."""


class Expiring(Protocol):
    """Something with a timeout."""

    def expire(self) -> None:
        """Time out."""


class Deadlines:
    """Expires exchanges that last longer than ``timeout_s``.

    All have the same timeout, so the oldest always expires first; one timer is cheaper than one for each. Time in which
    the event loop did not run, because the process was suspended or the loop was blocked, does not count: responses
    that arrived meanwhile could not be read.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._under_way: dict[Expiring, float] = {}
        """The deadlines, earliest first, on a clock that stops while the event loop is blocked."""
        self._stood_still_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._reading = False

    @property
    def idle(self) -> bool:
        """Whether there are no exchanges."""
        return not self._under_way

    def begin(self, one: Expiring) -> None:
        """Start the timeout of an exchange."""
        now = self._loop.time()
        self._under_way[one] = now - self._stood_still_s + self._timeout_s
        if self._timer is None or self._timer.when() > now + self._timeout_s:
            self._look_at(now + min(self._timeout_s, LOOK_EVERY_S))

    def end(self, one: Expiring) -> None:
        """Remove an exchange."""
        self._under_way.pop(one, None)

    def close(self) -> None:
        """Cancel the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_at(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._look, when)

    def _look(self, planned: float) -> None:
        self._timer = None
        now = self._loop.time()
        late_s = now - planned
        if late_s > LATE_S:
            self._stood_still_s += late_s
            if not self._reading:
                self._reading = True
                self._look_at(now + READING_S)
                return
        self._reading = False
        awake = now - self._stood_still_s
        while self._under_way:
            one, deadline = next(iter(self._under_way.items()))
            if deadline > awake + SHORTEST_S:
                self._look_at(now + min(deadline - awake, LOOK_EVERY_S))
                return
            del self._under_way[one]
            one.expire()
