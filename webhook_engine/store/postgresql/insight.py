"""What pages show of many things at once, in PostgreSQL."""

# ruff: noqa: S608 (only parts that are written here are put into statements, values never)

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from webhook_engine.model import AttemptStatus
from webhook_engine.store import rows
from webhook_engine.store.insight import Counted, EndpointStanding, Figures, Found, Range, Timed, Which
from webhook_engine.store.postgresql.connection import Session
from webhook_engine.store.postgresql.database import Database

__all__ = ["PostgresqlInsight"]

_PENDING = """
(SELECT count(*) FROM (
    SELECT 1 FROM webhook_delivery AS delivery
    WHERE delivery.endpoint_id = endpoint.id AND delivery.status = 1 LIMIT $2
) AS counted)
"""


def _oldest(endpoint: str, attempted: str) -> str:
    return f"""
    (SELECT message_id FROM webhook_delivery AS delivery
    WHERE delivery.endpoint_id = {endpoint}.id AND delivery.status = 1 AND delivery.attempted = {attempted}
    ORDER BY message_id LIMIT 1)
    """


_FIGURES = f"""
SELECT count(*), count(disabled_at), count(CASE WHEN disabled_at IS NULL THEN first_failure_at END),
    coalesce(sum(pending), 0)::bigint, coalesce(max(pending) >= $2, false), min(oldest), min(oldest_retry)
FROM (
    SELECT endpoint.disabled_at, endpoint.first_failure_at, {_PENDING} AS pending,
        {_oldest("endpoint", "false")} AS oldest, {_oldest("endpoint", "true")} AS oldest_retry
    FROM webhook_endpoint AS endpoint WHERE endpoint.organization_id = $1 AND NOT endpoint.deleted
) AS standing
"""

_APPLICATIONS = """
SELECT count(*) FROM webhook_application WHERE organization_id = $1 AND NOT deleted
"""

_MESSAGES = """
SELECT count(*) FROM (
    SELECT 1 FROM webhook_application AS application
    JOIN webhook_message AS message ON message.application_id = application.id AND message.id >= $2
    WHERE application.organization_id = $1 AND NOT application.deleted LIMIT $3
) AS recent
"""

_CONDITIONS: Final = {
    "failing": (
        "endpoint.first_failure_at IS NOT NULL AND endpoint.disabled_at IS NULL",
        "endpoint.first_failure_at, endpoint.id",
    ),
    "disabled": ("endpoint.disabled_at IS NOT NULL", "endpoint.disabled_at DESC, endpoint.id"),
    "backlogged": (
        "EXISTS (SELECT 1 FROM webhook_delivery WHERE endpoint_id = endpoint.id AND status = 1)",
        "pending DESC, endpoint.id",
    ),
}

_FIND_MESSAGES = """
SELECT message.id, message.event_type, message.event_id, application.id, application.name
FROM webhook_message AS message JOIN webhook_application AS application ON application.id = message.application_id
WHERE message.id = $2 AND application.organization_id = $1 AND NOT application.deleted
UNION
(
    SELECT message.id, message.event_type, message.event_id, application.id, application.name
    FROM webhook_application AS application
    JOIN webhook_message AS message ON message.application_id = application.id AND message.event_id = $2
    WHERE application.organization_id = $1 AND NOT application.deleted LIMIT $3
)
"""

_FIND_ENDPOINTS = """
SELECT endpoint.id, endpoint.url, endpoint.uid, application.id, application.name
FROM webhook_endpoint AS endpoint JOIN webhook_application AS application ON application.id = endpoint.application_id
WHERE endpoint.organization_id = $1 AND NOT endpoint.deleted AND (
    endpoint.id = $2 OR endpoint.uid = $2
    OR position(lower($2) IN lower(endpoint.url)) > 0 OR position(lower($2) IN lower(endpoint.description)) > 0
)
ORDER BY (endpoint.id = $2 OR coalesce(endpoint.uid = $2, false) OR endpoint.url = $2) DESC, endpoint.id LIMIT $3
"""

_FIND_APPLICATIONS = """
SELECT id, name, uid, id, name FROM webhook_application
WHERE organization_id = $1 AND NOT deleted
    AND (id = $2 OR position(lower($2) IN lower(uid)) > 0 OR position(lower($2) IN lower(name)) > 0)
ORDER BY (id = $2 OR coalesce(uid = $2, false) OR name = $2) DESC, id LIMIT $3
"""

_PULSE = """
SELECT
    (SELECT max(id) FROM webhook_message WHERE application_id = $1),
    count(*), max(updated_at), count(disabled_at), sum(first_failure_at)::text,
    max((SELECT max(id) FROM webhook_attempt WHERE endpoint_id = endpoint.id AND status = 0)),
    max((SELECT max(id) FROM webhook_attempt WHERE endpoint_id = endpoint.id AND status = 2))
FROM webhook_endpoint AS endpoint WHERE endpoint.application_id = $1 AND NOT endpoint.deleted
"""

# One range of the index for each stretch and endpoint. Without OFFSET the planner may take the stretches for few, and
# compare every attempt that the endpoints ever had with each of them.
_ATTEMPTS = """
FROM unnest($3::text[], $4::text[]) WITH ORDINALITY AS stretch (low, high, place)
CROSS JOIN (
    SELECT id FROM webhook_endpoint
    WHERE application_id = $1 AND NOT deleted AND ($2::text IS NULL OR id = $2)
) AS target
CROSS JOIN LATERAL (
    SELECT status, status_code, duration_ms FROM webhook_attempt
    WHERE endpoint_id = target.id AND status IN (0, 2) AND id >= stretch.low AND id < stretch.high
    OFFSET 0
) AS attempt
"""

_MORE = f"""
SELECT count(*) FROM (SELECT 1 {_ATTEMPTS} LIMIT $5) AS counted
"""

_COUNT = f"""
SELECT (stretch.place - 1)::integer, attempt.status, count(*) {_ATTEMPTS} GROUP BY 1, 2
"""

_DURATIONS = f"""
SELECT (stretch.place - 1)::integer, attempt.status, attempt.status_code / 100, CASE
    WHEN attempt.duration_ms < 100 THEN attempt.duration_ms
    WHEN attempt.duration_ms < 1000 THEN attempt.duration_ms - attempt.duration_ms % 10
    ELSE attempt.duration_ms - attempt.duration_ms % 100
END, count(*)
{_ATTEMPTS} GROUP BY 1, 2, 3, 4
"""


class PostgresqlInsight:
    """See :class:`~webhook_engine.store.insight.InsightStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def figures(self, organization_id: str, messages_from: str, most_pending: int, most_messages: int) -> Figures:
        """The figures of an organization."""

        async def read(session: Session) -> Figures:
            [(applications,)] = await session.rows(_APPLICATIONS, organization_id)
            [(endpoints, disabled, failing, pending, more, *oldest)] = await session.rows(
                _FIGURES, organization_id, most_pending
            )
            [(messages,)] = await session.rows(_MESSAGES, organization_id, messages_from, most_messages)
            return Figures(
                applications=applications,
                endpoints=endpoints,
                disabled=disabled,
                failing=failing,
                pending=pending,
                pending_more=more,
                oldest_pending=rows.earliest(*oldest),
                recent_messages=messages,
            )

        return await self._database.read_long_with(read)

    async def endpoints(
        self, organization_id: str, which: Which, limit: int, most_pending: int
    ) -> Sequence[EndpointStanding]:
        """Up to ``limit`` endpoints, the most urgent first."""
        condition, order = _CONDITIONS[which]
        sql = f"""
        SELECT {rows.columns(rows.STANDING, "found")}, {_oldest("found", "false")}, {_oldest("found", "true")}
        FROM (
            SELECT endpoint.id, application.id AS application_id, application.uid AS application_uid,
                application.name AS application_name, endpoint.url, endpoint.description, endpoint.disabled_at,
                endpoint.disabled_reason, endpoint.first_failure_at, {_PENDING} AS pending
            FROM webhook_endpoint AS endpoint
            JOIN webhook_application AS application ON application.id = endpoint.application_id
            WHERE endpoint.organization_id = $1 AND NOT endpoint.deleted AND {condition}
            ORDER BY {order} LIMIT $3
        ) AS found
        """
        return [rows.standing(row) for row in await self._database.read_long(sql, organization_id, most_pending, limit)]

    async def find(self, organization_id: str, text: str, limit: int) -> Sequence[Found]:
        """What has ``text`` as its id, uid or event id, or in its name, URL or description."""
        if "\0" in text:
            return []

        async def read(session: Session) -> list[Found]:
            parameters = (organization_id, text, limit)
            return [
                *(Found("application", *row) for row in await session.rows(_FIND_APPLICATIONS, *parameters)),
                *(Found("endpoint", *row) for row in await session.rows(_FIND_ENDPOINTS, *parameters)),
                *(Found("message", *row) for row in await session.rows(_FIND_MESSAGES, *parameters)),
            ]

        return await self._database.read_long_with(read)

    async def pulse(self, application_id: str) -> str:
        """A text that changes with each message, attempt or edit of the application."""
        [row] = await self._database.read(_PULSE, application_id)
        return json.dumps([*row])

    async def more_attempts(self, application_id: str, endpoint_id: str | None, within: Range, limit: int) -> bool:
        """Whether there are more than ``limit`` attempts in a span of time."""
        bounds = _bounds([within])
        [(count,)] = await self._database.read_long(_MORE, application_id, endpoint_id, *bounds, limit + 1)
        return bool(count > limit)

    async def attempts(
        self, application_id: str, endpoint_id: str | None, ranges: Sequence[Range]
    ) -> Sequence[Counted]:
        """The number of attempts in each span of time."""
        found = await self._database.read_long(_COUNT, application_id, endpoint_id, *_bounds(ranges))
        return [Counted(place, AttemptStatus(status), count) for place, status, count in found]

    async def durations(self, application_id: str, endpoint_id: str | None, ranges: Sequence[Range]) -> Sequence[Timed]:
        """The same by response and duration."""
        found = await self._database.read_long(_DURATIONS, application_id, endpoint_id, *_bounds(ranges))
        return [Timed(place, AttemptStatus(status), *more) for place, status, *more in found]


def _bounds(ranges: Sequence[Range]) -> tuple[list[str], list[str]]:
    return [each.low for each in ranges], [each.high for each in ranges]
