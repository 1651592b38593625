"""How many file descriptors this process may have, and how many of them connections to the server may take.

Deliveries, look-ups and the database need descriptors too. A client that leaves idle connections open must not
take those, so the server has a part of what there is.
"""

from __future__ import annotations

import sys

from webhook_engine.delivery.http.descriptors import IDLE_SHARE, most_idle
from webhook_engine.log import get_logger

__all__ = ["RESERVED", "inbound_share", "needed", "raise_limit"]

if sys.platform != "win32":
    import resource

ENOUGH = 65_536
"""More are not asked for: nothing that the engine does takes so many."""
RESERVED = 256
"""For look-ups of names, the database and the like, besides requests in flight and idle connections to receivers."""
LEAST_SHARE = 4
"""However few there are, one of so many is for the server."""

log = get_logger("descriptors")


def raise_limit() -> None:
    """Raise this process's descriptor limit as far as needed and allowed, and log the result."""
    if sys.platform == "win32":
        return
    before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH if most == resource.RLIM_INFINITY else min(most, ENOUGH)
    if before == resource.RLIM_INFINITY or before >= wanted:
        log.info("descriptors.limit", limit=before)
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
    except (OSError, ValueError) as error:
        log.warning("descriptors.not_raised", limit=before, wanted=wanted, error=str(error))
    else:
        log.info("descriptors.raised", limit=wanted, before=before)


def inbound_share(limit: int | None, max_connections: int, max_in_flight: int) -> int:
    """How many connections to the server there may be: as configured, but never so many that deliveries lack some."""
    if limit is None:
        return max_connections
    return max(1, min(max_connections, max(limit // LEAST_SHARE, limit - max_in_flight - most_idle(limit) - RESERVED)))


def needed(max_in_flight: int) -> int:
    """How many descriptors deliveries need, with the idle connections that they keep."""
    return (max_in_flight + RESERVED) * IDLE_SHARE // (IDLE_SHARE - 1)
