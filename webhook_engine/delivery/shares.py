"""Which member should hold which shards, and until when it may send. Pure.

Every live member computes the same result from the same list of members, so no leader is needed. With rendezvous
hashing a shard goes to the member with the highest hash for it: when a member joins or leaves, only its own shards
change owners.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from hashlib import blake2b

import msgspec

from webhook_engine.store.members import SHARDS

__all__ = ["Plan", "lease_until", "plan", "share", "wait_after_move"]

MARGIN_S = 0.25
"""Seconds before the end of its lease at which an engine stops sending: requests still have to leave the process."""


class Plan(msgspec.Struct, frozen=True):
    """The shards that a member is to release and to take."""

    give: frozenset[int]
    """Shards held that belong to another member's share."""
    take: frozenset[int]
    """Free shards that belong to its own share."""


@lru_cache(maxsize=64)
def share(member_id: str, live: frozenset[str]) -> frozenset[int]:
    """The shards that a member should hold while these members are live."""
    draws = {member: _draws(member) for member in live}
    return frozenset(
        shard for shard in range(SHARDS) if max(live, key=lambda other: (draws[other][shard], other)) == member_id
    )


def plan(member_id: str, live: Collection[str], held: Collection[int], free: Collection[int]) -> Plan:
    """The shards to release and to take, from the present state."""
    wanted = share(member_id, frozenset(live))
    return Plan(frozenset(held) - wanted, frozenset(free) & wanted)


def lease_until(asked_at: float, ttl_s: float) -> float:
    """Until when an engine may begin attempts after renewing its lease, by the same clock as ``asked_at``.

    ``asked_at`` was read before the renewal was sent; the lease counts from when it arrived.
    """
    return asked_at + ttl_s - MARGIN_S


def wait_after_move(moved: tuple[int, float] | None, held: Collection[int], ttl_s: float) -> float:
    """Seconds until the former holder of an endpoint that moved to another shard certainly knows.

    ``moved``: the former shard, and the seconds since the move. ``held``: the shards of this engine.
    """
    if moved is None or moved[0] in held:
        return 0.0
    return max(0.0, ttl_s - moved[1])


@lru_cache(maxsize=64)
def _draws(member_id: str) -> Sequence[bytes]:
    """The hashes of a member for each shard, cached."""
    return [_drawn(member_id, shard) for shard in range(SHARDS)]


def _drawn(member_id: str, shard: int) -> bytes:
    return blake2b(f"{member_id} {shard}".encode(), digest_size=8).digest()
