"""Which shard endpoints are in, kept true while rate limits of applications come and go.

A delivery knows the shard of its endpoint, so that whoever holds the shard finds what is due with one look. Whoever
adds deliveries or endpoints holds this lock together with others, and who moves endpoints to another shard holds it
alone. So no delivery is added by a shard that its endpoint has just left.
"""

from __future__ import annotations

from webhook_engine.store.postgresql.connection import Session

__all__ = ["ADDING", "HOLD_SHARDS", "adding"]

ADDING = 0x7768_7368
"""The first half of the advisory lock; the second is made of the schema's name."""

HOLD_SHARDS = f"SELECT pg_advisory_xact_lock_shared({ADDING}, hashtext(current_schema()))"
"""As :func:`adding`, for a transaction that begins with it."""


async def adding(session: Session) -> None:
    """From now until the transaction ends, endpoints stay in their shards."""
    await session.rows(HOLD_SHARDS)
