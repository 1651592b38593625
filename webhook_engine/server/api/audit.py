"""The audit log on the wire: who changed what in an organization."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter

import msgspec

from webhook_engine.clock import from_datetime, to_datetime
from webhook_engine.ids import id_bounds, timestamp_of
from webhook_engine.resources import pagination
from webhook_engine.server.api.lists import ListResponse, OrderedQuery, listed
from webhook_engine.server.api.route import Auth, Call, NoBody, Out, Route
from webhook_engine.store.audit import AUDIT_PREFIX, AuditEntry, AuditFilter
from webhook_engine.store.records import Span

__all__ = ["ROUTES"]


class AuditQuery(OrderedQuery, frozen=True, kw_only=True):
    """Which changes to list."""

    ITERATOR_PREFIX = AUDIT_PREFIX
    BY_TIME = True

    before: datetime | None = None
    after: datetime | None = None
    application: str | None = None
    """By id or uid; a deleted application by its id."""
    subject: str | None = None
    action: str | None = None
    target: str | None = None


class AuditEntryOut(Out, frozen=True, kw_only=True):
    """A change, and who made it."""

    id: str
    timestamp: datetime
    application_id: str | None
    subject: str
    token_id: str
    session_id: str | None
    action: str
    target: str | None
    changes: Sequence[str]
    address: str | None


def shown(entry: AuditEntry) -> AuditEntryOut:
    """A change as clients see it."""
    return AuditEntryOut(
        id=entry.id,
        timestamp=to_datetime(timestamp_of(entry.id)),
        application_id=entry.application_id,
        subject=entry.subject,
        token_id=entry.token_id,
        session_id=entry.session_id,
        action=entry.action,
        target=entry.target,
        changes=entry.changes,
        address=entry.address,
    )


async def list_audit(call: Call[AuditQuery, NoBody]) -> Out:
    """List changes, newest first by default."""
    query, services = call.query, call.context.services
    application_id = query.application
    if application_id is not None:
        found = await services.directory.application(call.organization.id, application_id)
        application_id = application_id if found is None else found.id
    request = pagination.by_key(
        limit=query.limit, iterator=query.iterator, order=query.order or "descending", prefix=AUDIT_PREFIX
    )
    span = _between(request.span, query.after, query.before)
    where = AuditFilter(application_id=application_id, subject=query.subject, action=query.action, target=query.target)
    found_entries = await services.store.audit.list(call.organization.id, span, where)
    return listed(request.cut(found_entries, attrgetter("id")), shown)


def _between(span: Span, after: datetime | None, before: datetime | None) -> Span:
    """The part of a span from one instant, inclusive, to another."""
    low = None if after is None else _first(after)
    high = None if before is None else _first(before)
    return msgspec.structs.replace(
        span,
        low=max(filter(None, (span.low, low)), default=None),
        high=min(filter(None, (span.high, high)), default=None),
    )


def _first(instant: datetime) -> str:
    return id_bounds(AUDIT_PREFIX, from_datetime(instant))[0]


ROUTES = (
    Route(
        "GET",
        "/audit-log",
        list_audit,
        auth=Auth.ORGANIZATION,
        query=AuditQuery,
        responses={200: ListResponse[AuditEntryOut]},
        summary="List the audit log",
        operation="audit-log.list",
    ),
)
