"""Answers given under an idempotency key, in SQLite."""

from __future__ import annotations

from collections.abc import Sequence

from webhook_engine.store.access import KeptAnswer
from webhook_engine.store.sqlite.batches import BatchStatement
from webhook_engine.store.sqlite.connection import Session
from webhook_engine.store.sqlite.database import Database

__all__ = ["SqliteAnswers", "keep_answers"]

_KEEP = BatchStatement(
    """
    INSERT INTO webhook_answer (digest, expires_at, sealed)
    SELECT column1, column2, column3 FROM {batch} WHERE column1 IS NOT NULL
    ON CONFLICT (digest) DO UPDATE SET expires_at = excluded.expires_at, sealed = excluded.sealed
    """,
    3,
)

_FIND = """
SELECT sealed, expires_at FROM webhook_answer WHERE digest = ? AND expires_at > ?
"""

_DIGESTS = """
SELECT digest FROM webhook_answer WHERE digest > ? AND expires_at > ? ORDER BY digest LIMIT ?
"""

_PURGE = """
DELETE FROM webhook_answer
WHERE digest IN (SELECT digest FROM webhook_answer WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)
"""


def keep_answers(session: Session, answers: Sequence[KeptAnswer]) -> None:
    """Keep a batch of answers, as part of a transaction."""
    _KEEP.run(session, [(one.digest, one.expires_at, one.sealed) for one in answers])


class SqliteAnswers:
    """See :class:`~webhook_engine.store.access.AnswerStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, answers: Sequence[KeptAnswer]) -> None:
        """Keep a batch of answers."""
        await self._database.write(lambda session: keep_answers(session, answers))

    async def find(self, digest: bytes, now: int) -> KeptAnswer | None:
        """The answer, if it has not expired."""
        found = await self._database.read(_FIND, (digest, now))
        return KeptAnswer(digest=digest, sealed=found[0][0], expires_at=found[0][1]) if found else None

    async def digests(self, after: bytes, limit: int, now: int) -> Sequence[bytes]:
        """The digests of all answers that have not expired, in their order."""
        return [digest for (digest,) in await self._database.read(_DIGESTS, (after, now, limit))]

    async def purge(self, now: int, limit: int) -> int:
        """Remove up to ``limit`` expired answers; returns how many."""
        return await self._database.write(lambda session: session.change(_PURGE, (now, limit)))
