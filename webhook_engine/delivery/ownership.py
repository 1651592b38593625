"""Ownership of shards: this engine's lease, which is renewed regularly, and the shards gained and released with it.

::

    join ─► renew ─► take the free shards of our share ─► gained: the lanes of these shards are loaded
              │
              ├────► release shards of others' shares ──► losing: lanes are emptied; released when nothing is in flight
              │
              └────► lease lost ────────────────────────► losing all shards; join again as another member

A database with a single engine works the same, with one lease that never expires.
"""

from __future__ import annotations

import asyncio
import math
import os
import socket
from collections.abc import Callable, Collection

import msgspec

from webhook_engine.clock import Clock
from webhook_engine.delivery.service import Service
from webhook_engine.delivery.shares import Plan, lease_until, plan, wait_after_move
from webhook_engine.errors import StoreError
from webhook_engine.ids import IdSource
from webhook_engine.log import get_logger
from webhook_engine.secrets.agreement import SharedSecret
from webhook_engine.store.members import LeaseStore, Member
from webhook_engine.store.records import StoredEndpoint
from webhook_engine.version import __version__

__all__ = ["Ownership", "Share"]

log = get_logger("members")

RENEWED_EVERY_S = 1.0
AGAIN_AFTER_ERROR_S = 0.25
DRAINED_LOOKS_EVERY_S = 0.02
STOP_PATIENCE_S = 2.0
SOON_S = 0.02


class Share(msgspec.Struct, frozen=True):
    """The share of a database that an engine holds at one moment."""

    members: int
    """The number of engines on the database."""
    shards: int
    """The number of shards that this engine holds."""
    speaks_for_all: bool
    """Whether this engine reports figures of the whole database, which only one must do."""


class Ownership(Service):
    """Holds the lease of this engine.

    ``gained`` and ``losing`` get shards that change owners; ``drained`` says which of the shards being released have
    nothing in flight any more; ``stored_below`` is the argument of :meth:`LeaseStore.renew`.
    """

    def __init__(
        self,
        leases: LeaseStore,
        clock: Clock,
        ids: IdSource,
        *,
        gained: Callable[[Collection[int]], None],
        losing: Callable[[Collection[int]], None],
        drained: Callable[[Collection[int]], Collection[int]],
        stored_below: Callable[[], str],
    ) -> None:
        super().__init__("ownership")
        self._leases = leases
        self._clock = clock
        self._ids = ids
        self._gained = gained
        self._losing = losing
        self._drained = drained
        self._stored_below = stored_below
        self.alone = math.isinf(leases.ttl_s)
        """Whether no other engine can use the database."""
        self.shards: frozenset[int] = frozenset()
        """Shards that are held and not being released: this engine sends their deliveries."""
        self.member_id: str | None = None
        """This engine's member id at the moment; ``None`` if there can be no other engines."""
        self.members = 0
        """The number of engines on the database at the last renewal; 0 before the first."""
        self._id = ""
        self._held: frozenset[int] = frozenset()
        self._giving: frozenset[int] = frozenset()
        self._gained_at: dict[int, float] = {}
        self._until = -math.inf
        self._next_lapse_at = math.inf
        self._leaving = False
        self._changed: Callable[[], None] = lambda: None

    def holds(self, shard: int) -> bool:
        """Whether this engine sends the deliveries of a shard."""
        return shard in self.shards

    def may_begin(self) -> bool:
        """Whether an attempt may begin now: the lease cannot have expired, however long this process was suspended."""
        return self._until == math.inf or self._clock.process() < self._until

    def gained_at(self, shard: int) -> float:
        """Until when another engine may have sent to endpoints of this shard, in seconds of the monotonic clock."""
        return self._gained_at.get(shard, -math.inf)

    def wait_s(self, stored: StoredEndpoint) -> float:
        """Seconds to wait before sending to an endpoint that moved, since another engine may not know that yet."""
        return 0.0 if self.alone else wait_after_move(stored.moved, self._held, self._leases.ttl_s)

    async def agree(self, secret: SharedSecret) -> Member | None:
        """Register this engine's secret; returns an engine with a different one, and then registers nothing."""
        return await self._leases.agree(self._id, secret)

    def on_changed(self, changed: Callable[[], None]) -> None:
        """Call ``changed`` when other engines should check their shares: an engine joined, left or released a shard."""
        self._changed = changed

    async def start(self) -> None:
        """Join as a member, and take the free shards of this engine's share."""
        self._held = self._giving = self.shards = frozenset()
        self._leaving = False
        await self._join()
        await self._round()
        await super().start()

    async def run(self) -> None:
        """Renew the lease, and rebalance the shards among the engines."""
        if self.alone:
            while not self.stopping:
                await self.nap()
            return
        renew_at = self._clock.process() + RENEWED_EVERY_S
        while not self.stopping:
            wait = renew_at - self._clock.process()
            asked = await self._asked(min(max(wait, 0.0), DRAINED_LOOKS_EVERY_S if self._giving else wait))
            if self.stopping:
                return
            try:
                if asked or self._clock.process() >= renew_at:
                    renew_at = self._clock.process() + RENEWED_EVERY_S
                    await self._round()
                    # The shards of a dead engine are freed as soon as its lease has expired.
                    renew_at = min(renew_at, self._next_lapse_at)
                else:
                    await self._give()
            except (StoreError, MemoryError) as error:
                log.error("lease.not_renewed", error=str(error) or repr(error), again_in_s=AGAIN_AFTER_ERROR_S)
                renew_at = self._clock.process() + AGAIN_AFTER_ERROR_S

    async def give_all(self) -> None:
        """Release all shards before the engine stops, each as soon as nothing of it is in flight."""
        if not self.alone:
            self._leaving = True
            self._begin_to_give(self._held)
            self.nudge()

    async def stop(self) -> None:
        """Leave: end the membership."""
        started = self._task is not None
        await super().stop()
        self.shards, self._until, self.members = frozenset(), -math.inf, 0
        if started:
            try:
                async with asyncio.timeout(STOP_PATIENCE_S):
                    await self._leases.leave(self._id)
                    self._changed()
            except (StoreError, TimeoutError) as error:
                log.warning("lease.not_ended", error=str(error) or repr(error), consequence="it ends by itself")

    async def _asked(self, seconds: float) -> bool:
        """Wait for ``seconds``, or until a check is requested; returns whether it was requested."""
        began = self._clock.process()
        await self.nap(max(seconds, 0.001))
        return self._clock.process() - began < seconds

    async def _join(self) -> None:
        self._id = self._ids.new("mbr_", self._clock.now())
        await self._leases.join(
            Member(
                id=self._id,
                host=socket.gethostname(),
                pid=os.getpid(),
                version=__version__,
                started_at=self._clock.now(),
            )
        )
        self.member_id = None if self.alone else self._id
        self._changed()

    async def _round(self) -> None:
        """Renew the lease, free the shards of expired members, take and release shards."""
        take: Collection[int] = ()
        for _ in range(3):
            asked_at = self._clock.process()
            state = await self._leases.renew(self._id, take=take, stored_below=self._stored_below())
            if state is None:
                await self._begin_again()
                continue
            self._until = lease_until(asked_at, self._leases.ttl_s)
            self.members = len(state.live)
            self._hold(frozenset(state.held))
            lapse_s = state.next_lapse_s
            self._next_lapse_at = math.inf if lapse_s is None else self._clock.process() + lapse_s + SOON_S
            if state.lapsed:
                await self._bury(state.lapsed)
                take = ()
                continue
            planned = self._plan(state.live, state.free)
            self._begin_to_give(planned.give)
            take = planned.take
            if not take:
                break
        await self._give()

    async def _bury(self, lapsed: Collection[str]) -> None:
        """Free the shards of expired members. If another engine was faster, they are free already."""
        buried = [member for member in lapsed if await self._leases.bury(member)]
        if buried:
            log.warning("members.lapsed", members=buried, consequence="their shards are shared out")
            self._changed()

    def _plan(self, live: Collection[str], free: Collection[int]) -> Plan:
        if self._leaving:
            return Plan(self._held, frozenset())
        return plan(self._id, live, self._held, free)

    async def _begin_again(self) -> None:
        """Start over after the lease was lost: other engines may hold the shards by now."""
        log.error("lease.lost", member=self._id, shards=len(self._held))
        self._until = -math.inf
        self._hold(frozenset())
        await self._join()

    def _hold(self, held: frozenset[int]) -> None:
        """Update the shards held to those in the database."""
        gained, lost = held - self._held, self._held - held
        self._held = held
        self._giving &= held
        self._send_for(frozenset() if self._leaving else held - self._giving)
        if lost:
            self._losing(lost)
        if gained:
            if not self.alone:
                self._gained_at.update(dict.fromkeys(gained, self._clock.monotonic()))
            log.info("shards.gained", member=self._id, count=len(gained), held=len(held))
            self._gained(gained)

    def _send_for(self, shards: frozenset[int]) -> None:
        self.shards = shards
        self._leases.sends_for(shards)

    def _begin_to_give(self, give: frozenset[int]) -> None:
        begun, kept = give - self._giving, self._giving - give
        self._giving = give
        self._send_for(self._held - give)
        if begun:
            self._losing(begun)
        if kept:
            self._gained(kept)

    async def _give(self) -> None:
        """Release the shards to be released that have nothing in flight any more."""
        if not self._giving:
            return
        drained = frozenset(self._drained(self._giving)) & self._giving
        if drained:
            await self._leases.give_back(self._id, drained)
            log.info("shards.given", member=self._id, count=len(drained), waiting=len(self._giving - drained))
            self._held -= drained
            self._giving -= drained
            self._changed()
