"""Importing event types from an OpenAPI document."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from webhook_engine.errors import ConflictError, NotFoundError, ValidationError
from webhook_engine.resources.openapi_import import OpenApiEventType, imported_event_types
from webhook_engine.server.api.query import NoQuery
from webhook_engine.server.api.route import Auth, Call, In, Out, Route
from webhook_engine.server.errors import ApiError

__all__ = ["ROUTES"]

LOOKS_EVERY_S: Final = 0.1
"""How often to check whether the client is still connected."""

T = TypeVar("T")


class EventTypeImportIn(In, frozen=True, kw_only=True):
    """A document, as an object or as text (JSON or YAML)."""

    spec: dict[str, Any] | None = None
    spec_raw: str | None = None
    dry_run: bool = False
    replace_all: bool = False
    """Archive the event types that are not in the document."""


class EventTypeFromOpenApi(Out, frozen=True, kw_only=True):
    """An event type that the import creates or updates."""

    name: str
    description: str
    schemas: Mapping[str, Any] | None
    deprecated: bool
    group_name: str | None
    feature_flags: Sequence[str] | None


class EventTypeImportData(Out, frozen=True, kw_only=True):
    """What was changed, or with ``dryRun`` would be."""

    modified: Sequence[str]
    to_modify: Sequence[EventTypeFromOpenApi] | UnsetType = msgspec.field(default=UNSET, name="to_modify")


class EventTypeImportOut(Out, frozen=True, kw_only=True):
    """The result of an import."""

    data: EventTypeImportData


async def import_openapi(call: Call[NoQuery, EventTypeImportIn]) -> Out:
    """Create and update the event types that a document describes."""
    body = call.body
    wanted = await _in_a_thread(partial(_read, body), call.client.left)
    names = [each.name for each in wanted]
    organization = call.organization
    obsolete = []
    if body.replace_all:
        obsolete = [each.name async for each in organization.event_types.iterate() if each.name not in set(names)]
    if body.dry_run:
        return EventTypeImportOut(data=EventTypeImportData(modified=[], to_modify=[_shown(each) for each in wanted]))
    for each in wanted:
        values = {**msgspec.structs.asdict(each), "archived": False}
        try:
            await organization.event_types.create(**values)
        except ConflictError:
            del values["name"]
            await organization.event_types.update(each.name, **values)
    for name in obsolete:
        try:
            await organization.event_types.delete(name)
        except NotFoundError:  # another request has just deleted it
            continue
    return EventTypeImportOut(data=EventTypeImportData(modified=[*names, *obsolete]))


async def _in_a_thread(work: Callable[[Callable[[], None]], T], client_left: Callable[[], bool]) -> T:
    """Run work in a thread; it stops soon after the client has disconnected, or after this is cancelled.

    ``work`` gets a function that it must call now and then, which raises when the work should stop.
    """
    stopped = threading.Event()

    def go_on() -> None:
        if stopped.is_set():
            raise _client_left()

    working = asyncio.create_task(asyncio.to_thread(work, go_on))
    try:
        while not (await asyncio.wait({working}, timeout=LOOKS_EVERY_S))[0]:
            if client_left():
                stopped.set()
        return working.result()
    finally:
        stopped.set()


def _client_left() -> ApiError:
    return ApiError(400, "client_left", "The client has closed the connection before the document was read.")


def _read(body: EventTypeImportIn, go_on: Callable[[], None]) -> list[OpenApiEventType]:
    if (body.spec is None) == (body.spec_raw is None):
        raise ApiError(400, "generic_error", "Give either `spec` or `specRaw`.")
    document = body.spec or {} if body.spec_raw is None else _parsed(body.spec_raw, go_on)
    return imported_event_types(document, go_on=go_on)


def _parsed(text: str, go_on: Callable[[], None]) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        from webhook_engine.server.api.yaml_text import YamlTextError, parse_yaml  # noqa: PLC0415 (few documents are YAML)

        try:
            document = parse_yaml(text, go_on=go_on)
        except YamlTextError as error:
            raise ValidationError("spec_raw", f"is neither JSON nor YAML: {error}") from None
    if not isinstance(document, dict):
        raise ValidationError("spec_raw", "must be an OpenAPI document, an object at its root")
    return document


def _shown(each: OpenApiEventType) -> EventTypeFromOpenApi:
    return EventTypeFromOpenApi(
        name=each.name,
        description=each.description,
        schemas=each.schemas,
        deprecated=each.deprecated,
        group_name=each.group_name,
        feature_flags=each.feature_flags or None,
    )


ROUTES = (
    Route(
        "POST",
        "/event-type/import/openapi",
        import_openapi,
        auth=Auth.ORGANIZATION,
        body=EventTypeImportIn,
        responses={200: EventTypeImportOut},
        fails=(400,),
        summary="Import event types from an OpenAPI document",
        operation="event-type.import-openapi",
    ),
)
