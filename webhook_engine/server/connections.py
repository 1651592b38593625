"""The open connections, and which to close when there are too many. Pure: no I/O; the time is passed in.

A connection waits for its client between two requests and while a body is being received; otherwise the server is
handling its request. Only a waiting connection is ever closed to make room for another, the one that has been idle for
longest first.
"""

from __future__ import annotations

from typing import Generic, TypeVar

__all__ = ["Connections"]

C = TypeVar("C")

SLOW_BODY_S = 5.0
"""A connection that has been receiving a body for this long may be closed to make room."""


class Connections(Generic[C]):
    """The open connections."""

    def __init__(self) -> None:
        self._idle: dict[C, None] = {}
        """Idle connections, in the order in which they became idle."""
        self._receiving: dict[C, float] = {}
        """Connections that are receiving a body, each with the time when that began."""
        self._working: dict[C, None] = {}

    def __len__(self) -> int:
        return len(self._idle) + len(self._receiving) + len(self._working)

    def opened(self, connection: C) -> None:
        """Add a new connection, which waits for its first request."""
        self._idle[connection] = None

    def working(self, connection: C) -> None:
        """Mark a connection as having its request handled."""
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
        """The connection that may be closed for another; ``None`` if all are having requests handled."""
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
