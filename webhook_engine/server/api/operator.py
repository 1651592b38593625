"""Routes for operators: the state of an organization, the engines that serve it, and a search."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

from msgspec import Meta

from webhook_engine.clock import microseconds, to_datetime
from webhook_engine.ids import id_bounds, timestamp_of
from webhook_engine.server.api.query import NoQuery, Query
from webhook_engine.server.api.route import Auth, Call, In, NoBody, Out, Route
from webhook_engine.server.context import Context
from webhook_engine.server.errors import Problem
from webhook_engine.server.tokens import TOKEN_ID_PREFIX, organization_claims
from webhook_engine.store.insight import EndpointStanding, Found
from webhook_engine.store.members import SHARDS, Member

__all__ = ["ROUTES", "organization_token"]

SESSION = timedelta(hours=12)
"""How long an operator's session lasts by default."""
SHORTEST_SESSION, LONGEST_SESSION = timedelta(hours=1), timedelta(days=7)
COUNTED_PENDING = 1_000
"""The most pending deliveries counted per endpoint."""
COUNTED_MESSAGES = 100_000
RATE_SPAN = timedelta(minutes=5)
"""The span over which messages per minute are averaged."""
SHOWN = 25
"""Endpoints listed of each kind."""
FOUND = 20
"""Search results of each kind."""


class FiguresOut(Out, frozen=True, kw_only=True):
    """Counts for an organization."""

    applications: int
    endpoints: int
    disabled_endpoints: int
    failing_endpoints: int
    pending_deliveries: int
    """At most 1000 of each endpoint are counted."""
    pending_more: bool
    """Whether there are more than were counted."""
    oldest_pending_at: datetime | None
    """When the oldest message with a pending delivery was created."""
    messages_per_minute: float
    """Over the last five minutes."""
    messages_more: bool


class StandingOut(Out, frozen=True, kw_only=True):
    """An endpoint that needs attention."""

    id: str
    application_id: str
    application_uid: str | None
    application_name: str
    url: str
    description: str
    disabled_at: datetime | None
    disabled_reason: str | None
    first_failure_at: datetime | None
    pending: int
    oldest_pending_at: datetime | None


class MemberOut(Out, frozen=True, kw_only=True):
    """An engine on the database."""

    id: str
    host: str
    pid: int
    version: str
    started_at: datetime
    lease_seconds: float
    """How long until its lease expires, unless renewed; zero or negative: it has expired."""
    share: float
    """Its share of all endpoints."""


class OverviewOut(Out, frozen=True, kw_only=True):
    """The state of an organization."""

    figures: FiguresOut
    failing: Sequence[StandingOut]
    disabled: Sequence[StandingOut]
    backlogged: Sequence[StandingOut]
    engines: Sequence[MemberOut]
    """The engines that share the database; empty if one engine has it alone."""


class FindQuery(Query, frozen=True, kw_only=True):
    """What to search for."""

    text: Annotated[str, Meta(min_length=1, max_length=500)]


class FoundOut(Out, frozen=True, kw_only=True):
    """A search result."""

    kind: str
    """`application`, `endpoint` or `message`."""
    id: str
    title: str
    detail: str | None
    """A uid or an event id."""
    application_id: str
    application_name: str


class FoundListOut(Out, frozen=True, kw_only=True):
    """The search results, at most 20 of each kind."""

    data: Sequence[FoundOut]


class OperatorAccessIn(In, frozen=True, kw_only=True):
    """The options of an operator's link."""

    expiry: int | None = None
    """How long the session lasts, in seconds."""

    def problems(self) -> Iterator[Problem]:
        """What is not allowed."""
        # Compared as numbers, since a timedelta cannot hold larger ones.
        shortest, longest = SHORTEST_SESSION.total_seconds(), LONGEST_SESSION.total_seconds()
        if self.expiry is not None and not shortest <= self.expiry <= longest:
            yield Problem(("body", "expiry"), "Expiry must be between 1 hour and 7 days.")


class OperatorAccessOut(Out, frozen=True, kw_only=True):
    """A link to the operator's view."""

    url: str


async def overview(call: Call[NoQuery, NoBody]) -> Out:
    """Get the endpoints that fail, are disabled or have the most pending, and the engines that share the database."""
    context, organization_id = call.context, call.organization.id
    insight = context.services.store.insight
    since = id_bounds("msg_", context.services.clock.now() - microseconds(RATE_SPAN))[0]
    figures, failing, disabled, backlogged, members = await asyncio.gather(
        insight.figures(organization_id, since, COUNTED_PENDING, COUNTED_MESSAGES),
        insight.endpoints(organization_id, "failing", SHOWN, COUNTED_PENDING),
        insight.endpoints(organization_id, "disabled", SHOWN, COUNTED_PENDING),
        insight.endpoints(organization_id, "backlogged", SHOWN, COUNTED_PENDING),
        _members(context),
    )
    return OverviewOut(
        figures=FiguresOut(
            applications=figures.applications,
            endpoints=figures.endpoints,
            disabled_endpoints=figures.disabled,
            failing_endpoints=figures.failing,
            pending_deliveries=figures.pending,
            pending_more=figures.pending_more,
            oldest_pending_at=_created(figures.oldest_pending),
            messages_per_minute=round(figures.recent_messages / (RATE_SPAN / timedelta(minutes=1)), 2),
            messages_more=figures.recent_messages >= COUNTED_MESSAGES,
        ),
        failing=[_standing(each) for each in failing],
        disabled=[_standing(each) for each in disabled],
        backlogged=[_standing(each) for each in backlogged],
        engines=[_member(each) for each in members],
    )


async def find(call: Call[FindQuery, NoBody]) -> Out:
    """Search applications, endpoints and messages: by id, uid or event id, or by text in names, URLs, descriptions."""
    text = call.query.text.strip()
    found = await call.context.services.store.insight.find(call.organization.id, text, FOUND) if text else ()
    return FoundListOut(data=[_found(each) for each in found])


async def operator_access(call: Call[NoQuery, OperatorAccessIn]) -> Out:
    """Create a link that opens the operator's view once; its session has the rights of this token."""
    lasting = SESSION if call.body.expiry is None else timedelta(seconds=call.body.expiry)
    key = await call.context.links.create(call.organization.id, "", lasting)
    return OperatorAccessOut(url=f"{call.context.public_url}/portal/#key={key}")


def organization_token(context: Context, organization_id: str, lifetime: timedelta) -> str:
    """Sign a token for a whole organization, valid for ``lifetime``."""
    services = context.services
    now = services.clock.now()
    token_id = services.ids.new(TOKEN_ID_PREFIX, now)
    return context.keys.sign(organization_claims(organization_id, token_id, now // 1_000_000, lifetime))


async def _members(context: Context) -> Sequence[Member]:
    store = context.services.store
    # Without wake-ups from other engines, one engine has the database alone.
    return () if store.wakeups is None else await store.leases.members()


def _created(message_id: str | None) -> datetime | None:
    return None if message_id is None else to_datetime(timestamp_of(message_id))


def _at(instant: int | None) -> datetime | None:
    return None if instant is None else to_datetime(instant)


def _standing(one: EndpointStanding) -> StandingOut:
    return StandingOut(
        id=one.id,
        application_id=one.application_id,
        application_uid=one.application_uid,
        application_name=one.application_name,
        url=one.url,
        description=one.description,
        disabled_at=_at(one.disabled_at),
        disabled_reason=one.disabled_reason,
        first_failure_at=_at(one.first_failure_at),
        pending=one.pending,
        oldest_pending_at=_created(one.oldest_pending),
    )


def _member(one: Member) -> MemberOut:
    return MemberOut(
        id=one.id,
        host=one.host,
        pid=one.pid,
        version=one.version,
        started_at=to_datetime(one.started_at),
        lease_seconds=round(one.lease_s, 3),
        share=one.shards / SHARDS,
    )


def _found(one: Found) -> FoundOut:
    return FoundOut(
        kind=one.kind,
        id=one.id,
        title=one.title,
        detail=one.detail,
        application_id=one.application_id,
        application_name=one.application_name,
    )


ROUTES: tuple[Route[Any, Any], ...] = (
    Route(
        "GET",
        "/operator/overview",
        overview,
        auth=Auth.ORGANIZATION,
        responses={200: OverviewOut},
        summary="Show the figures of an organization",
        operation="operator.overview",
    ),
    Route(
        "GET",
        "/operator/find",
        find,
        auth=Auth.ORGANIZATION,
        query=FindQuery,
        responses={200: FoundListOut},
        summary="Find applications, endpoints and messages",
        operation="operator.find",
    ),
    Route(
        "POST",
        "/auth/operator-access",
        operator_access,
        auth=Auth.ORGANIZATION,
        body=OperatorAccessIn,
        responses={200: OperatorAccessOut},
        summary="Open the operator's view",
        operation="authentication.operator-access",
    ),
)
