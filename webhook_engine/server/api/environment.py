"""Export and import of an organization's event types, as one JSON document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from webhook_engine.clock import to_datetime
from webhook_engine.errors import ConflictError
from webhook_engine.log import get_logger
from webhook_engine.resources.organization import Organization
from webhook_engine.server.api import event_types
from webhook_engine.server.api.event_types import EventTypeIn, EventTypeOut
from webhook_engine.server.api.query import NoQuery
from webhook_engine.server.api.route import Auth, Call, In, NoBody, Out, Route
from webhook_engine.server.errors import ApiError, Problem

__all__ = ["ROUTES"]

VERSION: Final = 1
"""The version of the document's format."""
MAX_EXPORTED_BYTES: Final = 16 * 1024 * 1024

log = get_logger("api")


class EnvironmentOut(Out, frozen=True, kw_only=True):
    """The exported event types; this server has no settings or connectors to export."""

    version: int
    created_at: datetime
    event_types: Sequence[EventTypeOut]
    settings: None = None
    connectors: Sequence[None] = ()


class EnvironmentIn(In, frozen=True, kw_only=True):
    """The event types to create or update; this server has no settings or connectors to import."""

    event_types: list[EventTypeIn] | None = None
    settings: dict[str, Any] | None = None
    connectors: list[dict[str, Any]] | None = None

    def problems(self) -> Iterator[Problem]:
        """What is not allowed."""
        for index, each in enumerate(self.event_types or ()):
            for problem in each.problems():
                loc = (problem.loc[0], "event_types", f"[{index}]", *problem.loc[1:])
                yield msgspec.structs.replace(problem, loc=loc)


async def export_environment(call: Call[NoQuery, NoBody]) -> Out:
    """Export all event types, including archived ones, with their schemas."""
    found: list[EventTypeOut] = []
    size = 0
    async for each in call.organization.event_types.iterate(include_archived=True):
        found.append(event_types.shown(each))
        size += len(msgspec.json.encode(each.schemas)) if each.schemas else 0
        if size > MAX_EXPORTED_BYTES:
            limit = MAX_EXPORTED_BYTES // (1024 * 1024)
            text = f"The schemas have more than {limit} MiB together; read GET /event-type page by page instead."
            raise ApiError(400, "limit_reached", text)
    now = to_datetime(call.context.services.clock.now())
    return EnvironmentOut(version=VERSION, created_at=now, event_types=found)


async def import_environment(call: Call[NoQuery, EnvironmentIn]) -> None:
    """Create the given event types, and replace existing ones; nothing is deleted."""
    body = call.body
    for each in body.event_types or ():
        await _put(call.organization, each)
    if body.settings or body.connectors:
        log.warning(
            "environment.left_out",
            organization=call.organization.id,
            settings=sorted(body.settings or {}),
            connectors=len(body.connectors or ()),
        )


async def _put(organization: Organization, each: EventTypeIn) -> None:
    values = each.values()
    try:
        await organization.event_types.create(name=each.name, **values)
    except ConflictError:
        await organization.event_types.update(each.name, **values)


ROUTES = (
    Route(
        "POST",
        "/environment/export",
        export_environment,
        auth=Auth.ORGANIZATION,
        responses={200: EnvironmentOut},
        fails=(400,),
        summary="Export the settings of the organization: its event types",
        operation="environment.export",
    ),
    Route(
        "POST",
        "/environment/import",
        import_environment,
        auth=Auth.ORGANIZATION,
        body=EnvironmentIn,
        responses={204: None},
        summary="Import event types from an export",
        operation="environment.import",
    ),
)
