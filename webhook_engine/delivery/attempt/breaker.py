"""The circuit breaker of an endpoint: when to pause all its deliveries, and when to probe it. Pure: no I/O, no clock.

::

                 at least half of the last attempts failed
      closed ──────────────────────────────────────────────► paused ── the pause is over ──► probed, by one attempt
        ▲                                                       ▲                                │      │
        │                                                       └───── it failed: twice as long ─┘      │
        └───────────────────────────────── any success ─────────────────────────────────────────────────┘

Instants are in microseconds of the engine's running time, which setting the clock does not change.
"""

from __future__ import annotations

import msgspec

from webhook_engine.store.records import Due

__all__ = ["CLOSED", "Breaker", "after_failure", "after_success", "resumed", "step"]

SPAN = 60_000_000
"""Half-life of the counts, in microseconds."""
FEWEST = 10
"""Minimum number of attempts before the failure rate counts."""
RATE = 0.5
"""The share of failures from which on the endpoint is paused."""
FIRST_PAUSE = 30_000_000
LONGEST_PAUSE = 30 * 60_000_000


class Breaker(msgspec.Struct, frozen=True, gc=False):
    """Recent successes and failures, and until when nothing is sent."""

    attempts: float = 0.0
    failures: float = 0.0
    counted_from: int = 0
    pauses: int = 0
    """Consecutive pauses, without a success in between."""
    until: int | None = None
    """When the pause ends; after that, one attempt at a time probes the endpoint. ``None`` while it is closed."""


CLOSED = Breaker()


def step(breaker: Breaker, due: Due, ran: int, *, failed: bool) -> Breaker:
    """The breaker after an attempt; a failed manual attempt does not count."""
    if not failed:
        return after_success(breaker, ran)
    return after_failure(breaker, ran) if due.manual_id is None else breaker


def after_success(breaker: Breaker, ran: int) -> Breaker:
    """Any success ends the pause, a manual one too."""
    if breaker.until is not None:
        return CLOSED
    return _counted(breaker, 0, ran)


def after_failure(breaker: Breaker, ran: int) -> Breaker:
    """The breaker after a failed scheduled attempt. Attempts in flight when the pause began do not count."""
    if breaker.until is not None:
        return breaker if ran < breaker.until else _paused(breaker, ran)
    counted = _counted(breaker, 1, ran)
    if counted.attempts >= FEWEST and counted.failures >= RATE * counted.attempts:
        return _paused(counted, ran)
    return counted


def resumed(ran: int, left: int) -> Breaker:
    """The breaker of an endpoint that a former run, or another engine, paused for ``left`` more microseconds."""
    return Breaker(pauses=1, until=ran + min(max(left, 0), LONGEST_PAUSE))


def _paused(breaker: Breaker, ran: int) -> Breaker:
    pauses = breaker.pauses + 1
    return Breaker(pauses=pauses, until=ran + min(FIRST_PAUSE << min(pauses - 1, 10), LONGEST_PAUSE))


def _counted(breaker: Breaker, failed: int, ran: int) -> Breaker:
    halvings = (ran - breaker.counted_from) // SPAN
    keep = 0.5**halvings if halvings < 64 else 0.0
    start = breaker.counted_from + halvings * SPAN
    return Breaker(breaker.attempts * keep + 1, breaker.failures * keep + failed, start)
