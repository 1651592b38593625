"""The responses to requests with an idempotency key, in SQLite."""

from __future__ import annotations

from collections.abc import Sequence

from webhook_engine.store.kept_responses import KeptResponse
from webhook_engine.store.sqlite.batches import BatchStatement
from webhook_engine.store.sqlite.connection import Session
from webhook_engine.store.sqlite.database import Database

__all__ = ["SqliteKeptResponses", "keep_responses"]

_KEEP = BatchStatement(
    """
    INSERT INTO webhook_kept_response (digest, expires_at, encrypted)
    SELECT column1, column2, column3 FROM {batch} WHERE true -- without which ON would be taken for a join's
    ON CONFLICT (digest) DO UPDATE SET expires_at = excluded.expires_at, encrypted = excluded.encrypted
    """,
    3,
)

_FIND = """
SELECT encrypted, expires_at FROM webhook_kept_response WHERE digest = ? AND expires_at > ?
"""

_DIGESTS = """
SELECT digest FROM webhook_kept_response WHERE digest > ? AND expires_at > ? ORDER BY digest LIMIT ?
"""


def keep_responses(session: Session, responses: Sequence[KeptResponse]) -> None:
    """Store a batch of responses, as part of a transaction."""
    _KEEP.run(session, [(one.digest, one.expires_at, one.encrypted) for one in responses])


class SqliteKeptResponses:
    """See :class:`~webhook_engine.store.kept_responses.KeptResponseStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, responses: Sequence[KeptResponse]) -> None:
        """Store a batch of responses."""
        await self._database.write(lambda session: keep_responses(session, responses))

    async def find(self, digest: bytes, now: int) -> KeptResponse | None:
        """The response, if it has not expired."""
        found = await self._database.read(_FIND, (digest, now))
        return KeptResponse(digest=digest, encrypted=found[0][0], expires_at=found[0][1]) if found else None

    async def claim(self, digest: bytes, now: int, until: int) -> bool:
        """Always claimed: the only engine knows which requests are under way."""
        del digest, now, until
        return True

    async def give_up(self, digest: bytes) -> None:
        """Does nothing: nothing was claimed."""

    async def digests(self, after: bytes, limit: int, now: int) -> Sequence[bytes]:
        """The digests of all responses that have not expired, in their order."""
        return [digest for (digest,) in await self._database.read(_DIGESTS, (after, now, limit))]
