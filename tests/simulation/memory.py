"""How much an engine may keep in memory, in worlds where that is little, and whether it keeps to it."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from unittest import mock

from webhook_engine import Engine
from webhook_engine.delivery.schedule import dispatcher, lane, lanes, orders
from webhook_engine.delivery.schedule.lane import Memory
from webhook_engine.delivery.schedule.timers import Timers
from webhook_engine.store.directory import Directory

__all__ = ["Bounds"]

LARGEST = 5_100
"""Bytes of the largest payload in a world; what takes one more in looks at what is there, not at what comes."""


@dataclass(frozen=True)
class Bounds:
    """What an engine may keep."""

    queued: int
    """Scheduled deliveries of one endpoint that wait for their turn."""
    queued_bytes: int
    """Their payloads."""
    manual: int
    """Attempts that somebody asked for, of one endpoint."""
    queued_in_all: int
    bytes_in_all: int
    idle_lanes: int
    gathering: int
    """Orders of one endpoint that wait for more to go with their first messages."""
    timers: int
    """Endpoints of which it knows when they have something to do."""
    applications: int

    @classmethod
    def drawn(cls, chance: random.Random) -> Bounds:
        """Draw them, each small in some worlds."""
        return cls(
            queued=chance.choice((2, 8, 64)),
            queued_bytes=chance.choice((1_000, 20_000, 4_000_000)),
            manual=chance.choice((1, 4)),
            queued_in_all=chance.choice((4, 16, 65_536)),
            bytes_in_all=chance.choice((2_000, 30_000, 128_000_000)),
            idle_lanes=chance.choice((1, 3)),
            gathering=chance.choice((1, 4_096)),
            timers=chance.choice((2, 4, 100_000)),
            applications=chance.choice((1, 2)),
        )

    def kept(self) -> AbstractContextManager[object]:
        """Let each engine that is made have these bounds."""
        stack = ExitStack()
        for target, name, value in (
            (lane, "MAX_QUEUED", self.queued),
            (lane, "MAX_QUEUED_UNPROVEN", max(1, self.queued // 2)),
            (lane, "MAX_QUEUED_BYTES", self.queued_bytes),
            (lane, "ROOM_FOR_MANUAL", self.manual),
            (lanes, "MAX_IDLE_LANES", self.idle_lanes),
            (orders, "MAX_GATHERING", self.gathering),
            # The look for what the timers have forgotten is one of them.
            (dispatcher, "MAX_ERRANDS", 3),
            (Memory.__init__, "__defaults__", (self.queued_in_all, self.bytes_in_all)),
            (Timers.__init__, "__defaults__", (self.timers,)),
            (Directory.__init__, "__defaults__", (self.applications,)),
        ):
            stack.enter_context(mock.patch.object(target, name, value))
        return stack

    def check(self, engine: Engine, of: str, violated: Callable[[str], None]) -> None:
        """Look at all that an engine keeps."""
        dispatcher = engine._flow._dispatcher
        waiting = waiting_bytes = everything = everything_bytes = 0
        for one in dispatcher._lanes:
            scheduled = [*one._first, *one._retries]
            size = sum(len(due.payload or b"") for due in scheduled)
            by_hand = [len(due.payload or b"") for due in one._manual]
            waiting += len(scheduled)
            waiting_bytes += size
            everything += len(scheduled) + len(by_hand)
            everything_bytes += size + sum(by_hand)
            for what, has, most in (
                ("deliveries", len(scheduled), self.queued),
                ("bytes of payloads", size, self.queued_bytes + LARGEST),
                ("attempts by hand", len(by_hand), self.manual + self.queued),
                ("orders that gather", len(one.orders._gathering), self.gathering),
            ):
                if has > most:
                    violated(f"{of} keeps {has} {what} of {one.endpoint_id} in memory, of {most} that it may")
        memory, timers = dispatcher._lanes._memory, dispatcher._timers
        # One delivery of each endpoint may always be there.
        each = len(dispatcher._lanes)
        for what, has, most in (
            ("deliveries", waiting, self.queued_in_all + each),
            ("bytes of payloads", waiting_bytes, self.bytes_in_all + LARGEST * (each + 1)),
            ("timers", len(timers._heap), 2 * self.timers + 65),
            ("endpoints with a timer", len(timers), self.timers),
            ("applications", len(engine._directory._routes._kept), self.applications),
        ):
            if has > most:
                violated(f"{of} keeps {has} {what} in memory, of {most} that it may")
        if (memory.queued, memory.bytes) != (everything, everything_bytes):
            violated(
                f"{of} keeps {everything} deliveries with {everything_bytes} bytes in memory, and counts "
                f"{memory.queued} with {memory.bytes}"
            )
