"""Routes for the portal beyond what other clients need: message states, attempts over time, headers."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Literal

from webhook_engine.clock import from_datetime, to_datetime
from webhook_engine.model import Attempt, AttemptStatus, Exchange, Message
from webhook_engine.resources.pagination import MAX_BYTES
from webhook_engine.rules.capabilities import Capability
from webhook_engine.rules.pages import MAX_PAGE
from webhook_engine.server.api.attempt_numbers import attempts_in_schedule
from webhook_engine.server.api.lists import ListResponse
from webhook_engine.server.api.messages import MessageOut, shown_all
from webhook_engine.server.api.query import EventTypesQuery, NoQuery
from webhook_engine.server.api.route import Auth, Call, NoBody, Out, Route
from webhook_engine.server.context import Context
from webhook_engine.store.records import carried_bytes

__all__ = ["ROUTES", "MessageStateOut", "message_states"]

AHEAD = timedelta(hours=1)
"""How far in the future a message may be, since the clock may have been set back."""
MAX_PAGES = 8
"""How many pages a list filtered by state searches before it returns what it has found."""


class MessageStateQuery(EventTypesQuery, frozen=True, kw_only=True):
    """Which messages to list."""

    ITERATOR_PREFIX = "msg_"
    BY_TIME = True

    status: AttemptStatus | None = None
    with_content: bool = False


class MessageStateOut(MessageOut, frozen=True, kw_only=True):
    """A message, and its overall state across its endpoints."""

    status: int | None
    """``None`` if it goes to no endpoint."""
    status_text: str | None
    succeeded: int
    pending: int
    failed: int


class AttemptHeadersOut(Out, frozen=True, kw_only=True):
    """The request headers of an attempt; secret values are masked, and signatures are left out.

    Empty if nothing was sent.
    """

    headers: Mapping[str, str]


class HeaderOut(Out, frozen=True, kw_only=True):
    """One header."""

    name: str
    value: str


class TimingOut(Out, frozen=True, kw_only=True):
    """The duration of each phase of an exchange, in milliseconds; null if skipped, as on a reused connection."""

    lookup_ms: float | None
    connect_ms: float | None
    tls_ms: float | None
    first_byte_ms: float | None
    """From the end of the request to the first byte of the response."""
    total_ms: int


class AttemptExchangeOut(Out, frozen=True, kw_only=True):
    """The request and response of an attempt, without their bodies."""

    url: str
    request_method: str | None
    """Set by a transformation; null if the message was sent unchanged."""
    request_body: str | None
    """The body that a transformation made, cut to 64 kB; null also if the payload is gone."""
    number: int | None
    """Its number in the retry schedule; null for a manual attempt outside the schedule."""
    number_of: int
    """The number of attempts in the retry schedule."""
    request_headers: Sequence[HeaderOut]
    """Secret values are masked; empty if nothing was sent."""
    signature_hidden: bool
    """Whether the signature is hidden, because the token may not see the endpoint's secret."""
    status_line: str
    response_headers: Sequence[HeaderOut]
    timing: TimingOut


class MessagePayloadOut(Out, frozen=True, kw_only=True):
    """The payload of a message exactly as it is sent and signed."""

    encoding: Literal["utf-8", "base64"]
    """How the payload's bytes are represented as text."""
    payload: str | None
    """``None`` if it is no longer kept."""


async def list_states(call: Call[MessageStateQuery, NoBody]) -> Out:
    """List messages with their states, newest first. With ``status`` a page may be short while ``done`` is false."""
    query, messages, wanted = call.query, call.organization.messages, call.query.status
    kept: list[tuple[Message, Mapping[AttemptStatus, int]]] = []
    iterator, before, done, carried = query.iterator, query.before, False, 0
    if wanted is not None and before is None and query.after is not None:
        # The search goes from the newest message on; ``after`` alone would begin with the oldest.
        before = to_datetime(call.context.services.clock.now()) + AHEAD
    for _ in range(1 if wanted is None else MAX_PAGES):
        page = await messages.list(
            call.application.id,
            limit=query.limit if wanted is None else MAX_PAGE,
            iterator=iterator,
            before=before,
            after=query.after,
            event_types=query.event_types,
            channel=query.channel,
            tag=query.tag,
            with_content=query.with_content,
        )
        found = await call.context.services.store.deliveries.count_by_status([message.id for message in page.data])
        iterator, done = page.iterator or iterator, page.done
        for message in page.data:
            if len(kept) >= query.limit or carried >= MAX_BYTES:
                done = False
                break
            counts = found.get(message.id, {})
            iterator = message.id
            if wanted is None or _overall(counts) is _plain(wanted):
                kept.append((message, counts))
                carried += carried_bytes(message)
        if done or len(kept) >= query.limit or carried >= MAX_BYTES:
            break
    fields = await shown_all([message for message, _ in kept], with_content=query.with_content)
    return ListResponse(
        data=[_state(each, counts, _overall(counts)) for each, (_, counts) in zip(fields, kept, strict=True)],
        iterator=iterator if kept or not done else None,
        done=done,
    )


async def message_states(context: Context, messages: Sequence[Message]) -> list[MessageStateOut]:
    """Messages with their states, without their payloads."""
    found = await context.services.store.deliveries.count_by_status([message.id for message in messages])
    fields = await shown_all(messages, with_content=False)
    counts = [found.get(message.id, {}) for message in messages]
    return [_state(each, one, _overall(one)) for each, one in zip(fields, counts, strict=True)]


async def attempt_headers(call: Call[NoQuery, NoBody]) -> Out:
    """Get the headers of the request that was sent."""
    attempt = await call.organization.attempts.get(
        call.application.id, call.parameters["msg_id"], call.parameters["attempt_id"]
    )
    if not attempt.request_headers:
        return AttemptHeadersOut(headers={})
    headers = dict(attempt.request_headers)
    for prefix in call.context.engine.config.delivery.signature_headers:
        headers[f"{prefix}-id"] = attempt.msg_id
        headers[f"{prefix}-timestamp"] = _signed_at(attempt)
    return AttemptHeadersOut(headers=headers)


async def attempt_exchange(call: Call[NoQuery, NoBody]) -> Out:
    """Get the request and response of an attempt, with the duration of each phase."""
    attempt = await call.organization.attempts.get(
        call.application.id, call.parameters["msg_id"], call.parameters["attempt_id"]
    )
    kept = attempt.exchange or Exchange(None, "", "")
    message = await call.organization.messages.get(call.application.id, attempt.msg_id)
    [in_schedule] = (await attempts_in_schedule(call, [attempt], message)).values()
    shows = call.principal.may(Capability.VIEW_ENDPOINT_SECRET)
    headers = [HeaderOut(name=name, value=value) for name, value in attempt.request_headers.items()]
    if attempt.request_headers:
        for prefix in call.context.engine.config.delivery.signature_headers:
            headers.append(HeaderOut(name=f"{prefix}-id", value=attempt.msg_id))
            headers.append(HeaderOut(name=f"{prefix}-timestamp", value=_signed_at(attempt)))
            if kept.signature and shows:
                headers.append(HeaderOut(name=f"{prefix}-signature", value=kept.signature))
    return AttemptExchangeOut(
        url=attempt.url,
        request_method=kept.sent_method,
        request_body=None if kept.sent_body is None or message.payload is None else kept.sent_body,
        number=kept.number,
        number_of=max(kept.number or 0, in_schedule),
        request_headers=headers,
        signature_hidden=bool(kept.signature) and not shows,
        status_line=kept.response_head.partition("\n")[0].strip(),
        response_headers=[HeaderOut(name=name, value=value) for name, value in kept.response_headers],
        timing=TimingOut(
            lookup_ms=_millis(kept.lookup_us),
            connect_ms=_millis(kept.connect_us),
            tls_ms=_millis(kept.tls_us),
            first_byte_ms=_millis(kept.first_byte_us),
            total_ms=attempt.response_duration_ms,
        ),
    )


def _signed_at(attempt: Attempt) -> str:
    """The time of the signature, which is the time in the attempt's id."""
    return str(from_datetime(attempt.timestamp) // 1_000_000)


def _millis(micros: int | None) -> float | None:
    return None if micros is None else micros / 1_000


async def message_payload(call: Call[NoQuery, NoBody]) -> Out:
    """Get the exact bytes of a payload, which other responses show in canonical form."""
    message = await call.organization.messages.get(call.application.id, call.parameters["msg_id"])
    payload = message.payload
    if payload is None:
        return MessagePayloadOut(encoding="utf-8", payload=None)
    try:
        return MessagePayloadOut(encoding="utf-8", payload=payload.decode())
    except UnicodeDecodeError:
        return MessagePayloadOut(encoding="base64", payload=base64.b64encode(payload).decode())


def _overall(counts: Mapping[AttemptStatus, int]) -> AttemptStatus | None:
    """The overall state: pending deliveries first, then failures."""
    order = (AttemptStatus.PENDING, AttemptStatus.SENDING, AttemptStatus.FAIL, AttemptStatus.SUCCESS)
    for status in (*order, AttemptStatus.CANCELED):
        if counts.get(status):
            return _plain(status)
    return None


def _plain(status: AttemptStatus) -> AttemptStatus:
    return AttemptStatus.PENDING if status is AttemptStatus.SENDING else status


def _state(
    fields: Mapping[str, object], counts: Mapping[AttemptStatus, int], overall: AttemptStatus | None
) -> MessageStateOut:
    return MessageStateOut(
        **fields,  # type: ignore[arg-type]
        status=None if overall is None else int(overall),
        status_text=None if overall is None else overall.name.lower(),
        succeeded=counts.get(AttemptStatus.SUCCESS, 0),
        pending=counts.get(AttemptStatus.PENDING, 0) + counts.get(AttemptStatus.SENDING, 0),
        failed=counts.get(AttemptStatus.FAIL, 0),
    )


ROUTES = (
    Route(
        "GET",
        "/app/{app_id}/message-state",
        list_states,
        auth=Auth.APPLICATION,
        needs=Capability.VIEW_BASE,
        query=MessageStateQuery,
        responses={200: ListResponse[MessageStateOut]},
        summary="List the messages of an application with their delivery states",
        operation="message.list-states",
    ),
    Route(
        "GET",
        "/app/{app_id}/msg/{msg_id}/payload",
        message_payload,
        auth=Auth.APPLICATION,
        needs=Capability.VIEW_BASE,
        responses={200: MessagePayloadOut},
        summary="Get the payload of a message exactly as it is sent",
        operation="message.get-payload",
    ),
    Route(
        "GET",
        "/app/{app_id}/msg/{msg_id}/attempt/{attempt_id}/headers",
        attempt_headers,
        auth=Auth.APPLICATION,
        needs=Capability.VIEW_BASE,
        responses={200: AttemptHeadersOut},
        summary="Get the request headers of an attempt",
        operation="message-attempt.get-headers",
    ),
    Route(
        "GET",
        "/app/{app_id}/msg/{msg_id}/attempt/{attempt_id}/exchange",
        attempt_exchange,
        auth=Auth.APPLICATION,
        needs=Capability.VIEW_BASE,
        responses={200: AttemptExchangeOut},
        summary="Get the request and the response of an attempt, with their timing",
        operation="message-attempt.get-exchange",
    ),
)
