"""What all operations on endpoints share: finding one, and changing it so that everybody concerned hears of it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import UNSET

from webhook_engine.errors import NotFoundError
from webhook_engine.events import EndpointEvent
from webhook_engine.model import Application
from webhook_engine.resources.announce import commit_and_tell, now_changed
from webhook_engine.resources.lookup import find_application, find_endpoint
from webhook_engine.resources.services import Services
from webhook_engine.shielded import unbroken
from webhook_engine.store.records import EndpointChanges, RoutedMessage, StoredEndpoint

__all__ = ["EndpointEdits"]


class EndpointEdits:
    """The endpoints of the applications of one organization."""

    def __init__(self, services: Services, organization_id: str) -> None:
        self._services = services
        self._organization_id = organization_id

    async def _application(self, key: str) -> Application:
        return await find_application(self._services, self._organization_id, key)

    async def _find(self, application: str, endpoint: str) -> tuple[Application, StoredEndpoint]:
        found = await self._application(application)
        return found, await find_endpoint(self._services, found, endpoint)

    async def _current(self, application: Application, endpoint_id: str) -> StoredEndpoint:
        """The endpoint as it is while its edit lock is held."""
        stored = await self._services.store.endpoints.get(application.id, endpoint_id)
        if stored is None:
            raise NotFoundError("endpoint", endpoint_id)
        return stored

    async def _commit(
        self, application: Application, before: StoredEndpoint, changes: EndpointChanges, *events: type[EndpointEvent]
    ) -> StoredEndpoint:
        """Change an endpoint, as :meth:`_current` has read it, and announce it; returns it as it is then."""
        services, endpoint = self._services, before.endpoint

        async def commit(webhooks: Sequence[RoutedMessage]) -> StoredEndpoint:
            stored = await services.store.endpoints.update(endpoint.id, changes, services.clock.now(), webhooks)
            if stored is None:
                raise NotFoundError("endpoint", endpoint.id)
            return stored

        told_of = endpoint if changes.uid is UNSET else msgspec.structs.replace(endpoint, uid=changes.uid)
        return await unbroken(
            commit_and_tell(
                services,
                application,
                [told_of],
                events,
                commit,
                lambda stored: now_changed(services, application, stored),
            )
        )
