"""Revocations of tokens in SQLite."""

from __future__ import annotations

from collections.abc import Sequence

from webhook_engine.store.revocations import Revocation
from webhook_engine.store.sqlite.connection import Session
from webhook_engine.store.sqlite.database import Database

__all__ = ["SqliteRevocations"]

_REPLACED = """
DELETE FROM webhook_revocation WHERE subject = ? AND up_to <= ? AND effective_at >= ?
"""

_ADD = """
INSERT INTO webhook_revocation (subject, up_to, effective_at, drop_at) VALUES (?, ?, ?, ?)
ON CONFLICT (subject, up_to) DO UPDATE
SET effective_at = min(effective_at, excluded.effective_at), drop_at = max(drop_at, excluded.drop_at)
"""

_ALL = """
SELECT subject, up_to, effective_at, drop_at FROM webhook_revocation
"""


class SqliteRevocations:
    """See :class:`~webhook_engine.store.revocations.RevocationStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, revocations: Sequence[Revocation]) -> None:
        """Add revocations; one that takes effect no later and reaches further replaces those of its subject."""

        def change(session: Session) -> None:
            for one in revocations:
                session.change(_REPLACED, (one.subject, one.up_to, one.effective_at))
                session.change(_ADD, (one.subject, one.up_to, one.effective_at, one.drop_at))

        await self._database.write(change)

    async def all(self) -> Sequence[Revocation]:
        """All of them."""
        return [
            Revocation(subject=subject, up_to=up_to, effective_at=effective_at, drop_at=drop_at)
            for subject, up_to, effective_at, drop_at in await self._database.read(_ALL)
        ]
