"""Endpoints on the wire."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from msgspec import UNSET, UnsetType

from webhook_engine.errors import NotFoundError, ValidationError
from webhook_engine.model import Endpoint
from webhook_engine.rules import headers as header_rules
from webhook_engine.rules import limits
from webhook_engine.rules.capabilities import Capability
from webhook_engine.rules.urls import endpoint_url
from webhook_engine.secrets.signing import SigningKey
from webhook_engine.server.api import checks
from webhook_engine.server.api.endpoint_options import OptionsIn, OptionsOut, given_options, shown_options
from webhook_engine.server.api.lists import ListResponse, OrderedQuery, listed
from webhook_engine.server.api.numbers import Uint16
from webhook_engine.server.api.query import NoQuery
from webhook_engine.server.api.route import Auth, Call, NoBody, Out, Reply, Route
from webhook_engine.server.errors import ApiError, Problem, UnprocessableError

__all__ = [
    "ROUTES",
    "EndpointIn",
    "EndpointOut",
    "EndpointPatch",
    "create",
    "delete_endpoint",
    "endpoint_fields",
    "header_problems",
    "known_types",
    "secret_problems",
    "shown",
]

ID_PREFIX = "ep_"
MAX_ENDPOINTS = 1000
"""Endpoints per application."""

T = TypeVar("T")

_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.\-]*):").match


class EndpointUpdate(OptionsIn, frozen=True, kw_only=True):
    """The replacement of an endpoint, except its secret."""

    url: str
    description: str = ""
    uid: str | None = None
    rate_limit: Uint16 | None = None
    throttle_rate: Uint16 | None = None
    version: Uint16 | None = None
    disabled: bool = False
    event_types: list[str] | UnsetType | None = UNSET
    filter_types: list[str] | UnsetType | None = UNSET
    channels: list[str] | None = None
    metadata: dict[str, str] | None = None

    def problems(self) -> Iterator[Problem]:
        """What is not allowed."""
        yield from _problems(self)

    def values(self) -> dict[str, Any]:
        """As arguments of the manager, all of them: omitted values are reset."""
        event_types = self.filter_types if self.event_types is UNSET else self.event_types
        return {
            "url": self.url,
            "description": self.description,
            "uid": self.uid,
            "throttle_rate": self.rate_limit if self.throttle_rate is None else self.throttle_rate,
            "version": 1 if self.version is None else self.version,
            "disabled": self.disabled,
            "event_types": None if event_types is UNSET else event_types,
            "channels": self.channels,
            "metadata": self.metadata,
            **given_options(self, reset=True),
        }


class EndpointIn(EndpointUpdate, frozen=True, kw_only=True):
    """A new endpoint."""

    secret: str | None = None
    headers: dict[str, str] | None = None

    def problems(self) -> Iterator[Problem]:
        """What is not allowed."""
        yield from super().problems()
        yield from secret_problems(self.secret)
        if self.headers is not None:
            yield from header_problems(self.headers)

    def values(self) -> dict[str, Any]:
        """As arguments of the manager."""
        return {**super().values(), "secret": self.secret, "headers": self.headers}


class EndpointPatch(OptionsIn, frozen=True, kw_only=True):
    """Changes of an endpoint; omitted members keep their values."""

    url: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    uid: str | UnsetType | None = UNSET
    rate_limit: Uint16 | UnsetType | None = UNSET
    throttle_rate: Uint16 | UnsetType | None = UNSET
    version: Uint16 | UnsetType = UNSET
    disabled: bool | UnsetType = UNSET
    event_types: list[str] | UnsetType | None = UNSET
    filter_types: list[str] | UnsetType | None = UNSET
    channels: list[str] | UnsetType | None = UNSET
    metadata: dict[str, str] | UnsetType | None = UNSET

    def problems(self) -> Iterator[Problem]:
        """What is not allowed."""
        yield from _problems(self)

    def values(self) -> dict[str, Any]:
        """As arguments of the manager."""
        return {
            "url": self.url,
            "description": self.description,
            "uid": self.uid,
            "throttle_rate": self.rate_limit if self.throttle_rate is UNSET else self.throttle_rate,
            "version": self.version,
            "disabled": self.disabled,
            "event_types": self.filter_types if self.event_types is UNSET else self.event_types,
            "channels": self.channels,
            "metadata": self.metadata,
            **given_options(self, reset=False),
        }


class EndpointFields(OptionsOut, frozen=True, kw_only=True):
    """The fields that every response about an endpoint has."""

    description: str
    rate_limit: int | None
    throttle_rate: int | None
    uid: str | None
    url: str
    version: int
    disabled: bool
    event_types: Sequence[str] | None
    filter_types: Sequence[str] | None
    channels: Sequence[str] | None
    created_at: datetime
    updated_at: datetime
    id: str


class EndpointOut(EndpointFields, frozen=True, kw_only=True):
    """An endpoint."""

    metadata: Mapping[str, str]
    disabled_at: datetime | UnsetType = UNSET
    disabled_reason: str | UnsetType = UNSET
    first_failure_at: datetime | UnsetType = UNSET
    """When the failure window began that is open, or that led to its disabling."""
    paused_until: datetime | UnsetType = UNSET
    """When its circuit breaker lets the next attempt through."""


class EndpointListQuery(OrderedQuery, frozen=True, kw_only=True):
    """Which endpoints to list."""

    ITERATOR_PREFIX = ID_PREFIX


def endpoint_fields(endpoint: Endpoint) -> dict[str, Any]:
    """The fields that every response about an endpoint has."""
    return {
        "description": endpoint.description,
        "rate_limit": endpoint.throttle_rate,
        "throttle_rate": endpoint.throttle_rate,
        "uid": endpoint.uid,
        "url": endpoint.url,
        "version": endpoint.version,
        "disabled": endpoint.disabled,
        "event_types": endpoint.event_types,
        "filter_types": endpoint.event_types,
        "channels": endpoint.channels,
        "created_at": endpoint.created_at,
        "updated_at": endpoint.updated_at,
        "id": endpoint.id,
    }


def shown(endpoint: Endpoint) -> EndpointOut:
    """An endpoint as clients see it."""
    return EndpointOut(
        **endpoint_fields(endpoint),
        metadata=endpoint.metadata,
        disabled_at=UNSET if endpoint.disabled_at is None else endpoint.disabled_at,
        disabled_reason=UNSET if endpoint.disabled_reason is None else endpoint.disabled_reason,
        first_failure_at=UNSET if endpoint.first_failure_at is None else endpoint.first_failure_at,
        paused_until=UNSET if endpoint.paused_until is None else endpoint.paused_until,
        **shown_options(endpoint),
    )


def secret_problems(secret: str | None) -> Iterator[Problem]:
    """What is wrong with a signing secret."""
    if secret is None:
        return
    try:
        SigningKey.parse(secret)
    except ValidationError as error:
        yield Problem(("body", "key", "__all__"), error.problem)


def header_problems(headers: Mapping[str, str]) -> Iterator[Problem]:
    """What is wrong with the headers of an endpoint."""
    try:
        header_rules.checked("headers", headers)
    except ValidationError as error:
        yield Problem(("body", "headers"), str(error), "value_error.jsondecode")


async def list_endpoints(call: Call[EndpointListQuery, NoBody]) -> Out:
    """List endpoints, newest first by default."""
    query = call.query
    page = await call.organization.endpoints.list(
        call.application.id, limit=query.limit, iterator=query.iterator, order=query.order or "descending"
    )
    return listed(page, shown)


async def create_endpoint(call: Call[NoQuery, EndpointIn]) -> Out:
    """Add an endpoint."""
    return shown(await known_types(create(call, call.body.values())))


async def get_endpoint(call: Call[NoQuery, NoBody]) -> Out:
    """Get an endpoint by id or uid."""
    return shown(await call.organization.endpoints.get(call.application.id, call.parameters["endpoint_id"]))


async def put_endpoint(call: Call[NoQuery, EndpointUpdate]) -> Out | Reply:
    """Replace an endpoint; if it does not exist, create one with the uid of the body."""
    endpoints, values = call.organization.endpoints, call.body.values()
    try:
        return shown(await known_types(endpoints.update(call.application.id, call.parameters["endpoint_id"], **values)))
    except NotFoundError:
        return Reply(201, shown(await known_types(create(call, values))))


async def patch_endpoint(call: Call[NoQuery, EndpointPatch]) -> Out:
    """Change the given members of an endpoint."""
    endpoints, values = call.organization.endpoints, call.body.values()
    return shown(await known_types(endpoints.update(call.application.id, call.parameters["endpoint_id"], **values)))


async def delete_endpoint(call: Call[NoQuery, NoBody]) -> None:
    """Delete an endpoint."""
    await call.organization.endpoints.delete(call.application.id, call.parameters["endpoint_id"])


async def create(call: Call[Any, Any], values: dict[str, Any]) -> Endpoint:
    """Add an endpoint; raises ``ApiError`` if the application has reached its limit."""
    if await call.context.services.store.endpoints.count(call.application.id) >= MAX_ENDPOINTS:
        raise ApiError(400, "limit_reached", f"An application can have at most {MAX_ENDPOINTS} endpoints.")
    return await call.organization.endpoints.create(call.application.id, **values)


async def known_types(edit: Awaitable[T]) -> T:
    """Await an edit; raises ``UnprocessableError`` for unknown event types, as the wire contract requires."""
    try:
        return await edit
    except ValidationError as error:
        if error.field == "event_types":
            raise UnprocessableError(Problem(("body", "eventTypes"), error.problem)) from error
        raise


def _problems(given: EndpointUpdate | EndpointPatch) -> Iterator[Problem]:
    if given.event_types is not UNSET and given.filter_types is not UNSET:
        yield Problem(("body", "", ""), "duplicate field `eventTypes`", "value_error.jsondecode")
    if given.url is not UNSET:
        yield from _url_problems(given.url)
    if given.description is not UNSET:
        yield from checks.control_free(("body", "description"), given.description)
    if given.uid is not UNSET:
        yield from checks.uid(("body", "uid"), given.uid, ID_PREFIX)
    yield from checks.at_least_one(
        ("body", "rate_limit"), given.rate_limit, "Endpoint rate limits must be at least one if set"
    )
    yield from checks.at_least_one(
        ("body", "throttle_rate"), given.throttle_rate, "Endpoint throttle rate must be at least one if set"
    )
    yield from checks.at_least_one(
        ("body", "version"), given.version, "Endpoint versions must be at least one if set", limits.version
    )
    event_types = given.filter_types if given.event_types is UNSET else given.event_types
    if isinstance(event_types, list):
        if not event_types:
            yield Problem(("body", "event_types"), "eventTypes can't be empty, it must have at least one item.")
        yield from checks.wanted_event_types(("body", "event_types"), event_types)
    if given.channels is not UNSET:
        yield from checks.channels(("body", "channels"), given.channels)
    if given.metadata is not UNSET:
        yield from checks.metadata(("body", "metadata"), given.metadata)


def _url_problems(url: str) -> Iterator[Problem]:
    scheme = _SCHEME(url)
    if scheme is not None and scheme[1].lower() not in ("http", "https"):
        yield Problem(("body", "url"), "Endpoint URL schemes must be http or https")
        return
    try:
        endpoint_url("url", url, https_only=False)
    except ValidationError as error:
        yield Problem(("body", "url"), f"url: {error.problem}", "value_error.jsondecode")


_COLLECTION = "/app/{app_id}/endpoint"
_ONE = "/app/{app_id}/endpoint/{endpoint_id}"

ROUTES = (
    Route(
        "GET",
        _COLLECTION,
        list_endpoints,
        auth=Auth.APPLICATION,
        needs=Capability.VIEW_BASE,
        query=EndpointListQuery,
        responses={200: ListResponse[EndpointOut]},
        summary="List the endpoints of an application",
        operation="endpoint.list",
    ),
    Route(
        "POST",
        _COLLECTION,
        create_endpoint,
        auth=Auth.APPLICATION,
        needs=Capability.MANAGE_ENDPOINT,
        body=EndpointIn,
        responses={201: EndpointOut},
        fails=(400, 409),
        summary="Create an endpoint",
        operation="endpoint.create",
    ),
    Route(
        "GET",
        _ONE,
        get_endpoint,
        auth=Auth.APPLICATION,
        needs=Capability.VIEW_BASE,
        responses={200: EndpointOut},
        summary="Get an endpoint",
        operation="endpoint.get",
    ),
    Route(
        "PUT",
        _ONE,
        put_endpoint,
        auth=Auth.APPLICATION,
        needs=Capability.MANAGE_ENDPOINT,
        body=EndpointUpdate,
        responses={200: EndpointOut, 201: EndpointOut},
        fails=(400, 409),
        summary="Replace an endpoint, or create one",
        operation="endpoint.update",
    ),
    Route(
        "PATCH",
        _ONE,
        patch_endpoint,
        auth=Auth.APPLICATION,
        needs=Capability.MANAGE_ENDPOINT,
        body=EndpointPatch,
        responses={200: EndpointOut},
        fails=(409,),
        summary="Change an endpoint",
        operation="endpoint.patch",
    ),
    Route(
        "DELETE",
        _ONE,
        delete_endpoint,
        auth=Auth.APPLICATION,
        needs=Capability.MANAGE_ENDPOINT,
        responses={204: None},
        summary="Delete an endpoint",
        operation="endpoint.delete",
    ),
)
