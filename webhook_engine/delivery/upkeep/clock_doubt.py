"""Whether the wall clock may be believed where something is deleted by it. Pure: the caller gives both times.

A clock that is set far ahead by mistake makes everything look old. What is not sent in time can be sent later, but what
is deleted is gone. So a clock that ran ahead of the time that really passed is believed when it has kept to it for a
while, in which somebody may notice and set it right.

What really passed is the time that engines ran on the database. So an engine that was off for long doubts its clock for
that while too: it cannot know. If it is stopped before that, the next run goes on doubting where this one ended.
"""

from __future__ import annotations

__all__ = ["AHEAD", "DOUBTED_FOR_S", "ClockTrust"]

AHEAD = 3_600_000_000
"""Microseconds that the clock may gain at once without being doubted; summer time is no matter, since this is UTC."""
DOUBTED_FOR_S = 3_600.0


class ClockTrust:
    """Compares the wall clock with the time that passes."""

    def __init__(self) -> None:
        self._offset: int | None = None
        """Of the wall clock, in microseconds, from the one that only runs on."""
        self.doubted_since: float | None = None
        """By the one that only runs on."""

    @property
    def doubted(self) -> bool:
        """Whether the last check said no."""
        return self.doubted_since is not None

    def remember(self, believed_at: int, ran: float, doubted_since: float | None) -> None:
        """Go on from the end of an earlier run, which believed ``believed_at`` when it had run so long."""
        self._offset, self.doubted_since = believed_at - round(ran * 1_000_000), doubted_since

    def believes(self, now: int, ran: float) -> bool:
        """Whether what is old by ``now`` may be deleted. Ask it now and then, or it cannot know."""
        offset = now - round(ran * 1_000_000)
        if self._offset is not None and offset - self._offset > AHEAD:
            if self.doubted_since is None:
                self.doubted_since = ran
            if ran - self.doubted_since < DOUBTED_FOR_S:
                return False
        self._offset, self.doubted_since = offset, None
        return True

    def believed_at(self, now: int, ran: float) -> int:
        """What the clock would say without what is doubted of it."""
        return now if self._offset is None or not self.doubted else self._offset + round(ran * 1_000_000)
