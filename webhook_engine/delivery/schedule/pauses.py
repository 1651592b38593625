"""How long a lane waits when something that it needs could not be had. Pure: the caller gives the random number.

Each pause of a lane is twice the one before, up to a bound. However many lanes wait, they together try only so many
times a second, so that a trouble of the engine is not made worse by asking again and again whether it is over.
"""

from __future__ import annotations

__all__ = ["LONGEST_S", "pause_s"]

FIRST_S = 0.5
LONGEST_S = 10.0
TRIES_PER_S = 100
"""Of all lanes that wait."""
LONGEST_IN_A_CROWD_S = 60.0
SPREAD = 0.25
"""Share of itself by which a pause may be shorter or longer, so that lanes do not all try at once."""


def pause_s(times: int, waiting: int, random: float) -> float:
    """Seconds to wait after the trouble was met ``times`` times in a row, while so many lanes wait.

    ``random`` is in [0, 1).
    """
    own = min(FIRST_S * 2.0 ** min(times - 1, 10), LONGEST_S)
    share = min(waiting / TRIES_PER_S, LONGEST_IN_A_CROWD_S)
    return max(own, share) * (1 + SPREAD * (2 * random - 1))
