"""Applications: the consumers of an organization."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from operator import attrgetter

import msgspec
from msgspec import UNSET, UnsetType

from webhook_engine.clock import to_datetime
from webhook_engine.errors import ConflictError, NotFoundError, ValidationError
from webhook_engine.events import EndpointDeletedEvent
from webhook_engine.model import Application, Page
from webhook_engine.resources import pagination
from webhook_engine.resources.announce import announcing, now_changed
from webhook_engine.resources.pagination import Order
from webhook_engine.resources.services import Services
from webhook_engine.rules import documents, limits, names, values
from webhook_engine.rules.alerts import alerts_application
from webhook_engine.rules.pages import DEFAULT_PAGE
from webhook_engine.shielded import shielded
from webhook_engine.store.records import ApplicationChanges, ApplicationFilter, Span, StoredEndpoint

__all__ = ["Applications", "add_application", "application_name"]

MAX_NAME = 1024

_ID = attrgetter("id")


class Applications:
    """The applications of an organization, each addressed by id or uid."""

    def __init__(self, services: Services, organization_id: str) -> None:
        self._services = services
        self._organization_id = organization_id

    async def create(
        self,
        *,
        name: str,
        uid: str | None = None,
        throttle_rate: int | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Application:
        """Add an application.

        ``uid``: your own name for it, unique in the organization. ``throttle_rate``: messages per second to all
        its endpoints together, 1 to 65535. Raises ``ConflictError`` if the uid is taken, and ``ValidationError``.
        """
        now = self._services.clock.now()
        application = Application(
            id=self._services.ids.new("app_", now),
            organization_id=self._organization_id,
            uid=names.uid("uid", uid, "app_"),
            name=application_name(name),
            throttle_rate=limits.throttle_rate("throttle_rate", throttle_rate),
            metadata=documents.metadata("metadata", metadata),
            created_at=to_datetime(now),
            updated_at=to_datetime(now),
        )
        await shielded(add_application(self._services, application))
        return application

    async def get_or_create(
        self,
        *,
        name: str,
        uid: str | None = None,
        throttle_rate: int | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Application:
        """Return the application with this uid unchanged, or create it as :meth:`create` does."""
        names.uid("uid", uid, "app_")
        existing = await self._by_uid(uid)
        if existing is not None:
            return existing
        try:
            return await self.create(name=name, uid=uid, throttle_rate=throttle_rate, metadata=metadata)
        except ConflictError:
            existing = await self._by_uid(uid)
            if existing is None:
                raise
            return existing

    async def get(self, application: str) -> Application:
        """Raises ``NotFoundError`` if there is none."""
        return await self._services.directory.find_application(self._organization_id, application)

    async def list(
        self,
        *,
        limit: int = DEFAULT_PAGE,
        iterator: str | None = None,
        order: Order = "ascending",
        without_endpoints: bool = True,
        with_disabled_endpoints: bool = True,
        no_endpoint_at: Sequence[str] = (),
    ) -> Page[Application]:
        """A page of applications in the order of their creation; at most 250. Raises ``ValidationError``.

        ``without_endpoints`` and ``with_disabled_endpoints``: whether to list these too. ``no_endpoint_at``: leave out
        applications that have an endpoint whose URL begins with one of these.
        """
        request = pagination.by_key(limit=limit, iterator=iterator, order=order, prefix="app_")
        where = ApplicationFilter(
            without_endpoints=values.boolean("without_endpoints", without_endpoints),
            with_disabled_endpoints=values.boolean("with_disabled_endpoints", with_disabled_endpoints),
            no_endpoint_at=_prefixes(no_endpoint_at),
        )
        found = await self._services.store.applications.list(self._organization_id, request.span, where)
        return request.cut(found, _ID)

    async def iterate(self) -> AsyncIterator[Application]:
        """Every application, oldest first."""
        async for application in pagination.walk(self._read, _ID):
            yield application

    async def update(
        self,
        application: str,
        *,
        name: str | UnsetType = UNSET,
        uid: str | UnsetType | None = UNSET,
        throttle_rate: int | UnsetType | None = UNSET,
        metadata: Mapping[str, str] | UnsetType | None = UNSET,
    ) -> Application:
        """Change what is given, and leave the rest; ``None`` unsets. ``metadata`` is replaced as a whole.

        Raises ``NotFoundError``, ``ConflictError`` if the uid is taken, and ``ValidationError``.
        """
        async with self._edit(application) as before:
            changes = ApplicationChanges(
                uid=UNSET if uid is UNSET else names.uid("uid", uid, "app_"),
                name=UNSET if name is UNSET else application_name(name),
                throttle_rate=UNSET if throttle_rate is UNSET else limits.throttle_rate("throttle_rate", throttle_rate),
                metadata=UNSET if metadata is UNSET else documents.metadata("metadata", metadata),
            )
            return await shielded(self._change(before, changes))

    async def delete(self, application: str) -> None:
        """Delete an application and its endpoints; what is scheduled for them is cancelled. Its uid is free again.

        Raises ``NotFoundError``.
        """
        async with self._edit(application) as before:
            endpoints = await self._services.store.endpoints.of_application(before.id)
            await shielded(self._remove(before, endpoints))
            for stored in endpoints:
                await self._services.flow.settle(stored.endpoint.id)
        services = self._services
        holder = await services.directory.application(
            services.policy.alerts_organization, alerts_application(before.id)
        )
        if holder is not None:
            await Applications(services, services.policy.alerts_organization).delete(holder.id)

    @asynccontextmanager
    async def _edit(self, key: str) -> AsyncIterator[Application]:
        """Lock an application, so that edits run one after another; raises ``NotFoundError`` if there is none."""
        application_id = (await self.get(key)).id
        async with self._services.edits.holding(application_id):
            yield await self.get(application_id)

    async def _by_uid(self, uid: str | None) -> Application | None:
        if uid is None:
            return None
        return await self._services.directory.application(self._organization_id, uid)

    async def _read(self, span: Span) -> Sequence[Application]:
        return await self._services.store.applications.list(self._organization_id, span)

    async def _change(self, before: Application, changes: ApplicationChanges) -> Application:
        services = self._services
        after = await services.store.applications.update(before.id, changes, services.clock.now())
        if after is None:
            raise NotFoundError("application", before.id)
        services.directory.forget_application(self._organization_id, before.id, before.uid, after.uid)
        services.flow.application_changed(after.id)
        return after

    async def _remove(self, application: Application, endpoints: Sequence[StoredEndpoint]) -> None:
        services = self._services
        deleted = [stored.endpoint for stored in endpoints]
        async with announcing(services, application, deleted, [EndpointDeletedEvent]) as publication:
            if not await services.store.applications.delete(application.id, services.clock.now(), publication.webhooks):
                raise NotFoundError("application", application.id)
            services.directory.forget_application(self._organization_id, application.id, application.uid)
            services.directory.forget_endpoints(application.id)
            for stored in endpoints:
                now_changed(services, application, msgspec.structs.replace(stored, deleted=True))


async def add_application(services: Services, application: Application) -> None:
    """Store a new application; raises ``ConflictError``."""
    await services.store.applications.add(application)
    services.directory.forget_application(application.organization_id, application.id, application.uid)


def application_name(value: object) -> str:
    """Check the name of an application; raises ``ValidationError``."""
    return values.text("name", value, least=1, most=MAX_NAME)


def _prefixes(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise ValidationError("no_endpoint_at", "must be a list of strings, beginnings of URLs")
    return tuple(values.text("no_endpoint_at", one, least=1, most=1024) for one in value)
