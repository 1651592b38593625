"""How many file descriptors this process may have, and how many of them idle connections to receivers may take."""

from __future__ import annotations

import sys

__all__ = ["IDLE_SHARE", "most_idle", "soft_limit"]

if sys.platform != "win32":
    import resource

MAX_IDLE = 4_096
"""More idle connections are not kept, however many descriptors there are."""
IDLE_SHARE = 4
"""Of all descriptors, one of so many may be an idle connection."""


def soft_limit() -> int | None:
    """How many descriptors this process may have now; ``None`` if there is no limit, or none that can be told."""
    if sys.platform == "win32":
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if limit == resource.RLIM_INFINITY else limit


def most_idle(limit: int | None) -> int:
    """How many idle connections there may be with so many descriptors."""
    return MAX_IDLE if limit is None else max(1, min(MAX_IDLE, limit // IDLE_SHARE))
