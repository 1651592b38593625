"""When a failed delivery is tried again. Pure: no I/O; the caller gives the time and the random number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from email.utils import parsedate_to_datetime

from webhook_engine.clock import from_datetime, microseconds

__all__ = ["RetrySchedule", "retry_after"]

_MAX_RETRY_AFTER_S = 10 * 365 * 86_400


class RetrySchedule:
    """The ladder of delays between attempts, each spread by a share of itself (``jitter``)."""

    def __init__(self, delays: Sequence[timedelta], jitter: float) -> None:
        self._delays = tuple(microseconds(delay) for delay in delays)
        self._jitter = jitter

    def with_delays(self, delays: Sequence[timedelta]) -> RetrySchedule:
        """A schedule with other delays and the same jitter."""
        return RetrySchedule(delays, self._jitter)

    def __len__(self) -> int:
        return len(self._delays)

    def next_delay(self, attempts: int, random: float, asked: int | None = None) -> int | None:
        """Microseconds to wait after ``attempts`` failed attempts; ``None`` when the ladder is used up.

        ``random`` is in [0, 1). ``asked`` is what the receiver asked for (see :func:`retry_after`): the delay then is
        never shorter than that or than the step's base, nor longer than twice the base.
        """
        if not 1 <= attempts <= len(self._delays):
            return None
        base = self._delays[attempts - 1]
        if asked is None:
            return round(base * (1 + self._jitter * (2 * random - 1)))
        return min(round(max(asked, base) * (1 + self._jitter * random)), 2 * base)


def retry_after(header: str | None, now: int) -> int | None:
    """Microseconds to wait by a ``Retry-After`` header (RFC 9110, 10.2.3); ``None`` without one, or if it is invalid.

    A date in the past gives 0.
    """
    if header is None:
        return None
    text = header.strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            return max(0, from_datetime(parsedate_to_datetime(text)) - now)
        except (ValueError, OverflowError, TypeError):
            return None
    if not math.isfinite(seconds) or seconds < 0:
        return None
    return math.ceil(min(seconds, _MAX_RETRY_AFTER_S) * 1_000_000)
