"""Links to the portal that were not opened yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

__all__ = ["PortalLink", "PortalLinkStore"]


class PortalLink(msgspec.Struct, frozen=True, kw_only=True):
    """A link to the portal that was not opened yet; it is good for one use."""

    digest: bytes
    """Of the key in the link, which itself is kept nowhere."""
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
        """Keep a link until it is opened."""
        ...

    async def take(self, digest: bytes, now: int) -> PortalLink | None:
        """The link with this digest, which is gone then; ``None`` if there is none that is still good."""
        ...

    async def forget(self, application_id: str, session_ids: Sequence[str]) -> None:
        """Remove the links of an application; with ``session_ids`` only those that would open one of these."""
        ...
