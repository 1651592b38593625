"""Links to the portal in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Sequence

from webhook_engine.store.portal_links import PortalLink
from webhook_engine.store.postgresql.database import Database

__all__ = ["PostgresqlPortalLinks"]

_ADD = """
INSERT INTO webhook_portal_link (
    digest, organization_id, application_id, feature_flags, capabilities, session_id, session_ttl_s, expires_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""

_TAKE = """
DELETE FROM webhook_portal_link WHERE digest = $1
RETURNING organization_id, application_id, feature_flags, capabilities, session_id, session_ttl_s, expires_at
"""

_FORGET = """
DELETE FROM webhook_portal_link WHERE application_id = $1
AND (cardinality($2::text[]) = 0 OR session_id = ANY($2::text[]))
"""


class PostgresqlPortalLinks:
    """See :class:`~webhook_engine.store.portal_links.PortalLinkStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, link: PortalLink) -> None:
        """Store a link."""
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
        await self._database.write(lambda session: session.change(_ADD, *values))

    async def take(self, digest: bytes, now: int) -> PortalLink | None:
        """Remove and return the link with this digest; ``None`` if there is no valid one."""
        found = await self._database.write(lambda session: session.row(_TAKE, digest))
        if found is None:
            return None
        organization_id, application_id, flags, capabilities, session_id, session_ttl_s, expires_at = found
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

    async def forget(self, application_id: str, session_ids: Sequence[str]) -> None:
        """Remove the links of an application; with ``session_ids`` only those that would open one of these."""
        wanted = list(session_ids)
        await self._database.write(lambda session: session.change(_FORGET, application_id, wanted))
