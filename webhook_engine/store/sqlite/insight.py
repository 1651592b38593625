"""Overviews and statistics in SQLite."""

# ruff: noqa: S608 (only parts that are written here are put into statements, values never)

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from webhook_engine.model import AttemptStatus
from webhook_engine.store import rows
from webhook_engine.store.insight import Counted, EndpointStanding, Figures, Found, Range, Timed, Which
from webhook_engine.store.sqlite.connection import Session, Value
from webhook_engine.store.sqlite.database import Database

__all__ = ["SqliteInsight"]

_PENDING = """
(SELECT count(*) FROM (
    SELECT 1 FROM webhook_delivery AS delivery INDEXED BY webhook_delivery_by_status
    WHERE delivery.endpoint_id = endpoint.id AND delivery.status = 1 LIMIT :most
))
"""


def _oldest(attempted: int) -> str:
    return f"""
    (SELECT min(message_id) FROM webhook_delivery INDEXED BY webhook_delivery_by_status
    WHERE endpoint_id = endpoint.id AND status = 1 AND attempted = {attempted})
    """


_STANDING = f"""
SELECT endpoint.disabled_at, endpoint.first_failure_at, {_PENDING} AS pending,
    {_oldest(0)} AS oldest, {_oldest(1)} AS oldest_retry
FROM webhook_endpoint AS endpoint INDEXED BY webhook_endpoint_by_organization
WHERE endpoint.organization_id = :organization AND endpoint.deleted = 0
"""

_FIGURES = f"""
SELECT count(*), count(disabled_at), count(CASE WHEN disabled_at IS NULL THEN first_failure_at END),
    coalesce(sum(pending), 0), coalesce(max(pending) >= :most, 0), min(oldest), min(oldest_retry)
FROM ({_STANDING})
"""

_APPLICATIONS = """
SELECT count(*) FROM webhook_application INDEXED BY webhook_application_by_organization
WHERE organization_id = ? AND deleted = 0
"""

_MESSAGES = """
SELECT count(*) FROM (
    SELECT 1 FROM webhook_application AS application INDEXED BY webhook_application_by_organization
    CROSS JOIN webhook_message AS message INDEXED BY webhook_message_by_application
        ON message.application_id = application.id AND message.id >= ?2
    WHERE application.organization_id = ?1 AND application.deleted = 0 LIMIT ?3
)
"""

_CONDITIONS: Final = {
    "failing": (
        "endpoint.first_failure_at IS NOT NULL AND endpoint.disabled_at IS NULL",
        "endpoint.first_failure_at, endpoint.id",
    ),
    "disabled": ("endpoint.disabled_at IS NOT NULL", "endpoint.disabled_at DESC, endpoint.id"),
    "backlogged": ("pending > 0", "pending DESC, endpoint.id"),
}

_FIND_MESSAGES = """
SELECT message.id, message.event_type, message.event_id, application.id, application.name
FROM webhook_message AS message JOIN webhook_application AS application ON application.id = message.application_id
WHERE message.id = ?2 AND application.organization_id = ?1 AND application.deleted = 0
UNION
SELECT * FROM (
    SELECT message.id, message.event_type, message.event_id, application.id, application.name
    FROM webhook_application AS application INDEXED BY webhook_application_by_organization
    CROSS JOIN webhook_message AS message INDEXED BY webhook_message_by_event_id
        ON message.application_id = application.id AND message.event_id = ?2
    WHERE application.organization_id = ?1 AND application.deleted = 0 LIMIT ?3
)
"""

_FIND_ENDPOINTS = """
SELECT endpoint.id, endpoint.url, endpoint.uid, application.id, application.name
FROM webhook_endpoint AS endpoint INDEXED BY webhook_endpoint_by_organization
CROSS JOIN webhook_application AS application ON application.id = endpoint.application_id
WHERE endpoint.organization_id = ?1 AND endpoint.deleted = 0 AND (
    endpoint.id = ?2 OR endpoint.uid = ?2
    OR instr(lower(endpoint.url), lower(?2)) OR instr(lower(endpoint.description), lower(?2))
)
ORDER BY endpoint.id = ?2 OR endpoint.uid IS ?2 OR endpoint.url = ?2 DESC, endpoint.id LIMIT ?3
"""

_FIND_APPLICATIONS = """
SELECT id, name, uid, id, name FROM webhook_application INDEXED BY webhook_application_by_organization
WHERE organization_id = ?1 AND deleted = 0
    AND (id = ?2 OR instr(lower(uid), lower(?2)) OR instr(lower(name), lower(?2)))
ORDER BY id = ?2 OR uid IS ?2 OR name = ?2 DESC, id LIMIT ?3
"""

_PULSE = """
SELECT
    (SELECT max(id) FROM webhook_message WHERE application_id = ?1),
    count(*), max(updated_at), count(disabled_at), sum(first_failure_at),
    max((SELECT max(id) FROM webhook_attempt INDEXED BY webhook_attempt_by_endpoint
        WHERE endpoint_id = endpoint.id AND status = 0)),
    max((SELECT max(id) FROM webhook_attempt INDEXED BY webhook_attempt_by_endpoint
        WHERE endpoint_id = endpoint.id AND status = 2))
FROM webhook_endpoint AS endpoint INDEXED BY webhook_endpoint_by_application
WHERE endpoint.application_id = ?1 AND endpoint.deleted = 0
"""

_TARGETS = """
    target (id) AS MATERIALIZED (
        SELECT id FROM webhook_endpoint WHERE application_id = :application AND deleted = 0
            AND (:endpoint IS NULL OR id = :endpoint)
    )
"""

_ENDED = """
webhook_attempt AS attempt INDEXED BY webhook_attempt_by_endpoint
    ON attempt.endpoint_id = target.id AND attempt.status IN (0, 2) AND attempt.id >= {low} AND attempt.id < {high}
"""

_MORE = f"""
WITH {_TARGETS} SELECT count(*) FROM (
    SELECT 1 FROM target CROSS JOIN {_ENDED.format(low=":low", high=":high")} LIMIT :most
)
"""

_ONE_AFTER_THE_OTHER = f"""
WITH {_TARGETS} SELECT %s, count(*)
FROM target CROSS JOIN {_ENDED.format(low=":edge_0", high=":end")} GROUP BY 1
"""

_APART = f"""
WITH {_TARGETS}, stretch (place, low, high) AS MATERIALIZED (
    SELECT key, json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(:ranges)
) SELECT %s, count(*)
FROM stretch CROSS JOIN target CROSS JOIN {_ENDED.format(low="stretch.low", high="stretch.high")} GROUP BY 1
"""

# What is counted by is one number, of which groups are made in half of the time that it takes with its parts apart.
_TENS = 10_000_000_000
_WITHOUT_RESPONSES = f"({{place}} * 100 + attempt.status) * {_TENS}"
_WITH_RESPONSES = f"""
(({{place}} * 10 + attempt.status_code / 100) * 10 + attempt.status) * {_TENS} + CASE
    WHEN attempt.duration_ms < 100 THEN attempt.duration_ms
    WHEN attempt.duration_ms < 1000 THEN attempt.duration_ms - attempt.duration_ms % 10
    ELSE attempt.duration_ms - attempt.duration_ms % 100
END
"""


class SqliteInsight:
    """See :class:`~webhook_engine.store.insight.InsightStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def figures(self, organization_id: str, messages_from: str, most_pending: int, most_messages: int) -> Figures:
        """The figures of an organization."""

        def read(session: Session) -> Figures:
            [(applications,)] = session.rows(_APPLICATIONS, (organization_id,))
            [(endpoints, disabled, failing, pending, more, *oldest)] = session.rows(
                _FIGURES, {"organization": organization_id, "most": most_pending}
            )
            [(messages,)] = session.rows(_MESSAGES, (organization_id, messages_from, most_messages))
            return Figures(
                applications=applications,
                endpoints=endpoints,
                disabled=disabled,
                failing=failing,
                pending=pending,
                pending_more=bool(more),
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
        SELECT {rows.columns(rows.STANDING, "found")}, {_oldest(0).replace("endpoint.id", "found.id")},
            {_oldest(1).replace("endpoint.id", "found.id")}
        FROM (
            SELECT endpoint.id, application.id AS application_id, application.uid AS application_uid,
                application.name AS application_name, endpoint.url, endpoint.description, endpoint.disabled_at,
                endpoint.disabled_reason, endpoint.first_failure_at, {_PENDING} AS pending
            FROM webhook_endpoint AS endpoint INDEXED BY webhook_endpoint_by_organization
            CROSS JOIN webhook_application AS application ON application.id = endpoint.application_id
            WHERE endpoint.organization_id = :organization AND endpoint.deleted = 0 AND {condition}
            ORDER BY {order} LIMIT :limit
        ) AS found
        """
        parameters: dict[str, Value] = {"organization": organization_id, "most": most_pending, "limit": limit}
        return [rows.standing(row) for row in await self._database.read_long(sql, parameters)]

    async def find(self, organization_id: str, text: str, limit: int) -> Sequence[Found]:
        """What has ``text`` as its id, uid or event id, or in its name, URL or description."""
        parameters = (organization_id, text, limit)

        def read(session: Session) -> list[Found]:
            return [
                *(Found("application", *row) for row in session.rows(_FIND_APPLICATIONS, parameters)),
                *(Found("endpoint", *row) for row in session.rows(_FIND_ENDPOINTS, parameters)),
                *(Found("message", *row) for row in session.rows(_FIND_MESSAGES, parameters)),
            ]

        return await self._database.read_long_with(read)

    async def pulse(self, application_id: str) -> str:
        """A text that changes with each message, attempt or edit of the application."""
        [row] = await self._database.read(_PULSE, (application_id,))
        return json.dumps(row)

    async def more_attempts(self, application_id: str, endpoint_id: str | None, within: Range, limit: int) -> bool:
        """Whether there are more than ``limit`` attempts in a span of time."""
        parameters: dict[str, Value] = {
            "application": application_id,
            "endpoint": endpoint_id,
            "low": within.low,
            "high": within.high,
            "most": limit + 1,
        }
        [(count,)] = await self._database.read_long(_MORE, parameters)
        return bool(count > limit)

    async def attempts(
        self, application_id: str, endpoint_id: str | None, ranges: Sequence[Range]
    ) -> Sequence[Counted]:
        """The number of attempts in each span of time."""
        found = await self._database.read_long(*_counting(_WITHOUT_RESPONSES, application_id, endpoint_id, ranges))
        return [Counted(key // _TENS // 100, AttemptStatus(key // _TENS % 10), count) for key, count in found]

    async def durations(self, application_id: str, endpoint_id: str | None, ranges: Sequence[Range]) -> Sequence[Timed]:
        """The same by response and duration."""
        found = await self._database.read_long(*_counting(_WITH_RESPONSES, application_id, endpoint_id, ranges))
        return [
            Timed(
                key // _TENS // 100,
                AttemptStatus(key // _TENS % 10),
                key // _TENS // 10 % 10,
                key % _TENS,
                count,
            )
            for key, count in found
        ]


def _counting(
    key: str, application_id: str, endpoint_id: str | None, ranges: Sequence[Range]
) -> tuple[str, dict[str, Value]]:
    """A statement with its parameters: all attempts once where stretches follow one another, or else each stretch."""
    parameters: dict[str, Value] = {"application": application_id, "endpoint": endpoint_id}
    if any(before.high != after.low for before, after in pairwise(ranges)):
        edges = json.dumps([(each.low, each.high) for each in ranges])
        return _APART % key.format(place="stretch.place"), {**parameters, "ranges": edges}
    parameters |= {f"edge_{place}": each.low for place, each in enumerate(ranges)}
    return _ONE_AFTER_THE_OTHER % key.format(place=_place(0, len(ranges) - 1)), {**parameters, "end": ranges[-1].high}


def _place(first: int, last: int) -> str:
    """In which of some stretches an attempt is, found by halves."""
    if first == last:
        return str(first)
    middle = (first + last + 1) // 2
    lower, upper = _place(first, middle - 1), _place(middle, last)
    return f"(CASE WHEN attempt.id < :edge_{middle} THEN {lower} ELSE {upper} END)"
