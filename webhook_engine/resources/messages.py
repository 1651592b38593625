"""Messages: creating, listing, polling, searching, expunging and cancelling them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from operator import attrgetter
from typing import TypedDict, Unpack

import msgspec

from webhook_engine.delivery.accept.intake import as_message
from webhook_engine.errors import ValidationError
from webhook_engine.ids import ID_STEP
from webhook_engine.model import Application, AttemptStatus, Message, Page, Task
from webhook_engine.resources import pagination
from webhook_engine.resources.lookup import find_message
from webhook_engine.resources.message_search import SearchPage, find, search_of
from webhook_engine.resources.polling import Polling, message_filter, only
from webhook_engine.resources.services import Services
from webhook_engine.resources.starting import start_task
from webhook_engine.rules.encoding import Default
from webhook_engine.rules.event_class import typed
from webhook_engine.rules.keys import keys
from webhook_engine.rules.message import MessageDraft
from webhook_engine.rules.names import is_name
from webhook_engine.rules.pages import DEFAULT_PAGE
from webhook_engine.rules.payload import Payload
from webhook_engine.rules.tasks import TaskKind
from webhook_engine.shielded import shielded
from webhook_engine.store.records import Span

__all__ = ["Messages"]

MAX_EXPUNGED = 1000

_ID = attrgetter("id")


class SharedFields(TypedDict, total=False):
    """Arguments that several messages may share."""

    channels: Collection[str] | None
    tags: Collection[str] | None
    deliver_at: datetime | None
    payload_retention_period: int | None
    payload_retention_hours: int | None
    default: Default | None
    ordering_key: str | None


class Messages:
    """The messages of the applications of an organization."""

    def __init__(self, services: Services, organization_id: str) -> None:
        self._services = services
        self._organization_id = organization_id
        self._polling = Polling(services, organization_id)

    async def create(
        self,
        application: str,
        event: object | None = None,
        *,
        event_type: str | None = None,
        payload: Payload | None = None,
        event_id: str | None = None,
        channels: Collection[str] | None = None,
        tags: Collection[str] | None = None,
        deliver_at: datetime | None = None,
        payload_retention_period: int | None = None,
        payload_retention_hours: int | None = None,
        content_type: str | None = None,
        default: Default | None = None,
        ordering_key: str | None = None,
    ) -> Message:
        """Accept a message. When this returns, it is durable, and scheduled for the endpoints that match.

        ``event``: an instance of a class declared with :func:`webhook_engine.event`, which says its event type and its
        payload, and is checked; or give ``event_type`` and ``payload``.
        ``payload``: ``bytes`` or ``str`` are sent exactly as given; a mapping, list, dataclass or model is written as
        compact JSON, dates, times, ``Decimal``, ``UUID`` and ``Enum`` in the usual forms.
        ``event_id``: your own id, unique per application; using it again raises ``ConflictError``.
        ``channels``: 1 to 10; only endpoints without channels, or with one of these, get the message.
        ``tags``: up to 5, to find the message again.
        ``deliver_at``: when to send it, up to 31 days ahead; a time in the past means now.
        ``payload_retention_period``: days (1 to 90) after which the payload is deleted, or ``payload_retention_hours``
        (1 to 2160); by default as configured.
        ``content_type``: that of the payload, ``application/json`` by default.
        ``ordering_key``: endpoints with ``ordering`` keep the order among messages with the same key; messages without
        a key form one order.
        ``default``: as in ``json.dumps``, for values of other types; ``NotImplemented`` means the forms above.

        Raises ``NotFoundError`` for an unknown application, ``ValidationError`` for a value that is not allowed and
        ``StoreUnavailableError`` if it cannot be stored right now.
        """
        if event is not None:
            event_type, payload = typed(event, event_type, payload, default)
        draft = MessageDraft(
            event_type,
            payload,
            event_id,
            channels,
            tags,
            deliver_at,
            payload_retention_period,
            payload_retention_hours,
            content_type,
            default,
            ordering_key,
        )
        flow = self._services.flow
        message = await flow.intake.message(self._organization_id, application, draft)
        await flow.accept(message)
        return as_message(message)

    async def create_many(
        self, application: str, events: Iterable[object], **shared: Unpack[SharedFields]
    ) -> Sequence[Message]:
        """Accept several messages at once, of typed events or of mappings with the arguments of :meth:`create`.

        All are validated before the first is accepted. Then each is accepted on its own, in as few commits as possible.
        If the event id of one is taken, ``ConflictError`` is raised after the others are accepted. ``shared`` are
        arguments for all of them.
        """
        intake = self._services.flow.intake
        messages = []
        for index, event in enumerate(events):
            said = event if isinstance(event, Mapping) else {"event": event}
            try:
                messages.append(
                    await intake.message(self._organization_id, application, MessageDraft.of(**{**shared, **said}))
                )
            except ValidationError as error:
                raise ValidationError(f"events[{index}].{error.field}", error.problem) from error
            except TypeError as error:
                raise ValidationError(f"events[{index}]", f"must be what create takes: {error}") from None
        outcomes = await asyncio.gather(
            *(self._services.flow.accept(message) for message in messages), return_exceptions=True
        )
        for outcome in outcomes:
            if outcome is not None:
                raise outcome
        return [as_message(message) for message in messages]

    async def get(self, application: str, message: str, *, with_content: bool = True) -> Message:
        """A message by its id or event id; raises ``NotFoundError``."""
        found = await self._application(application)
        stored = await find_message(self._services, found, message)
        return stored if with_content else msgspec.structs.replace(stored, payload=None)

    async def list(
        self,
        application: str,
        *,
        limit: int = DEFAULT_PAGE,
        iterator: str | None = None,
        before: datetime | None = None,
        after: datetime | None = None,
        event_types: Collection[str] | None = None,
        channel: str | None = None,
        tag: str | None = None,
        with_content: bool = True,
    ) -> Page[Message]:
        """A page of messages, newest first; at most 250. Without bounds, the list goes 90 days back.

        ``event_types``, ``channel`` and ``tag`` leave out messages without them; without ``with_content`` the
        payloads are ``None``. If they leave out nearly everything, a page may be short or empty without being the last:
        go on from its ``iterator`` until it is ``done``. Raises ``NotFoundError`` and ``ValidationError``.
        """
        request = pagination.by_time(
            "msg_", limit=limit, iterator=iterator, before=before, after=after, now=self._services.clock.now()
        )
        where = message_filter(event_types, channel, tag, with_content)
        found = await self._application(application)
        messages = self._services.store.messages
        return await pagination.page_of(
            request,
            partial(messages.edge, found.id) if where.passes_over else None,
            lambda span: messages.list(found.id, span, where),
            _ID,
        )

    async def iterate(
        self,
        application: str,
        *,
        before: datetime | None = None,
        after: datetime | None = None,
        event_types: Collection[str] | None = None,
        channel: str | None = None,
        tag: str | None = None,
        with_content: bool = True,
    ) -> AsyncIterator[Message]:
        """Every message, newest first; the filters are those of :meth:`list`."""
        span = pagination.everything("msg_", before, after)
        where = message_filter(event_types, channel, tag, with_content)
        found = await self._application(application)

        async def read(span: Span) -> Sequence[Message]:
            return await self._services.store.messages.list(found.id, span, where)

        async for message in pagination.walk(read, _ID, span):
            yield message

    async def poll(
        self,
        application: str,
        *,
        limit: int = DEFAULT_PAGE,
        iterator: str | None = None,
        after: datetime | None = None,
        event_type: str | None = None,
        channel: str | None = None,
    ) -> tuple[Sequence[Message], str, bool]:
        """Pull messages instead of having them sent, oldest first: a page, its iterator, and whether it is the last.

        ``iterator`` goes on after an earlier page; without it, it begins with what was created after ``after``, or
        with the oldest message of the last 90 days.

        A message shows up one second after its creation, so that none with an earlier id is skipped. A row that stays
        longer than that in an outbox, because its transaction is long or the engine is not running, may be skipped; a
        poll with an earlier ``after`` finds it.
        Raises ``NotFoundError`` and ``ValidationError``.
        """
        return await self._polling.poll(application, limit, iterator, after, only(event_type, channel))

    async def consumer_poll(
        self,
        application: str,
        sink: str,
        consumer: str,
        *,
        limit: int = DEFAULT_PAGE,
        iterator: str | None = None,
        event_type: str | None = None,
        channel: str | None = None,
    ) -> tuple[Sequence[Message], str, bool]:
        """Like :meth:`poll`, with the position stored by the engine, so that it outlives the client.

        ``iterator``, that of the page before, acknowledges that page: it is durably stored as the consumer's position,
        and the page after it is returned. Without it, the page after the stored position is returned, the same one
        until an iterator is given. A consumer without a position begins with the oldest message of the last 90 days.
        So no message is skipped, and after a crash the last page may be returned again.
        ``sink`` is an endpoint or your own name, and ``consumer`` a name in it; each consumer has its own position.
        Let one client at a time use a consumer: the last iterator given counts. An application has at most 1000
        consumers; new ones replace those unused for 90 days.

        Raises ``NotFoundError``, ``ValidationError``, and ``PositionLimitError`` if there are too many consumers.
        """
        return await self._polling.consumer_poll(
            application, sink, consumer, limit, iterator, only(event_type, channel)
        )

    async def consumer_seek(self, application: str, sink: str, consumer: str, *, after: datetime) -> str:
        """Set the position of a consumer: it goes on with what was created after ``after``. Returns the iterator.

        Raises ``NotFoundError``, ``ValidationError`` and ``PositionLimitError``.
        """
        return await self._polling.consumer_seek(application, sink, consumer, after=after)

    async def search(
        self,
        application: str,
        text: str | None = None,
        *,
        status: AttemptStatus | int | None = None,
        endpoint: str | None = None,
        event_types: Collection[str] | None = None,
        status_codes: tuple[int, int] | None = None,
        failure: str | None = None,
        limit: int = DEFAULT_PAGE,
        iterator: str | None = None,
        before: datetime | None = None,
        after: datetime | None = None,
    ) -> SearchPage:
        """Search messages, newest first. A long search is cut: go on from ``iterator`` until it is ``done``.

        ``text``: an id or event id; the id, uid or URL of an endpoint; or a text in the payload, ignoring the case of
        ASCII letters. ``status``: that at all its endpoints together, or at ``endpoint``. ``status_codes``: first and
        last of a range; an attempt got a status code in it. ``failure``: an attempt failed in this way. Raises
        ``NotFoundError`` and ``ValidationError``.
        """
        found = await self._application(application)
        wanted = None if status is None else AttemptStatus(status)
        return await find(
            self._services,
            found,
            search_of(text, wanted, status_codes, failure, event_types),
            endpoint=endpoint,
            limit=limit,
            iterator=iterator,
            before=before,
            after=after,
        )

    async def expunge_content(self, application: str, message: str) -> None:
        """Delete the payload of a message permanently; no attempt that begins after this returns sends it.

        Requests in flight are not interrupted. A scheduled delivery fails when it is due, without an attempt, with the
        reason "payload expired or expunged". Raises ``NotFoundError``.
        """
        found = await self._application(application)
        stored = await find_message(self._services, found, message)
        await shielded(_expunge(self._services, [stored.id]))

    async def expunge_contents(self, application: str, messages: Collection[str]) -> dict[str, bool]:
        """Delete the payloads of up to 1000 messages permanently; returns for each whether the message exists.

        Scheduled deliveries fail as :meth:`expunge_content` says. Raises ``NotFoundError`` for an unknown application,
        and ``ValidationError``.
        """
        wanted = keys("messages", messages, MAX_EXPUNGED)
        found = await self._application(application)
        ids: dict[str, str | None] = {}
        for key in wanted:
            stored = await self._services.store.messages.get(found.id, key) if is_name(key) else None
            ids[key] = None if stored is None else stored.id
        await shielded(_expunge(self._services, {each for each in ids.values() if each is not None}))
        return {key: message_id is not None for key, message_id in ids.items()}

    async def expunge_all_contents(self, application: str) -> Task:
        """Delete the payloads of all present messages permanently, as a durable background task.

        Raises ``NotFoundError``.
        """
        found = await self._application(application)
        data = {"processed": 0, "until": self._services.clock.now() + ID_STEP}
        return await start_task(self._services, self._organization_id, TaskKind.PURGE, data, application_id=found.id)

    async def cancel(self, application: str, message: str) -> int:
        """Cancel every delivery of a message that is still scheduled; returns how many. Raises ``NotFoundError``."""
        found = await self._application(application)
        stored = await find_message(self._services, found, message)
        services = self._services
        return await shielded(_cancel(services, stored.id))

    async def _application(self, key: str) -> Application:
        return await self._services.directory.find_application(self._organization_id, key)


async def _expunge(services: Services, message_ids: Collection[str]) -> None:
    await services.store.messages.expunge(*message_ids)
    services.flow.expunged(message_ids)


async def _cancel(services: Services, message_id: str) -> int:
    now = services.clock.now()
    endpoint_ids, turns = await services.store.deliveries.cancel_message(message_id, "cancelled by hand", now)
    for endpoint_id in endpoint_ids:
        services.flow.cancelled(endpoint_id, message_id)
    services.flow.turns_given(turns)
    return len(endpoint_ids)
