"""Whether to trust the wall clock for deletions. Pure: the caller gives both times.

A clock set far ahead by mistake makes everything look old. What is sent late can still be sent, but what is deleted is
lost. So a clock that jumped ahead of the elapsed time is trusted only after it has stayed there for a while, in which
somebody may notice and correct it.

Elapsed time is the time that engines ran on the database. So an engine that was off for long doubts its clock for that
while too, since it cannot know. If it is stopped earlier, the next run continues the doubt.
"""

from __future__ import annotations

__all__ = ["AHEAD", "DOUBTED_FOR_S", "ClockTrust"]

AHEAD = 3_600_000_000
"""Microseconds that the clock may jump ahead without being doubted; it is UTC, so daylight saving does not matter."""
DOUBTED_FOR_S = 3_600.0


class ClockTrust:
    """Compares the wall clock with the time that passes."""

    def __init__(self) -> None:
        self._offset: int | None = None
        """Offset of the wall clock from the running time, in microseconds."""
        self.doubted_since: float | None = None
        """The running time when the doubt began."""

    @property
    def doubted(self) -> bool:
        """Whether the last check doubted the clock."""
        return self.doubted_since is not None

    def remember(self, believed_at: int, ran: float, doubted_since: float | None) -> None:
        """Continue an earlier run, which trusted the time ``believed_at`` at the running time ``ran``."""
        self._offset, self.doubted_since = believed_at - round(ran * 1_000_000), doubted_since

    def believes(self, now: int, ran: float) -> bool:
        """Whether what is old by ``now`` may be deleted. Call it regularly, since it compares with earlier calls."""
        offset = now - round(ran * 1_000_000)
        if self._offset is not None and offset - self._offset > AHEAD:
            if self.doubted_since is None:
                self.doubted_since = ran
            if ran - self.doubted_since < DOUBTED_FOR_S:
                return False
        self._offset, self.doubted_since = offset, None
        return True

    def believed_at(self, now: int, ran: float) -> int:
        """The clock's time without a doubted jump."""
        return now if self._offset is None or not self.doubted else self._offset + round(ran * 1_000_000)
