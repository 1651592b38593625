"""The import of records from another server, which ``webhook-engine import`` sends in batches."""

from __future__ import annotations

from collections.abc import Sequence

from webhook_engine.resources.imported import (
    ImportedApplication,
    ImportedBatch,
    ImportedEndpoint,
    ImportedEventType,
    ImportedMessage,
    ImportOutcome,
)
from webhook_engine.server.api.query import NoQuery
from webhook_engine.server.api.route import Auth, Call, In, Out, Route

__all__ = ["ROUTES"]


class ImportIn(In, frozen=True, kw_only=True):
    """A batch of records, each imported independently."""

    event_types: list[ImportedEventType] = []  # noqa: RUF012 (msgspec copies it)
    applications: list[ImportedApplication] = []  # noqa: RUF012 (as above)
    endpoints: list[ImportedEndpoint] = []  # noqa: RUF012 (as above)
    messages: list[ImportedMessage] = []  # noqa: RUF012 (as above)
    dry_run: bool = False
    """Change nothing, and return what would be done with each record."""
    update: bool = False
    """Update records that exist here to match the imported ones."""


class ImportOut(Out, frozen=True, kw_only=True):
    """The result for each record."""

    outcomes: Sequence[ImportOutcome]


async def take_over(call: Call[NoQuery, ImportIn]) -> Out:
    """Import the records that do not exist here yet; a rejected record does not affect the others."""
    body = call.body
    batch = ImportedBatch(
        event_types=body.event_types,
        applications=body.applications,
        endpoints=body.endpoints,
        messages=body.messages,
    )
    outcomes = await call.organization.imports.take(batch, dry_run=body.dry_run, update=body.update)
    return ImportOut(outcomes=outcomes)


ROUTES = (
    Route(
        "POST",
        "/import",
        take_over,
        auth=Auth.ORGANIZATION,
        body=ImportIn,
        responses={200: ImportOut},
        summary="Import the data of another server, with its ids and secrets",
        operation="import.take",
    ),
)
