"""Whether the wall clock may be believed where something is deleted by it. Pure: the caller gives both times.

A clock that is set far ahead by mistake makes everything look old. What is not sent in time can be sent later, but what
is deleted is gone. So a clock that ran ahead of the time that really passed is believed when it has kept to it for a
while, in which somebody may notice and set it right.
"""

from __future__ import annotations

__all__ = ["DOUBTED_FOR_S", "ClockTrust"]

AHEAD = 3_600_000_000
"""Microseconds that the clock may gain at once without being doubted; summer time is no matter, since this is UTC."""
DOUBTED_FOR_S = 3_600.0


class ClockTrust:
    """Compares the wall clock with the time that passes."""

    def __init__(self) -> None:
        self._offset: int | None = None
        """Of the wall clock, in microseconds, from the one that only runs on."""
        self._doubted_since: float | None = None

    @property
    def doubted(self) -> bool:
        """Whether the last answer was no."""
        return self._doubted_since is not None

    def believes(self, now: int, monotonic: float) -> bool:
        """Whether what is old by ``now`` may be deleted. Ask it now and then, or it cannot know."""
        offset = now - round(monotonic * 1_000_000)
        if self._offset is not None and offset - self._offset > AHEAD:
            if self._doubted_since is None:
                self._doubted_since = monotonic
            if monotonic - self._doubted_since < DOUBTED_FOR_S:
                return False
        self._offset, self._doubted_since = offset, None
        return True
