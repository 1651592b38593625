"""Stored responses to requests with an idempotency key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

__all__ = ["KeptResponse", "KeptResponseStore"]


class KeptResponse(msgspec.Struct, frozen=True, kw_only=True):
    """The response to a request with an idempotency key, to be repeated."""

    digest: bytes
    """Digest of the token, the key and the request's target."""
    encrypted: bytes
    """Status and body, encrypted, since a response may hold a secret."""
    expires_at: int


class KeptResponseStore(Protocol):
    """Responses to requests with an idempotency key."""

    async def keep(self, responses: Sequence[KeptResponse]) -> None:
        """Store a batch of responses; ``MessageStore.add`` stores one that belongs to a message."""
        ...

    async def find(self, digest: bytes, now: int) -> KeptResponse | None:
        """The response, if it has not expired."""
        ...

    async def claim(self, digest: bytes, now: int, until: int) -> bool:
        """Claim a key for a request in progress; ``False`` if it has a response or is claimed.

        A claim that is not released, and for which no response is stored, expires at ``until``.
        """
        ...

    async def give_up(self, digest: bytes) -> None:
        """Release a claim without a response."""
        ...

    async def digests(self, after: bytes, limit: int, now: int) -> Sequence[bytes]:
        """The digests of up to ``limit`` unexpired responses, in order, after ``after``."""
        ...
