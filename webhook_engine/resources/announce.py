"""Announcing changes of endpoints: they are published with an event each, and apply at once."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from webhook_engine.clock import to_datetime
from webhook_engine.delivery.publishing import Publication
from webhook_engine.events import EndpointEvent
from webhook_engine.model import Application, Endpoint
from webhook_engine.resources.services import Services
from webhook_engine.store.records import StoredEndpoint

__all__ = ["announcing", "now_changed"]


def announcing(
    services: Services, application: Application, endpoints: Sequence[Endpoint], kinds: Sequence[type[EndpointEvent]]
) -> AbstractAsyncContextManager[Publication]:
    """Publish an event of each kind for each endpoint, as it will be after the change.

    The block makes the change, and stores the webhooks of the publication in the same commit.
    """
    now = to_datetime(services.clock.now())
    return services.flow.publishing(
        [
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
    )


def now_changed(services: Services, application: Application, stored: StoredEndpoint) -> None:
    """Apply a committed change of an endpoint from the next attempt."""
    services.directory.forget_endpoints(application.id)
    services.flow.endpoint_changed(stored)
