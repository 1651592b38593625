"""The positions of message pollers: how far each named consumer has come."""

from __future__ import annotations

from typing import Protocol

import msgspec

__all__ = ["Position", "PositionStore"]


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """How far a consumer of the poller has come."""

    application_id: str
    sink: str
    """What it polls: the id of an endpoint, or the client's own name."""
    consumer: str
    """The consumer's name, chosen by the client."""
    after: str
    """The id of the last message acknowledged, or any lower bound of ids."""
    used_at: int


class PositionStore(Protocol):
    """The positions of pollers; they are deleted with their application or endpoint."""

    async def get(self, application_id: str, sink: str, consumer: str) -> Position | None:
        """A position; ``None`` if there is none yet."""
        ...

    async def keep(self, position: Position, most: int, idle_since: int) -> bool:
        """Set a position; returns whether there was room.

        An application has at most ``most`` positions. If a new one exceeds that, those not used after ``idle_since``
        are deleted. Nothing is stored for a deleted application.
        """
        ...
