"""What an attempt means for the order that its endpoint keeps."""

import msgspec
import pytest
from flow_parts import make_due
from records import make_endpoint

from webhook_engine.delivery.attempt.decision import ABORTED, DISABLED, EXHAUSTED, EXPIRED
from webhook_engine.delivery.attempt.order import in_order
from webhook_engine.model import DeliveryStatus, Endpoint
from webhook_engine.store.records import DeliveryChange

SUCCEEDED, PENDING, FAILED = DeliveryStatus.SUCCEEDED, DeliveryStatus.PENDING, DeliveryStatus.FAILED
STOPPING = make_endpoint("ep_1", ordering="fifo", ordering_on_exhausted="stop")


def change(status: DeliveryStatus, reason: str | None = None) -> DeliveryChange:
    return DeliveryChange("msg_1", "ep_1", status, None, 1, reason, 0)


@pytest.mark.parametrize(
    ("made", "endpoint", "stops"),
    [
        (change(FAILED, EXHAUSTED), STOPPING, True),
        (change(FAILED, EXHAUSTED), make_endpoint("ep_1", ordering="fifo"), False),
        (change(FAILED, EXHAUSTED), make_endpoint("ep_1", ordering="fifo", ordering_on_exhausted="skip"), False),
        (change(FAILED, EXHAUSTED), make_endpoint("ep_1", ordering_on_exhausted="stop"), False),
        (change(FAILED, ABORTED), STOPPING, False),
        (change(FAILED, DISABLED), STOPPING, False),
        (change(FAILED, EXPIRED), STOPPING, False),
        (change(SUCCEEDED), STOPPING, False),
        (change(PENDING), STOPPING, False),
    ],
)
def test_the_order_stops_where_the_endpoint_says_so(made: DeliveryChange, endpoint: Endpoint, stops: bool) -> None:
    ordered = in_order(made, msgspec.structs.replace(make_due(), order_key=""), endpoint)
    assert (ordered.ordered, ordered.stops) == (True, stops)


def test_without_an_order_nothing_changes() -> None:
    made = change(FAILED, EXHAUSTED)
    assert in_order(made, make_due(), make_endpoint("ep_1")) is made
