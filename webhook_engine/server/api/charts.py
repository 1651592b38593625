"""Attempts over time: successes, status codes and durations, of an endpoint or an application.

Successes and failures are counted exactly. Where there are very many attempts, status codes and durations are taken
from the last part of each interval, so that the cost of a page stays bounded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Annotated

from msgspec import Meta

from webhook_engine.clock import from_datetime, microseconds, to_datetime
from webhook_engine.ids import id_bounds
from webhook_engine.model import AttemptStatus
from webhook_engine.rules.capabilities import Capability
from webhook_engine.server.api.query import Query
from webhook_engine.server.api.route import Auth, Call, NoBody, Out, Route
from webhook_engine.server.errors import Problem
from webhook_engine.store.insight import Range, Timed

__all__ = ["ROUTES", "percentile"]

DEFAULT_SPAN = timedelta(days=7)
LONGEST_SPAN = timedelta(days=30, minutes=5)
MOST_TIMED = 200_000
"""The most attempts whose status codes and durations are read."""
_PREFIX = "atmpt_"


class AttemptsOverTimeQuery(Query, frozen=True, kw_only=True):
    """The span of time, and the number of parts to divide it into."""

    since: datetime | None = None
    until: datetime | None = None
    parts: Annotated[int, Meta(ge=1, le=96)] = 28

    def problems(self) -> Iterator[Problem]:
        """What is not allowed."""
        if self.since is not None and self.until is not None and not self.since < self.until:
            yield Problem(("query", "since"), "'since' must be before 'until'")


class AnswersOut(Out, frozen=True, kw_only=True):
    """The number of attempts by status code."""

    succeeded: int
    """200 to 299."""
    redirected: int
    """300 to 399; redirects are not followed."""
    refused: int
    """400 to 499."""
    broken: int
    """500 and above."""
    none: int
    """No response, or not HTTP."""


class PartOut(Out, frozen=True, kw_only=True):
    """Attempts in one part of the span."""

    start: datetime
    success: int
    fail: int
    answers: AnswersOut
    p50_ms: int | None
    """The median duration of answered attempts, in milliseconds; null if none was answered."""
    p95_ms: int | None


class AttemptsOverTimeOut(Out, frozen=True, kw_only=True):
    """Attempts over time."""

    since: datetime
    until: datetime
    p50_ms: int | None
    p95_ms: int | None
    sampled: bool
    """Whether status codes and durations are from a sample of the attempts."""
    data: Sequence[PartOut]


async def of_endpoint(call: Call[AttemptsOverTimeQuery, NoBody]) -> Out:
    """Count the attempts of one endpoint over time: 7 days by default, 30 at most."""
    endpoint = await call.organization.endpoints.get(call.application.id, call.parameters["endpoint_id"])
    return await _over_time(call, endpoint.id)


async def of_application(call: Call[AttemptsOverTimeQuery, NoBody]) -> Out:
    """Count the attempts of an application's current endpoints over time: 7 days by default, 30 at most."""
    return await _over_time(call, None)


def percentile(counts: Mapping[int, int], share: float) -> int | None:
    """The smallest value that at least this share of the counted values does not exceed. Pure."""
    wanted = share * sum(counts.values())
    seen = 0
    for value in sorted(counts):
        seen += counts[value]
        if seen >= wanted and seen > 0:
            return value
    return None


async def _over_time(call: Call[AttemptsOverTimeQuery, NoBody], endpoint_id: str | None) -> Out:
    query, now = call.query, call.context.services.clock.now()
    until = now if query.until is None else min(from_datetime(query.until), now)
    since = until - microseconds(DEFAULT_SPAN) if query.since is None else from_datetime(query.since)
    since = min(max(since, until - microseconds(LONGEST_SPAN)), until - query.parts)
    edges = [since + (until - since) * place // query.parts for place in range(query.parts + 1)]
    insight = call.context.services.store.insight
    counted: Counter[tuple[int, AttemptStatus]] = Counter()
    of = (call.application.id, endpoint_id)
    share = 1.0
    if await insight.more_attempts(*of, _ranges([since, until], 1.0)[0], MOST_TIMED):
        for each in await insight.attempts(*of, _ranges(edges, 1.0)):
            counted[each.place, each.status] += each.count
        share = MOST_TIMED / counted.total()
    timed = await insight.durations(*of, _ranges(edges, share))
    if share == 1.0:
        for one in timed:
            counted[one.place, one.status] += one.count
    whole = _durations(timed)
    in_part: dict[int, list[Timed]] = {}
    for one in timed:
        in_part.setdefault(one.place, []).append(one)
    return AttemptsOverTimeOut(
        since=to_datetime(since),
        until=to_datetime(until),
        p50_ms=percentile(whole, 0.5),
        p95_ms=percentile(whole, 0.95),
        sampled=share < 1,
        data=[
            _part(
                start,
                counted[place, AttemptStatus.SUCCESS],
                counted[place, AttemptStatus.FAIL],
                in_part.get(place, ()),
            )
            for place, start in enumerate(edges[:-1])
        ],
    )


def _part(start: int, success: int, fail: int, timed: Sequence[Timed]) -> PartOut:
    durations = _durations(timed)
    seen: Counter[int] = Counter()
    for each in timed:
        if each.status is not AttemptStatus.SUCCESS:
            seen[each.code_class] += each.count
    # Successes and failures are known exactly; scale up the status codes of those in the sample.
    looked_at = seen.total()
    scale = fail / looked_at if looked_at else 0.0
    return PartOut(
        start=to_datetime(start),
        success=success,
        fail=fail,
        answers=AnswersOut(
            succeeded=success,
            redirected=round(seen[3] * scale),
            refused=round(seen[4] * scale),
            broken=round(sum(count for code, count in seen.items() if code >= 5) * scale),
            none=round((seen[0] + seen[1]) * scale),
        ),
        p50_ms=percentile(durations, 0.5),
        p95_ms=percentile(durations, 0.95),
    )


def _durations(timed: Sequence[Timed]) -> Mapping[int, int]:
    """How many answered attempts took how long."""
    durations: Counter[int] = Counter()
    for each in timed:
        if each.code_class:
            durations[each.duration_ms] += each.count
    return durations


def _ranges(edges: Sequence[int], share: float) -> Sequence[Range]:
    """The intervals between these instants, or the last share of each; the last interval ends now."""
    last = edges[-1]
    return [
        Range(_first(end - round((end - start) * share)), id_bounds(_PREFIX, end)[1] if end == last else _first(end))
        for start, end in pairwise(edges)
    ]


def _first(instant: int) -> str:
    return id_bounds(_PREFIX, instant)[0]


ROUTES = (
    Route(
        "GET",
        "/app/{app_id}/endpoint/{endpoint_id}/stats/by-time",
        of_endpoint,
        auth=Auth.APPLICATION,
        needs=Capability.VIEW_BASE,
        query=AttemptsOverTimeQuery,
        responses={200: AttemptsOverTimeOut},
        summary="Count the attempts of an endpoint over time",
        operation="endpoint.get-stats-by-time",
    ),
    Route(
        "GET",
        "/app/{app_id}/stats/by-time",
        of_application,
        auth=Auth.APPLICATION,
        needs=Capability.VIEW_BASE,
        query=AttemptsOverTimeQuery,
        responses={200: AttemptsOverTimeOut},
        summary="Count the attempts of an application over time",
        operation="application.get-stats-by-time",
    ),
)
