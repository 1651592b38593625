"""All lanes, and who may send next. Pure decisions, no I/O, no awaiting.

Four rules keep a slow or dead endpoint from delaying a healthy one:

* A lane has a limit of its own. It starts small, grows by one with each quick answer, halves when the receiver asks
  for less (429, 502, 503, 504) or cannot be reached, and falls to one after a timeout.
* No lane may hold more requests than there are free places left. However many lanes hog, places stay free.
* Lanes that did not answer well lately, or never yet, together get at most half of all places; new ones before dead.
* Retries together get at most half of all places, and within a lane one turn in four while first attempts wait.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator

import msgspec

from webhook_engine.delivery.lane import Lane, Standing
from webhook_engine.store.records import Due

__all__ = ["Lanes", "Place"]

MAX_IDLE_LANES = 10_000
UNPROVEN_SHARE = 0.5
RETRY_SHARE = 0.5
LOOK_AHEAD = 64
"""Lanes looked at for one place; bounds the work of one decision."""


class Place(msgspec.Struct, frozen=True):
    """A request that may be made now; given back with :meth:`Lanes.release`."""

    lane: Lane
    due: Due
    unproven: bool
    retry: bool


class Lanes:
    """The lanes, and the places for requests that they share.

    ``on_throttled`` is told of a lane whose rate limit says wait, and for how many seconds; it offers the lane again.
    """

    def __init__(self, max_in_flight: int, max_per_endpoint: int, on_throttled: Callable[[Lane, float], None]) -> None:
        self.max_in_flight = max_in_flight
        self.in_flight = 0
        self._max_per_endpoint = min(max_per_endpoint, max_in_flight)
        self._max_unproven = max(1, int(max_in_flight * UNPROVEN_SHARE))
        self._max_retries = max(1, int(max_in_flight * RETRY_SHARE))
        self._unproven_in_flight = 0
        self._retries_in_flight = 0
        self._lanes: OrderedDict[str, Lane] = OrderedDict()
        self._lines: dict[Standing, deque[Lane]] = {standing: deque() for standing in Standing}
        self._on_throttled = on_throttled

    def __iter__(self) -> Iterator[Lane]:
        return iter(list(self._lanes.values()))

    def get(self, endpoint_id: str) -> Lane | None:
        """The lane of an endpoint, if it has one."""
        return self._lanes.get(endpoint_id)

    def open(self, endpoint_id: str) -> Lane:
        """The lane of an endpoint; made when first needed."""
        lane = self._lanes.get(endpoint_id)
        if lane is None:
            lane = self._lanes[endpoint_id] = Lane(endpoint_id, self._max_per_endpoint)
            if len(self._lanes) > MAX_IDLE_LANES:
                self._forget_idle()
        return lane

    def offer(self, lane: Lane) -> None:
        """Let a lane stand in line, if it has something to send and may send more."""
        if not lane.listed and lane.queued and lane.in_flight < lane.limit and lane.target is not None:
            lane.listed = True
            self._lines[lane.standing].append(lane)

    def take(self, monotonic: float) -> Place | None:
        """Who may send next; ``None`` if nobody may."""
        if self.in_flight >= self.max_in_flight:
            return None
        for standing, line in self._lines.items():
            if standing is not Standing.PROVEN and self._unproven_in_flight >= self._max_unproven:
                return None
            for _ in range(min(len(line), LOOK_AHEAD)):
                lane = line.popleft()
                lane.listed = False
                place = self._place_for(lane, standing, monotonic)
                if place is not None:
                    return place
        return None

    def release(self, place: Place) -> None:
        """The request is over, however it ended."""
        self.in_flight -= 1
        self._unproven_in_flight -= place.unproven
        self._retries_in_flight -= place.retry
        place.lane.in_flight -= 1
        self.offer(place.lane)

    def _place_for(self, lane: Lane, standing: Standing, monotonic: float) -> Place | None:
        target = lane.target
        if target is None or lane.in_flight >= lane.limit:
            return None
        if lane.standing is not standing or 0 < lane.in_flight >= self.max_in_flight - self.in_flight:
            self.offer(lane)
            return None
        wait = max(target.throttle.wait(monotonic), target.application_throttle.wait(monotonic))
        if wait > 0:
            self._on_throttled(lane, wait)
            return None
        due = lane.next(retries_allowed=self._retries_in_flight < self._max_retries)
        if due is None:
            self.offer(lane)
            return None
        target.throttle.spend(monotonic)
        target.application_throttle.spend(monotonic)
        place = Place(lane, due, standing is not Standing.PROVEN, due.attempt_count > 0)
        lane.in_flight += 1
        self.in_flight += 1
        self._unproven_in_flight += place.unproven
        self._retries_in_flight += place.retry
        self.offer(lane)
        return place

    def _forget_idle(self) -> None:
        """Make room. A lane that is forgotten is made anew when its timer wakes it, or when it gets a message."""
        for endpoint_id, lane in list(self._lanes.items())[: MAX_IDLE_LANES // 10]:
            if lane.idle and not lane.listed:
                del self._lanes[endpoint_id]
            else:
                self._lanes.move_to_end(endpoint_id)
