"""Counters of the delivery flow: plain numbers in memory, always on, read by the metrics."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from webhook_engine.delivery.http.response import Response
from webhook_engine.delivery.troubles import Lack, Troubles
from webhook_engine.model import DeliveryStatus
from webhook_engine.store.records import DeliveryChange, Due

__all__ = ["Histogram", "Measures"]

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0)
LAG = (0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0, 60.0, 300.0, 1800.0, 7200.0, 36000.0, 172800.0)
CHANGES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
COMMIT_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
_SUCCEEDED = DeliveryStatus.SUCCEEDED
SUCCESS = "none"
"""The failure kind of an attempt that did not fail."""


class Histogram:
    """Counts values by size."""

    __slots__ = ("_bounds", "_counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    def buckets(self) -> Iterator[tuple[str, int]]:
        """The cumulative count for each upper bound; the last bound is ``+Inf``."""
        return zip((*map(str, self._bounds), "+Inf"), accumulate(self._counts), strict=True)


class Measures:
    """Counters and histograms of one engine, since it was made."""

    def __init__(self) -> None:
        self.accepted = 0
        self.attempts: Counter[str] = Counter()
        """Attempts by failure kind; ``none`` means success."""
        self.settled: Counter[str] = Counter({"succeeded": 0, "failed": 0})
        self.attempt_seconds = Histogram(SECONDS)
        self.lag_seconds = Histogram(LAG)
        """From when an attempt was due to when it began."""
        self.commit_changes = Histogram(CHANGES)
        self.commit_seconds = Histogram(COMMIT_SECONDS)
        self.troubles = Troubles()
        """What the engine itself has lacked."""
        self.retention: Counter[str] = Counter({"payloads": 0, "messages": 0, "bytes": 0})

    def messages_accepted(self, count: int) -> None:
        """Count messages stored with their deliveries."""
        self.accepted += count

    def attempt_made(self, due: Due, response: Response, started_at: int) -> None:
        """Count an attempt that was made."""
        self.attempts[SUCCESS if response.failure is None else response.failure.value] += 1
        self.attempt_seconds.observe(response.duration_ms / 1_000)
        if due.due_at:
            self.lag_seconds.observe(max(0, started_at - due.due_at) / 1_000_000)

    def attempt_hindered(self, response: Response, now: int) -> None:
        """Count an attempt that could not be made, because the engine itself lacked something."""
        self.troubles.met(response.lack or Lack.MEMORY, response.text, now)

    def changes_recorded(self, changes: Iterable[DeliveryChange]) -> None:
        """Count the recorded changes of deliveries."""
        for change in changes:
            if change.status is _SUCCEEDED:
                self.settled["succeeded"] += 1
            elif change.status is DeliveryStatus.FAILED:
                self.settled["failed"] += 1

    def committed(self, changes: int, seconds: float) -> None:
        """Count a commit of ``changes`` changes that took ``seconds``."""
        self.commit_changes.observe(changes)
        self.commit_seconds.observe(seconds)
