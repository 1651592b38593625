"""Usage statistics: background tasks across all applications of an organization."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from webhook_engine.server.api.endpoint_actions import TaskStartedOut, started
from webhook_engine.server.api.instants import parse_instant
from webhook_engine.server.api.query import NoQuery
from webhook_engine.server.api.route import Auth, Call, In, NoBody, Out, Route
from webhook_engine.server.api.spans import InstantText, instant_problems
from webhook_engine.server.errors import Problem

__all__ = ["ROUTES"]

MAX_APPLICATIONS = 1000


class AppUsageStatsIn(In, frozen=True, kw_only=True):
    """What to count: the span, and the applications (ids or uids), or all."""

    since: InstantText
    until: InstantText
    app_ids: list[str] | None = None

    def problems(self) -> Iterator[Problem]:
        """What is not allowed."""
        yield from instant_problems("since", self.since)
        yield from instant_problems("until", self.until)
        if self.app_ids is not None and not 0 < len(self.app_ids) <= MAX_APPLICATIONS:
            yield Problem(("body", "app_ids"), f"appIds must have 1 to {MAX_APPLICATIONS} items, or be left out.")


class AppUsageStatsOut(TaskStartedOut, frozen=True, kw_only=True):
    """The task that counts."""

    unresolved_app_ids: Sequence[str]


async def count_usage(call: Call[NoQuery, AppUsageStatsIn]) -> Out:
    """Count the deliveries of each application."""
    body = call.body
    task, unknown = await call.organization.tasks.count_usage(
        parse_instant(body.since), parse_instant(body.until), body.app_ids
    )
    return AppUsageStatsOut(
        id=task.id,
        status=task.status.value,
        task=task.task,
        updated_at=task.updated_at,
        unresolved_app_ids=unknown,
    )


async def list_used_event_types(call: Call[NoQuery, NoBody]) -> Out:
    """List the event types that endpoints subscribe to."""
    return started(await call.organization.tasks.list_used_event_types())


ROUTES = (
    Route(
        "POST",
        "/stats/usage/app",
        count_usage,
        auth=Auth.ORGANIZATION,
        body=AppUsageStatsIn,
        responses={202: AppUsageStatsOut},
        summary="Count the deliveries of each application",
        operation="statistics.aggregate-app-stats",
    ),
    Route(
        "PUT",
        "/stats/usage/event-types",
        list_used_event_types,
        auth=Auth.ORGANIZATION,
        responses={202: TaskStartedOut},
        summary="List the event types that the endpoints of each application ask for",
        operation="statistics.aggregate-event-types",
    ),
)
