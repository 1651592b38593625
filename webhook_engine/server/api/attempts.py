"""Attempts on the wire, with the messages of an endpoint and the endpoints of a message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import IntEnum
from operator import attrgetter
from typing import Any, Literal, TypeVar

from msgspec import UNSET, UnsetType

from webhook_engine.clock import from_datetime
from webhook_engine.errors import NotFoundError
from webhook_engine.model import Attempt, AttemptedDestination, AttemptedMessage, AttemptStatus, Message, Page
from webhook_engine.resources.pagination import MAX_BYTES, goes_up, shortened
from webhook_engine.rules.capabilities import Capability
from webhook_engine.server.api.attempt_numbers import attempts_in_schedule
from webhook_engine.server.api.endpoints import EndpointFields, endpoint_fields
from webhook_engine.server.api.lists import ListResponse, listed
from webhook_engine.server.api.messages import MessageOut, shown_all
from webhook_engine.server.api.query import EventTypesQuery, ListQuery, NoQuery, Query
from webhook_engine.server.api.route import Auth, Call, Handler, NoBody, Out, Route
from webhook_engine.server.errors import ApiError
from webhook_engine.store.records import carried_bytes

__all__ = ["ROUTES", "EmptyOut", "MessageAttemptOut", "StatusCodeClass"]

Q = TypeVar("Q", bound=Query)

HIDDEN = "{}"
"""Replaces a response body that was not requested."""


class StatusCodeClass(IntEnum):
    """A class of status codes: from this number to 99 above it."""

    CODE_NONE = 0
    CODE_1XX = 100
    CODE_2XX = 200
    CODE_3XX = 300
    CODE_4XX = 400
    CODE_5XX = 500


class AttemptListQuery(EventTypesQuery, frozen=True, kw_only=True):
    """Which attempts to list."""

    ITERATOR_PREFIX = "atmpt_"
    BY_TIME = True

    status: AttemptStatus | None = None
    status_code_class: StatusCodeClass | None = None
    with_content: bool = True
    with_msg: bool = False
    expanded_statuses: bool = False
    """Whether the client knows status 4 (canceled)."""
    with_failure: bool = False
    """Whether to include why each attempt failed."""
    with_number: bool = False
    """Whether to include each attempt's number in the retry schedule."""

    def filters(self) -> dict[str, Any]:
        """As arguments of the manager."""
        return {
            "limit": self.limit,
            "iterator": self.iterator,
            "before": self.before,
            "after": self.after,
            "status": self.status,
            "status_code_class": None if self.status_code_class is None else int(self.status_code_class),
            "event_types": self.event_types,
            "channel": self.channel,
            "tag": self.tag,
        }


class MessageAttemptListQuery(AttemptListQuery, frozen=True, kw_only=True):
    """Which attempts of a message to list."""

    endpoint_id: str | None = None


class AttemptedMessageListQuery(EventTypesQuery, frozen=True, kw_only=True):
    """Which messages of an endpoint to list."""

    ITERATOR_PREFIX = "msg_"
    BY_TIME = True

    status: AttemptStatus | None = None
    with_content: bool = True
    expanded_statuses: bool = False


class DestinationListQuery(ListQuery, frozen=True, kw_only=True):
    """Which endpoints of a message to list."""

    ITERATOR_PREFIX = "ep_"


class AttemptGetQuery(Query, frozen=True, kw_only=True):
    """What to show of an attempt."""

    expanded_statuses: bool = False


class MessageAttemptOut(Out, frozen=True, kw_only=True):
    """An attempt."""

    url: str
    response: str
    response_status_code: int
    response_duration_ms: int
    status: int
    status_text: str
    trigger_type: int
    msg_id: str
    endpoint_id: str
    id: str
    timestamp: datetime
    failure: str | UnsetType = UNSET
    """Why it failed."""
    number: int | UnsetType = UNSET
    """Its number in the retry schedule; omitted for a manual attempt outside the schedule, and for very old ones."""
    number_of: int | UnsetType = UNSET
    """The number of attempts in the retry schedule."""
    msg: MessageOut | UnsetType = UNSET


class EndpointMessageOut(MessageOut, frozen=True, kw_only=True):
    """A message as seen from an endpoint."""

    status: int
    status_text: str
    next_attempt: datetime | UnsetType = UNSET


class MessageEndpointOut(EndpointFields, frozen=True, kw_only=True):
    """An endpoint as seen from a message."""

    status: int
    status_text: str
    next_attempt: datetime | None
    attempt_count: int
    waiting_for: Literal["time", "rate_limit", "turn"] | UnsetType = UNSET
    """What the next attempt waits for; ``turn`` also while it is in progress."""


class EmptyOut(Out, frozen=True, kw_only=True):
    """Empty: the operation succeeded."""


def shown(
    attempt: Attempt,
    *,
    with_content: bool = True,
    with_failure: bool = False,
    number_of: int | None = None,
    expanded: bool = False,
    message: MessageOut | UnsetType = UNSET,
) -> MessageAttemptOut:
    """An attempt as clients see it; numbered if ``number_of``, the length of the retry schedule, is given."""
    number = attempt.exchange.number if attempt.exchange and number_of else None
    return MessageAttemptOut(
        url=attempt.url,
        response=attempt.response if with_content else HIDDEN,
        response_status_code=attempt.response_status_code,
        response_duration_ms=attempt.response_duration_ms,
        **_status(attempt.status, expanded=expanded),
        trigger_type=int(attempt.trigger_type),
        msg_id=attempt.msg_id,
        endpoint_id=attempt.endpoint_id,
        id=attempt.id,
        timestamp=attempt.timestamp,
        failure=attempt.failure if with_failure and attempt.failure else UNSET,
        number=number or UNSET,
        number_of=max(number, number_of) if number and number_of else UNSET,
        msg=message,
    )


def _status(status: AttemptStatus, *, expanded: bool) -> dict[str, Any]:
    """Report "canceled" as failed to clients that do not know it: nothing was delivered, and nothing will be."""
    told = AttemptStatus.FAIL if status is AttemptStatus.CANCELED and not expanded else status
    return {"status": int(told), "status_text": told.name.lower()}


async def list_by_endpoint(call: Call[AttemptListQuery, NoBody]) -> Out:
    """List the attempts of an endpoint, newest first."""
    page = await call.organization.attempts.list_by_endpoint(
        call.application.id, call.parameters["endpoint_id"], **call.query.filters()
    )
    return await _attempts(call, page)


async def list_by_message(call: Call[MessageAttemptListQuery, NoBody]) -> Out:
    """List the attempts of a message to all endpoints or one, newest first."""
    endpoint = call.parameters.get("endpoint_id") or call.query.endpoint_id
    page = await call.organization.attempts.list_by_message(
        call.application.id, call.parameters["msg_id"], endpoint=endpoint, **call.query.filters()
    )
    return await _attempts(call, page)


async def list_attempted_messages(call: Call[AttemptedMessageListQuery, NoBody]) -> Out:
    """List the messages of an endpoint, newest first."""
    query = call.query
    page: Page[AttemptedMessage] = await call.organization.attempts.list_attempted_messages(
        call.application.id,
        call.parameters["endpoint_id"],
        limit=query.limit,
        iterator=query.iterator,
        before=query.before,
        after=query.after,
        status=query.status,
        event_types=query.event_types,
        channel=query.channel,
        tag=query.tag,
        with_content=query.with_content,
    )
    messages = await shown_all([each.message for each in page.data], with_content=query.with_content)
    return ListResponse(
        data=[
            EndpointMessageOut(
                **fields,
                **_status(
                    each.status if each.next_attempt is None or not each.attempt_count else AttemptStatus.SENDING,
                    expanded=query.expanded_statuses,
                ),
                next_attempt=each.next_attempt or UNSET,
            )
            for fields, each in zip(messages, page.data, strict=True)
        ],
        iterator=page.iterator,
        prev_iterator=page.prev_iterator or UNSET,
        done=page.done,
    )


async def list_attempted_destinations(call: Call[DestinationListQuery, NoBody]) -> Out:
    """List the endpoints of a message, including deleted ones, oldest first."""
    page = await call.organization.attempts.list_attempted_destinations(
        call.application.id, call.parameters["msg_id"], limit=call.query.limit, iterator=call.query.iterator
    )
    now, rate_limited = call.context.services.clock.now(), call.context.services.flow.rate_limited
    return listed(page, lambda destination: _destination(destination, now, rate_limited))


async def get_attempt(call: Call[AttemptGetQuery, NoBody]) -> Out:
    """Get an attempt by id."""
    attempt = await call.organization.attempts.get(
        call.application.id, call.parameters["msg_id"], call.parameters["attempt_id"]
    )
    return shown(attempt, expanded=call.query.expanded_statuses)


async def expunge_attempt(call: Call[NoQuery, NoBody]) -> None:
    """Delete the attempt's response for good."""
    message, attempt = call.parameters["msg_id"], call.parameters["attempt_id"]
    try:
        await call.organization.attempts.expunge_content(call.application.id, message, attempt)
    except NotFoundError as error:
        what = "Message attempt" if error.kind == "attempt" else "Message"
        raise ApiError(404, "not_found", f"{what} not found") from None


async def resend(call: Call[NoQuery, NoBody]) -> Out:
    """Send a message to an endpoint again, now."""
    await call.organization.attempts.resend(
        call.application.id, call.parameters["msg_id"], call.parameters["endpoint_id"]
    )
    return EmptyOut()


def _destination(
    destination: AttemptedDestination, now: int, rate_limited: Callable[[str], bool]
) -> MessageEndpointOut:
    status = destination.status
    if status is AttemptStatus.SENDING:  # here, unlike in the list of messages, the last attempt counts
        status = AttemptStatus.FAIL
    return MessageEndpointOut(
        **endpoint_fields(destination.endpoint),
        **_status(status, expanded=False),
        next_attempt=destination.next_attempt,
        attempt_count=destination.attempt_count,
        waiting_for=_waiting_for(destination, now, rate_limited),
    )


def _waiting_for(
    destination: AttemptedDestination, now: int, rate_limited: Callable[[str], bool]
) -> Literal["time", "rate_limit", "turn"] | UnsetType:
    if destination.next_attempt is None:
        return UNSET
    if from_datetime(destination.next_attempt) > now:
        return "time"
    return "rate_limit" if rate_limited(destination.endpoint.id) else "turn"


async def _attempts(call: Call[Any, NoBody], page: Page[Attempt]) -> Out:
    query: AttemptListQuery = call.query
    messages: Mapping[str, MessageOut] = {}
    lengths = await attempts_in_schedule(call, page.data) if query.with_number else {}
    if query.with_msg:
        page, found = await _with_messages(call, page)
        messages = {each["id"]: MessageOut(**each) for each in await shown_all(found, with_content=query.with_content)}
    return listed(
        page,
        lambda attempt: shown(
            attempt,
            with_content=query.with_content,
            with_failure=query.with_failure,
            number_of=lengths.get(attempt.id),
            expanded=query.expanded_statuses,
            message=messages.get(attempt.msg_id, UNSET),
        ),
    )


async def _with_messages(call: Call[Any, NoBody], page: Page[Attempt]) -> tuple[Page[Attempt], list[Message]]:
    """As much of the page as fits with each attempt's message included, and those messages."""
    query: AttemptListQuery = call.query
    upward = goes_up(query.iterator, query.before, query.after)
    found: dict[str, Message] = {}
    carried = count = 0
    for attempt in reversed(page.data) if upward else page.data:
        if carried >= MAX_BYTES:
            break
        count += 1
        if attempt.msg_id not in found:
            found[attempt.msg_id] = await call.organization.messages.get(
                call.application.id, attempt.msg_id, with_content=query.with_content
            )
        carried += carried_bytes(found[attempt.msg_id])
    return shortened(page, count, attrgetter("id"), upward=upward), list(found.values())


def _list(
    path: str, handler: Handler[Q, NoBody], *, query: type[Q], shows: Any, summary: str, operation: str
) -> Route[Q, NoBody]:
    return Route(
        "GET",
        path,
        handler,
        auth=Auth.APPLICATION,
        needs=Capability.VIEW_BASE,
        query=query,
        responses={200: ListResponse[shows]},
        summary=summary,
        operation=operation,
        deprecated=operation.endswith("-deprecated"),
    )


_MESSAGE = "/app/{app_id}/msg/{msg_id}"
_ATTEMPT = f"{_MESSAGE}/attempt/{{attempt_id}}"

ROUTES = (
    _list(
        "/app/{app_id}/attempt/endpoint/{endpoint_id}",
        list_by_endpoint,
        query=AttemptListQuery,
        shows=MessageAttemptOut,
        summary="List the attempts of an endpoint",
        operation="message-attempt.list-by-endpoint",
    ),
    _list(
        "/app/{app_id}/attempt/msg/{msg_id}",
        list_by_message,
        query=MessageAttemptListQuery,
        shows=MessageAttemptOut,
        summary="List the attempts of a message",
        operation="message-attempt.list-by-msg",
    ),
    _list(
        "/app/{app_id}/endpoint/{endpoint_id}/msg",
        list_attempted_messages,
        query=AttemptedMessageListQuery,
        shows=EndpointMessageOut,
        summary="List the messages of an endpoint",
        operation="message-attempt.list-attempted-messages",
    ),
    _list(
        f"{_MESSAGE}/endpoint",
        list_attempted_destinations,
        query=DestinationListQuery,
        shows=MessageEndpointOut,
        summary="List the endpoints of a message",
        operation="message-attempt.list-attempted-destinations",
    ),
    _list(
        f"{_MESSAGE}/attempt",
        list_by_message,
        query=MessageAttemptListQuery,
        shows=MessageAttemptOut,
        summary="List the attempts of a message",
        operation="message-attempt.list-by-msg-deprecated",
    ),
    _list(
        f"{_MESSAGE}/endpoint/{{endpoint_id}}/attempt",
        list_by_message,
        query=MessageAttemptListQuery,
        shows=MessageAttemptOut,
        summary="List the attempts of a message to an endpoint",
        operation="message-attempt.list-by-endpoint-deprecated",
    ),
    Route(
        "GET",
        _ATTEMPT,
        get_attempt,
        auth=Auth.APPLICATION,
        needs=Capability.VIEW_BASE,
        query=AttemptGetQuery,
        responses={200: MessageAttemptOut},
        summary="Get an attempt",
        operation="message-attempt.get",
    ),
    Route(
        "DELETE",
        f"{_ATTEMPT}/content",
        expunge_attempt,
        auth=Auth.ORGANIZATION_APPLICATION,
        responses={204: None},
        summary="Delete the response of an attempt",
        operation="message-attempt.expunge-content",
    ),
    Route(
        "POST",
        f"{_MESSAGE}/endpoint/{{endpoint_id}}/resend",
        resend,
        auth=Auth.APPLICATION,
        needs=Capability.CREATE_ATTEMPTS,
        responses={202: EmptyOut},
        fails=(400,),
        summary="Send a message to an endpoint once more",
        operation="message-attempt.resend",
    ),
)
