"""Links to the consumers' portal: each holds a random key that opens one session, once, within a short time."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import timedelta

from webhook_engine.clock import Clock, microseconds
from webhook_engine.store.portal_links import PortalLink, PortalLinkStore

__all__ = ["PortalLinks"]

_KEY_BYTES = 32
_LONGEST_KEY = 100


class PortalLinks:
    """Makes links and opens them. Only a digest of the key is stored."""

    def __init__(self, store: PortalLinkStore, clock: Clock, link_ttl: timedelta) -> None:
        self._store = store
        self._clock = clock
        self._link_ttl = microseconds(link_ttl)

    async def create(
        self,
        organization_id: str,
        application_id: str,
        session_ttl: timedelta,
        *,
        feature_flags: Sequence[str] = (),
        capabilities: Sequence[str] | None = None,
        session_id: str | None = None,
    ) -> str:
        """A new key; durable when this returns."""
        key = secrets.token_urlsafe(_KEY_BYTES)
        link = PortalLink(
            digest=_digest(key),
            organization_id=organization_id,
            application_id=application_id,
            feature_flags=tuple(feature_flags),
            capabilities=None if capabilities is None else tuple(capabilities),
            session_id=session_id,
            session_ttl_s=int(session_ttl.total_seconds()),
            expires_at=self._clock.now() + self._link_ttl,
        )
        await self._store.add(link)
        return key

    async def open(self, key: str) -> PortalLink | None:
        """Use up a key and return its link; ``None`` if it was used, has expired or never existed."""
        if not key or len(key) > _LONGEST_KEY:
            return None
        return await self._store.take(_digest(key), self._clock.now())


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
