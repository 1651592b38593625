"""The circuit breaker of an endpoint: when it waits as a whole, and when it is tried again. Pure: no I/O, no clock.

::

                 at least half of the last attempts failed
      closed ──────────────────────────────────────────────► paused ── the pause is over ──► probed, by one attempt
        ▲                                                       ▲                                │      │
        │                                                       └───── it failed: twice as long ─┘      │
        └───────────────────────────────── any success ─────────────────────────────────────────────────┘

Instants are microseconds that the engine ran, which no clock that is set changes.
"""

from __future__ import annotations

import msgspec

from webhook_engine.store.records import Due

__all__ = ["CLOSED", "Breaker", "after_failure", "after_success", "resumed", "step"]

SPAN = 60_000_000
"""Microseconds after which what was counted counts half."""
FEWEST = 10
"""Attempts that must have been made before they are judged."""
RATE = 0.5
"""The share of failures from which on the endpoint waits."""
FIRST_PAUSE = 30_000_000
LONGEST_PAUSE = 30 * 60_000_000


class Breaker(msgspec.Struct, frozen=True, gc=False):
    """What was met lately, and until when nothing is sent."""

    attempts: float = 0.0
    failures: float = 0.0
    counted_from: int = 0
    pauses: int = 0
    """In a row, without a success in between."""
    until: int | None = None
    """When the pause is over, from which on one attempt at a time is made; ``None`` while it is closed."""


CLOSED = Breaker()


def step(breaker: Breaker, due: Due, ran: int, *, failed: bool) -> Breaker:
    """After an attempt; one that a person asked for is no reason to wait."""
    if not failed:
        return after_success(breaker, ran)
    return after_failure(breaker, ran) if due.manual_id is None else breaker


def after_success(breaker: Breaker, ran: int) -> Breaker:
    """Any success ends the pause, a manual one too."""
    if breaker.until is not None:
        return CLOSED
    return _counted(breaker, 0, ran)


def after_failure(breaker: Breaker, ran: int) -> Breaker:
    """After a failed attempt of the schedule. What was under way when the pause began changes nothing."""
    if breaker.until is not None:
        return breaker if ran < breaker.until else _paused(breaker, ran)
    counted = _counted(breaker, 1, ran)
    if counted.attempts >= FEWEST and counted.failures >= RATE * counted.attempts:
        return _paused(counted, ran)
    return counted


def resumed(ran: int, left: int) -> Breaker:
    """Of an endpoint of which another run, or another engine, knew that it had ``left`` microseconds to wait."""
    return Breaker(pauses=1, until=ran + min(max(left, 0), LONGEST_PAUSE))


def _paused(breaker: Breaker, ran: int) -> Breaker:
    pauses = breaker.pauses + 1
    return Breaker(pauses=pauses, until=ran + min(FIRST_PAUSE << min(pauses - 1, 10), LONGEST_PAUSE))


def _counted(breaker: Breaker, failed: int, ran: int) -> Breaker:
    halvings = (ran - breaker.counted_from) // SPAN
    keep = 0.5**halvings if halvings < 64 else 0.0
    start = breaker.counted_from + halvings * SPAN
    return Breaker(breaker.attempts * keep + 1, breaker.failures * keep + failed, start)
