"""Changes of endpoints: committed together with what the platform is told of them, and applied at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from webhook_engine.clock import to_datetime
from webhook_engine.events import EndpointEvent
from webhook_engine.model import Application, Endpoint
from webhook_engine.resources.services import Services
from webhook_engine.store.records import RoutedMessage, StoredEndpoint

__all__ = ["commit_and_tell", "now_changed"]

T = TypeVar("T")


async def commit_and_tell(
    services: Services,
    application: Application,
    endpoints: Sequence[Endpoint],
    kinds: Sequence[type[EndpointEvent]],
    commit: Callable[[Sequence[RoutedMessage]], Awaitable[T]],
    applied: Callable[[T], object],
) -> T:
    """Make a change of endpoints, as they will be then, and tell of it with an event of each kind for each of them.

    ``commit`` stores the change and the webhooks that it is given, or raises and stores neither. ``applied`` makes
    known what it returned, before anybody is told.
    """
    now = to_datetime(services.clock.now())
    events = [
        kind(
            organization_id=application.organization_id,
            application_id=application.id,
            application_uid=application.uid,
            timestamp=now,
            endpoint_id=endpoint.id,
            endpoint_uid=endpoint.uid,
        )
        for endpoint in endpoints
        for kind in kinds
    ]
    return await services.flow.publish(events, commit, applied)


def now_changed(services: Services, application: Application, stored: StoredEndpoint) -> None:
    """A committed change of an endpoint applies from the next attempt."""
    services.directory.forget_endpoints(application.id)
    services.flow.endpoint_changed(stored)
