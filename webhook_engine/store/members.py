"""Several engines on one database: the members, and the shards that each of them holds.

Every endpoint belongs to one of :data:`SHARDS` shards, and each shard to one engine at a time. An engine is a *member*
of the database from :meth:`LeaseStore.join` on, as long as it renews its lease. An engine whose lease expired joins
again with a new member id. Leases expire by the database's clock.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from typing import Protocol

import msgspec

from webhook_engine.errors import StoreError
from webhook_engine.secrets.agreement import SharedSecret
from webhook_engine.store.records import Due

__all__ = [
    "ALL_SHARDS",
    "SHARDS",
    "SHARD_OF_ALL",
    "Given",
    "LateOutcomesError",
    "LeaseState",
    "LeaseStore",
    "Member",
    "Notice",
    "RoutingChangedError",
    "WakeupStore",
    "shard_of",
]

SHARDS = 1_024
ALL_SHARDS = frozenset(range(SHARDS))
SHARD_OF_ALL = 0
"""The holder of this shard does what must be done once for the whole database."""


class RoutingChangedError(StoreError):
    """Messages were routed by an outdated revision of their application; nothing was stored."""

    def __init__(self, application_ids: Collection[str]) -> None:
        super().__init__(f"applications were edited meanwhile: {', '.join(sorted(application_ids))}")
        self.application_ids = tuple(application_ids)


class LateOutcomesError(StoreError):
    """The member that made these attempts has lost its lease; nothing was recorded."""

    def __init__(self, member_id: str) -> None:
        super().__init__(f"the lease of {member_id} has ended, and other engines hold its endpoints")
        self.member_id = member_id


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """An engine on the database."""

    id: str
    host: str
    pid: int
    version: str
    started_at: int
    """Microseconds since the epoch, by the engine's own clock."""
    lease_s: float = 0.0
    """Remaining seconds of its lease, by the database's clock; zero or less: it has expired."""
    shards: int = 0
    """The number of shards that it holds."""


class LeaseState(msgspec.Struct, frozen=True, kw_only=True):
    """The state that a member gets when it renews its lease."""

    held: Mapping[int, int]
    """The shards that it holds, each with its generation, which grows with every change of owner."""
    free: Collection[int]
    """Shards that no member holds."""
    live: Collection[str]
    """Members with an unexpired lease, including itself."""
    lapsed: Collection[str] = ()
    """Members whose lease has expired, which may still hold shards."""
    next_lapse_s: float | None = None
    """Seconds until the next lease of another member expires, unless it is renewed."""


class LeaseStore(Protocol):
    """Leases of members, and the shards that they hold."""

    @property
    def ttl_s(self) -> float:
        """Duration of a lease in seconds; infinite if there can be no other member."""
        ...

    async def join(self, member: Member) -> None:
        """Become a member, without shards at first."""
        ...

    async def renew(self, member_id: str, *, take: Collection[int] = (), stored_below: str = "") -> LeaseState | None:
        """Renew the lease, and take those of ``take`` that no member holds; ``None`` if the lease was lost.

        ``stored_below``: every message that this member accepts from now on has a higher id, without its prefix.
        """
        ...

    def sends_for(self, shards: frozenset[int]) -> None:
        """Set this engine's shards; the holders of other shards are notified of what is stored for them."""
        ...

    async def give_back(self, member_id: str, shards: Collection[int]) -> None:
        """Release these shards."""
        ...

    async def bury(self, member_id: str) -> bool:
        """Free the shards of a member whose lease has expired; ``False`` if it has not, or they are free already."""
        ...

    async def leave(self, member_id: str) -> None:
        """End the membership, and release all shards."""
        ...

    async def members(self) -> Sequence[Member]:
        """All members, in the order in which they joined."""
        ...

    async def agree(self, member_id: str, secret: SharedSecret) -> Member | None:
        """Register this member's secret, so that members with a different one can detect it.

        Returns a live member with a secret that this one does not accept, if there is one; then nothing is registered.
        """
        ...

    async def stored_below(self) -> str | None:
        """The lowest ``stored_below`` of the other members; ``None`` if there are none."""
        ...


class Given(msgspec.Struct, frozen=True, array_like=True):
    """An endpoint that has new deliveries."""

    endpoint_id: str
    shard: int
    due_at: int
    """When the first of them is due."""
    message_ids: Sequence[str] = ()
    """Their messages; empty: they have to be read from the database."""
    order_keys: Sequence[str] | None = ()
    """The ordering keys of deliveries in an order, one for each; ``None``: too many."""


class Notice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A notice between engines, for the holders of the shards, and for engines that have cached what was changed."""

    deliveries: Sequence[Given] = ()
    manual: Sequence[tuple[str, int]] = ()
    """Endpoints with a requested manual attempt: id and shard."""
    endpoints: Sequence[tuple[str, str, int]] = ()
    """Endpoints that were edited: id, application id and shard."""
    applications: Sequence[tuple[str, str, str | None]] = ()
    """Applications that were edited: organization id, id and uid."""
    cancelled: Sequence[tuple[str, str]] = ()
    """Deliveries that were cancelled: endpoint id and message id."""
    expunged: Sequence[str] = ()
    """Messages whose payloads were deleted."""
    tasks: bool = False
    """Background tasks were added."""
    revocations: bool = False
    """Tokens were revoked."""
    members: bool = False
    """A member joined or left, or released shards."""
    outbox: Sequence[int] = ()
    """Shards for which rows wait in the outbox."""


class WakeupStore(Protocol):
    """Wake-ups: notices of what other engines have committed."""

    @property
    def look_every_s(self) -> float:
        """Seconds between polls for what no wake-up announced."""
        ...

    @property
    def are_heard(self) -> bool:
        """Whether wake-ups arrive at once, and are not only found by polling."""
        ...

    async def start(self) -> None:
        """Start with notices from now on."""
        ...

    async def wait(self, seconds: float) -> bool:
        """Wait for a wake-up, at most ``seconds``; returns whether there was one."""
        ...

    async def read(self) -> tuple[Sequence[Notice], bool]:
        """Notices since the last call, and whether earlier ones may have been missed."""
        ...

    async def due(self, wanted: Sequence[tuple[str, str]]) -> Sequence[Due]:
        """Those of these deliveries (endpoint and message ids) that are scheduled, as many as the size limit allows."""
        ...

    async def tell(self, notice: Notice) -> None:
        """Store a notice, and wake the other engines."""
        ...

    def committed(self) -> None:
        """Wake the other engines soon: a notice was stored with an edit, a task or a manual attempt.

        Notices of deliveries wake them without this.
        """
        ...

    async def close(self) -> None:
        """Send the last notices, and disconnect."""
        ...


def shard_of(key: str) -> int:
    """The shard of an id. The database computes the same for endpoints."""
    digest = sha256(key.encode()).digest()
    return digest[0] * 4 + (digest[1] >> 6)
