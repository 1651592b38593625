"""What Play keeps in the store: temporary inboxes, and the requests that they received."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

__all__ = ["PlayAnswer", "PlayInbox", "PlayLimits", "PlayRequest", "PlayStore"]


class PlayAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How an inbox answers what it receives."""

    status: int = 200
    delay_ms: int = 0


class PlayInbox(msgspec.Struct, frozen=True, kw_only=True):
    """A temporary inbox; anyone who knows its token may use it."""

    token: str
    created_at: int
    expires_at: int
    answer: PlayAnswer = PlayAnswer()


class PlayRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request that an inbox received, as it came."""

    id: str
    received_at: int
    method: str
    path: str
    """With the query string."""
    headers: Sequence[tuple[str, str]]
    body: bytes


class PlayLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much is kept; the oldest goes first."""

    inboxes: int
    requests: int
    """In one inbox."""
    body_bytes: int
    """In one inbox, all bodies together."""
    total_bytes: int
    """In all inboxes, bodies and headers together."""


class PlayStore(Protocol):
    """Inboxes and their requests. An inbox that has expired is not found any more."""

    async def add(self, inbox: PlayInbox, limits: PlayLimits) -> None:
        """Removes expired inboxes, and where there are too many, those never used and then those idle for longest."""
        ...

    async def get(self, token: str, now: int) -> PlayInbox | None:
        """The inbox with this token."""
        ...

    async def set_answer(self, token: str, answer: PlayAnswer, now: int) -> PlayInbox | None:
        """Change how an inbox answers; ``None`` if there is no such inbox."""
        ...

    async def receive(self, token: str, request: PlayRequest, limits: PlayLimits) -> PlayInbox | None:
        """Keep a request and return its inbox; ``None`` if there is no such inbox."""
        ...

    async def requests(self, token: str, after: str, limit: int) -> Sequence[PlayRequest]:
        """The newest ``limit`` of the requests with ids above ``after``, oldest first."""
        ...

    async def trim(self, total_bytes: int) -> int:
        """Remove the oldest requests of all inboxes beyond this size; returns the size of those that are left."""
        ...

    async def clear(self, token: str) -> None:
        """Remove the requests of an inbox."""
        ...
