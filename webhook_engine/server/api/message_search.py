"""Searching for messages, on the wire."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

from msgspec import Meta

from webhook_engine.delivery.http.response import FailureKind
from webhook_engine.model import AttemptStatus
from webhook_engine.resources.message_search import MAX_TEXT
from webhook_engine.rules.capabilities import Capability
from webhook_engine.server.api.insight import MessageStateOut, message_states
from webhook_engine.server.api.lists import ListResponse
from webhook_engine.server.api.query import EventTypesQuery
from webhook_engine.server.api.route import Auth, Call, NoBody, Out, Route
from webhook_engine.server.errors import Problem

__all__ = ["ROUTES"]

_ANSWER = re.compile(r"[1-5](xx|[0-9]{2})").fullmatch


class MessageSearchQuery(EventTypesQuery, frozen=True, kw_only=True):
    """What to search for; all criteria must match."""

    ITERATOR_PREFIX = "msg_"
    BY_TIME = True

    text: Annotated[str, Meta(max_length=MAX_TEXT)] | None = None
    """A message id, an event id, an endpoint's id, uid or URL, or text in the payload."""
    status: AttemptStatus | None = None
    endpoint_id: str | None = None
    answer: str | None = None
    """A status code like 404, a class like 5xx, or a kind of failure like timeout."""

    def problems(self) -> Iterator[Problem]:
        """What is not allowed."""
        yield from super().problems()
        if self.answer is not None and self.answer not in list(FailureKind) and not _ANSWER(self.answer):
            kinds = ", ".join(FailureKind)
            yield Problem(("query", "answer"), f"Must be a status code like 404, a class like 5xx, or one of {kinds}")


class MessageSearchOut(ListResponse[MessageStateOut], frozen=True, kw_only=True):
    """The messages found, newest first. While ``done`` is false, continue from the iterator."""

    looked_to: datetime | None
    """The time of the oldest message searched so far; null if all were."""


async def search_messages(call: Call[MessageSearchQuery, NoBody]) -> Out:
    """Search for messages. The time is limited: a page may be short or empty while ``done`` is false."""
    query = call.query
    codes, failure = _understood(query.answer)
    found = await call.organization.messages.search(
        call.application.id,
        query.text,
        status=query.status,
        endpoint=query.endpoint_id,
        event_types=query.event_types,
        status_codes=codes,
        failure=failure,
        limit=query.limit,
        iterator=query.iterator,
        before=query.before,
        after=query.after,
    )
    return MessageSearchOut(
        data=await message_states(call.context, found.messages),
        iterator=found.iterator,
        done=found.done,
        looked_to=found.looked_to,
    )


def _understood(answer: str | None) -> tuple[tuple[int, int] | None, str | None]:
    """Parse the criterion: a range of status codes, or a kind of failure."""
    if answer is None or not answer[0].isdigit():
        return None, answer
    if answer.endswith("xx"):
        first = int(answer[0]) * 100
        return (first, first + 99), None
    return (int(answer), int(answer)), None


ROUTES = (
    Route(
        "GET",
        "/app/{app_id}/message-search",
        search_messages,
        auth=Auth.APPLICATION,
        needs=Capability.VIEW_BASE,
        query=MessageSearchQuery,
        responses={200: MessageSearchOut},
        summary="Look for messages of an application",
        operation="message.search",
    ),
)
