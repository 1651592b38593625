"""Operations on many messages: sending them again, deleting payloads, cancelling pending deliveries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from webhook_engine.model import AttemptStatus
from webhook_engine.resources.messages import MAX_EXPUNGED
from webhook_engine.rules.capabilities import Capability
from webhook_engine.server.api import checks
from webhook_engine.server.api.endpoint_actions import TaskStartedOut, started
from webhook_engine.server.api.instants import parse_instant
from webhook_engine.server.api.query import NoQuery
from webhook_engine.server.api.route import Auth, Call, In, NoBody, Out, Route
from webhook_engine.server.api.spans import InstantText, SinceUntilIn, instant_problems
from webhook_engine.server.errors import Problem

__all__ = ["ROUTES"]


class BulkReplayIn(SinceUntilIn, frozen=True, kw_only=True):
    """Which messages to send again."""

    event_types: list[str] | None = None
    channel: str | None = None
    tag: str | None = None
    status: AttemptStatus | None = None
    status_code_class: Literal[0, 100, 200, 300, 400, 500] | None = None

    def problems(self) -> Iterator[Problem]:
        """What is not allowed."""
        yield from super().problems()
        if self.event_types is not None and not self.event_types:
            yield Problem(("body", "event_types"), "eventTypes can't be empty, it must have at least one item.")
        yield from checks.items(("body", "event_types"), self.event_types or ())
        if self.channel is not None:
            yield from checks.channel_name(("body", "channel"), self.channel)
        if self.tag is not None:
            yield from checks.tags(("body", "tag"), [self.tag])


class BulkExpungeIn(In, frozen=True, kw_only=True):
    """The messages whose payloads to delete, by id or event id."""

    ids: list[str] | None = None

    def problems(self) -> Iterator[Problem]:
        """What is not allowed."""
        if len(self.ids or ()) > MAX_EXPUNGED:
            yield Problem(("body", "ids"), f"At most {MAX_EXPUNGED} ids can be given at once.")


class BulkExpungeOut(Out, frozen=True, kw_only=True):
    """The result for each message."""

    results: Mapping[str, Literal["expunged", "not-found"]]


class CancelMessagesIn(In, frozen=True, kw_only=True):
    """Which messages to cancel: those created before this time, or all."""

    created_before: InstantText | None = None

    def problems(self) -> Iterator[Problem]:
        """What is not allowed."""
        yield from instant_problems("createdBefore", self.created_before)


class CancelledOut(Out, frozen=True, kw_only=True):
    """How many deliveries were cancelled."""

    canceled: int


async def bulk_replay(call: Call[NoQuery, BulkReplayIn]) -> Out:
    """Send messages again, including those that succeeded."""
    body, (since, until) = call.body, call.body.bounds()
    task = await call.organization.endpoints.bulk_replay(
        call.application.id,
        call.parameters["endpoint_id"],
        since,
        until,
        event_types=body.event_types,
        channel=body.channel,
        tag=body.tag,
        status=body.status,
        status_code_class=body.status_code_class,
    )
    return started(task)


async def bulk_expunge(call: Call[NoQuery, BulkExpungeIn]) -> Out:
    """Delete the payloads of the given messages for good."""
    found = await call.organization.messages.expunge_contents(call.application.id, call.body.ids or ())
    return BulkExpungeOut(results={key: "expunged" if there else "not-found" for key, there in found.items()})


async def expunge_all(call: Call[NoQuery, NoBody]) -> Out:
    """Delete the payloads of all messages for good."""
    return started(await call.organization.messages.expunge_all_contents(call.application.id))


async def cancel_endpoint(call: Call[NoQuery, CancelMessagesIn]) -> Out:
    """Cancel the scheduled deliveries of an endpoint."""
    before = call.body.created_before
    count = await call.organization.endpoints.cancel_pending(
        call.application.id, call.parameters["endpoint_id"], None if before is None else parse_instant(before)
    )
    return CancelledOut(canceled=count)


async def cancel_message(call: Call[NoQuery, NoBody]) -> Out:
    """Cancel the scheduled deliveries of a message."""
    return CancelledOut(
        canceled=await call.organization.messages.cancel(call.application.id, call.parameters["msg_id"])
    )


_ENDPOINT = "/app/{app_id}/endpoint/{endpoint_id}"
_MESSAGES = "/app/{app_id}/msg"

ROUTES = (
    Route(
        "POST",
        f"{_ENDPOINT}/bulk-replay",
        bulk_replay,
        auth=Auth.APPLICATION,
        needs=Capability.CREATE_ATTEMPTS,
        body=BulkReplayIn,
        responses={202: TaskStartedOut},
        summary="Send earlier messages of an endpoint again",
        operation="endpoint.bulk-replay",
    ),
    Route(
        "POST",
        f"{_ENDPOINT}/cancel-msgs",
        cancel_endpoint,
        auth=Auth.APPLICATION,
        needs=Capability.CREATE_ATTEMPTS,
        body=CancelMessagesIn,
        responses={200: CancelledOut},
        summary="Cancel the scheduled deliveries of an endpoint",
        operation="endpoint.cancel-messages",
    ),
    Route(
        "POST",
        f"{_MESSAGES}/bulk-expunge",
        bulk_expunge,
        auth=Auth.ORGANIZATION_APPLICATION,
        body=BulkExpungeIn,
        responses={200: BulkExpungeOut},
        summary="Delete the payloads of some messages",
        operation="message.bulk-expunge-contents",
    ),
    Route(
        "POST",
        f"{_MESSAGES}/expunge-all-contents",
        expunge_all,
        auth=Auth.ORGANIZATION_APPLICATION,
        responses={202: TaskStartedOut},
        summary="Delete the payloads of all messages",
        operation="message.expunge-all-contents",
    ),
    Route(
        "POST",
        f"{_MESSAGES}/{{msg_id}}/cancel",
        cancel_message,
        auth=Auth.ORGANIZATION_APPLICATION,
        responses={200: CancelledOut},
        summary="Cancel the scheduled deliveries of a message",
        operation="message.cancel",
    ),
)
