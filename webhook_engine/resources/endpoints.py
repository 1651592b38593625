"""Endpoints: the URLs that the messages of an application go to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence

import msgspec
from msgspec import UNSET, UnsetType

from webhook_engine.clock import to_datetime
from webhook_engine.errors import NotFoundError, ValidationError
from webhook_engine.events import (
    EndpointCreatedEvent,
    EndpointDeletedEvent,
    EndpointEnabledEvent,
    EndpointEvent,
    EndpointUpdatedEvent,
)
from webhook_engine.model import Application, Endpoint, Page
from webhook_engine.resources import pagination
from webhook_engine.resources.announce import commit_and_tell, now_changed
from webhook_engine.resources.endpoint_actions import EndpointActions
from webhook_engine.resources.endpoint_secrets import EndpointSecrets, signing_key
from webhook_engine.resources.pagination import Order
from webhook_engine.rules import documents, limits, names, values
from webhook_engine.rules import headers as header_rules
from webhook_engine.rules.limits import DEFAULT_PAGE
from webhook_engine.rules.urls import endpoint_url
from webhook_engine.rules.user_info import merged
from webhook_engine.shielded import unbroken
from webhook_engine.store.records import EndpointChanges, EndpointCondition, RoutedMessage, Span, StoredEndpoint
from webhook_engine.store.sealed import seal_headers, seal_secret, seal_user_info

__all__ = ["Endpoints"]

MAX_DESCRIPTION = 4096
DISABLED_BY_HAND = "disabled by hand"


class Endpoints(EndpointSecrets, EndpointActions):
    """The endpoints of the applications of an organization, each addressed by id or uid."""

    async def create(
        self,
        application: str,
        *,
        url: str,
        description: str = "",
        uid: str | None = None,
        event_types: Collection[str] | None = None,
        channels: Collection[str] | None = None,
        throttle_rate: int | None = None,
        version: int = 1,
        disabled: bool = False,
        secret: str | None = None,
        headers: Mapping[str, str] | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Endpoint:
        """Add an endpoint; it gets the messages that are created from then on.

        ``url``: http or https, kept in its normal form; a password in it is encrypted, and masked wherever it is shown.
        ``event_types``: registered ones, ``None`` for all. ``channels``: 1 to 10; only messages with one of these.
        ``throttle_rate``: messages per second, 1 to 65535.
        ``secret``: ``whsec_…`` or ``whsk_…``, by default a generated one. ``headers``: sent with every message.

        Raises ``NotFoundError``, ``ConflictError`` if the uid is taken in the application, and ``ValidationError``.
        """
        services = self._services
        found = await self._application(application)
        now = services.clock.now()
        endpoint_id = services.ids.new("ep_", now)
        closed = values.boolean("disabled", disabled)
        shown_url, user_info, _ = merged("url", self._url(url), None)
        stored = StoredEndpoint(
            endpoint=Endpoint(
                id=endpoint_id,
                application_id=found.id,
                organization_id=self._organization_id,
                uid=names.uid("uid", uid, "ep_"),
                url=shown_url,
                description=_description(description),
                event_types=await self._event_types(event_types),
                channels=names.channels("channels", channels),
                throttle_rate=limits.throttle_rate("throttle_rate", throttle_rate),
                version=_version(version),
                disabled=closed,
                disabled_at=to_datetime(now) if closed else None,
                disabled_reason=DISABLED_BY_HAND if closed else None,
                first_failure_at=None,
                metadata=documents.metadata("metadata", metadata),
                created_at=to_datetime(now),
                updated_at=to_datetime(now),
            ),
            sealed_key=seal_secret(services.sealer, endpoint_id, signing_key(secret, services.policy).secret),
            sealed_headers=seal_headers(
                services.sealer, endpoint_id, {} if headers is None else header_rules.checked("headers", headers)
            ),
            sealed_user_info=seal_user_info(services.sealer, endpoint_id, user_info),
        )
        async with services.edits.of(found.id):
            # It may have been deleted meanwhile, and its endpoints with it.
            await unbroken(self._add(await self._application(found.id), stored))
        return stored.endpoint

    async def get(self, application: str, endpoint: str) -> Endpoint:
        """Raises ``NotFoundError`` if there is none."""
        _, stored = await self._find(application, endpoint)
        return stored.endpoint

    async def list(
        self,
        application: str,
        *,
        limit: int = DEFAULT_PAGE,
        iterator: str | None = None,
        order: Order = "descending",
    ) -> Page[Endpoint]:
        """A page of endpoints in the order of their creation, newest first by default; at most 250.

        Raises ``NotFoundError`` and ``ValidationError``.
        """
        request = pagination.by_key(limit=limit, iterator=iterator, order=order, prefix="ep_")
        found = await self._application(application)
        rows = await self._services.store.endpoints.list(found.id, request.span)
        return request.cut([stored.endpoint for stored in rows], _id)

    async def iterate(self, application: str) -> AsyncIterator[Endpoint]:
        """Every endpoint of an application, oldest first."""
        found = await self._application(application)

        async def read(span: Span) -> Sequence[StoredEndpoint]:
            return await self._services.store.endpoints.list(found.id, span)

        async for stored in pagination.walk(read, lambda stored: stored.endpoint.id):
            yield stored.endpoint

    async def update(
        self,
        application: str,
        endpoint: str,
        *,
        url: str | UnsetType = UNSET,
        description: str | UnsetType = UNSET,
        uid: str | UnsetType | None = UNSET,
        event_types: Collection[str] | UnsetType | None = UNSET,
        channels: Collection[str] | UnsetType | None = UNSET,
        throttle_rate: int | UnsetType | None = UNSET,
        version: int | UnsetType = UNSET,
        disabled: bool | UnsetType = UNSET,
        metadata: Mapping[str, str] | UnsetType | None = UNSET,
    ) -> Endpoint:
        """Change what is given, and leave the rest; ``None`` unsets. It applies from the next attempt.

        A ``url`` with the mask that was shown keeps its password. ``disabled`` works like :meth:`disable` and
        :meth:`enable`. Raises ``NotFoundError``, ``ConflictError`` if the uid is taken, and ``ValidationError``.
        """
        found = await self._application(application)
        changes = EndpointChanges(
            uid=UNSET if uid is UNSET else names.uid("uid", uid, "ep_"),
            url=UNSET if url is UNSET else self._url(url),
            description=UNSET if description is UNSET else _description(description),
            event_types=UNSET if event_types is UNSET else await self._event_types(event_types),
            channels=UNSET if channels is UNSET else names.channels("channels", channels),
            throttle_rate=UNSET if throttle_rate is UNSET else limits.throttle_rate("throttle_rate", throttle_rate),
            version=UNSET if version is UNSET else _version(version),
            metadata=UNSET if metadata is UNSET else documents.metadata("metadata", metadata),
        )
        if disabled is not UNSET:
            values.boolean("disabled", disabled)
        _, stored = await self._find(found.id, endpoint)
        return await self._change(found, stored.endpoint.id, changes, disabled)

    async def enable(self, application: str, endpoint: str) -> Endpoint:
        """Let an endpoint get messages again, with a fresh failure window; nothing is sent by itself.

        :meth:`recover` sends what failed, :meth:`replay_missing` what was created meanwhile. An endpoint that is
        enabled stays as it is. Raises ``NotFoundError``.
        """
        found, stored = await self._find(application, endpoint)
        return await self._switch(found, stored.endpoint.id, disabled=False)

    async def disable(self, application: str, endpoint: str) -> Endpoint:
        """Send nothing more to an endpoint until it is enabled; what is scheduled for it becomes failed.

        An endpoint that is disabled stays as it is. Raises ``NotFoundError``.
        """
        found, stored = await self._find(application, endpoint)
        return await self._switch(found, stored.endpoint.id, disabled=True)

    async def delete(self, application: str, endpoint: str) -> None:
        """Delete an endpoint; what is scheduled for it is cancelled, and its uid is free again.

        Raises ``NotFoundError``.
        """
        found, stored = await self._find(application, endpoint)
        endpoint_id = stored.endpoint.id
        async with self._services.edits.of(endpoint_id):
            await unbroken(self._remove(found, await self._current(found, endpoint_id)))
            await self._services.flow.settle(endpoint_id)

    def _url(self, value: object) -> str:
        return endpoint_url("url", value, https_only=self._services.policy.https_only)

    async def _event_types(self, value: object) -> tuple[str, ...] | None:
        wanted = names.event_types("event_types", value)
        if wanted:
            unknown = await self._services.store.event_types.unknown(self._organization_id, wanted)
            if unknown:
                raise ValidationError("event_types", f"The following event types don't exist: {', '.join(unknown)}")
        return wanted

    async def _switch(self, application: Application, endpoint_id: str, *, disabled: bool) -> Endpoint:
        async with self._services.edits.of(endpoint_id):
            stored = await self._current(application, endpoint_id)
            if stored.endpoint.disabled is disabled:
                return stored.endpoint
        return await self._change(application, endpoint_id, EndpointChanges(), disabled)

    async def _change(
        self, application: Application, endpoint_id: str, changes: EndpointChanges, disabled: bool | UnsetType
    ) -> Endpoint:
        services = self._services
        events: list[type[EndpointEvent]] = [EndpointUpdatedEvent]
        async with services.edits.of(endpoint_id):
            before = await self._current(application, endpoint_id)
            changes = self._with_user_info(before, changes)
            closing = disabled is True and not before.endpoint.disabled
            if disabled is False and before.endpoint.disabled:
                # What was scheduled before the disabling must not come to life again.
                await services.flow.settle(endpoint_id)
                changes = msgspec.structs.replace(changes, condition=EndpointCondition())
                events.append(EndpointEnabledEvent)
            elif closing:
                condition = EndpointCondition(
                    health=before.health, disabled_at=services.clock.now(), disabled_reason=DISABLED_BY_HAND
                )
                changes = msgspec.structs.replace(changes, condition=condition)
            after = await self._commit(application, before, changes, *events)
            if closing:
                await services.flow.settle(endpoint_id)
        return after.endpoint

    def _with_user_info(self, before: StoredEndpoint, changes: EndpointChanges) -> EndpointChanges:
        """A new URL as it is stored: masked, with its password sealed apart, or with the one that is there."""
        if changes.url is UNSET:
            return changes
        shown, user_info, kept = merged("url", changes.url, before.endpoint.url)
        sealed = UNSET if kept else seal_user_info(self._services.sealer, before.endpoint.id, user_info)
        return msgspec.structs.replace(changes, url=shown, sealed_user_info=sealed)

    async def _add(self, application: Application, stored: StoredEndpoint) -> None:
        services = self._services
        await commit_and_tell(
            services,
            application,
            [stored.endpoint],
            [EndpointCreatedEvent],
            lambda webhooks: services.store.endpoints.add(stored, webhooks),
            lambda _: now_changed(services, application, stored),
        )

    async def _remove(self, application: Application, stored: StoredEndpoint) -> None:
        services = self._services

        async def commit(webhooks: Sequence[RoutedMessage]) -> None:
            if not await services.store.endpoints.delete(stored.endpoint.id, services.clock.now(), webhooks):
                raise NotFoundError("endpoint", stored.endpoint.id)

        deleted = msgspec.structs.replace(stored, deleted=True)
        await commit_and_tell(
            services,
            application,
            [stored.endpoint],
            [EndpointDeletedEvent],
            commit,
            lambda _: now_changed(services, application, deleted),
        )


def _id(endpoint: Endpoint) -> str:
    return endpoint.id


def _description(value: object) -> str:
    return values.text("description", value, most=MAX_DESCRIPTION)


def _version(value: object) -> int:
    return values.integer("version", value, 1, 65_535)
