"""Revocations and portal links in SQLite."""

from __future__ import annotations

import json
from collections.abc import Sequence

from webhook_engine.store.access import PortalLink, Revocation
from webhook_engine.store.sqlite.connection import Session
from webhook_engine.store.sqlite.database import Database

__all__ = ["SqliteTokens"]

_REPLACED = """
DELETE FROM webhook_revocation WHERE subject = ? AND up_to <= ? AND effective_at >= ?
"""

_REVOKE = """
INSERT INTO webhook_revocation (subject, up_to, effective_at, drop_at) VALUES (?, ?, ?, ?)
ON CONFLICT (subject, up_to) DO UPDATE
SET effective_at = min(effective_at, excluded.effective_at), drop_at = max(drop_at, excluded.drop_at)
"""

_ALL = """
SELECT subject, up_to, effective_at, drop_at FROM webhook_revocation
"""

_ADD_LINK = """
INSERT INTO webhook_portal_link (
    digest, organization_id, application_id, feature_flags, capabilities, session_id, session_ttl_s, expires_at
) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""

_TAKE_LINK = """
DELETE FROM webhook_portal_link WHERE digest = ?
RETURNING organization_id, application_id, feature_flags, capabilities, session_id, session_ttl_s, expires_at
"""

_FORGET_LINKS = """
DELETE FROM webhook_portal_link WHERE application_id = ?1
AND (json_array_length(?2) = 0 OR session_id IN (SELECT value FROM json_each(?2)))
"""


class SqliteTokens:
    """See :class:`~webhook_engine.store.access.TokenStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def revoke(self, revocations: Sequence[Revocation]) -> None:
        """Add revocations; one that takes effect no later and reaches further replaces those of its subject."""

        def change(session: Session) -> None:
            for one in revocations:
                session.change(_REPLACED, (one.subject, one.up_to, one.effective_at))
                session.change(_REVOKE, (one.subject, one.up_to, one.effective_at, one.drop_at))

        await self._database.write(change)

    async def revocations(self) -> Sequence[Revocation]:
        """All of them."""
        return [
            Revocation(subject=subject, up_to=up_to, effective_at=effective_at, drop_at=drop_at)
            for subject, up_to, effective_at, drop_at in await self._database.read(_ALL)
        ]

    async def add_link(self, link: PortalLink) -> None:
        """Keep a link until it is opened."""
        values = (
            link.digest,
            link.organization_id,
            link.application_id,
            json.dumps(link.feature_flags),
            None if link.capabilities is None else json.dumps(link.capabilities),
            link.session_id,
            link.session_ttl_s,
            link.expires_at,
        )
        await self._database.write(lambda session: session.change(_ADD_LINK, values))

    async def take_link(self, digest: bytes, now: int) -> PortalLink | None:
        """The link with this digest, which is gone then; ``None`` if there is none that is still good."""
        found = await self._database.write(lambda session: session.rows(_TAKE_LINK, (digest,)))
        if not found:
            return None
        organization_id, application_id, flags, capabilities, session_id, session_ttl_s, expires_at = found[0]
        if expires_at <= now:
            return None
        return PortalLink(
            digest=digest,
            organization_id=organization_id,
            application_id=application_id,
            feature_flags=tuple(json.loads(flags)),
            capabilities=None if capabilities is None else tuple(json.loads(capabilities)),
            session_id=session_id,
            session_ttl_s=session_ttl_s,
            expires_at=expires_at,
        )

    async def forget_links(self, application_id: str, session_ids: Sequence[str]) -> None:
        """Remove the links of an application; with ``session_ids`` only those that would open one of these."""
        wanted = (application_id, json.dumps(list(session_ids)))
        await self._database.write(lambda session: session.change(_FORGET_LINKS, wanted))

    async def purge(self, now: int) -> None:
        """Remove what has expired."""

        def change(session: Session) -> None:
            session.change("DELETE FROM webhook_revocation WHERE drop_at <= ?", (now,))
            session.change("DELETE FROM webhook_portal_link WHERE expires_at <= ?", (now,))

        await self._database.write(change)
