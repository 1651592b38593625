"""Makers of the small parts that the tests of the delivery rules are about."""

from __future__ import annotations

from records import make_endpoint, make_stored
from yarl import URL

from webhook_engine.delivery.attempt.decision import Rules
from webhook_engine.delivery.attempt.retry import RetrySchedule
from webhook_engine.delivery.attempt.target import Target
from webhook_engine.delivery.http.request import Destination
from webhook_engine.delivery.schedule.lane import Lane
from webhook_engine.delivery.throttle import Throttle
from webhook_engine.store.records import Due

UNLIMITED = Throttle(None)


def make_target(endpoint_id: str = "ep_1", *, throttle: Throttle = UNLIMITED, shared: Throttle = UNLIMITED) -> Target:
    return Target(
        endpoint=make_endpoint(endpoint_id),
        application_uid=None,
        destination=Destination(URL("https://example.com/"), {}),
        headers={},
        keys=(),
        lines="",
        by_event_type=None,
        content_type="application/json",
        compressed=False,
        throttle=throttle,
        application_throttle=shared,
        rules=Rules(schedule=RetrySchedule([], 0), failure_window=1, disable_on_gone=True),
        deleted=False,
    )


def make_due(
    message_id: str = "msg_1",
    endpoint_id: str = "ep_1",
    *,
    due_at: int = 0,
    step: int = 0,
    attempt_count: int | None = None,
    payload: bytes | None = b"{}",
    manual_id: str | None = None,
    order_key: str | None = None,
) -> Due:
    made = step if attempt_count is None else attempt_count
    return Due(message_id, endpoint_id, due_at, step, made, None, payload, manual_id, order_key=order_key)


def load(lane: Lane, target: Target) -> None:
    """Give a lane its target, as if it had been read."""
    lane.begin_loading()
    lane.loaded(target, make_stored(target.endpoint))
    lane.end_loading()
