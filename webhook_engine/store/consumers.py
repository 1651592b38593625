"""What the message poller keeps in the store: how far each consumer has come."""

from __future__ import annotations

from typing import Protocol

import msgspec

__all__ = ["ConsumerStore", "Position"]


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """How far a consumer has come."""

    application_id: str
    sink: str
    """What it pulls from: the id of an endpoint, or a name of the clients' own."""
    consumer: str
    after: str
    """The id of the last message that it is done with, or any bound of ids."""
    used_at: int


class ConsumerStore(Protocol):
    """The positions of consumers; those of an application go with it, and those of an endpoint with that."""

    async def get(self, application_id: str, sink: str, consumer: str) -> Position | None:
        """Where a consumer stands; ``None`` if it has no position yet."""
        ...

    async def keep(self, position: Position, most: int, idle_since: int) -> bool:
        """Set where a consumer stands; returns whether there was room.

        An application has at most ``most`` positions. Where a new one finds no room, those not used after
        ``idle_since`` give way. Nothing is kept for an application that is deleted.
        """
        ...
