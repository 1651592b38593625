"""Applications on the wire."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from msgspec import UNSET, UnsetType

from webhook_engine.errors import NotFoundError
from webhook_engine.model import Application
from webhook_engine.rules.inboxes import INBOX_PATH
from webhook_engine.server.api import checks
from webhook_engine.server.api.lists import ListResponse, OrderedQuery, listed
from webhook_engine.server.api.numbers import Uint16
from webhook_engine.server.api.query import NoQuery, Query
from webhook_engine.server.api.route import Auth, Call, In, NoBody, Out, Reply, Route
from webhook_engine.server.errors import ApiError, Problem, UnprocessableError

__all__ = ["ROUTES", "ApplicationIn", "ApplicationOut", "ensure_application", "shown"]

ID_PREFIX = "app_"


class ApplicationIn(In, frozen=True, kw_only=True):
    """A new application, or the replacement of an existing one."""

    name: str
    uid: str | None = None
    rate_limit: Uint16 | None = None
    throttle_rate: Uint16 | None = None
    metadata: dict[str, str] | None = None

    def problems(self, *at: str) -> Iterator[Problem]:
        """What is not allowed."""
        place = at or ("body",)
        yield from _name((*place, "name"), self.name)
        yield from checks.uid((*place, "uid"), self.uid, ID_PREFIX)
        yield from _rates(place, self.rate_limit, self.throttle_rate)
        yield from checks.metadata((*place, "metadata"), self.metadata)

    def values(self) -> dict[str, Any]:
        """As arguments of the manager, all of them: omitted values are reset."""
        rate = self.rate_limit if self.throttle_rate is None else self.throttle_rate
        return {"name": self.name, "uid": self.uid, "throttle_rate": rate, "metadata": self.metadata}


class ApplicationPatch(In, frozen=True, kw_only=True):
    """Changes of an application; omitted members keep their values."""

    name: str | UnsetType = UNSET
    uid: str | UnsetType | None = UNSET
    rate_limit: Uint16 | UnsetType | None = UNSET
    throttle_rate: Uint16 | UnsetType | None = UNSET
    metadata: dict[str, str] | UnsetType | None = UNSET

    def problems(self) -> Iterator[Problem]:
        """What is not allowed."""
        if self.name is not UNSET:
            yield from _name(("body", "name"), self.name)
        if self.uid is not UNSET:
            yield from checks.uid(("body", "uid"), self.uid, ID_PREFIX)
        yield from _rates(("body",), self.rate_limit, self.throttle_rate)
        if self.metadata is not UNSET:
            yield from checks.metadata(("body", "metadata"), self.metadata)

    def values(self) -> dict[str, Any]:
        """As arguments of the manager."""
        rate = self.rate_limit if self.throttle_rate is UNSET else self.throttle_rate
        return {"name": self.name, "uid": self.uid, "throttle_rate": rate, "metadata": self.metadata}


class ApplicationOut(Out, frozen=True, kw_only=True):
    """An application."""

    uid: str | UnsetType = UNSET
    name: str
    rate_limit: int | UnsetType = UNSET
    throttle_rate: int | None
    id: str
    created_at: datetime
    updated_at: datetime
    metadata: Mapping[str, str]


class ApplicationListQuery(OrderedQuery, frozen=True, kw_only=True):
    """Which applications to list."""

    ITERATOR_PREFIX = ID_PREFIX

    exclude_apps_with_no_endpoints: bool = False
    exclude_apps_with_disabled_endpoints: bool = False
    exclude_apps_with_svix_play_endpoints: bool = False
    """Exclude applications that have an endpoint at a Play inbox, of this server or of the hosted service."""


class ApplicationCreateQuery(Query, frozen=True, kw_only=True):
    """How to create an application."""

    get_if_exists: bool = False


def shown(application: Application) -> ApplicationOut:
    """An application as clients see it."""
    return ApplicationOut(
        uid=UNSET if application.uid is None else application.uid,
        name=application.name,
        rate_limit=UNSET if application.throttle_rate is None else application.throttle_rate,
        throttle_rate=application.throttle_rate,
        id=application.id,
        created_at=application.created_at,
        updated_at=application.updated_at,
        metadata=application.metadata,
    )


async def ensure_application(call: Call[Any, Any], key: str, given: ApplicationIn | None) -> Application:
    """The application in the path, created from the body if it does not exist; raises ``ApiError``."""
    try:
        return await call.organization.applications.get(key)
    except NotFoundError:
        if given is None:
            raise ApiError(404, "not_found", "Application not found") from None
    place = ("body", "application", "uid")
    if given.uid is None:
        raise UnprocessableError(Problem(place, "Application UID not set in body", "application_uid_missing"))
    if given.uid != key:
        raise UnprocessableError(
            Problem(place, "Application UID in the path and body must match", "application_uid_mismatch")
        )
    return await call.organization.applications.get_or_create(**given.values())


async def list_applications(call: Call[ApplicationListQuery, NoBody]) -> Out:
    """List applications, oldest first by default."""
    query = call.query
    inboxes = (call.context.public_url + INBOX_PATH, "https://play.svix.com/")
    page = await call.organization.applications.list(
        limit=query.limit,
        iterator=query.iterator,
        order=query.order or "ascending",
        without_endpoints=not query.exclude_apps_with_no_endpoints,
        with_disabled_endpoints=not query.exclude_apps_with_disabled_endpoints,
        no_endpoint_at=inboxes if query.exclude_apps_with_svix_play_endpoints else (),
    )
    return listed(page, shown)


async def create_application(call: Call[ApplicationCreateQuery, ApplicationIn]) -> Out | Reply:
    """Create an application. With ``get_if_exists``, an existing one with this uid is returned unchanged."""
    applications, values = call.organization.applications, call.body.values()
    if not call.query.get_if_exists or call.body.uid is None:
        return shown(await applications.create(**values))
    try:
        return Reply(200, shown(await applications.get(call.body.uid)))
    except NotFoundError:
        return shown(await applications.get_or_create(**values))


async def get_application(call: Call[NoQuery, NoBody]) -> Out:
    """Get an application by id or uid."""
    return shown(call.application)


async def put_application(call: Call[NoQuery, ApplicationIn]) -> Out | Reply:
    """Replace an application; if it does not exist, create one with the uid of the body."""
    applications, values = call.organization.applications, call.body.values()
    try:
        return shown(await applications.update(call.parameters["app_id"], **values))
    except NotFoundError:
        return Reply(201, shown(await applications.create(**values)))


async def patch_application(call: Call[NoQuery, ApplicationPatch]) -> Out:
    """Change the given members of an application."""
    return shown(await call.organization.applications.update(call.application.id, **call.body.values()))


async def delete_application(call: Call[NoQuery, NoBody]) -> None:
    """Delete an application with its endpoints."""
    await call.organization.applications.delete(call.application.id)


def _name(place: tuple[str, ...], name: str) -> Iterator[Problem]:
    if not name:
        yield Problem(place, "Application names must be at least one character")
    yield from checks.control_free(place, name)


def _rates(
    place: tuple[str, ...], rate_limit: int | UnsetType | None, throttle_rate: int | UnsetType | None
) -> Iterator[Problem]:
    yield from checks.at_least_one(
        (*place, "rate_limit"), rate_limit, "Application rate limits must be at least 1 if set"
    )
    yield from checks.at_least_one(
        (*place, "throttle_rate"), throttle_rate, "Application throttle rate must be at least 1 if set"
    )


ROUTES = (
    Route(
        "GET",
        "/app",
        list_applications,
        auth=Auth.ORGANIZATION,
        query=ApplicationListQuery,
        responses={200: ListResponse[ApplicationOut]},
        summary="List the applications of the organization",
        operation="application.list",
    ),
    Route(
        "POST",
        "/app",
        create_application,
        auth=Auth.ORGANIZATION,
        query=ApplicationCreateQuery,
        body=ApplicationIn,
        responses={201: ApplicationOut, 200: ApplicationOut},
        fails=(409,),
        summary="Create an application",
        operation="application.create",
    ),
    Route(
        "GET",
        "/app/{app_id}",
        get_application,
        auth=Auth.APPLICATION,
        responses={200: ApplicationOut},
        summary="Get an application",
        operation="application.get",
    ),
    Route(
        "PUT",
        "/app/{app_id}",
        put_application,
        auth=Auth.ORGANIZATION,
        body=ApplicationIn,
        responses={200: ApplicationOut, 201: ApplicationOut},
        fails=(409,),
        summary="Replace an application, or create one",
        operation="application.update",
    ),
    Route(
        "PATCH",
        "/app/{app_id}",
        patch_application,
        auth=Auth.ORGANIZATION_APPLICATION,
        body=ApplicationPatch,
        responses={200: ApplicationOut},
        fails=(409,),
        summary="Change an application",
        operation="application.patch",
    ),
    Route(
        "DELETE",
        "/app/{app_id}",
        delete_application,
        auth=Auth.ORGANIZATION_APPLICATION,
        responses={204: None},
        summary="Delete an application",
        operation="application.delete",
    ),
)
