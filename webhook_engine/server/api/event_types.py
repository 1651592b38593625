"""Event types on the wire."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import UNSET, UnsetType

from webhook_engine.errors import ConflictError, NotFoundError
from webhook_engine.model import EventType
from webhook_engine.resources import json_schema
from webhook_engine.server.api import checks
from webhook_engine.server.api.lists import ListResponse, OrderedQuery, listed
from webhook_engine.server.api.query import NoQuery, Query
from webhook_engine.server.api.route import Auth, Call, In, NoBody, Out, Reply, Route
from webhook_engine.server.errors import Problem, UnprocessableError

__all__ = ["ROUTES", "EventTypeOut", "shown"]


class EventTypeUpdate(In, frozen=True, kw_only=True):
    """The replacement of an event type, except its name."""

    description: str
    archived: bool = False
    deprecated: bool = False
    schemas: dict[str, dict[str, Any]] | None = None
    feature_flag: str | None = None
    feature_flags: list[str] | None = None
    group_name: str | None = None

    def problems(self) -> Iterator[Problem]:
        """What is not allowed."""
        yield from checks.control_free(("body", "description"), self.description)
        yield from _schema_problems(self.schemas)
        yield from _flag_problems(self.feature_flag, self.feature_flags)
        if self.group_name is not None:
            yield from checks.limited(("body", "group_name"), self.group_name)

    def values(self) -> dict[str, Any]:
        """As arguments of the manager, all of them: omitted values are reset."""
        return {
            "description": self.description,
            "archived": self.archived,
            "deprecated": self.deprecated,
            "schemas": self.schemas,
            "feature_flags": _flags(self.feature_flag, self.feature_flags) or (),
            "group_name": self.group_name,
        }


class EventTypeIn(EventTypeUpdate, frozen=True, kw_only=True):
    """A new event type."""

    name: str

    def problems(self) -> Iterator[Problem]:
        """What is not allowed."""
        yield from checks.event_type(("body", "name"), self.name)
        yield from super().problems()


class EventTypePatch(In, frozen=True, kw_only=True):
    """Changes of an event type; omitted members keep their values."""

    description: str | UnsetType = UNSET
    archived: bool | UnsetType = UNSET
    deprecated: bool | UnsetType = UNSET
    schemas: dict[str, dict[str, Any]] | UnsetType | None = UNSET
    feature_flag: str | UnsetType | None = UNSET
    feature_flags: list[str] | UnsetType | None = UNSET
    group_name: str | UnsetType | None = UNSET

    def problems(self) -> Iterator[Problem]:
        """What is not allowed."""
        if self.description is not UNSET:
            yield from checks.control_free(("body", "description"), self.description)
        yield from _schema_problems(self.schemas or None)
        yield from _flag_problems(self.feature_flag or None, self.feature_flags or None)
        if isinstance(self.group_name, str):
            yield from checks.limited(("body", "group_name"), self.group_name)

    def values(self) -> dict[str, Any]:
        """As arguments of the manager."""
        unchanged = self.feature_flag is UNSET and self.feature_flags is UNSET
        return {
            "description": self.description,
            "archived": self.archived,
            "deprecated": self.deprecated,
            "schemas": self.schemas,
            "feature_flags": UNSET
            if unchanged
            else _flags(self.feature_flag or None, self.feature_flags or None) or (),
            "group_name": self.group_name,
        }


class EventTypeOut(Out, frozen=True, kw_only=True):
    """An event type."""

    name: str
    description: str
    archived: bool
    deprecated: bool
    schemas: Mapping[str, Any] | None
    created_at: datetime
    updated_at: datetime
    feature_flag: str | None
    feature_flags: Sequence[str] | UnsetType = UNSET
    group_name: str | UnsetType = UNSET


class EventTypeListQuery(OrderedQuery, frozen=True, kw_only=True):
    """Which event types to list; the order is always by name."""

    include_archived: bool = False
    with_content: bool = False


class EventTypeDeleteQuery(Query, frozen=True, kw_only=True):
    """How to delete an event type."""

    expunge: bool = False


def shown(event_type: EventType) -> EventTypeOut:
    """An event type as clients see it."""
    return EventTypeOut(
        name=event_type.name,
        description=event_type.description,
        archived=event_type.archived,
        deprecated=event_type.deprecated,
        schemas=event_type.schemas,
        created_at=event_type.created_at,
        updated_at=event_type.updated_at,
        feature_flag=event_type.feature_flag,
        feature_flags=event_type.feature_flags or UNSET,
        group_name=event_type.group_name or UNSET,
    )


async def list_event_types(call: Call[EventTypeListQuery, NoBody]) -> Out:
    """List event types; application tokens see those without a feature flag, and those with one of theirs."""
    query = call.query
    page = await call.organization.event_types.list(
        limit=query.limit,
        iterator=query.iterator,
        include_archived=query.include_archived,
        with_content=query.with_content,
        feature_flags=call.principal.visible_flags,
    )
    return listed(page, shown)


async def create_event_type(call: Call[NoQuery, EventTypeIn]) -> Out:
    """Create an event type; one with the name of an archived type replaces that."""
    return shown(await call.organization.event_types.create(name=call.body.name, **call.body.values()))


async def get_event_type(call: Call[NoQuery, NoBody]) -> Out:
    """Get an event type with its schemas, even if it is archived."""
    name, flags = call.parameters["event_type_name"], call.principal.visible_flags
    return shown(await call.organization.event_types.get(name, feature_flags=flags))


async def put_event_type(call: Call[NoQuery, EventTypeUpdate]) -> Out | Reply:
    """Replace an event type, or create it."""
    name, event_types = call.parameters["event_type_name"], call.organization.event_types
    try:
        return shown(await event_types.update(name, **call.body.values()))
    except NotFoundError:
        pass
    if problems := list(checks.event_type(("path", "event_type_name"), name)):
        raise UnprocessableError(*problems)
    try:
        return Reply(201, shown(await event_types.create(name=name, **call.body.values())))
    except ConflictError:  # another request has just created it
        return shown(await event_types.update(name, **call.body.values()))


async def patch_event_type(call: Call[NoQuery, EventTypePatch]) -> Out:
    """Change the given members of an event type."""
    name = call.parameters["event_type_name"]
    return shown(await call.organization.event_types.update(name, **call.body.values()))


async def delete_event_type(call: Call[EventTypeDeleteQuery, NoBody]) -> None:
    """Archive an event type, or with ``expunge`` delete it."""
    name = call.parameters["event_type_name"]
    await call.organization.event_types.delete(name, expunge=call.query.expunge)


def _flags(one: str | None, several: list[str] | None) -> list[str] | None:
    return several if several is not None else None if one is None else [one]


def _schema_problems(schemas: Mapping[str, Mapping[str, Any]] | None) -> Iterator[Problem]:
    for version, schema in (schemas or {}).items():
        if problem := json_schema.fault(schema):
            text = f"schemas.{version}: not a valid draft-07 JSON Schema: {problem}"
            yield Problem(("body", "schemas", version), text, "value_error.jsondecode")


def _flag_problems(one: str | None, several: list[str] | None) -> Iterator[Problem]:
    if one is not None:
        yield from checks.limited(("body", "feature_flag"), one)
    yield from checks.items(("body", "feature_flags"), several or ())


_ONE = "/event-type/{event_type_name}"

ROUTES = (
    Route(
        "GET",
        "/event-type",
        list_event_types,
        auth=Auth.TOKEN,
        query=EventTypeListQuery,
        responses={200: ListResponse[EventTypeOut]},
        summary="List the event types of the organization",
        operation="event-type.list",
    ),
    Route(
        "POST",
        "/event-type",
        create_event_type,
        auth=Auth.ORGANIZATION,
        body=EventTypeIn,
        responses={201: EventTypeOut},
        fails=(409,),
        summary="Create an event type",
        operation="event-type.create",
    ),
    Route(
        "GET",
        _ONE,
        get_event_type,
        auth=Auth.TOKEN,
        responses={200: EventTypeOut},
        summary="Get an event type",
        operation="event-type.get",
    ),
    Route(
        "PUT",
        _ONE,
        put_event_type,
        auth=Auth.ORGANIZATION,
        body=EventTypeUpdate,
        responses={200: EventTypeOut, 201: EventTypeOut},
        summary="Replace an event type, or create one",
        operation="event-type.update",
    ),
    Route(
        "PATCH",
        _ONE,
        patch_event_type,
        auth=Auth.ORGANIZATION,
        body=EventTypePatch,
        responses={200: EventTypeOut},
        summary="Change an event type",
        operation="event-type.patch",
    ),
    Route(
        "DELETE",
        _ONE,
        delete_event_type,
        auth=Auth.ORGANIZATION,
        query=EventTypeDeleteQuery,
        responses={204: None},
        summary="Archive or delete an event type",
        operation="event-type.delete",
    ),
)
