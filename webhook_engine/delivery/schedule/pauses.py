"""How long a lane is held when something that it needs is unavailable. Pure: the caller gives the random number.

Each pause of a lane is twice the last one, up to a maximum. All held lanes together retry at a limited rate, so that
retries do not make a trouble of the engine worse.
"""

from __future__ import annotations

__all__ = ["LONGEST_S", "pause_s"]

FIRST_S = 0.5
LONGEST_S = 10.0
TRIES_PER_S = 100
"""Retries per second of all held lanes together."""
LONGEST_IN_A_CROWD_S = 60.0
SPREAD = 0.25
"""Jitter as a share of the pause, so that lanes do not all retry at once."""


def pause_s(times: int, waiting: int, random: float) -> float:
    """Seconds to wait after ``times`` consecutive failures, while ``waiting`` lanes are held.

    ``random`` is in [0, 1).
    """
    own = min(FIRST_S * 2.0 ** min(times - 1, 10), LONGEST_S)
    share = min(waiting / TRIES_PER_S, LONGEST_IN_A_CROWD_S)
    return max(own, share) * (1 + SPREAD * (2 * random - 1))
