"""Makers of the small parts that the tests of the delivery rules are about."""

from __future__ import annotations

from datetime import UTC, datetime

from yarl import URL

from webhook_engine.delivery.attempt.target import Target
from webhook_engine.delivery.http.request import Destination
from webhook_engine.delivery.schedule.lane import Lane
from webhook_engine.delivery.throttle import Throttle
from webhook_engine.model import DEFAULT_ORGANIZATION, Application, Endpoint
from webhook_engine.store.records import Due, StoredEndpoint

SOME_DAY = datetime(2026, 1, 1, tzinfo=UTC)
UNLIMITED = Throttle(None)


def make_application(application_id: str = "app_1", *, uid: str | None = None) -> Application:
    return Application(
        id=application_id,
        organization_id=DEFAULT_ORGANIZATION,
        uid=uid,
        name="Acme",
        throttle_rate=None,
        metadata={},
        created_at=SOME_DAY,
        updated_at=SOME_DAY,
    )


def make_endpoint(
    endpoint_id: str = "ep_1",
    *,
    uid: str | None = None,
    event_types: tuple[str, ...] | None = None,
    channels: tuple[str, ...] | None = None,
    disabled: bool = False,
) -> Endpoint:
    return Endpoint(
        id=endpoint_id,
        application_id="app_1",
        organization_id=DEFAULT_ORGANIZATION,
        uid=uid,
        url="https://example.com/",
        description="",
        event_types=event_types,
        channels=channels,
        throttle_rate=None,
        version=1,
        disabled=disabled,
        disabled_at=None,
        disabled_reason=None,
        first_failure_at=None,
        metadata={},
        created_at=SOME_DAY,
        updated_at=SOME_DAY,
    )


def make_stored(endpoint: Endpoint) -> StoredEndpoint:
    return StoredEndpoint(endpoint=endpoint, encrypted_key=b"")


def make_target(endpoint_id: str = "ep_1", *, throttle: Throttle = UNLIMITED, shared: Throttle = UNLIMITED) -> Target:
    return Target(
        endpoint=make_endpoint(endpoint_id),
        application_uid=None,
        destination=Destination(URL("https://example.com/"), {}),
        headers={},
        keys=(),
        lines="",
        throttle=throttle,
        application_throttle=shared,
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
) -> Due:
    made = step if attempt_count is None else attempt_count
    return Due(message_id, endpoint_id, due_at, step, made, None, payload, manual_id)


def load(lane: Lane, target: Target) -> None:
    """Give a lane its target, as if it had been read."""
    lane.begin_loading()
    lane.loaded(target, make_stored(target.endpoint))
    lane.end_loading()
