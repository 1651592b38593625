"""Pulling messages instead of having them sent; the client keeps its position."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import ClassVar

from webhook_engine.delivery.routing import matches
from webhook_engine.resources.validation import is_name
from webhook_engine.server.api import checks
from webhook_engine.server.api.errors import Problem
from webhook_engine.server.api.messages import MessageOut, shown_all
from webhook_engine.server.api.query import ListQuery
from webhook_engine.server.api.route import Auth, Call, NoBody, Out, Route
from webhook_engine.server.auth import Capability

__all__ = ["ROUTES"]


class PollQuery(ListQuery, frozen=True, kw_only=True):
    """Where to go on, and which messages to take."""

    ITERATOR_PREFIX: ClassVar[str] = "msg_"
    BY_TIME: ClassVar[bool] = True

    event_type: str | None = None
    channel: str | None = None
    after: datetime | None = None

    def problems(self) -> Iterator[Problem]:
        """What is not allowed."""
        yield from super().problems()
        if self.limit < 1:
            yield Problem(("query", "limit", "limit"), "Given limit must be at least 1")
        if self.iterator is not None and self.iterator.startswith("-"):
            yield Problem(("query", "iterator", "__all__"), "This list goes forward only")
        if self.event_type is not None:
            yield from checks.event_type(("query", "event_type"), self.event_type)
        if self.channel is not None:
            yield from checks.channel_name(("query", "channel"), self.channel)


class PollingEndpointOut(Out, frozen=True, kw_only=True):
    """Messages in the order of their creation; the iterator is where to go on."""

    data: Sequence[MessageOut]
    iterator: str
    done: bool


async def poll(call: Call[PollQuery, NoBody]) -> Out:
    """The messages after the iterator, oldest first.

    The sink is a name of the client's own; if an endpoint has this id or uid, only what matches it is listed. So a page
    may be short although it is not the last.
    """
    query, sink = call.query, call.parameters["sink_id"]
    like = await call.context.services.directory.endpoint(call.application.id, sink) if is_name(sink) else None
    found, iterator, done = await call.organization.messages.poll(
        call.application.id,
        limit=query.limit,
        iterator=query.iterator,
        after=query.after,
        event_type=query.event_type,
        channel=query.channel,
    )
    found = [one for one in found if like is None or matches(like.endpoint, one.event_type, one.channels)]
    data = [MessageOut(**fields) for fields in await shown_all(found, with_content=True)]
    return PollingEndpointOut(data=data, iterator=iterator, done=done)


ROUTES = (
    Route(
        "GET",
        "/app/{app_id}/poller/{sink_id}",
        poll,
        auth=Auth.APPLICATION,
        needs=Capability.VIEW_BASE,
        query=PollQuery,
        answers={200: PollingEndpointOut},
        summary="Pull the messages of an application",
        operation="message.poller.poll",
    ),
)
