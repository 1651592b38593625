"""Finding an endpoint and editing it, under its lock and with the events that announce the change."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from msgspec import UNSET

from webhook_engine.errors import NotFoundError
from webhook_engine.events import (
    EndpointCreatedEvent,
    EndpointDeletedEvent,
    EndpointEnabledEvent,
    EndpointEvent,
    EndpointUpdatedEvent,
)
from webhook_engine.model import Application, Endpoint
from webhook_engine.resources.announce import announcing, now_changed
from webhook_engine.resources.endpoint_credentials import require_one_proof
from webhook_engine.resources.services import Services
from webhook_engine.shielded import shielded
from webhook_engine.store.records import EndpointChanges, EndpointCondition, StoredEndpoint

__all__ = ["DISABLED_BY_HAND", "EndpointEdit", "EndpointEditor"]

DISABLED_BY_HAND = "disabled by hand"
RELEASED_AT_ONCE = 500


class EndpointEditor:
    """The endpoints of the applications of one organization."""

    def __init__(self, services: Services, organization_id: str) -> None:
        self.services = services
        self.organization_id = organization_id

    async def application(self, key: str) -> Application:
        """Raises ``NotFoundError`` if there is none."""
        return await self.services.directory.find_application(self.organization_id, key)

    async def find(self, application: str, endpoint: str) -> tuple[Application, StoredEndpoint]:
        """Raises ``NotFoundError`` if there is no such application or endpoint."""
        found = await self.application(application)
        return found, await self.services.directory.find_endpoint(found, endpoint)

    async def add(self, stored: StoredEndpoint) -> None:
        """Add an endpoint; raises ``ConflictError``."""
        application_id = stored.endpoint.application_id
        require_one_proof(self.services.cipher, stored, EndpointChanges())
        async with self.services.edits.of(application_id):
            # The application may have been deleted meanwhile, and its endpoints with it.
            await shielded(self._add(await self.application(application_id), stored))

    @asynccontextmanager
    async def edit(self, application: Application, endpoint: str) -> AsyncIterator[EndpointEdit]:
        """Lock an endpoint, so that edits run one after another; raises ``NotFoundError`` if there is none."""
        endpoint_id = (await self.services.directory.find_endpoint(application, endpoint)).endpoint.id
        async with self.services.edits.holding(endpoint_id):
            before = await self.services.store.endpoints.get(application.id, endpoint_id)
            if before is None:
                raise NotFoundError("endpoint", endpoint_id)
            yield EndpointEdit(self.services, application, before)

    async def _add(self, application: Application, stored: StoredEndpoint) -> None:
        async with announcing(self.services, application, [stored.endpoint], [EndpointCreatedEvent]) as publication:
            await self.services.store.endpoints.add(stored, publication.webhooks)
            now_changed(self.services, application, stored)


class EndpointEdit:
    """An edit of a locked endpoint; ``before`` is its state before the edit."""

    def __init__(self, services: Services, application: Application, before: StoredEndpoint) -> None:
        self.before = before
        self._services = services
        self._application = application

    async def change(self, changes: EndpointChanges, *events: type[EndpointEvent]) -> Endpoint:
        """Make changes and announce them; returns the changed endpoint. Raises ``ValidationError``."""
        require_one_proof(self._services.cipher, self.before, changes)
        return await shielded(self._change(changes, events))

    async def enable(self, changes: EndpointChanges) -> Endpoint:
        """Make changes, and enable the endpoint if it is disabled."""
        if not self.before.endpoint.disabled:
            return await self.change(changes, EndpointUpdatedEvent)
        # Deliveries scheduled before the endpoint was disabled must not be sent now.
        await self._services.flow.settle(self.before.endpoint.id)
        changes = msgspec.structs.replace(changes, condition=EndpointCondition())
        return await self.change(changes, EndpointUpdatedEvent, EndpointEnabledEvent)

    async def disable(self, changes: EndpointChanges) -> Endpoint:
        """Make changes, and disable the endpoint if it is enabled."""
        if self.before.endpoint.disabled:
            return await self.change(changes, EndpointUpdatedEvent)
        condition = EndpointCondition(
            health=self.before.health, disabled_at=self._services.clock.now(), disabled_reason=DISABLED_BY_HAND
        )
        after = await self.change(msgspec.structs.replace(changes, condition=condition), EndpointUpdatedEvent)
        await self._services.flow.settle(after.id)
        return after

    async def delete(self) -> None:
        """Delete the endpoint, and cancel its scheduled deliveries."""
        await shielded(self._delete())
        await self._services.flow.settle(self.before.endpoint.id)

    async def _change(self, changes: EndpointChanges, events: tuple[type[EndpointEvent], ...]) -> Endpoint:
        services, endpoint = self._services, self.before.endpoint
        if self._resumes(changes):
            changes = msgspec.structs.replace(changes, resumed=True)
        subject = endpoint if changes.uid is UNSET else msgspec.structs.replace(endpoint, uid=changes.uid)
        async with announcing(services, self._application, [subject], events) as publication:
            after = await services.store.endpoints.update(
                endpoint.id, changes, services.clock.now(), publication.webhooks
            )
            if after is None:
                raise NotFoundError("endpoint", endpoint.id)
            now_changed(services, self._application, after)
        if _stops(endpoint) and not _stops(after.endpoint):
            await _let_go_on(services, endpoint.id)
        return after.endpoint

    def _resumes(self, changes: EndpointChanges) -> bool:
        """Whether the endpoint has no circuit breaker any more, so that its pause ends."""
        if changes.options is UNSET:
            return False
        own = changes.options.circuit_breaker
        return not (self._services.policy.circuit_breaker if own is None else own)

    async def _delete(self) -> None:
        services, endpoint = self._services, self.before.endpoint
        async with announcing(services, self._application, [endpoint], [EndpointDeletedEvent]) as publication:
            if not await services.store.endpoints.delete(endpoint.id, services.clock.now(), publication.webhooks):
                raise NotFoundError("endpoint", endpoint.id)
            now_changed(services, self._application, msgspec.structs.replace(self.before, deleted=True))


def _stops(endpoint: Endpoint) -> bool:
    """Whether its order stops at a message whose retries are exhausted."""
    return endpoint.ordering is not None and endpoint.ordering_on_exhausted == "stop"


async def _let_go_on(services: Services, endpoint_id: str) -> None:
    """Resume the stopped orders of an endpoint, which does not stop on exhausted retries any more."""
    released = RELEASED_AT_ONCE
    while released:
        released, turns = await services.store.deliveries.release(endpoint_id, RELEASED_AT_ONCE, services.clock.now())
        services.flow.turns_given(turns)
