"""Attempts: what was sent, what the result was, and resending by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from functools import partial
from operator import attrgetter

import msgspec

from webhook_engine.delivery.accept.matching import Obstacle, Unsent
from webhook_engine.errors import NotFoundError, PayloadUnavailableError
from webhook_engine.model import (
    Application,
    Attempt,
    AttemptedDestination,
    AttemptedMessage,
    AttemptStatus,
    Endpoint,
    Message,
    Page,
    UnsentDestination,
)
from webhook_engine.resources import pagination
from webhook_engine.resources.lookup import find_message
from webhook_engine.resources.services import Services
from webhook_engine.rules import filters, values
from webhook_engine.rules.keys import required_key
from webhook_engine.rules.pages import DEFAULT_PAGE
from webhook_engine.shielded import shielded
from webhook_engine.store.records import AttemptFilter, DeliveryFilter, Due, Span, StoredEndpoint

__all__ = ["Attempts"]

_ID = attrgetter("id")
_MESSAGE_ID = attrgetter("message.id")
_ENDPOINT_ID = attrgetter("endpoint.id")


class Attempts:
    """The attempts to deliver the messages of an organization."""

    def __init__(self, services: Services, organization_id: str) -> None:
        self._services = services
        self._organization_id = organization_id

    async def get(self, application: str, message: str, attempt_id: str) -> Attempt:
        """Raises ``NotFoundError`` if the message has no such attempt."""
        _, stored = await self._message(application, message)
        required_key("attempt", attempt_id)
        attempt = await self._services.store.attempts.get(stored.id, attempt_id)
        if attempt is None:
            raise NotFoundError("attempt", attempt_id)
        return attempt

    async def list_by_endpoint(
        self,
        application: str,
        endpoint: str,
        *,
        limit: int = DEFAULT_PAGE,
        iterator: str | None = None,
        before: datetime | None = None,
        after: datetime | None = None,
        status: AttemptStatus | int | None = None,
        status_code_class: int | None = None,
        event_types: Collection[str] | None = None,
        channel: str | None = None,
        tag: str | None = None,
    ) -> Page[Attempt]:
        """A page of the attempts of an endpoint, newest first; at most 250. Without bounds it goes 90 days back.

        ``status`` is that of the attempt; ``status_code_class`` is 0, 100, … 500: codes up to 99 above it.
        ``event_types``, ``channel`` and ``tag`` are those of the message. If the filters leave out nearly everything, a
        page may be short or empty without being the last: go on from its ``iterator`` until it is ``done``.
        Raises ``NotFoundError`` and ``ValidationError``.
        """
        request = self._by_time("atmpt_", limit, iterator, before, after)
        where = _attempt_filter(status, status_code_class, event_types, channel, tag)
        _, stored = await self._endpoint(application, endpoint)
        attempts, endpoint_id = self._services.store.attempts, stored.endpoint.id
        return await pagination.page_of(
            request,
            partial(attempts.edge, endpoint_id, where.status) if where.passes_over else None,
            lambda span: attempts.list_by_endpoint(endpoint_id, span, where),
            _ID,
        )

    async def list_by_message(
        self,
        application: str,
        message: str,
        *,
        limit: int = DEFAULT_PAGE,
        iterator: str | None = None,
        before: datetime | None = None,
        after: datetime | None = None,
        endpoint: str | None = None,
        status: AttemptStatus | int | None = None,
        status_code_class: int | None = None,
        event_types: Collection[str] | None = None,
        channel: str | None = None,
        tag: str | None = None,
    ) -> Page[Attempt]:
        """A page of the attempts of a message, to all endpoints or to one, newest first; at most 250.

        The filters are those of :meth:`list_by_endpoint`. Raises ``NotFoundError`` and ``ValidationError``.
        """
        request = self._by_time("atmpt_", limit, iterator, before, after)
        where = _attempt_filter(status, status_code_class, event_types, channel, tag)
        found, stored = await self._message(application, message)
        if endpoint is not None:
            one = await self._services.directory.find_endpoint(found, endpoint)
            where = msgspec.structs.replace(where, endpoint_id=one.endpoint.id)
        return request.cut(await self._services.store.attempts.list_by_message(stored.id, request.span, where), _ID)

    async def list_attempted_messages(
        self,
        application: str,
        endpoint: str,
        *,
        limit: int = DEFAULT_PAGE,
        iterator: str | None = None,
        before: datetime | None = None,
        after: datetime | None = None,
        status: AttemptStatus | int | None = None,
        event_types: Collection[str] | None = None,
        channel: str | None = None,
        tag: str | None = None,
        with_content: bool = True,
    ) -> Page[AttemptedMessage]:
        """A page of the messages that went to an endpoint or are on their way, newest first; at most 250.

        ``status``: ``PENDING`` was never attempted, ``SENDING`` was attempted and will be again. With other filters a
        page may be short, as in :meth:`list_by_endpoint`. Raises ``NotFoundError`` and ``ValidationError``.
        """
        request = self._by_time("msg_", limit, iterator, before, after)
        where = DeliveryFilter(
            status=_status(status),
            **filters.message_choice(event_types, channel, tag),
            with_content=values.boolean("with_content", with_content),
        )
        _, stored = await self._endpoint(application, endpoint)
        deliveries, endpoint_id = self._services.store.deliveries, stored.endpoint.id
        return await pagination.page_of(
            request,
            partial(deliveries.edge, endpoint_id, where.status) if where.passes_over else None,
            lambda span: deliveries.list_by_endpoint(endpoint_id, span, where),
            _MESSAGE_ID,
        )

    async def list_attempted_destinations(
        self, application: str, message: str, *, limit: int = DEFAULT_PAGE, iterator: str | None = None
    ) -> Page[AttemptedDestination]:
        """A page of the endpoints that a message goes to, deleted ones included, oldest first; at most 250.

        Raises ``NotFoundError`` and ``ValidationError``.
        """
        request = pagination.by_key(limit=limit, iterator=iterator, order="ascending", prefix="ep_")
        _, stored = await self._message(application, message)
        rows = await self._services.store.deliveries.list_by_message(stored.id, request.span)
        return request.cut(rows, _ENDPOINT_ID)

    async def list_unsent_destinations(self, application: str, message: str) -> Sequence[UnsentDestination]:
        """The endpoints that a message was not sent to, oldest first, each with the reason as things stand now.

        Raises ``NotFoundError``.
        """
        found, stored = await self._message(application, message)

        async def read(span: Span) -> Sequence[AttemptedDestination]:
            return await self._services.store.deliveries.list_by_message(stored.id, span)

        reached = {one.endpoint.id async for one in pagination.walk(read, _ENDPOINT_ID)}
        others = [
            one.endpoint for one in await self._services.directory.endpoints(found.id) if one.endpoint.id not in reached
        ]
        obstacles = await self._services.flow.filter_process.obstacles(
            others, stored.event_type, stored.channels, stored.payload or b""
        )
        return [_unsent(one, stored, why) for one, why in zip(others, obstacles, strict=True)]

    async def iterate_by_endpoint(
        self, application: str, endpoint: str, *, before: datetime | None = None, after: datetime | None = None
    ) -> AsyncIterator[Attempt]:
        """Every attempt of an endpoint, newest first."""
        span = pagination.everything("atmpt_", before, after)
        _, stored = await self._endpoint(application, endpoint)

        async def read(span: Span) -> Sequence[Attempt]:
            return await self._services.store.attempts.list_by_endpoint(stored.endpoint.id, span, AttemptFilter())

        async for attempt in pagination.walk(read, _ID, span):
            yield attempt

    async def iterate_by_message(self, application: str, message: str) -> AsyncIterator[Attempt]:
        """Every attempt of a message, newest first."""
        span = pagination.everything("atmpt_", None, None)
        _, stored = await self._message(application, message)

        async def read(span: Span) -> Sequence[Attempt]:
            return await self._services.store.attempts.list_by_message(stored.id, span, AttemptFilter())

        async for attempt in pagination.walk(read, _ID, span):
            yield attempt

    async def resend(self, application: str, message: str, endpoint: str) -> None:
        """Send a message to an endpoint once, now, even if it was delivered before or the endpoint is disabled.

        Success settles the delivery; failure leaves its schedule as it was. The request is durable when this returns;
        the attempt follows. Raises ``PayloadUnavailableError`` if there is nothing left to send, and ``NotFoundError``.
        """
        services = self._services
        found, stored = await self._message(application, message)
        target = await services.directory.find_endpoint(found, endpoint)
        if stored.payload is None:
            raise _payload_unavailable(stored)
        now = services.clock.now()
        due = await services.store.deliveries.get(stored.id, target.endpoint.id)
        if due is None:
            due = Due(
                stored.id,
                target.endpoint.id,
                now,
                0,
                0,
                stored.event_id,
                stored.payload,
                content_type=stored.content_type,
            )
        manual_id = services.ids.new("atmpt_", now)
        asked = msgspec.structs.replace(due, due_at=now, payload=stored.payload, manual_id=manual_id)
        if not await shielded(services.flow.attempt(asked)):
            raise _payload_unavailable(stored)

    async def expunge_content(self, application: str, message: str, attempt_id: str) -> None:
        """Delete the response of an attempt permanently. Raises ``NotFoundError``."""
        _, stored = await self._message(application, message)
        required_key("attempt", attempt_id)
        if not await self._services.store.attempts.expunge(stored.id, attempt_id):
            raise NotFoundError("attempt", attempt_id)

    async def _message(self, application: str, message: str) -> tuple[Application, Message]:
        found = await self._services.directory.find_application(self._organization_id, application)
        return found, await find_message(self._services, found, message)

    async def _endpoint(self, application: str, endpoint: str) -> tuple[Application, StoredEndpoint]:
        found = await self._services.directory.find_application(self._organization_id, application)
        return found, await self._services.directory.find_endpoint(found, endpoint)

    def _by_time(
        self, prefix: str, limit: object, iterator: object, before: object, after: object
    ) -> pagination.PageRequest:
        now = self._services.clock.now()
        return pagination.by_time(prefix, limit=limit, iterator=iterator, before=before, after=after, now=now)


def _payload_unavailable(message: Message) -> PayloadUnavailableError:
    return PayloadUnavailableError(
        f"the payload of {message.id} has expired or was expunged, so it cannot be sent again; create the message anew"
    )


def _attempt_filter(
    status: object, status_code_class: object, event_types: object, channel: object, tag: object
) -> AttemptFilter:
    return AttemptFilter(
        status=_status(status),
        status_code_class=filters.status_code_class(status_code_class),
        **filters.message_choice(event_types, channel, tag),
    )


def _status(value: object) -> AttemptStatus | None:
    return None if value is None else values.member("status", value, AttemptStatus)


def _unsent(endpoint: Endpoint, message: Message, found: Unsent | None) -> UnsentDestination:
    edited = endpoint.updated_at > message.timestamp
    if endpoint.created_at > message.timestamp:
        found = Unsent(Obstacle.LATER)
    elif found is None:
        found = Unsent(Obstacle.EDITED)
    gone = message.payload is None
    return UnsentDestination(
        endpoint=endpoint,
        obstacle=found.obstacle.value,
        condition=None if gone else found.condition,
        edited_since=edited,
    )
