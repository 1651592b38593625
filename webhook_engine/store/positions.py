"""What the message poller keeps in the store: how far each client that named itself has come."""

from __future__ import annotations

from typing import Protocol

import msgspec

__all__ = ["Position", "PositionStore"]


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """How far a client of the poller has come."""

    application_id: str
    sink: str
    """What it pulls from: the id of an endpoint, or a name of the clients' own."""
    consumer: str
    """The name that the client gave itself; the API calls it so."""
    after: str
    """The id of the last message that it is done with, or any bound of ids."""
    used_at: int


class PositionStore(Protocol):
    """The positions of pollers; those of an application go with it, and those of an endpoint with that."""

    async def get(self, application_id: str, sink: str, consumer: str) -> Position | None:
        """A position; ``None`` if there is none yet."""
        ...

    async def keep(self, position: Position, most: int, idle_since: int) -> bool:
        """Set a position; returns whether there was room.

        An application has at most ``most`` positions. Where a new one finds no room, those not used after
        ``idle_since`` give way. Nothing is kept for an application that is deleted.
        """
        ...
