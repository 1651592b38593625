"""Taking over what another server kept, as ``webhook-engine import`` gives it in batches."""

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
    """Some things to take over, each by itself."""

    event_types: list[ImportedEventType] = []  # noqa: RUF012 (msgspec copies it)
    applications: list[ImportedApplication] = []  # noqa: RUF012 (likewise)
    endpoints: list[ImportedEndpoint] = []  # noqa: RUF012 (likewise)
    messages: list[ImportedMessage] = []  # noqa: RUF012 (likewise)
    dry_run: bool = False
    """Change nothing, and answer what would become of each."""
    update: bool = False
    """Make what is here already as it is there."""


class ImportOut(Out, frozen=True, kw_only=True):
    """What became of each."""

    outcomes: Sequence[ImportOutcome]


async def take_over(call: Call[NoQuery, ImportIn]) -> Out:
    """Take over what is not here yet; what is refused is named in its outcome, and costs nothing else."""
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
        summary="Take over what another server kept, with its ids and secrets",
        operation="import.take",
    ),
)
