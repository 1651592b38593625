"""Several engines on one database: who is there, and which shards each of them holds.

Every endpoint belongs to one of :data:`SHARDS` shards, and each shard to one engine at a time. An engine is a *member*
of the database from :meth:`LeaseStore.join` on, as long as it renews its lease; the id of a member stands for one such
time, so that an engine whose lease ended comes back as another member. Leases end by the database's clock.
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
    "LeaseStore",
    "Member",
    "Notice",
    "RoutingChangedError",
    "Standing",
    "WakeupStore",
    "shard_of",
]

SHARDS = 1_024
ALL_SHARDS = frozenset(range(SHARDS))
SHARD_OF_ALL = 0
"""Whoever holds this one does what must be done once for the whole database."""


class RoutingChangedError(StoreError):
    """Messages were routed by what an application was before an edit; nothing was stored."""

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
    """Seconds that its lease still runs, by the database's clock; not above zero: it has ended."""
    shards: int = 0
    """How many it holds."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What a member sees when it renews its lease."""

    held: Mapping[int, int]
    """The shards that it holds, each with its generation, which grows at every change of hands."""
    free: Collection[int]
    """Shards that nobody holds."""
    live: Collection[str]
    """Members whose lease runs; itself among them."""
    lapsed: Collection[str] = ()
    """Members whose lease has ended, and who may still hold shards."""
    next_lapse_s: float | None = None
    """In how many seconds the next lease of another member ends, unless it is renewed."""


class LeaseStore(Protocol):
    """Leases of members, and the shards that they hold."""

    @property
    def ttl_s(self) -> float:
        """How long a lease runs unless it is renewed; infinite where nobody else can be a member."""
        ...

    async def join(self, member: Member) -> None:
        """Be a member, without shards at first."""
        ...

    async def renew(self, member_id: str, *, take: Collection[int] = (), stored_below: str = "") -> Standing | None:
        """Renew the lease, and take those of these shards that nobody holds; ``None`` if the lease was lost.

        ``stored_below``: every message that this member accepts from now on has a higher id, without its prefix.
        """
        ...

    def sends_for(self, shards: frozenset[int]) -> None:
        """What is stored for any other shard from now on is told to whoever holds that."""
        ...

    async def give_back(self, member_id: str, shards: Collection[int]) -> None:
        """Hold these shards no longer."""
        ...

    async def bury(self, member_id: str) -> bool:
        """Free the shards of a member whose lease has ended; ``False`` if it runs, or that is done."""
        ...

    async def leave(self, member_id: str) -> None:
        """Be no member any more, and hold nothing."""
        ...

    async def members(self) -> Sequence[Member]:
        """All members, in the order in which they came."""
        ...

    async def agree(self, member_id: str, secret: SharedSecret) -> Member | None:
        """Tell the others which secret this member has; from now on, those with another one find out.

        Returns one whose lease runs and who has told of another secret than this one accepts; nothing was told then.
        """
        ...

    async def stored_below(self) -> str | None:
        """The lowest that another member has said of itself; ``None`` if there are no others."""
        ...


class Given(msgspec.Struct, frozen=True, array_like=True):
    """An endpoint that was given deliveries."""

    endpoint_id: str
    shard: int
    due_at: int
    """When the first of them is due."""
    message_ids: Sequence[str] = ()
    """Of which messages; empty: they are to be looked for."""
    order_keys: Sequence[str] | None = ()
    """Of those that keep an order, the keys, one for each; ``None``: they are too many."""


class Notice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What engines tell one another; each concerns whoever holds the shards, or keeps what was changed in memory."""

    deliveries: Sequence[Given] = ()
    manual: Sequence[tuple[str, int]] = ()
    """Endpoints to which an attempt was asked for: id and shard."""
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
    """A member has come or gone, or given shards back."""
    outbox: Sequence[int] = ()
    """Rows of the outbox are waiting for whoever holds these shards."""


class WakeupStore(Protocol):
    """How an engine hears of what others have committed."""

    @property
    def look_every_s(self) -> float:
        """How often to look for what no wake-up told of."""
        ...

    @property
    def are_heard(self) -> bool:
        """Whether a wake-up comes by itself, and is not only found at the next look."""
        ...

    async def start(self) -> None:
        """Begin with what is told from now on."""
        ...

    async def wait(self, seconds: float) -> bool:
        """Wait for a wake-up, at most so long; whether there was one."""
        ...

    async def read(self) -> tuple[Sequence[Notice], bool]:
        """What was told since the last call, and whether something may have been missed before."""
        ...

    async def due(self, wanted: Sequence[tuple[str, str]]) -> Sequence[Due]:
        """Of these deliveries, by endpoint and message, those that are scheduled, and whose payloads fit together."""
        ...

    async def tell(self, notice: Notice) -> None:
        """Store a notice, and wake the others."""
        ...

    def committed(self) -> None:
        """A notice was stored with an edit, a task or a manual attempt: wake the others soon.

        Those of deliveries wake them by themselves.
        """
        ...

    async def close(self) -> None:
        """Let the others hear of what was told last, and let go."""
        ...


def shard_of(key: str) -> int:
    """The shard of what has this id. The database computes the same for endpoints."""
    digest = sha256(key.encode()).digest()
    return digest[0] * 4 + (digest[1] >> 6)
