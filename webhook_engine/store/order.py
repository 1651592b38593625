"""The order of deliveries at an endpoint: which one waits for which. Pure: no SQL, no clock.

An ordered delivery has a number and, as long as it has a place in the order, an ordering key. Of those with the same
endpoint and key, at most one has the *turn*: it is scheduled or, where the order stops at a failure, failed. The others
are due ``NOT_YET``, so that a query for due deliveries never reads them, however many they are. The transaction that
takes the holder of the turn out of the order gives the turn to the lowest number left::

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
"""When deliveries without the turn are due: in the year 9999."""

Line = tuple[str, str]
"""One order: an endpoint's id, and an ordering key, which is empty for messages without one."""


class Turns(msgspec.Struct, frozen=True):
    """The turns that a change gives."""

    due: Sequence[Due] = ()
    """Deliveries that are due at once, with their payloads."""
    later: Sequence[tuple[str, int]] = ()
    """Endpoints with further ones, to be read from the store, each with the instant from which one is due."""


class OrderedDelivery(msgspec.Struct, frozen=True, gc=False):
    """One of the first deliveries in an order. Without the turn, it may not be sent before ``due.due_at``."""

    due: Due
    event_type: str
    created_at: int


class LineHead(msgspec.Struct, frozen=True, kw_only=True):
    """The state of an order."""

    ordering_key: str
    message_id: str
    status: DeliveryStatus
    """``FAILED`` if the order has stopped."""
    due_at: int | None
    attempt_count: int
    waiting: int
    """Deliveries that wait behind it, counted up to a bound."""


def leaves(status: DeliveryStatus, *, stops: bool) -> bool:
    """Whether a delivery with this status leaves the order; ``stops``: a failed one keeps the turn."""
    return status is not DeliveryStatus.PENDING and not (stops and status is DeliveryStatus.FAILED)


def moves_order(change: DeliveryChange) -> bool:
    """Whether a change may give the turn to another delivery: one is settled, or waits again."""
    return change.ordered and (change.settled_at is not None or change.due_at == NOT_YET)


def stopping(changes: Iterable[DeliveryChange]) -> set[tuple[str, str]]:
    """The deliveries that keep the turn when they fail. A failed manual attempt changes nothing."""
    every: dict[tuple[str, str], bool] = {}
    for change in changes:
        key = (change.message_id, change.endpoint_id)
        every[key] = every.get(key, True) and (change.stops or change.manual_id is not None)
    return {key for key, keeps in every.items() if keeps}


def numbered(lines: Iterable[Line], last: dict[Line, int], now: int) -> list[int]:
    """Numbers for deliveries in the order of acceptance; ``last`` has the last number of each line.

    They are instants, so that an older delivery can take its place again, but always above the last number, so that a
    clock that is set back, or slower than that of another engine, does not change the order.
    """
    numbers = []
    for line in lines:
        number = last[line] = max(now, last.get(line, 0) + 1)
        numbers.append(number)
    return numbers


def scheduled_at(due_at: int | None) -> datetime | None:
    """When the next attempt of a delivery is scheduled; ``None`` if it is not."""
    return None if due_at is None or due_at >= NOT_YET else to_datetime(due_at)
