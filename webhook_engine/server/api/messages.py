"""Messages on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from webhook_engine.delivery.accept.intake import as_message
from webhook_engine.delivery.accept.matching import obstacle
from webhook_engine.errors import ConflictError, NotFoundError, ValidationError
from webhook_engine.model import Message
from webhook_engine.rules.capabilities import Capability
from webhook_engine.rules.headers import content_type
from webhook_engine.rules.message import MESSAGE_PREFIX, MessageDraft
from webhook_engine.rules.names import is_name
from webhook_engine.server.api import checks
from webhook_engine.server.api.applications import ApplicationIn, ensure_application
from webhook_engine.server.api.instants import parse_instant
from webhook_engine.server.api.lists import ListResponse
from webhook_engine.server.api.payloads import EMPTY, Encoding, payload_problems, shown_payload
from webhook_engine.server.api.query import EventTypesQuery, NoQuery, Query
from webhook_engine.server.api.route import Auth, Call, In, NoBody, Out, Route
from webhook_engine.server.api.spans import InstantText, instant_problems
from webhook_engine.server.errors import HttpError, Problem, UnprocessableError
from webhook_engine.store.records import NewMessage

__all__ = ["ROUTES", "MessageOut", "Payload", "message_fields", "shown", "shown_all"]

MAX_BATCH = 1_000
"""Messages per request."""
BIG_PAGE = 128 * 1024
"""A page with this many bytes of payload is rendered in a thread."""

Payload = Annotated[msgspec.Raw, Meta(extra_json_schema={"type": "object"})]
ShownPayload = Annotated[msgspec.Raw, Meta(description="As JSON; a string with `payloadEncoding`, where it is none.")]


class TransformationParams(In, frozen=True, kw_only=True):
    """Only a raw payload is supported, and of the headers its content type."""

    raw_payload: str | None = None
    headers: Annotated[Any, Meta(extra_json_schema={"type": ["object", "null"]})] = None

    def content_type(self) -> object:
        """The last ``content-type`` header, in any spelling."""
        found = None
        for name, value in self.headers.items() if isinstance(self.headers, dict) else ():
            if name.lower() == "content-type":
                found = value
        return found


class MessageIn(In, frozen=True, kw_only=True):
    """A new message."""

    ALSO_REQUIRED = ("payload",)

    event_type: str
    payload: Payload = msgspec.field(default_factory=msgspec.Raw)
    data: Payload = msgspec.field(default_factory=msgspec.Raw)
    """An alias of ``payload``."""
    event_id: str | None = None
    channels: list[str] | None = None
    tags: list[str] | None = None
    deliver_at: InstantText | None = None
    payload_retention_period: int | None = None
    payload_retention_hours: int | None = None
    ordering_key: str | None = None
    transformations_params: TransformationParams | None = None
    application: ApplicationIn | None = None

    def json(self) -> bytes:
        """The payload exactly as it was sent; empty if omitted."""
        return bytes(self.payload) or bytes(self.data)

    def problems(self) -> Iterator[Problem]:
        """What is not allowed."""
        text = self.json()
        if not text:
            yield Problem(("body", "", ""), "missing field `payload`", "value_error.jsondecode")
        else:
            yield from payload_problems(text)
        yield from checks.event_type(("body", "event_type"), self.event_type)
        if self.event_id is not None:
            yield from checks.uid(("body", "uid"), self.event_id, MESSAGE_PREFIX)
        if self.channels is not None:
            yield from checks.channels(("body", "channels"), self.channels)
        if self.tags is not None:
            yield from checks.tags(("body", "tags"), self.tags)
        if self.deliver_at is not None:
            yield from instant_problems("deliverAt", self.deliver_at)
        yield from checks.payload_retention(("body", "payload_retention_period"), self.payload_retention_period)
        if self.ordering_key is not None:
            yield from checks.ordering_key(("body", "ordering_key"), self.ordering_key)
        if self.transformations_params is not None:
            yield from checks.content_type(
                ("body", "transformationsParams", "headers", "content-type"), self.transformations_params.content_type()
            )
        if self.application is not None:
            yield from self.application.problems("body", "application")

    def draft(self) -> MessageDraft:
        """The message to accept."""
        given = self.transformations_params
        raw = None if given is None else given.raw_payload
        kind = None if given is None else given.content_type()
        return MessageDraft(
            event_type=self.event_type,
            payload=self.json() if raw is None else raw,
            event_id=self.event_id,
            channels=self.channels,
            tags=self.tags,
            deliver_at=None if self.deliver_at is None else parse_instant(self.deliver_at),
            payload_retention_period=self.payload_retention_period,
            payload_retention_hours=self.payload_retention_hours,
            content_type=None if kind is None else content_type("content_type", kind),
            ordering_key=self.ordering_key,
        )


class MessageOut(Out, frozen=True, kw_only=True):
    """A message."""

    event_id: str | None
    event_type: str
    payload: ShownPayload
    channels: Sequence[str] | None
    id: str
    timestamp: datetime
    payload_encoding: Encoding | UnsetType = UNSET
    """Only if the payload is not JSON: whether the string in its place is the text itself or base64."""
    tags: Sequence[str] | UnsetType = UNSET
    deliver_at: datetime | UnsetType = UNSET
    content_type: str | UnsetType = UNSET
    """The content type of the payload, unless it is ``application/json``."""
    ordering_key: str | UnsetType = UNSET


class MessageCreateQuery(Query, frozen=True, kw_only=True):
    """What to return."""

    with_content: bool = True


class MessageListQuery(EventTypesQuery, frozen=True, kw_only=True):
    """Which messages to list."""

    ITERATOR_PREFIX = MESSAGE_PREFIX
    BY_TIME = True

    with_content: bool = True


class MessageBatchIn(In, frozen=True, kw_only=True):
    """Several new messages of an application."""

    messages: Annotated[list[MessageIn], Meta(min_length=1, max_length=MAX_BATCH)]

    def problems(self) -> Iterator[Problem]:
        """What is not allowed, in any of them."""
        for index, message in enumerate(self.messages):
            for problem in message.problems():
                place, *names = problem.loc
                yield Problem((place, "messages", f"[{index}]", *names), problem.msg, problem.type)


class BatchedMessageOut(Out, frozen=True, kw_only=True):
    """The result for one of several messages: it was accepted, or its event id is taken."""

    status: int
    """202, or 409."""
    message: MessageOut | UnsetType = UNSET
    error: HttpError | UnsetType = UNSET


class MessageBatchOut(Out, frozen=True, kw_only=True):
    """The result for each message, in the order of the request."""

    data: Sequence[BatchedMessageOut]


class MessagePrecheckIn(In, frozen=True, kw_only=True):
    """A message to check before it is sent."""

    event_type: str
    channels: list[str] | None = None
    payload: msgspec.Raw | UnsetType = UNSET
    """An example; without one, filters on the payload are skipped."""

    def problems(self) -> Iterator[Problem]:
        """What is not allowed."""
        yield from checks.event_type(("body", "event_type"), self.event_type)
        yield from checks.channels(("body", "channels"), self.channels)


class PrecheckedEndpointOut(Out, frozen=True, kw_only=True):
    """What would happen to the example at one endpoint."""

    id: str
    url: str
    obstacle: str | None
    """``disabled``, ``eventType``, ``channels`` or ``filter``; null: it would be sent."""
    condition: Mapping[str, Any] | UnsetType = UNSET
    """The first condition of the filter that does not hold."""


class MessagePrecheckOut(Out, frozen=True, kw_only=True):
    """Whether any endpoint would get it."""

    active: bool
    endpoints: Sequence[PrecheckedEndpointOut] | UnsetType = UNSET
    """Each endpoint's result, if an example was given."""


def message_fields(message: Message, *, with_content: bool) -> dict[str, Any]:
    """The fields of a message as clients see it."""
    payload, encoding = shown_payload(message.payload) if with_content else (EMPTY, UNSET)
    return {
        "event_id": message.event_id,
        "event_type": message.event_type,
        "payload": payload,
        "channels": message.channels,
        "id": message.id,
        "timestamp": message.timestamp,
        "payload_encoding": encoding,
        "tags": UNSET if message.tags is None else message.tags,
        "deliver_at": UNSET if message.deliver_at is None else message.deliver_at,
        "content_type": UNSET if message.content_type is None else message.content_type,
        "ordering_key": UNSET if message.ordering_key is None else message.ordering_key,
    }


def shown(message: Message, *, with_content: bool) -> MessageOut:
    """A message as clients see it."""
    return MessageOut(**message_fields(message, with_content=with_content))


async def shown_all(messages: Sequence[Message], *, with_content: bool) -> list[dict[str, Any]]:
    """The fields of many messages; large pages are rendered without blocking the event loop."""

    def render() -> list[dict[str, Any]]:
        return [message_fields(message, with_content=with_content) for message in messages]

    size = sum(len(message.payload or b"") for message in messages) if with_content else 0
    return await asyncio.to_thread(render) if size > BIG_PAGE else render()


async def list_messages(call: Call[MessageListQuery, NoBody]) -> Out:
    """List messages, newest first."""
    query = call.query
    page = await call.organization.messages.list(
        call.application.id,
        limit=query.limit,
        iterator=query.iterator,
        before=query.before,
        after=query.after,
        event_types=query.event_types,
        channel=query.channel,
        tag=query.tag,
        with_content=query.with_content,
    )
    return ListResponse(
        data=[MessageOut(**fields) for fields in await shown_all(page.data, with_content=query.with_content)],
        iterator=page.iterator,
        prev_iterator=page.prev_iterator or UNSET,
        done=page.done,
    )


async def create_message(call: Call[MessageCreateQuery, MessageIn]) -> Out:
    """Accept a message; it is durable when the response arrives."""
    flow = call.context.services.flow
    message = await _made(call, call.body)
    out = shown(as_message(message), with_content=call.query.with_content)
    await flow.accept(message, response=call.kept(out))
    return out


async def create_messages(call: Call[MessageCreateQuery, MessageBatchIn]) -> Out:
    """Accept several messages, in as few commits as possible; they are durable when the response arrives.

    All are checked before the first is accepted. One whose event id is taken does not affect the others.
    """
    messages = []
    for index, asked in enumerate(call.body.messages):
        try:
            messages.append(await _made(call, asked))
        except ValidationError as error:
            raise ValidationError(f"messages[{index}].{error.field}", error.problem) from error
    flow = call.context.services.flow
    outcomes = await asyncio.gather(*map(flow.accept, messages), return_exceptions=True)
    data = []
    for message, outcome in zip(messages, outcomes, strict=True):
        if isinstance(outcome, ConflictError):
            data.append(BatchedMessageOut(status=409, error=HttpError("conflict", str(outcome))))
        elif outcome is not None:
            raise outcome
        else:
            accepted = shown(as_message(message), with_content=call.query.with_content)
            data.append(BatchedMessageOut(status=202, message=accepted))
    return MessageBatchOut(data=data)


async def _made(call: Call[MessageCreateQuery, Any], asked: MessageIn) -> NewMessage:
    """The requested message, not accepted yet; creates its application if the request describes it."""
    intake, organization_id, key = call.context.services.flow.intake, call.organization.id, call.parameters["app_id"]
    draft = asked.draft()
    try:
        return await intake.message(organization_id, key, draft)
    except NotFoundError:
        if not is_name(key):
            raise UnprocessableError(*checks.limited(("path", "app_id_or_uid"), key)) from None
        application = await ensure_application(call, key, asked.application)
        return await intake.message(organization_id, application.id, draft)


async def precheck(call: Call[NoQuery, MessagePrecheckIn]) -> Out:
    """Check whether any endpoint would get such a message now."""
    services = call.context.services
    endpoints = [one.endpoint for one in await services.directory.endpoints(call.application.id)]
    event_type, channels, payload = call.body.event_type, call.body.channels, call.body.payload
    if payload is UNSET:
        return MessagePrecheckOut(active=any(obstacle(one, event_type, channels) is None for one in endpoints))
    obstacles = await services.flow.filter_process.obstacles(endpoints, event_type, channels, bytes(payload))
    return MessagePrecheckOut(
        active=None in obstacles,
        endpoints=[
            PrecheckedEndpointOut(
                id=endpoint.id,
                url=endpoint.url,
                obstacle=None if found is None else found.obstacle.value,
                condition=UNSET if found is None or found.condition is None else found.condition,
            )
            for endpoint, found in zip(endpoints, obstacles, strict=True)
        ],
    )


async def get_message(call: Call[MessageCreateQuery, NoBody]) -> Out:
    """Get a message by id or event id."""
    with_content = call.query.with_content
    message = await call.organization.messages.get(
        call.application.id, call.parameters["msg_id"], with_content=with_content
    )
    [fields] = await shown_all([message], with_content=with_content)
    return MessageOut(**fields)


async def expunge_message(call: Call[NoQuery, NoBody]) -> None:
    """Delete the payload of a message for good."""
    await call.organization.messages.expunge_content(call.application.id, call.parameters["msg_id"])


_COLLECTION = "/app/{app_id}/msg"

ROUTES = (
    Route(
        "GET",
        _COLLECTION,
        list_messages,
        auth=Auth.APPLICATION,
        needs=Capability.VIEW_BASE,
        query=MessageListQuery,
        responses={200: ListResponse[MessageOut]},
        summary="List the messages of an application",
        operation="message.list",
    ),
    Route(
        "POST",
        _COLLECTION,
        create_message,
        auth=Auth.ORGANIZATION,
        query=MessageCreateQuery,
        body=MessageIn,
        responses={202: MessageOut},
        fails=(404, 409, 503),
        summary="Create a message",
        hot=True,
        operation="message.create",
    ),
    Route(
        "POST",
        f"{_COLLECTION}/batch",
        create_messages,
        auth=Auth.ORGANIZATION,
        query=MessageCreateQuery,
        body=MessageBatchIn,
        responses={202: MessageBatchOut},
        fails=(404, 503),
        summary="Create several messages",
        operation="message.create-batch",
    ),
    Route(
        "POST",
        f"{_COLLECTION}/precheck/active",
        precheck,
        auth=Auth.ORGANIZATION_APPLICATION,
        body=MessagePrecheckIn,
        responses={200: MessagePrecheckOut},
        summary="Ask whether any endpoint would get a message",
        operation="message.precheck",
    ),
    Route(
        "GET",
        f"{_COLLECTION}/{{msg_id}}",
        get_message,
        auth=Auth.APPLICATION,
        needs=Capability.VIEW_BASE,
        query=MessageCreateQuery,
        responses={200: MessageOut},
        summary="Get a message",
        operation="message.get",
    ),
    Route(
        "DELETE",
        f"{_COLLECTION}/{{msg_id}}/content",
        expunge_message,
        auth=Auth.ORGANIZATION_APPLICATION,
        responses={204: None},
        summary="Delete the payload of a message",
        operation="message.expunge-content",
    ),
)
