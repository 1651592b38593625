"""What follows a change of an endpoint that was committed: caches, the flow and the platform hear of it."""

from __future__ import annotations

from webhook_engine.clock import to_datetime
from webhook_engine.events import EndpointEvent
from webhook_engine.model import Application
from webhook_engine.resources.flow import Services
from webhook_engine.store.records import StoredEndpoint

__all__ = ["announce"]


async def announce(
    services: Services, application: Application, stored: StoredEndpoint, *events: type[EndpointEvent]
) -> None:
    """Make a committed change of an endpoint apply from the next attempt, and tell of it with these events."""
    services.directory.forget_endpoints(application.id)
    services.flow.endpoint_changed(stored)
    now = to_datetime(services.clock.now())
    for event in events:
        await services.flow.emit(
            event(
                organization_id=application.organization_id,
                application_id=application.id,
                application_uid=application.uid,
                timestamp=now,
                endpoint_id=stored.endpoint.id,
                endpoint_uid=stored.endpoint.uid,
            )
        )
