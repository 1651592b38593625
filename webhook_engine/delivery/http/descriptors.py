"""Limits of file descriptors: of this process, and of its idle connections to receivers."""

from __future__ import annotations

import sys

__all__ = ["IDLE_SHARE", "most_idle", "soft_limit"]

if sys.platform != "win32":
    import resource

MAX_IDLE = 4_096
"""Idle connections kept at most, however many descriptors there are."""
IDLE_SHARE = 4
"""One of so many descriptors may be an idle connection."""


def soft_limit() -> int | None:
    """How many descriptors this process may have now; ``None`` if there is no limit, or it is unknown."""
    if sys.platform == "win32":
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if limit == resource.RLIM_INFINITY else limit


def most_idle(limit: int | None) -> int:
    """The maximum number of idle connections for a limit of descriptors."""
    return MAX_IDLE if limit is None else max(1, min(MAX_IDLE, limit // IDLE_SHARE))
