"""Which shards are ours: the lease of this engine, renewed again and again, and what is given and taken by it.

::

    join ─► renew ─► take what is free of our part ─► gained: the lanes of these shards are loaded
              │
              ├────► give what is another's part ───► losing: their lanes are emptied; given when nothing is under way
              │
              └────► lease lost ────────────────────► losing all of it; join again as another member

A database that one engine has to itself is the same with one lease, which never ends.
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
    """What part of a database an engine has at one moment."""

    members: int
    """How many engines there are on the database."""
    shards: int
    """How many this one holds."""
    speaks_for_all: bool
    """Whether it is the one that tells what is of the whole database, which must be told once."""


class Ownership(Service):
    """Holds the lease of this engine.

    ``gained`` and ``losing`` get shards whose hands change; ``drained`` says which of those that are being given have
    nothing under way any more; ``stored_below`` is what :meth:`LeaseStore.renew` asks for.
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
        """Whether no other engine can be on the database."""
        self.shards: frozenset[int] = frozenset()
        """Held, and not being given back: what comes in for them is sent here."""
        self.member_id: str | None = None
        """What this engine is to others at the moment; ``None`` where there can be no others."""
        self.members = 0
        """How many engines are on the database, as far as was known at the last renewal; 0 before the first."""
        self._id = ""
        self._held: frozenset[int] = frozenset()
        self._giving: frozenset[int] = frozenset()
        self._gained_at: dict[int, float] = {}
        self._until = -math.inf
        self._next_lapse_at = math.inf
        self._leaving = False
        self._changed: Callable[[], None] = lambda: None

    def holds(self, shard: int) -> bool:
        """Whether what comes in for a shard is sent by this engine."""
        return shard in self.shards

    def may_begin(self) -> bool:
        """Whether an attempt may begin now: the lease cannot have ended yet, however long this process stood still."""
        return self._until == math.inf or self._clock.process() < self._until

    def gained_at(self, shard: int) -> float:
        """Until when another engine may have sent to endpoints of this shard, by the monotonic clock."""
        return self._gained_at.get(shard, -math.inf)

    def wait_s(self, stored: StoredEndpoint) -> float:
        """How long to wait before an endpoint is sent to, because another engine may not know yet that it has moved."""
        return 0.0 if self.alone else wait_after_move(stored.moved, self._held, self._leases.ttl_s)

    async def agree(self, secret: SharedSecret) -> Member | None:
        """Tell the other engines which secret this one has; one that has another, and is told nothing then."""
        return await self._leases.agree(self._id, secret)

    def on_changed(self, changed: Callable[[], None]) -> None:
        """Call this when the others should look at their shares: somebody came or went, or gave something back."""
        self._changed = changed

    async def start(self) -> None:
        """Be a member, and take what is free of this engine's part."""
        self._held = self._giving = self.shards = frozenset()
        self._leaving = False
        await self._join()
        await self._round()
        await super().start()

    async def run(self) -> None:
        """Renew the lease, and see to it that everybody gets its part."""
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
                    # Who dies is replaced as soon as its lease has ended.
                    renew_at = min(renew_at, self._next_lapse_at)
                else:
                    await self._give()
            except (StoreError, MemoryError) as error:
                log.error("lease.not_renewed", error=str(error) or repr(error), again_in_s=AGAIN_AFTER_ERROR_S)
                renew_at = self._clock.process() + AGAIN_AFTER_ERROR_S

    async def give_all(self) -> None:
        """The engine stops: give everything back, each shard as soon as nothing of it is under way."""
        if not self.alone:
            self._leaving = True
            self._begin_to_give(self._held)
            self.nudge()

    async def stop(self) -> None:
        """Be no member any more."""
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
        """Wait so long, or until somebody asks for a look; whether somebody did."""
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
        """Renew the lease, free what the dead hold, take and give."""
        take: Collection[int] = ()
        for _ in range(3):
            asked_at = self._clock.process()
            standing = await self._leases.renew(self._id, take=take, stored_below=self._stored_below())
            if standing is None:
                await self._begin_again()
                continue
            self._until = lease_until(asked_at, self._leases.ttl_s)
            self.members = len(standing.live)
            self._hold(frozenset(standing.held))
            lapse_s = standing.next_lapse_s
            self._next_lapse_at = math.inf if lapse_s is None else self._clock.process() + lapse_s + SOON_S
            if standing.lapsed:
                await self._bury(standing.lapsed)
                take = ()
                continue
            planned = self._plan(standing.live, standing.free)
            self._begin_to_give(planned.give)
            take = planned.take
            if not take:
                break
        await self._give()

    async def _bury(self, lapsed: Collection[str]) -> None:
        """Free what the dead hold. Where another engine was quicker, it is free as well."""
        buried = [member for member in lapsed if await self._leases.bury(member)]
        if buried:
            log.warning("members.lapsed", members=buried, consequence="their shards are shared out")
            self._changed()

    def _plan(self, live: Collection[str], free: Collection[int]) -> Plan:
        if self._leaving:
            return Plan(self._held, frozenset())
        return plan(self._id, live, self._held, free)

    async def _begin_again(self) -> None:
        """The lease was lost: others may hold what this engine held."""
        log.error("lease.lost", member=self._id, shards=len(self._held))
        self._until = -math.inf
        self._hold(frozenset())
        await self._join()

    def _hold(self, held: frozenset[int]) -> None:
        """What the database says that this engine holds."""
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
        """Give back what is to be given and has nothing under way any more."""
        if not self._giving:
            return
        drained = frozenset(self._drained(self._giving)) & self._giving
        if drained:
            await self._leases.give_back(self._id, drained)
            log.info("shards.given", member=self._id, count=len(drained), waiting=len(self._giving - drained))
            self._held -= drained
            self._giving -= drained
            self._changed()
