"""Polling for messages instead of receiving them; the position is kept by the client or on the server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, ClassVar

from msgspec import UNSET, UnsetType

from webhook_engine.delivery.accept.matching import matches
from webhook_engine.model import Message
from webhook_engine.resources.polling import held_back_from
from webhook_engine.rules.capabilities import Capability
from webhook_engine.rules.names import is_name
from webhook_engine.server.api import checks
from webhook_engine.server.api.instants import parse_instant
from webhook_engine.server.api.messages import MessageOut, shown_all
from webhook_engine.server.api.query import ListQuery, NoQuery
from webhook_engine.server.api.route import Auth, Call, In, NoBody, Out, Route, forbidden
from webhook_engine.server.api.spans import InstantText, instant_problems
from webhook_engine.server.errors import Problem, UnprocessableError
from webhook_engine.store.records import MessageFilter, Span

__all__ = ["ROUTES"]


class ConsumerPollQuery(ListQuery, frozen=True, kw_only=True):
    """Where to continue, and how many messages to return."""

    ITERATOR_PREFIX: ClassVar[str] = "msg_"
    BY_TIME: ClassVar[bool] = True

    def problems(self) -> Iterator[Problem]:
        """What is not allowed."""
        yield from super().problems()
        if self.limit < 1:
            yield Problem(("query", "limit", "limit"), "Given limit must be at least 1")
        if self.iterator is not None and self.iterator.startswith("-"):
            yield Problem(("query", "iterator", "__all__"), "This list goes forward only")


class PollQuery(ConsumerPollQuery, frozen=True, kw_only=True):
    """Where to continue, and which messages to return."""

    event_type: str | None = None
    channel: str | None = None
    after: datetime | None = None

    def problems(self) -> Iterator[Problem]:
        """What is not allowed."""
        yield from super().problems()
        if self.event_type is not None:
            yield from checks.event_type(("query", "event_type"), self.event_type)
        if self.channel is not None:
            yield from checks.channel_name(("query", "channel"), self.channel)


class PollingEndpointConsumerSeekIn(In, frozen=True, kw_only=True):
    """Where a consumer should continue."""

    after: InstantText

    def problems(self) -> Iterator[Problem]:
        """What is not allowed."""
        yield from instant_problems("after", self.after)


class PollingEndpointConsumerSeekOut(Out, frozen=True, kw_only=True):
    """The position of a consumer."""

    iterator: str


class PollingEndpointOut(Out, frozen=True, kw_only=True):
    """Messages in order of creation; the iterator is where to continue."""

    data: Sequence[MessageOut]
    iterator: str
    done: bool
    more_soon: bool | UnsetType = UNSET
    """True if ``done`` is true only for this second.

    Messages created just now are held back, so that none still on its way through an outbox is skipped.
    """


async def poll(call: Call[PollQuery, NoBody]) -> Out:
    """Poll for the messages after the iterator, oldest first.

    The sink is a name that the client chooses; if it is the id or uid of an endpoint, only messages that match the
    endpoint are returned. So a page may be short although it is not the last.
    """
    query = call.query
    polled = await call.organization.messages.poll(
        call.application.id,
        limit=query.limit,
        iterator=query.iterator,
        after=query.after,
        event_type=query.event_type,
        channel=query.channel,
    )
    return await _page(call, *polled)


async def consumer_poll(call: Call[ConsumerPollQuery, NoBody]) -> Out:
    """Poll for the messages after the iterator, which becomes the consumer's position, or after that position."""
    sink, consumer = _names(call)
    # A read-only token must not make another client skip messages.
    if call.query.iterator is not None and not call.principal.may(Capability.MANAGE_ENDPOINT):
        raise forbidden()
    polled = await call.organization.messages.consumer_poll(
        call.application.id, sink, consumer, limit=call.query.limit, iterator=call.query.iterator
    )
    return await _page(call, *polled)


async def consumer_seek(call: Call[NoQuery, PollingEndpointConsumerSeekIn]) -> Out:
    """Make a consumer continue with messages created after a given time."""
    sink, consumer = _names(call)
    position = await call.organization.messages.consumer_seek(
        call.application.id, sink, consumer, after=parse_instant(call.body.after)
    )
    return PollingEndpointConsumerSeekOut(iterator=position)


async def _page(call: Call[Any, NoBody], found: Sequence[Message], iterator: str, done: bool) -> PollingEndpointOut:
    """A page of the messages found; if the sink is an endpoint, of those that match it."""
    sink = call.parameters["sink_id"]
    like = await call.context.services.directory.endpoint(call.application.id, sink) if is_name(sink) else None
    if like is not None:
        wanted = like.endpoint
        filters = call.context.services.flow.filter_process
        found = [
            one
            for one in found
            if matches(wanted, one.event_type, one.channels) and await filters.passes(wanted, one.payload)
        ]
    data = [MessageOut(**fields) for fields in await shown_all(found, with_content=True)]
    if done:
        services = call.context.services
        held_back = Span(low=max(iterator, held_back_from(services.clock.now())), descending=False, limit=1)
        where = MessageFilter(event_types=_event_types(call.query), with_content=False)
        if await services.store.messages.list(call.application.id, held_back, where):
            return PollingEndpointOut(data=data, iterator=iterator, done=done, more_soon=True)
    return PollingEndpointOut(data=data, iterator=iterator, done=done)


def _event_types(query: ConsumerPollQuery) -> tuple[str, ...] | None:
    return (query.event_type,) if isinstance(query, PollQuery) and query.event_type is not None else None


def _names(call: Call[Any, Any]) -> tuple[str, str]:
    """The sink and the consumer in the path."""
    names = call.parameters["sink_id"], call.parameters["consumer_id"]
    problems = [
        problem
        for parameter, name in zip(("sink_id", "consumer_id"), names, strict=True)
        for problem in checks.limited(("path", parameter), name)
    ]
    if problems:
        raise UnprocessableError(*problems)
    return names


_CONSUMER = "/app/{app_id}/poller/{sink_id}/consumer/{consumer_id}"

ROUTES = (
    Route(
        "GET",
        "/app/{app_id}/poller/{sink_id}",
        poll,
        auth=Auth.APPLICATION,
        needs=Capability.VIEW_BASE,
        query=PollQuery,
        responses={200: PollingEndpointOut},
        summary="Pull the messages of an application",
        operation="message.poller.poll",
    ),
    Route(
        "GET",
        _CONSUMER,
        consumer_poll,
        auth=Auth.APPLICATION,
        needs=Capability.VIEW_BASE,
        query=ConsumerPollQuery,
        responses={200: PollingEndpointOut},
        fails=(400,),
        summary="Pull messages, with a position that the server keeps",
        operation="message.poller.consumer-poll",
    ),
    Route(
        "POST",
        f"{_CONSUMER}/seek",
        consumer_seek,
        auth=Auth.APPLICATION,
        needs=Capability.MANAGE_ENDPOINT,
        body=PollingEndpointConsumerSeekIn,
        responses={200: PollingEndpointConsumerSeekOut},
        fails=(400,),
        summary="Set the position of a consumer to an instant",
        operation="message.poller.consumer-seek",
    ),
)
