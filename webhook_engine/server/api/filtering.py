"""Filters on the wire: why a message was not sent to an endpoint, and testing a filter on an example."""

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
    """Why it was not sent.

    ``disabled``, ``eventType``, ``channels`` or ``filter``, by the endpoint's current settings; ``later``: it was added
    after the message; ``edited``: it would get the message now.
    """
    condition: Mapping[str, Any] | UnsetType = UNSET
    """The first condition of the filter that does not hold."""
    edited_since: bool
    """Whether the endpoint was changed after the message was created."""


class UnsentOut(Out, frozen=True, kw_only=True):
    """All endpoints that the message was not sent to."""

    data: Sequence[UnsentDestinationOut]


class FilterTrialIn(In, frozen=True, kw_only=True):
    """A filter to test, and an example payload."""

    filter: dict[str, Any]
    payload: msgspec.Raw


class FilterTrialOut(Out, frozen=True, kw_only=True):
    """The result of the test."""

    passes: bool | None
    """Null: the filter is invalid."""
    problem: str | None
    """Why and where the filter is invalid."""
    place: str | UnsetType = UNSET
    """The place of the problem, as a path with dots."""
    rule: str | UnsetType = UNSET
    """The rule that it breaks, such as ``filter_operator``, for clients with their own messages."""
    condition: Mapping[str, Any] | UnsetType = UNSET
    """The first condition that does not hold."""


async def list_unsent(call: Call[NoQuery, NoBody]) -> Out:
    """List the endpoints that a message was not sent to, by their current settings."""
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
    """Test whether a filter lets an example through."""
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
