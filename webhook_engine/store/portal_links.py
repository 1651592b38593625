"""Links to the portal that were not opened yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

__all__ = ["PortalLink", "PortalLinkStore"]


class PortalLink(msgspec.Struct, frozen=True, kw_only=True):
    """A link to the portal that was not opened yet; it is good for one use."""

    digest: bytes
    """Digest of the key in the link; the key itself is not stored."""
    organization_id: str
    application_id: str
    """Empty for one that opens the operator's view."""
    feature_flags: tuple[str, ...]
    capabilities: tuple[str, ...] | None
    session_id: str | None
    session_ttl_s: int
    expires_at: int


class PortalLinkStore(Protocol):
    """Links to the portal, by the digests of their keys."""

    async def add(self, link: PortalLink) -> None:
        """Store a link."""
        ...

    async def take(self, digest: bytes, now: int) -> PortalLink | None:
        """Remove and return the link with this digest; ``None`` if there is no valid one."""
        ...

    async def forget(self, application_id: str, session_ids: Sequence[str]) -> None:
        """Remove the links of an application; with ``session_ids`` only those that would open one of these."""
        ...
