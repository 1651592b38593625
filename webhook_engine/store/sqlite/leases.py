"""The single lease of a SQLite database: the engine with its lock holds all shards, as long as it runs."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import msgspec

from webhook_engine.secrets.agreement import SharedSecret
from webhook_engine.store.members import ALL_SHARDS, LeaseState, Member

__all__ = ["SqliteLeases"]


class SqliteLeases:
    """See :class:`~webhook_engine.store.members.LeaseStore`. The lock of the database sees to it that it is true."""

    ttl_s = math.inf

    def __init__(self) -> None:
        self._member: Member | None = None

    async def join(self, member: Member) -> None:
        """Become the member."""
        self._member = msgspec.structs.replace(member, lease_s=math.inf, shards=len(ALL_SHARDS))

    async def renew(self, member_id: str, *, take: Collection[int] = (), stored_below: str = "") -> LeaseState | None:
        """All shards are held from the start."""
        del take, stored_below
        return LeaseState(held=dict.fromkeys(ALL_SHARDS, 1), free=(), live=(member_id,))

    def sends_for(self, shards: frozenset[int]) -> None:
        """There are no other engines to notify."""

    async def give_back(self, member_id: str, shards: Collection[int]) -> None:
        """No other engine can take it."""

    async def bury(self, member_id: str) -> bool:
        """There are no other engines."""
        del member_id
        return False

    async def leave(self, member_id: str) -> None:
        """Leave."""
        del member_id
        self._member = None

    async def members(self) -> Sequence[Member]:
        """The only member."""
        return () if self._member is None else (self._member,)

    async def agree(self, member_id: str, secret: SharedSecret) -> Member | None:
        """There are no other engines."""
        del member_id, secret
        return None

    async def stored_below(self) -> str | None:
        """There are no other engines."""
        return None
