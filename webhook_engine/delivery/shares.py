"""Who should hold which shards, and who may still send. Pure.

Every live member is asked for the same answer from the same list of members, so that no leader is needed. With
rendezvous hashing a shard goes to the member that draws the highest number for it: when a member comes or goes, only
the shards that it takes or leaves change hands.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from hashlib import blake2b

import msgspec

from webhook_engine.store.members import SHARDS

__all__ = ["Plan", "lease_until", "plan", "share", "wait_after_move"]

MARGIN_S = 0.25
"""How much earlier than its lease an engine ends to send: what is begun still has to leave the process."""


class Plan(msgspec.Struct, frozen=True):
    """What a member is to do about its shards."""

    give: frozenset[int]
    """Held, and to be given back: somebody else's part."""
    take: frozenset[int]
    """Free, and its own part."""


@lru_cache(maxsize=64)
def share(member_id: str, live: frozenset[str]) -> frozenset[int]:
    """The shards that a member should hold while these members are live."""
    draws = {member: _draws(member) for member in live}
    return frozenset(
        shard for shard in range(SHARDS) if max(live, key=lambda other: (draws[other][shard], other)) == member_id
    )


def plan(member_id: str, live: Collection[str], held: Collection[int], free: Collection[int]) -> Plan:
    """What to give and what to take, as its lease stands."""
    wanted = share(member_id, frozenset(live))
    return Plan(frozenset(held) - wanted, frozenset(free) & wanted)


def lease_until(asked_at: float, ttl_s: float) -> float:
    """Until when an engine may begin attempts after its lease was renewed, by the clock that ``asked_at`` is of.

    ``asked_at`` is from before the renewal was sent, and the lease counts from when it arrived.
    """
    return asked_at + ttl_s - MARGIN_S


def wait_after_move(moved: tuple[int, float] | None, held: Collection[int], ttl_s: float) -> float:
    """Seconds until whoever held an endpoint by another shard has surely heard that it has moved.

    ``moved``: that shard, and for how long the endpoint does not belong to it any more. ``held``: what this engine
    holds.
    """
    if moved is None or moved[0] in held:
        return 0.0
    return max(0.0, ttl_s - moved[1])


@lru_cache(maxsize=64)
def _draws(member_id: str) -> Sequence[bytes]:
    """What a member draws for each shard, which is computed once: others come and go."""
    return [_drawn(member_id, shard) for shard in range(SHARDS)]


def _drawn(member_id: str, shard: int) -> bytes:
    return blake2b(f"{member_id} {shard}".encode(), digest_size=8).digest()
