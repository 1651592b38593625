"""The responses to requests with an idempotency key, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence

from webhook_engine.store.kept_responses import KeptResponse
from webhook_engine.store.postgresql.batches import arrays
from webhook_engine.store.postgresql.connection import Session
from webhook_engine.store.postgresql.database import Database

__all__ = ["PostgresqlKeptResponses", "keep_responses"]

_KEEP = """
INSERT INTO webhook_kept_response (digest, expires_at, encrypted)
SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bytea[])
ON CONFLICT (digest) DO UPDATE SET expires_at = excluded.expires_at, encrypted = excluded.encrypted
"""

_FIND = """
SELECT encrypted, expires_at FROM webhook_kept_response WHERE digest = $1 AND expires_at > $2 AND encrypted <> ''
"""

# A claim is a row without a response. It ends with the lease of the engine that made it.
_CLAIM = """
INSERT INTO webhook_kept_response (digest, expires_at, encrypted, claimed_by) VALUES ($1, $3, '', $4)
ON CONFLICT (digest) DO UPDATE
SET expires_at = excluded.expires_at, encrypted = '', claimed_by = excluded.claimed_by
WHERE webhook_kept_response.expires_at <= $2 OR webhook_kept_response.encrypted = ''
    AND webhook_kept_response.claimed_by IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM webhook_member AS member WHERE member.id = webhook_kept_response.claimed_by)
"""

_GIVE_UP = """
DELETE FROM webhook_kept_response WHERE digest = $1 AND encrypted = '' AND claimed_by IS NOT DISTINCT FROM $2
"""

_DIGESTS = """
SELECT digest FROM webhook_kept_response WHERE digest > $1 AND expires_at > $2 ORDER BY digest LIMIT $3
"""


async def keep_responses(session: Session, responses: Sequence[KeptResponse]) -> None:
    """Store a batch of responses, as part of a transaction."""
    # One statement changes a row only once; of several with one digest the last stands.
    last = {one.digest: one for one in responses}
    await session.change(_KEEP, *arrays([(one.digest, one.expires_at, one.encrypted) for one in last.values()], 3))


class PostgresqlKeptResponses:
    """See :class:`~webhook_engine.store.kept_responses.KeptResponseStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, responses: Sequence[KeptResponse]) -> None:
        """Store a batch of responses."""
        await self._database.write(lambda session: keep_responses(session, responses))

    async def find(self, digest: bytes, now: int) -> KeptResponse | None:
        """The response, if it has not expired."""
        found = await self._database.read(_FIND, digest, now)
        return KeptResponse(digest=digest, encrypted=found[0][0], expires_at=found[0][1]) if found else None

    async def claim(self, digest: bytes, now: int, until: int) -> bool:
        """Take a key for a request that is about to be done; ``False`` if it has a response, or another one has it."""
        member_id = self._database.sharing.member_id
        return await self._database.write(lambda session: session.change(_CLAIM, digest, now, until, member_id)) > 0

    async def give_up(self, digest: bytes) -> None:
        """End a claim without a response."""
        member_id = self._database.sharing.member_id
        await self._database.write(lambda session: session.change(_GIVE_UP, digest, member_id))

    async def digests(self, after: bytes, limit: int, now: int) -> Sequence[bytes]:
        """The digests of all responses that have not expired, in their order."""
        return [digest for (digest,) in await self._database.read(_DIGESTS, after, now, limit)]
