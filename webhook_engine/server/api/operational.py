"""Operational-webhook endpoints: a view of an application's endpoints; it is created when first needed.

The application belongs to the organization ``operational.organization``, and its uid is the organization whose events
it receives.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from webhook_engine.errors import NotFoundError
from webhook_engine.resources.organization import Organization
from webhook_engine.server.api import endpoint_actions, endpoints
from webhook_engine.server.api.endpoint_actions import (
    EndpointHeadersIn,
    EndpointHeadersOut,
    EndpointSecretOut,
    EndpointSecretRotateIn,
)
from webhook_engine.server.api.endpoints import EndpointIn, EndpointListQuery, EndpointOut, EndpointUpdate
from webhook_engine.server.api.lists import ListResponse
from webhook_engine.server.api.query import Query
from webhook_engine.server.api.route import Auth, Call, Handler, In, NoBody, Out, Reply, Route

__all__ = ["ROUTES"]

Q = TypeVar("Q", bound=Query)
B = TypeVar("B", bound=In)


class OperationalWebhookEndpointOut(Out, frozen=True, kw_only=True):
    """An endpoint that receives the organization's operational events."""

    description: str
    rate_limit: int | None
    throttle_rate: int | None
    uid: str | None
    url: str
    disabled: bool
    event_types: Sequence[str] | None
    filter_types: Sequence[str] | None
    created_at: datetime
    updated_at: datetime
    id: str
    metadata: Mapping[str, str]


def _shown(endpoint: EndpointOut) -> OperationalWebhookEndpointOut:
    return OperationalWebhookEndpointOut(
        description=endpoint.description,
        rate_limit=endpoint.rate_limit,
        throttle_rate=endpoint.throttle_rate,
        uid=endpoint.uid,
        url=endpoint.url,
        disabled=endpoint.disabled,
        event_types=endpoint.event_types,
        filter_types=endpoint.filter_types,
        created_at=endpoint.created_at,
        updated_at=endpoint.updated_at,
        id=endpoint.id,
        metadata=endpoint.metadata,
    )


async def _ensure(organization: Organization, of: str) -> None:
    """Create the application, if this is its first endpoint."""
    await organization.applications.get_or_create(name=f"Operational webhooks of {of}", uid=of)


async def _view(call: Call[Q, B], *, make: bool = False) -> Call[Q, B]:
    """The same request, as one for an endpoint of the operational application."""
    config = call.context.engine.config.operational
    organization = call.context.engine.organization(config.organization)
    of = call.organization.id
    if make:
        await _ensure(organization, of)
    return Call(
        call.context,
        call.parameters,
        call.query,
        call.body,
        msgspec.structs.replace(call.principal, organization=organization),
        await organization.applications.get(of),
        lambda _: None,  # the response is changed afterwards
        call.client,
    )


def _through(handler: Handler[Q, B], *, make: bool = False) -> Callable[[Call[Q, B]], Awaitable[Out | Reply | None]]:
    """Adapt a handler of endpoints to the operational application."""

    async def handle(call: Call[Q, B]) -> Out | Reply | None:
        outcome = await handler(await _view(call, make=make))
        if isinstance(outcome, EndpointOut):
            return _shown(outcome)
        if isinstance(outcome, Reply) and isinstance(outcome.value, EndpointOut):
            return Reply(outcome.status, _shown(outcome.value))
        return outcome

    handle.__doc__ = handler.__doc__
    return handle


async def list_endpoints(call: Call[EndpointListQuery, NoBody]) -> Out:
    """List the endpoints, newest first by default."""
    try:
        view = await _view(call)
    except NotFoundError:  # no endpoint was created yet
        return ListResponse[Any](data=[], iterator=None, done=True)
    page = await endpoints.list_endpoints(view)
    assert isinstance(page, ListResponse)  # noqa: S101 (for the type checker)
    return msgspec.structs.replace(page, data=[_shown(one) for one in page.data])


_COLLECTION = "/operational-webhook/endpoint"
_ONE = "/operational-webhook/endpoint/{endpoint_id}"

ROUTES: tuple[Route[Any, Any], ...] = (
    Route(
        "GET",
        _COLLECTION,
        list_endpoints,
        auth=Auth.ORGANIZATION,
        query=EndpointListQuery,
        responses={200: ListResponse[OperationalWebhookEndpointOut]},
        summary="List the operational-webhook endpoints",
        operation="operational-webhook.endpoint.list",
    ),
    Route(
        "POST",
        _COLLECTION,
        _through(endpoints.create_endpoint, make=True),
        auth=Auth.ORGANIZATION,
        body=EndpointIn,
        responses={201: OperationalWebhookEndpointOut},
        fails=(400, 409),
        summary="Create an operational-webhook endpoint",
        operation="operational-webhook.endpoint.create",
    ),
    Route(
        "GET",
        _ONE,
        _through(endpoints.get_endpoint),
        auth=Auth.ORGANIZATION,
        responses={200: OperationalWebhookEndpointOut},
        fails=(404,),
        summary="Get an operational-webhook endpoint",
        operation="operational-webhook.endpoint.get",
    ),
    Route(
        "PUT",
        _ONE,
        _through(endpoints.put_endpoint, make=True),
        auth=Auth.ORGANIZATION,
        body=EndpointUpdate,
        responses={200: OperationalWebhookEndpointOut, 201: OperationalWebhookEndpointOut},
        fails=(400, 409),
        summary="Replace an operational-webhook endpoint, or create one",
        operation="operational-webhook.endpoint.update",
    ),
    Route(
        "DELETE",
        _ONE,
        _through(endpoints.delete_endpoint),
        auth=Auth.ORGANIZATION,
        responses={204: None},
        fails=(404,),
        summary="Delete an operational-webhook endpoint",
        operation="operational-webhook.endpoint.delete",
    ),
    Route(
        "GET",
        f"{_ONE}/secret",
        _through(endpoint_actions.get_secret),
        auth=Auth.ORGANIZATION,
        responses={200: EndpointSecretOut},
        fails=(404,),
        summary="Get the signing secret of an operational-webhook endpoint",
        operation="operational-webhook.endpoint.get-secret",
    ),
    Route(
        "POST",
        f"{_ONE}/secret/rotate",
        _through(endpoint_actions.rotate_secret),
        auth=Auth.ORGANIZATION,
        body=EndpointSecretRotateIn,
        responses={200: EndpointSecretOut, 204: None},
        fails=(400, 404),
        summary="Replace the signing secret of an operational-webhook endpoint",
        operation="operational-webhook.endpoint.rotate-secret",
    ),
    Route(
        "GET",
        f"{_ONE}/headers",
        _through(endpoint_actions.get_headers),
        auth=Auth.ORGANIZATION,
        responses={200: EndpointHeadersOut},
        fails=(404,),
        summary="Get the headers of an operational-webhook endpoint",
        operation="operational-webhook.endpoint.get-headers",
    ),
    Route(
        "PUT",
        f"{_ONE}/headers",
        _through(endpoint_actions.put_headers),
        auth=Auth.ORGANIZATION,
        body=EndpointHeadersIn,
        responses={204: None},
        fails=(404,),
        summary="Replace the headers of an operational-webhook endpoint",
        operation="operational-webhook.endpoint.update-headers",
    ),
)
