"""The timer heap: which endpoint has a delivery due next. Pure: the caller gives the time.

The heap has one entry for each endpoint, its earliest due time, never one for each delivery. It is bounded too: beyond
its capacity it drops the latest, and remembers from which instant on it is incomplete (``horizon``), so that its owner
reads the database again in time.
"""

from __future__ import annotations

import heapq

__all__ = ["Timers"]

CAPACITY = 100_000


class Timers:
    """A bounded heap of (instant, endpoint id); instants in microseconds since the epoch."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._heap: list[tuple[int, str]] = []
        self._earliest: dict[str, int] = {}
        self.horizon: int | None = None
        """Endpoints due at this instant or later may be missing; ``None``: the heap is complete."""

    def __len__(self) -> int:
        return len(self._earliest)

    def schedule(self, endpoint_id: str, instant: int) -> None:
        """Wake the endpoint at ``instant``, or earlier if scheduled so before."""
        known = self._earliest.get(endpoint_id)
        if known is not None and known <= instant:
            return
        if self.horizon is not None and instant >= self.horizon and known is None:
            return
        self._earliest[endpoint_id] = instant
        heapq.heappush(self._heap, (instant, endpoint_id))
        if len(self._earliest) > self._capacity:
            self._forget_latest()
        elif len(self._heap) > 2 * self._capacity + 64:
            self._rebuild()

    def due_at(self, endpoint_id: str) -> int | None:
        """When the endpoint will be woken; ``None`` if it is not in the heap."""
        return self._earliest.get(endpoint_id)

    def pop_due(self, now: int, limit: int | None = None) -> list[str]:
        """Take out the endpoints whose instant has come, earliest first; at most ``limit``."""
        ready: list[str] = []
        while self._heap and self._heap[0][0] <= now and (limit is None or len(ready) < limit):
            instant, endpoint_id = heapq.heappop(self._heap)
            if self._earliest.get(endpoint_id) == instant:
                del self._earliest[endpoint_id]
                ready.append(endpoint_id)
        return ready

    def next_at(self) -> int | None:
        """The earliest instant at which :meth:`pop_due` or the database may have something."""
        while self._heap and self._earliest.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        first = self._heap[0][0] if self._heap else None
        if self.horizon is None:
            return first
        return self.horizon if first is None else min(first, self.horizon)

    def _forget_latest(self) -> None:
        in_order = sorted((instant, endpoint_id) for endpoint_id, instant in self._earliest.items())
        kept, dropped = in_order[: self._capacity // 2], in_order[self._capacity // 2 :]
        first_dropped = dropped[0][0]
        self.horizon = first_dropped if self.horizon is None else min(self.horizon, first_dropped)
        self._earliest = {endpoint_id: instant for instant, endpoint_id in kept}
        self._heap = kept

    def _rebuild(self) -> None:
        self._heap = [(instant, endpoint_id) for endpoint_id, instant in self._earliest.items()]
        heapq.heapify(self._heap)
