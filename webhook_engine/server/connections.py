"""Which connections to the server there are, and which goes when there are too many. Pure: no I/O; the time is given.

A connection waits for its client between two requests, and while a body is on its way; otherwise the server is at work
for it. Only one that waits is ever closed for another: first the one that has been idle for longest.
"""

from __future__ import annotations

from typing import Generic, TypeVar

__all__ = ["Connections"]

C = TypeVar("C")

SLOW_BODY_S = 5.0
"""A body that has been on its way for so long may be given up for another connection."""


class Connections(Generic[C]):
    """The open connections."""

    def __init__(self) -> None:
        self._idle: dict[C, None] = {}
        """Those between two requests, in the order in which they came to be so."""
        self._receiving: dict[C, float] = {}
        """Those that wait for a body, with the time since when."""
        self._working: dict[C, None] = {}

    def __len__(self) -> int:
        return len(self._idle) + len(self._receiving) + len(self._working)

    def opened(self, connection: C) -> None:
        """Add a new connection, which waits for its first request."""
        self._idle[connection] = None

    def working(self, connection: C) -> None:
        """A request has come, or its body has."""
        if self._forget(connection):
            self._working[connection] = None

    def receiving(self, connection: C, now: float) -> None:
        """Mark a connection as waiting for a request body."""
        if self._forget(connection):
            self._receiving[connection] = now

    def idle(self, connection: C) -> None:
        """Mark the request of a connection as answered."""
        if self._forget(connection):
            self._idle[connection] = None

    def is_idle(self, connection: C) -> bool:
        """Whether a connection is between two requests."""
        return connection in self._idle

    def closed(self, connection: C) -> None:
        """Remove a closed connection."""
        self._forget(connection)

    def to_close(self, now: float) -> C | None:
        """The one that may be closed for another; ``None`` if the server is at work for all of them."""
        if self._idle:
            return next(iter(self._idle))
        if self._receiving:
            connection, since = next(iter(self._receiving.items()))
            return connection if now - since >= SLOW_BODY_S else None
        return None

    def _forget(self, connection: C) -> bool:
        """Remove a connection; returns whether it was there."""
        for state in (self._idle, self._receiving, self._working):
            if connection in state:
                del state[connection]
                return True
        return False
