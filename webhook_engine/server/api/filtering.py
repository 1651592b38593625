"""What filters do, on the wire: which endpoints a message was not sent to and why, and a filter tried on an example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from webhook_engine.delivery.accept.payload_filter import PayloadFilter
from webhook_engine.errors import ValidationError
from webhook_engine.rules import payload_filter
from webhook_engine.rules.capabilities import Capability
from webhook_engine.server.api.query import NoQuery
from webhook_engine.server.api.route import Auth, Call, In, NoBody, Out, Route
from webhook_engine.server.errors import rule_name

__all__ = ["ROUTES"]


class UnsentDestinationOut(Out, frozen=True, kw_only=True):
    """An endpoint that a message was not sent to."""

    id: str
    uid: str | None
    url: str
    obstacle: str
    """``disabled``, ``eventType``, ``channels`` or ``filter``, as the endpoint is now; ``later``: it was added after
    the message; ``edited``: it would get it now."""
    condition: Mapping[str, Any] | UnsetType = UNSET
    """Of the filter: the first that does not hold."""
    edited_since: bool
    """Whether the endpoint was changed after the message was created."""


class UnsentOut(Out, frozen=True, kw_only=True):
    """All of them."""

    data: Sequence[UnsentDestinationOut]


class FilterTrialIn(In, frozen=True, kw_only=True):
    """A filter that is thought of, and an example."""

    filter: dict[str, Any]
    payload: msgspec.Raw


class FilterTrialOut(Out, frozen=True, kw_only=True):
    """What becomes of it."""

    passes: bool | None
    """Null: the filter is not allowed."""
    problem: str | None
    """What is not allowed of the filter, and where."""
    place: str | UnsetType = UNSET
    """Where that is, with dots."""
    rule: str | UnsetType = UNSET
    """Which rule it breaks, such as ``filter_operator``, for those who say it in words of their own."""
    condition: Mapping[str, Any] | UnsetType = UNSET
    """The first that does not hold."""


async def list_unsent(call: Call[NoQuery, NoBody]) -> Out:
    """The endpoints that a message was not sent to, as they are now."""
    found = await call.organization.attempts.list_unsent_destinations(call.application.id, call.parameters["msg_id"])
    return UnsentOut(
        data=[
            UnsentDestinationOut(
                id=one.endpoint.id,
                uid=one.endpoint.uid,
                url=one.endpoint.url,
                obstacle=one.obstacle,
                condition=UNSET if one.condition is None else one.condition,
                edited_since=one.edited_since,
            )
            for one in found
        ]
    )


async def precheck_filter(call: Call[NoQuery, FilterTrialIn]) -> Out:
    """Whether a filter lets an example through."""
    try:
        said = payload_filter.checked("filter", call.body.filter)
    except ValidationError as error:
        return FilterTrialOut(passes=None, problem=str(error), place=error.field, rule=rule_name(error) or UNSET)
    asked = call.context.services.flow.filter_process
    (condition,) = await asked.refusing([PayloadFilter(said)], bytes(call.body.payload))
    return FilterTrialOut(passes=condition is None, problem=None, condition=UNSET if condition is None else condition)


ROUTES = (
    Route(
        "GET",
        "/app/{app_id}/msg/{msg_id}/unsent",
        list_unsent,
        auth=Auth.APPLICATION,
        needs=Capability.VIEW_BASE,
        responses={200: UnsentOut},
        summary="List the endpoints that a message was not sent to, and why",
        operation="message.list-unsent-destinations",
    ),
    Route(
        "POST",
        "/app/{app_id}/endpoint/precheck/filter",
        precheck_filter,
        auth=Auth.APPLICATION,
        needs=Capability.VIEW_BASE,
        body=FilterTrialIn,
        responses={200: FilterTrialOut},
        summary="Try a filter on an example",
        operation="endpoint.precheck-filter",
    ),
)
