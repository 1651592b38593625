"""Revocations of tokens in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence

from webhook_engine.store.postgresql.connection import Session
from webhook_engine.store.postgresql.database import Database
from webhook_engine.store.revocations import Revocation

__all__ = ["PostgresqlRevocations"]

_REPLACED = """
DELETE FROM webhook_revocation WHERE subject = $1 AND up_to <= $2 AND effective_at >= $3
"""

_ADD = """
INSERT INTO webhook_revocation AS kept (subject, up_to, effective_at, drop_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (subject, up_to) DO UPDATE
SET effective_at = least(kept.effective_at, excluded.effective_at), drop_at = greatest(kept.drop_at, excluded.drop_at)
"""

_ALL = """
SELECT subject, up_to, effective_at, drop_at FROM webhook_revocation ORDER BY subject, up_to
"""


class PostgresqlRevocations:
    """See :class:`~webhook_engine.store.revocations.RevocationStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, revocations: Sequence[Revocation]) -> None:
        """Add revocations; one that takes effect no later and reaches further replaces those of its subject."""

        async def change(session: Session) -> None:
            for one in revocations:
                await session.change(_REPLACED, one.subject, one.up_to, one.effective_at)
                await session.change(_ADD, one.subject, one.up_to, one.effective_at, one.drop_at)

        await self._database.write(change)

    async def all(self) -> Sequence[Revocation]:
        """All of them."""
        return [
            Revocation(subject=subject, up_to=up_to, effective_at=effective_at, drop_at=drop_at)
            for subject, up_to, effective_at, drop_at in await self._database.read(_ALL)
        ]
