"""Importing event types from an OpenAPI document."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import yaml
from msgspec import UNSET, UnsetType

from webhook_engine.errors import ConflictError, NotFoundError, ValidationError
from webhook_engine.resources.openapi_import import ImportedEventType, imported_event_types
from webhook_engine.server.api.errors import ApiError
from webhook_engine.server.api.query import NoQuery
from webhook_engine.server.api.route import Auth, Call, In, Out, Route

__all__ = ["ROUTES"]


class EventTypeImportIn(In, frozen=True, kw_only=True):
    """A document, as an object or as text (JSON or YAML)."""

    spec: dict[str, Any] | None = None
    spec_raw: str | None = None
    dry_run: bool = False
    replace_all: bool = False
    """Archive the event types that are not in the document."""


class EventTypeFromOpenApi(Out, frozen=True, kw_only=True):
    """An event type as it would become."""

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
    """The outcome of an import."""

    data: EventTypeImportData


async def import_openapi(call: Call[NoQuery, EventTypeImportIn]) -> Out:
    """Create and update the event types that a document describes."""
    body = call.body
    wanted = await asyncio.to_thread(_read, body)
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
        except NotFoundError:  # somebody else removed it meanwhile
            continue
    return EventTypeImportOut(data=EventTypeImportData(modified=[*names, *obsolete]))


def _read(body: EventTypeImportIn) -> list[ImportedEventType]:
    if (body.spec is None) == (body.spec_raw is None):
        raise ApiError(400, "generic_error", "Give either `spec` or `specRaw`.")
    try:
        return imported_event_types(body.spec or {} if body.spec_raw is None else _parsed(body.spec_raw))
    except RecursionError:
        raise ValidationError("spec", "is nested too deeply") from None


def _parsed(text: str) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError):
        document = _parsed_yaml(text)
    if not isinstance(document, dict):
        raise ValidationError("spec_raw", "must be an OpenAPI document, an object at its root")
    return document


def _parsed_yaml(text: str) -> Any:
    """Without aliases, with which a small document could stand for an enormous one."""
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
            raise ValidationError("spec_raw", "must not have YAML aliases")
        # Through JSON and back, so that it has the types of JSON and no other.
        return msgspec.json.decode(msgspec.json.encode(yaml.safe_load(text)))
    except (yaml.YAMLError, ValueError, TypeError, UnicodeEncodeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValidationError("spec_raw", f"is neither JSON nor YAML: {reason}") from None


def _shown(each: ImportedEventType) -> EventTypeFromOpenApi:
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
        answers={200: EventTypeImportOut},
        fails=(400,),
        summary="Import event types from an OpenAPI document",
        operation="event-type.import-openapi",
    ),
)
