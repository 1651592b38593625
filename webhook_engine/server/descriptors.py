"""The file descriptor limit of this process, and the share of it for connections to the server.

Deliveries, DNS lookups and the database need descriptors too. The server gets only a share, so that a client which
leaves idle connections open cannot take them all.
"""

from __future__ import annotations

import sys

from webhook_engine.delivery.http.descriptors import IDLE_SHARE, most_idle
from webhook_engine.log import get_logger

__all__ = ["RESERVED", "inbound_share", "needed", "raise_limit"]

if sys.platform != "win32":
    import resource

ENOUGH = 65_536
"""The most that is ever requested: the engine needs no more."""
RESERVED = 256
"""For DNS lookups, the database and the like, besides requests in flight and idle connections to receivers."""
LEAST_SHARE = 4
"""However low the limit, one of this many descriptors is for the server."""

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
    """The limit on connections to the server: as configured, but low enough to leave deliveries what they need."""
    if limit is None:
        return max_connections
    return max(1, min(max_connections, max(limit // LEAST_SHARE, limit - max_in_flight - most_idle(limit) - RESERVED)))


def needed(max_in_flight: int) -> int:
    """The number of descriptors that deliveries need, including idle connections that they keep."""
    return (max_in_flight + RESERVED) * IDLE_SHARE // (IDLE_SHARE - 1)
