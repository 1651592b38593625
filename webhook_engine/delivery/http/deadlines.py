"""When the time of an exchange is over: counted only while the event loop runs."""

from __future__ import annotations

import asyncio
from typing import Protocol

__all__ = ["Deadlines", "Expiring"]

LOOK_EVERY_S = 0.5
"""How often at least it is looked whether the event loop stood still, while there are exchanges."""
LATE_S = 0.1
"""A timer that is later than that tells that the process was stopped or the event loop was kept busy."""
READING_S = 0.05
"""After that, the event loop gets this time to read what has arrived before anything expires."""


class Expiring(Protocol):
    """What has a time."""

    def expire(self) -> None:
        """The time is over."""


class Deadlines:
    """Expires what lasts longer than ``timeout_s``.

    All have the same time, so the oldest is always the next; one timer for it is cheaper than one for each. A time in
    which the event loop did not run, since the process was stopped or something else kept the loop busy, counts for
    nobody: responses that arrived meanwhile could not be read.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._under_way: dict[Expiring, float] = {}
        """The deadlines, in the order in which they come, on a clock that stands still while the event loop does."""
        self._stood_still_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._reading = False

    @property
    def idle(self) -> bool:
        """Whether there is nothing that could expire."""
        return not self._under_way

    def begin(self, one: Expiring) -> None:
        """Its time runs from now on."""
        now = self._loop.time()
        self._under_way[one] = now - self._stood_still_s + self._timeout_s
        if self._timer is None or self._timer.when() > now + self._timeout_s:
            self._look_at(now + min(self._timeout_s, LOOK_EVERY_S))

    def end(self, one: Expiring) -> None:
        """It is finished."""
        self._under_way.pop(one, None)

    def close(self) -> None:
        """Expect nothing more."""
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
            if deadline > awake:
                self._look_at(now + min(deadline - awake, LOOK_EVERY_S))
                return
            del self._under_way[one]
            one.expire()
