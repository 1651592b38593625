"""What an attempt means for the order that its endpoint keeps. Pure: no I/O, no clock."""

from __future__ import annotations

import msgspec

from webhook_engine.delivery.attempt.decision import EXHAUSTED
from webhook_engine.model import DeliveryStatus, Endpoint
from webhook_engine.store.records import DeliveryChange, Due

__all__ = ["in_order"]


def in_order(change: DeliveryChange, due: Due, endpoint: Endpoint) -> DeliveryChange:
    """The same change with what it means for the order; unchanged where there is none.

    A delivery that is settled gives its turn to the next one. One whose retries are exhausted keeps it where the
    endpoint says that its order stops there; what else ends a delivery was somebody's wish, or
    nothing can be done about it.
    """
    if due.order_key is None and endpoint.ordering is None:
        return change
    exhausted = change.status is DeliveryStatus.FAILED and change.reason == EXHAUSTED
    stops = exhausted and endpoint.ordering is not None and endpoint.ordering_on_exhausted == "stop"
    return msgspec.structs.replace(change, ordered=True, stops=stops)
