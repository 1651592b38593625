"""The number of attempts of an endpoint, in whole hours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from webhook_engine.clock import to_datetime
from webhook_engine.errors import ValidationError
from webhook_engine.rules.capabilities import Capability
from webhook_engine.server.api.endpoint_actions import EndpointStatsQuery
from webhook_engine.server.api.route import Auth, Call, NoBody, Out, Route
from webhook_engine.server.errors import ApiError

__all__ = ["ROUTES"]

_HOUR = timedelta(hours=1)


class EndpointAttemptStatsOut(Out, frozen=True, kw_only=True):
    """The number of attempts."""

    success: int
    fail: int
    canceled: int


async def get_attempt_stats(call: Call[EndpointStatsQuery, NoBody]) -> Out:
    """Count attempts in a span of at most 28 days, extended to full hours at both ends."""
    since, until = call.query.since, call.query.until
    now = to_datetime(call.context.services.clock.now())
    try:
        stats = await call.organization.endpoints.stats(
            call.application.id,
            call.parameters["endpoint_id"],
            None if since is None else _full_hour(since),
            None if until is None or until > now else min(_full_hour(until + _HOUR), now),
        )
    except ValidationError as error:
        raise ApiError(400, "invalid_range", error.problem) from error
    return EndpointAttemptStatsOut(success=stats.success, fail=stats.fail, canceled=stats.canceled)


def _full_hour(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


ROUTES = (
    Route(
        "GET",
        "/app/{app_id}/endpoint/{endpoint_id}/attempt-stats",
        get_attempt_stats,
        auth=Auth.APPLICATION,
        needs=Capability.VIEW_BASE,
        query=EndpointStatsQuery,
        responses={200: EndpointAttemptStatsOut},
        fails=(400,),
        summary="Count the attempts of an endpoint in whole hours",
        operation="endpoint.get-attempt-stats",
    ),
)
