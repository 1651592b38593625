"""The effect of an attempt on its endpoint's order. Pure: no I/O, no clock."""

from __future__ import annotations

import msgspec

from webhook_engine.delivery.attempt.decision import EXHAUSTED
from webhook_engine.model import DeliveryStatus, Endpoint
from webhook_engine.store.records import DeliveryChange, Due

__all__ = ["in_order"]


def in_order(change: DeliveryChange, due: Due, endpoint: Endpoint) -> DeliveryChange:
    """The change with its effect on the order; unchanged for an endpoint without one.

    A settled delivery passes its turn to the next one. A delivery whose retries are exhausted keeps its turn if the
    endpoint's order stops there. Other ends of a delivery were requested, or are final.
    """
    if due.order_key is None and endpoint.ordering is None:
        return change
    exhausted = change.status is DeliveryStatus.FAILED and change.reason == EXHAUSTED
    stops = exhausted and endpoint.ordering is not None and endpoint.ordering_on_exhausted == "stop"
    return msgspec.structs.replace(change, ordered=True, stops=stops)
