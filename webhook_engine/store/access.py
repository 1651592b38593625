"""What the HTTP API keeps in the store: revoked tokens, links to the portal, and answers given under a key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

__all__ = ["AnswerStore", "KeptAnswer", "PortalLink", "Revocation", "TokenStore"]


class Revocation(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens that are not accepted any more."""

    subject: str
    """``token:…``, ``app:…`` or ``session:…``: what the tokens have in common."""
    up_to: str
    """Tokens of the subject with this id or a lower one are concerned; ids sort by time."""
    effective_at: int
    drop_at: int
    """When all these tokens have expired by themselves."""


class PortalLink(msgspec.Struct, frozen=True, kw_only=True):
    """A link to the portal that was not opened yet; it is good for one use."""

    digest: bytes
    """Of the key in the link, which itself is kept nowhere."""
    organization_id: str
    application_id: str
    feature_flags: tuple[str, ...]
    capabilities: tuple[str, ...] | None
    session_id: str | None
    session_ttl_s: int
    expires_at: int


class KeptAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a request that came with an idempotency key, to be given again."""

    digest: bytes
    """Of the token, the key and the request's target."""
    sealed: bytes
    """Status and body, encrypted, since an answer may hold a secret."""
    expires_at: int


class TokenStore(Protocol):
    """Revocations and portal links."""

    async def revoke(self, revocations: Sequence[Revocation]) -> None:
        """Add revocations; one that takes effect no later and reaches further replaces those of its subject."""
        ...

    async def revocations(self) -> Sequence[Revocation]:
        """All of them."""
        ...

    async def add_link(self, link: PortalLink) -> None:
        """Keep a link until it is opened."""
        ...

    async def take_link(self, digest: bytes, now: int) -> PortalLink | None:
        """The link with this digest, which is gone then; ``None`` if there is none that is still good."""
        ...

    async def forget_links(self, application_id: str, session_ids: Sequence[str]) -> None:
        """Remove the links of an application; with ``session_ids`` only those that would open one of these."""
        ...

    async def purge(self, now: int) -> None:
        """Remove what has expired."""
        ...


class AnswerStore(Protocol):
    """Answers given under an idempotency key."""

    async def keep(self, answers: Sequence[KeptAnswer]) -> None:
        """Keep a batch of answers; one that goes with a message is kept by ``MessageStore.add``."""
        ...

    async def find(self, digest: bytes, now: int) -> KeptAnswer | None:
        """The answer, if it has not expired."""
        ...

    async def digests(self, after: bytes, limit: int, now: int) -> Sequence[bytes]:
        """The digests of all answers that have not expired, in their order."""
        ...

    async def purge(self, now: int, limit: int) -> int:
        """Remove up to ``limit`` expired answers; returns how many."""
        ...
