"""All lanes, and which may send next. Pure decisions, no I/O, no awaiting.

Five rules keep a slow or dead endpoint from delaying a healthy one:

* A lane has a limit of its own. It starts small, grows by one with each quick response, halves when the receiver asks
  for less (429, 502, 503, 504) or cannot be reached, and falls to one after a timeout.
* The lane with the fewest requests in flight goes first, and a lane that has any may get at most a quarter of the free
  slots. However many lanes are greedy, slots stay free for the others.
* Once half of all slots are taken, requests are earned: a lane with requests in flight may begin two for each response.
  Responding lanes grow as fast as before. If many lanes fall silent at once, each holds its slots and two more, and not
  its whole limit.
* Lanes without good recent responses together get at most half of all slots; of that, slow ones get at most three
  quarters, and of that, failing ones at most two thirds: new before slow before dead. They are not starved either:
  regularly one of them goes before the proven.
* Retries together get at most half of all slots, and go first one turn in four, among the lanes as within each.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from itertools import islice

import msgspec

from webhook_engine.delivery.schedule.lane import RETRIES, SILENT, Lane, Memory, Standing
from webhook_engine.store.records import Due

__all__ = ["Lanes", "Slot"]

MAX_IDLE_LANES = 10_000
IDLE_LOOKS = 100
"""Lanes checked for eviction when there are too many; bounds the work of opening one."""
SHARES = {Standing.PROVEN: 1.0, Standing.UNTRIED: 1 / 2, Standing.SLOW: 3 / 8, Standing.SUSPECT: 1 / 4}
"""Share of all slots for lanes of this standing and worse."""
FREE_SHARE = 4
CROWDED_SHARE = 1 / 2
RETRY_SHARE = 0.5
RETRY_TURN = 4

_IN_ORDER = tuple(Standing)
_PROVEN = Standing.PROVEN
_LINES: tuple[int, ...] = (0, RETRIES, SILENT, SILENT | RETRIES)
_LINES_RETRIES_FIRST = (RETRIES, 0, SILENT | RETRIES, SILENT)
_IN_A_CROWD = 2
"""How many of the lines, from the first, are served while slots are scarce."""
_TURNS = 16
_OUT_OF_ORDER = {4: Standing.UNTRIED, 8: Standing.UNTRIED, 12: Standing.SLOW, 15: Standing.SUSPECT}
"""The turns of 16 that begin with another standing than the best."""
_ORDERS = [
    tuple(sorted(Standing, key=lambda standing: (standing is not best, standing)))
    for best in (_OUT_OF_ORDER.get(turn, Standing.PROVEN) for turn in range(_TURNS))
]


class Slot(msgspec.Struct, frozen=True, gc=False):
    """Permission for one request; returned with :meth:`Lanes.release`."""

    lane: Lane
    due: Due
    standing: Standing
    retry: bool


class Lanes:
    """The lanes, and the slots for requests that they share.

    ``on_throttled`` gets a lane that must wait for its rate limit, and the seconds to wait; it has to call
    :meth:`line_up` then. So has a caller that gives a lane something to send, or its target.
    """

    def __init__(self, max_in_flight: int, max_per_endpoint: int, on_throttled: Callable[[Lane, float], None]) -> None:
        self.max_in_flight = max_in_flight
        self.in_flight = 0
        self._max_per_endpoint = min(max_per_endpoint, max_in_flight)
        self._max_held = [max(1, int(max_in_flight * SHARES[standing])) for standing in Standing]
        self._crowded_from = max(1, int(max_in_flight * CROWDED_SHARE))
        self._held = [0 for _ in Standing]
        """Slots in use, by the standing that the lane had when it got the slot."""
        self._max_retries = max(1, int(max_in_flight * RETRY_SHARE))
        self._retries_in_flight = 0
        self._turn = 0
        self._memory = Memory()
        self._lanes: OrderedDict[str, Lane] = OrderedDict()
        self._lines = [tuple(_Line(self._max_per_endpoint) for _ in _LINES) for _ in Standing]
        """The waiting lines of each standing."""
        self._spots: dict[Lane, tuple[_Line, int]] = {}
        """The places of the waiting lanes."""
        self._on_throttled = on_throttled

    def __iter__(self) -> Iterator[Lane]:
        return iter(list(self._lanes.values()))

    def __len__(self) -> int:
        return len(self._lanes)

    def get(self, endpoint_id: str) -> Lane | None:
        """The lane of an endpoint, if it has one."""
        return self._lanes.get(endpoint_id)

    def open(self, endpoint_id: str) -> Lane:
        """The lane of an endpoint; made on first use."""
        lane = self._lanes.get(endpoint_id)
        if lane is None:
            if len(self._lanes) >= MAX_IDLE_LANES:
                self._forget_idle()
            lane = self._lanes[endpoint_id] = Lane(endpoint_id, self._max_per_endpoint, self._memory)
        return lane

    def close(self, lane: Lane) -> None:
        """Remove the lane as soon as nothing of it is in flight: its endpoint now belongs to another engine."""
        self._unlist(lane)
        if lane.idle and not lane.unrecorded:
            self._lanes.pop(lane.endpoint_id, None)

    def line_up(self, lane: Lane) -> None:
        """Put a lane in its line, if it has something to send and may send more."""
        spot = None
        if lane.queued and lane.in_flight < lane.limit and lane.target is not None and not lane.held:
            spot = (self._lines[lane.standing][lane.line], lane.in_flight)
        if self._spots.get(lane) != spot:
            self._unlist(lane)
            if spot is not None:
                spot[0].add(lane, spot[1])
                self._spots[lane] = spot

    def take(self, monotonic: float) -> Slot | None:
        """Take a slot for the next lane; ``None`` if none may send."""
        if not self._spots or self.in_flight >= self.max_in_flight:
            return None
        numbers = _LINES_RETRIES_FIRST if self._turn % RETRY_TURN == RETRY_TURN - 1 else _LINES
        if self.in_flight >= self._crowded_from:
            numbers = numbers[:_IN_A_CROWD]
        for standing in _ORDERS[self._turn % _TURNS]:
            room, lines = 0, self._lines[standing]
            for number in numbers:
                line = lines[number]
                if not line or (number & RETRIES and self._retries_in_flight >= self._max_retries):
                    continue
                room = room or self._room(standing)
                if room <= 0:
                    break
                while (lane := line.first(below=math.ceil(room / FREE_SHARE))) is not None:
                    self._unlist(lane)
                    slot = self._slot_for(lane, standing, monotonic)
                    if slot is not None:
                        self._turn += 1
                        return slot
        return None

    def release(self, slot: Slot) -> None:
        """Return a slot after its request has ended, in whatever way."""
        self.in_flight -= 1
        self._held[slot.standing] -= 1
        self._retries_in_flight -= slot.retry
        slot.lane.end_request()
        self.line_up(slot.lane)

    def _room(self, standing: Standing) -> int:
        """Free slots for a lane of this standing, which leave the shares of better ones untouched."""
        if standing is _PROVEN:
            return self.max_in_flight - self.in_flight
        held, room = 0, self.max_in_flight
        for other in reversed(_IN_ORDER):
            held += self._held[other]
            if other <= standing:
                room = min(room, self._max_held[other] - held)
        return room

    def _slot_for(self, lane: Lane, standing: Standing, monotonic: float) -> Slot | None:
        target = lane.target
        if target is None or lane.held or lane.in_flight >= lane.limit:
            return None
        if lane.standing is not standing:
            self.line_up(lane)
            return None
        wait, throttled = 0.0, target.throttled
        if throttled:
            wait = max(target.throttle.wait(monotonic), target.application_throttle.wait(monotonic))
        if lane.paused_until is not None:
            wait = max(wait, lane.pause_left(monotonic))
            if wait == math.inf:
                # It waits in line again after its probe.
                return None
        if wait > 0 and lane.queued:
            self._on_throttled(lane, wait)
            return None
        due = lane.next(retries_allowed=self._retries_in_flight < self._max_retries)
        if due is None:
            self.line_up(lane)
            return None
        if throttled:
            target.throttle.spend(monotonic)
            target.application_throttle.spend(monotonic)
        slot = Slot(lane, due, standing, due.attempt_count > 0 and due.manual_id is None)
        lane.begin_request()
        self.in_flight += 1
        self._held[standing] += 1
        self._retries_in_flight += slot.retry
        self.line_up(lane)
        return slot

    def _unlist(self, lane: Lane) -> None:
        spot = self._spots.pop(lane, None)
        if spot is not None:
            spot[0].remove(lane, spot[1])

    def _forget_idle(self) -> None:
        """Evict idle lanes. An evicted lane is made again when its timer wakes it, or when it gets a message."""
        for endpoint_id, lane in list(islice(self._lanes.items(), IDLE_LOOKS)):
            if lane.idle:
                self._unlist(lane)
                del self._lanes[endpoint_id]
            else:
                self._lanes.move_to_end(endpoint_id)


class _Line:
    """Lanes ordered by their requests in flight, then by arrival."""

    def __init__(self, most_in_flight: int) -> None:
        self._by_in_flight: list[OrderedDict[Lane, None]] = [OrderedDict() for _ in range(most_in_flight)]
        self._count = 0
        self._lowest = 0
        """No lane has fewer requests in flight than that."""

    def __len__(self) -> int:
        return self._count

    def add(self, lane: Lane, in_flight: int) -> None:
        self._by_in_flight[in_flight][lane] = None
        self._count += 1
        self._lowest = min(self._lowest, in_flight)

    def remove(self, lane: Lane, in_flight: int) -> None:
        del self._by_in_flight[in_flight][lane]
        self._count -= 1

    def first(self, below: int) -> Lane | None:
        """The first lane that has fewer requests in flight than ``below``."""
        below = min(below, len(self._by_in_flight))
        while self._lowest < below:
            if lanes := self._by_in_flight[self._lowest]:
                return next(iter(lanes))
            self._lowest += 1
        return None
