"""The order of an endpoint's deliveries: who waits behind whom. Pure: no SQL, no clock.

A delivery that keeps an order has a number, and for as long as it has a place in the order, its ordering key. Of all
that share an endpoint and a key, at most one has the *turn*: it is due at some instant, or, where the order stops at a
failure, failed. All others are due ``NOT_YET``, so that nothing which looks for what is due ever meets them, however
many they are. Whoever takes the turn's holder out of the order gives the turn to the lowest number left, in the same
transaction::

      waits (due NOT_YET) ── turn ──► scheduled ── succeeds, is skipped, is cancelled ─────────► gone, the next has it
                                        │   ▲
                                        │   └── retry
                                        └── retries exhausted, and the endpoint stops there ──► stopped, keeps the turn
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from webhook_engine.clock import to_datetime
from webhook_engine.model import DeliveryStatus
from webhook_engine.store.records import DeliveryChange, Due

__all__ = [
    "NOT_YET",
    "Line",
    "LineHead",
    "OrderedDelivery",
    "Turns",
    "leaves",
    "moves_order",
    "numbered",
    "scheduled_at",
    "stopping",
]

NOT_YET = 253_402_300_000_000_000
"""When those are due that do not have the turn: in the year 9999."""

Line = tuple[str, str]
"""What keeps one order: an endpoint's id, and an ordering key, which is empty where a message has none."""


class Turns(msgspec.Struct, frozen=True):
    """The turns that were given by a change."""

    due: Sequence[Due] = ()
    """Those that are due at once, with their payloads."""
    later: Sequence[tuple[str, int]] = ()
    """Endpoints with others, each with the instant from which one is due, and is to be read."""


class OrderedDelivery(msgspec.Struct, frozen=True, gc=False):
    """One of the first in an order; of those behind the turn's holder, ``due.due_at`` says from when they may go."""

    due: Due
    event_type: str
    created_at: int


class LineHead(msgspec.Struct, frozen=True, kw_only=True):
    """Where an order stands."""

    ordering_key: str
    message_id: str
    status: DeliveryStatus
    """``FAILED`` where it has stopped."""
    due_at: int | None
    attempt_count: int
    waiting: int
    """Deliveries behind it, counted up to a bound."""


def leaves(status: DeliveryStatus, *, stops: bool) -> bool:
    """Whether a delivery of this status has no place in the order any more; ``stops``: a failure keeps the turn."""
    return status is not DeliveryStatus.PENDING and not (stops and status is DeliveryStatus.FAILED)


def moves_order(change: DeliveryChange) -> bool:
    """Whether somebody may get the turn by a change: a delivery is settled, or waits again."""
    return change.ordered and (change.settled_at is not None or change.due_at == NOT_YET)


def stopping(changes: Iterable[DeliveryChange]) -> set[tuple[str, str]]:
    """Of which deliveries a failure keeps the turn: a failure by hand changes nothing, and may meet a stopped order."""
    every: dict[tuple[str, str], bool] = {}
    for change in changes:
        key = (change.message_id, change.endpoint_id)
        every[key] = every.get(key, True) and (change.stops or change.manual_id is not None)
    return {key for key, keeps in every.items() if keeps}


def numbered(lines: Iterable[Line], last: dict[Line, int], now: int) -> list[int]:
    """Numbers for deliveries in the order in which they are accepted; ``last`` has the last one of each line.

    They are instants, so that an older delivery that comes back finds its place; but never below one that waits, so
    that a clock which is set back, or behind another engine's, changes no order.
    """
    numbers = []
    for line in lines:
        number = last[line] = max(now, last.get(line, 0) + 1)
        numbers.append(number)
    return numbers


def scheduled_at(due_at: int | None) -> datetime | None:
    """When the next attempt of a delivery is made, as far as that is known."""
    return None if due_at is None or due_at >= NOT_YET else to_datetime(due_at)
