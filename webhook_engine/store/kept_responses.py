"""The responses to requests with an idempotency key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

__all__ = ["KeptResponse", "KeptResponseStore"]


class KeptResponse(msgspec.Struct, frozen=True, kw_only=True):
    """The response to a request that came with an idempotency key, to be given again."""

    digest: bytes
    """Of the token, the key and the request's target."""
    encrypted: bytes
    """Status and body, encrypted, since a response may hold a secret."""
    expires_at: int


class KeptResponseStore(Protocol):
    """Responses to requests with an idempotency key."""

    async def keep(self, responses: Sequence[KeptResponse]) -> None:
        """Keep a batch of responses; one that goes with a message is kept by ``MessageStore.add``."""
        ...

    async def find(self, digest: bytes, now: int) -> KeptResponse | None:
        """The response, if it has not expired."""
        ...

    async def claim(self, digest: bytes, now: int, until: int) -> bool:
        """Take a key for a request that is about to be done; ``False`` if it has a response, or another one has it.

        A claim that nobody gives up, and for which no response is kept, ends at ``until``.
        """
        ...

    async def give_up(self, digest: bytes) -> None:
        """End a claim without a response."""
        ...

    async def digests(self, after: bytes, limit: int, now: int) -> Sequence[bytes]:
        """The digests of all responses that have not expired, in their order."""
        ...
