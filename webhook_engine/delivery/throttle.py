"""Rate limits in messages per second. Pure: the caller gives the monotonic time."""

from __future__ import annotations

__all__ = ["Throttle"]

CATCH_UP_S = 0.05
"""Seconds by which a throttle may lag behind its rate and catch up: absorbs late wake-ups, but allows no burst."""
_NO_WAIT_S = 1e-6
"""Seconds that count as no wait: shorter than any timer, and within float rounding errors."""


class Throttle:
    """Spaces messages evenly: at most ``rate`` a second, ``None`` for no limit."""

    def __init__(self, rate: int | None) -> None:
        self.rate = rate
        self._next = 0.0

    def wait(self, now: float) -> float:
        """Seconds until the next message may go; 0 if it may go now."""
        if self.rate is None:
            return 0.0
        wait = self._next - now
        return wait if wait > _NO_WAIT_S else 0.0

    def resume(self, since: float) -> None:
        """Start from ``since``, until when another engine may have sent messages."""
        if self.rate is not None:
            self._next = max(self._next, since + 1 / self.rate)

    def spend(self, now: float) -> None:
        """Count a message that is sent now."""
        if self.rate is not None:
            self._next = max(self._next, now - CATCH_UP_S) + 1 / self.rate
