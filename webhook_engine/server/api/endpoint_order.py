"""Ordered delivery of an endpoint, on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import UNSET, UnsetType

from webhook_engine.model import EndpointOrder
from webhook_engine.rules.capabilities import Capability
from webhook_engine.server.api.query import ListQuery, NoQuery
from webhook_engine.server.api.route import Auth, Call, NoBody, Out, Route

__all__ = ["ROUTES"]

DEFAULT_LIMIT = 50


class EndpointOrderOut(Out, frozen=True, kw_only=True):
    """The position of one ordering key."""

    ordering_key: str | None
    message_id: str
    state: str
    attempt_count: int
    next_attempt: datetime | UnsetType = UNSET
    waiting: int


class EndpointOrdersOut(Out, frozen=True, kw_only=True):
    """A page of positions."""

    data: Sequence[EndpointOrderOut]
    iterator: str | None
    done: bool


async def list_orders(call: Call[ListQuery, NoBody]) -> Out:
    """List the position of each ordering key: the message whose turn it is, and how many wait (at most 1000)."""
    limit = call.query.limit or DEFAULT_LIMIT
    found = await call.organization.endpoints.orders(
        call.application.id, call.parameters["endpoint_id"], after=call.query.iterator, limit=limit
    )
    return EndpointOrdersOut(
        data=[_shown(one) for one in found],
        iterator=found[-1].ordering_key or "" if found else None,
        done=len(found) < limit,
    )


async def skip(call: Call[NoQuery, NoBody]) -> None:
    """Skip a message in the order of an endpoint; its delivery is cancelled unless it has failed."""
    parameters = call.parameters
    await call.organization.endpoints.skip(call.application.id, parameters["endpoint_id"], parameters["msg_id"])


def _shown(one: EndpointOrder) -> EndpointOrderOut:
    return EndpointOrderOut(
        ordering_key=one.ordering_key,
        message_id=one.message_id,
        state=one.state,
        attempt_count=one.attempt_count,
        next_attempt=UNSET if one.next_attempt is None else one.next_attempt,
        waiting=one.waiting,
    )


ROUTES = (
    Route(
        "GET",
        "/app/{app_id}/endpoint/{endpoint_id}/order",
        list_orders,
        auth=Auth.APPLICATION,
        needs=Capability.VIEW_BASE,
        query=ListQuery,
        responses={200: EndpointOrdersOut},
        summary="List the state of each order of an endpoint",
        operation="endpoint.list-orders",
    ),
    Route(
        "POST",
        "/app/{app_id}/endpoint/{endpoint_id}/msg/{msg_id}/skip",
        skip,
        auth=Auth.APPLICATION,
        needs=Capability.CREATE_ATTEMPTS,
        responses={204: None},
        summary="Skip a message in the order of an endpoint",
        operation="endpoint.skip",
    ),
)
