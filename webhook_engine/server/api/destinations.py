"""Destinations on the wire: endpoints that get messages in order and in batches, as client libraries name them.

A destination of type ``fifoEndpoint`` is an endpoint with ``ordering`` "fifo", and each such endpoint is a destination.
There are no other types.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from webhook_engine.errors import NotFoundError
from webhook_engine.model import Endpoint
from webhook_engine.rules.capabilities import Capability
from webhook_engine.rules.endpoint_options import LONGEST_BATCH_WAIT, MAX_BATCH_SIZE
from webhook_engine.server.api.attempts import EmptyOut
from webhook_engine.server.api.endpoint_actions import (
    EndpointHeadersOut,
    EndpointSecretOut,
    EndpointSecretRotateIn,
    rotate_secret,
)
from webhook_engine.server.api.endpoints import EndpointIn, EndpointPatch, create, delete_endpoint, known_types
from webhook_engine.server.api.lists import ListResponse, OrderedQuery
from webhook_engine.server.api.query import NoQuery
from webhook_engine.server.api.route import Auth, Call, In, NoBody, Out, Reply, Route
from webhook_engine.server.api.transformations import TransformationPatch
from webhook_engine.server.errors import Problem

__all__ = ["ROUTES"]

FIFO = "fifoEndpoint"
DEFAULT_BATCH_SIZE = 100

BatchSize = Annotated[int, Meta(ge=1, le=MAX_BATCH_SIZE)]
WaitSeconds = Annotated[int, Meta(ge=0, le=int(LONGEST_BATCH_WAIT.total_seconds()))]
Status = Literal["enabled", "disabled"]


class FifoEndpointIn(In, frozen=True, kw_only=True):
    """The URL to send to."""

    url: str
    headers: dict[str, str] | None = None
    key: str | None = None


class FifoEndpointPatch(In, frozen=True, kw_only=True):
    """A change of the URL to send to."""

    url: str | UnsetType = UNSET


class DestinationIn(In, frozen=True, kw_only=True):
    """A new destination, or the replacement of one."""

    type: str
    config: FifoEndpointIn
    uid: str | None = None
    status: Status | None = None
    batch_size: BatchSize | None = None
    max_wait_secs: WaitSeconds | None = None
    event_types: list[str] | None = None
    channels: list[str] | None = None
    metadata: dict[str, str] | None = None

    def problems(self) -> Iterator[Problem]:
        """What is not allowed."""
        yield from _type_problems(self.type)
        yield from self._endpoint().problems()

    def _endpoint(self) -> EndpointIn:
        return EndpointIn(
            url=self.config.url,
            uid=self.uid,
            disabled=self.status == "disabled",
            event_types=self.event_types or None,
            channels=self.channels or None,
            metadata={} if self.metadata is None else self.metadata,
            headers=self.config.headers,
            secret=self.config.key,
        )

    def values(self) -> dict[str, Any]:
        """As arguments of the manager; other settings of the endpoint are kept."""
        given = self._endpoint().values()
        names = ("url", "uid", "disabled", "event_types", "channels", "metadata", "headers", "secret")
        return {name: given[name] for name in names} | {
            "ordering": "fifo",
            "ordering_on_exhausted": "stop",
            "batch_size": self.batch_size or DEFAULT_BATCH_SIZE,
            "batch_wait": _wait(self.max_wait_secs),
        }


class DestinationPatch(In, frozen=True, kw_only=True):
    """Changes of a destination; omitted members keep their values."""

    type: str
    config: FifoEndpointPatch = msgspec.field(default_factory=FifoEndpointPatch)
    uid: str | UnsetType | None = UNSET
    status: Status | UnsetType = UNSET
    batch_size: BatchSize | UnsetType = UNSET
    max_wait_secs: WaitSeconds | UnsetType = UNSET
    event_types: list[str] | UnsetType | None = UNSET
    channels: list[str] | UnsetType | None = UNSET
    metadata: dict[str, str] | UnsetType = UNSET

    def problems(self) -> Iterator[Problem]:
        """What is not allowed."""
        yield from _type_problems(self.type)
        yield from self._endpoint().problems()

    def _endpoint(self) -> EndpointPatch:
        return EndpointPatch(
            url=self.config.url,
            uid=self.uid,
            disabled=UNSET if self.status is UNSET else self.status == "disabled",
            event_types=self.event_types or (UNSET if self.event_types is UNSET else None),
            channels=self.channels or (UNSET if self.channels is UNSET else None),
            metadata=self.metadata,
        )

    def values(self) -> dict[str, Any]:
        """As arguments of the manager."""
        given = self._endpoint().values()
        if self.batch_size is not UNSET:
            given["batch_size"] = self.batch_size
        if self.max_wait_secs is not UNSET:
            given["batch_wait"] = _wait(self.max_wait_secs)
        return given


class FifoEndpointOut(Out, frozen=True, kw_only=True):
    """The URL that it sends to."""

    url: str
    headers: EndpointHeadersOut


class DestinationOut(Out, frozen=True, kw_only=True):
    """A destination."""

    id: str
    uid: str | None
    status: str
    """``enabled``, ``retrying``, ``paused`` if its order is stopped, or ``disabled``."""
    current_iterator: str
    """The id of the message to be delivered next; empty if there is none."""
    failure_reason: str | UnsetType = UNSET
    created_at: datetime
    updated_at: datetime
    batch_size: int
    max_wait_secs: int
    event_types: Sequence[str] | None
    channels: Sequence[str] | None
    next_retry_at: datetime | UnsetType = UNSET
    metadata: Mapping[str, str]
    type: str
    config: FifoEndpointOut


class DestinationTransformIn(In, frozen=True, kw_only=True):
    """The script of a destination, which takes effect at once; null removes it."""

    code: str | UnsetType | None = UNSET

    def problems(self) -> Iterator[Problem]:
        """What is not allowed."""
        yield from TransformationPatch(code=self.code).problems()


class DestinationTransformationOut(Out, frozen=True, kw_only=True):
    """The script of a destination."""

    code: str | None
    enabled: bool


async def list_destinations(call: Call[OrderedQuery, NoBody]) -> Out:
    """List the endpoints of an application with ordered delivery; a page may be shorter than requested."""
    query = call.query
    page = await call.organization.endpoints.list(
        call.application.id, limit=query.limit, iterator=query.iterator, order=query.order or "descending"
    )
    return ListResponse(
        data=[await _shown(call, one) for one in page.data if one.ordering is not None],
        iterator=page.iterator,
        prev_iterator=UNSET if page.prev_iterator is None else page.prev_iterator,
        done=page.done,
    )


async def create_destination(call: Call[NoQuery, DestinationIn]) -> Out:
    """Add an endpoint with ordered delivery."""
    return await _shown(call, await known_types(create(call, call.body.values())))


async def get_destination(call: Call[NoQuery, NoBody]) -> Out:
    """Get a destination by id or uid."""
    return await _shown(call, await _found(call))


async def put_destination(call: Call[NoQuery, DestinationIn]) -> Out | Reply:
    """Replace a destination, except for its headers and secret; create it if it does not exist."""
    values = call.body.values()
    try:
        found = await _found(call)
    except NotFoundError:
        return Reply(201, await _shown(call, await known_types(create(call, values))))
    headers, _ = values.pop("headers"), values.pop("secret")
    edited = await known_types(call.organization.endpoints.update(call.application.id, found.id, **values))
    if headers is not None:
        await call.organization.endpoints.set_headers(call.application.id, found.id, headers)
    return await _shown(call, edited)


async def patch_destination(call: Call[NoQuery, DestinationPatch]) -> Out:
    """Change the given members of a destination."""
    found = await _found(call)
    values = call.body.values()
    return await _shown(
        call, await known_types(call.organization.endpoints.update(call.application.id, found.id, **values))
    )


async def delete_destination(call: Call[NoQuery, NoBody]) -> None:
    """Delete a destination."""
    await _found(call)
    await delete_endpoint(call)


async def rotate(call: Call[NoQuery, EndpointSecretRotateIn]) -> Out | Reply:
    """Replace the signing secret of a destination."""
    await _found(call)
    return await rotate_secret(call)


async def get_transformation(call: Call[NoQuery, NoBody]) -> Out:
    """Get the script of a destination."""
    found = await _found(call)
    script = await call.organization.endpoints.get_transformation(call.application.id, found.id)
    return DestinationTransformationOut(code=script.code, enabled=script.enabled)


async def patch_transformation(call: Call[NoQuery, DestinationTransformIn]) -> Out:
    """Set or remove the script of a destination."""
    found = await _found(call)
    code = call.body.code
    if code is not UNSET:
        await call.organization.endpoints.patch_transformation(
            call.application.id, found.id, code=code, enabled=code is not None
        )
    return EmptyOut()


async def _found(call: Call[Any, Any]) -> Endpoint:
    key = call.parameters["endpoint_id"]
    found = await call.organization.endpoints.get(call.application.id, key)
    if found.ordering is None:
        raise NotFoundError("destination", key)
    return found


async def _shown(call: Call[Any, Any], endpoint: Endpoint) -> DestinationOut:
    endpoints = call.organization.endpoints
    heads = await endpoints.orders(call.application.id, endpoint.id, limit=1)
    headers = await endpoints.get_headers(call.application.id, endpoint.id)
    state = heads[0].state if heads else "sending"
    status = {"sending": "enabled", "retrying": "retrying", "stopped": "paused"}[state]
    wait = timedelta(0) if endpoint.batch_wait is None else endpoint.batch_wait
    retry_at = heads[0].next_attempt if heads and state == "retrying" else None
    return DestinationOut(
        id=endpoint.id,
        uid=endpoint.uid,
        status="disabled" if endpoint.disabled else status,
        current_iterator=heads[0].message_id if heads else "",
        failure_reason=UNSET if endpoint.disabled_reason is None else endpoint.disabled_reason,
        created_at=endpoint.created_at,
        updated_at=endpoint.updated_at,
        batch_size=1 if endpoint.batch_size is None else endpoint.batch_size,
        max_wait_secs=int(wait.total_seconds()),
        event_types=endpoint.event_types,
        channels=endpoint.channels,
        next_retry_at=UNSET if retry_at is None else retry_at,
        metadata=endpoint.metadata,
        type=FIFO,
        config=FifoEndpointOut(
            url=endpoint.url, headers=EndpointHeadersOut(headers=headers.headers, sensitive=headers.sensitive)
        ),
    )


def _type_problems(given: str) -> Iterator[Problem]:
    if given != FIFO:
        yield Problem(("body", "type"), f"Destinations are of the type `{FIFO}` here", "value_error.jsondecode")


def _wait(seconds: int | None) -> timedelta | None:
    return timedelta(seconds=seconds) if seconds else None


_COLLECTION = "/app/{app_id}/destination"
_ONE = "/app/{app_id}/destination/{endpoint_id}"

ROUTES = (
    Route(
        "GET",
        _COLLECTION,
        list_destinations,
        auth=Auth.APPLICATION,
        needs=Capability.VIEW_BASE,
        query=OrderedQuery,
        responses={200: ListResponse[DestinationOut]},
        summary="List the destinations of an application",
        operation="destination.list",
    ),
    Route(
        "POST",
        _COLLECTION,
        create_destination,
        auth=Auth.APPLICATION,
        needs=Capability.MANAGE_ENDPOINT,
        body=DestinationIn,
        responses={201: DestinationOut},
        fails=(400, 409),
        summary="Create a destination",
        operation="destination.create",
    ),
    Route(
        "GET",
        _ONE,
        get_destination,
        auth=Auth.APPLICATION,
        needs=Capability.VIEW_BASE,
        responses={200: DestinationOut},
        summary="Get a destination",
        operation="destination.get",
    ),
    Route(
        "PUT",
        _ONE,
        put_destination,
        auth=Auth.APPLICATION,
        needs=Capability.MANAGE_ENDPOINT,
        body=DestinationIn,
        responses={200: DestinationOut, 201: DestinationOut},
        fails=(400, 409),
        summary="Replace a destination, or create one",
        operation="destination.upsert",
    ),
    Route(
        "PATCH",
        _ONE,
        patch_destination,
        auth=Auth.APPLICATION,
        needs=Capability.MANAGE_ENDPOINT,
        body=DestinationPatch,
        responses={200: DestinationOut},
        fails=(409,),
        summary="Change a destination",
        operation="destination.patch",
    ),
    Route(
        "DELETE",
        _ONE,
        delete_destination,
        auth=Auth.APPLICATION,
        needs=Capability.MANAGE_ENDPOINT,
        responses={204: None},
        summary="Delete a destination",
        operation="destination.delete",
    ),
    Route(
        "POST",
        f"{_ONE}/secret/rotate",
        rotate,
        auth=Auth.APPLICATION,
        needs=Capability.MANAGE_ENDPOINT_SECRET,
        body=EndpointSecretRotateIn,
        responses={200: EndpointSecretOut, 204: None},
        fails=(400,),
        summary="Replace the signing secret of a destination",
        operation="destination.rotate-secret",
    ),
    Route(
        "GET",
        f"{_ONE}/transformation",
        get_transformation,
        auth=Auth.APPLICATION,
        needs=Capability.MANAGE_TRANSFORMATIONS,
        responses={200: DestinationTransformationOut},
        summary="Get the script of a destination",
        operation="destination.transformation-get",
    ),
    Route(
        "PATCH",
        f"{_ONE}/transformation",
        patch_transformation,
        auth=Auth.APPLICATION,
        needs=Capability.MANAGE_TRANSFORMATIONS,
        body=DestinationTransformIn,
        responses={200: EmptyOut},
        fails=(400,),
        summary="Change the script of a destination",
        operation="destination.patch-transformation",
    ),
)
