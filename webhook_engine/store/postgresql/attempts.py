"""Attempts in PostgreSQL."""

# ruff: noqa: S608 (only names of columns are put into statements, values never)

from __future__ import annotations

from collections.abc import Sequence

from webhook_engine.model import Attempt, AttemptStatus
from webhook_engine.store import rows
from webhook_engine.store.postgresql.connection import Session
from webhook_engine.store.postgresql.database import Database
from webhook_engine.store.postgresql.filters import MESSAGE_OF, Parameters, edge_of_ranges, message_conditions
from webhook_engine.store.records import AttemptFilter, Edge, Span
from webhook_engine.store.spans import bounds, direction, edge_of

__all__ = ["PostgresqlAttempts"]

_COLUMNS = rows.columns(rows.ATTEMPT, "attempt")

STATUSES = (AttemptStatus.SUCCESS, AttemptStatus.FAIL)
"""The possible statuses of an attempt."""
SUCCESSFUL_CODES = 200

_GET = f"""
SELECT {_COLUMNS} FROM webhook_attempt AS attempt WHERE message_id = $1 AND id = $2
"""

_COUNT = """
SELECT status, count(*) FROM webhook_attempt
WHERE endpoint_id = $1 AND status = 0 AND id BETWEEN $2 AND $3 GROUP BY status
UNION ALL
SELECT status, count(*) FROM webhook_attempt
WHERE endpoint_id = $1 AND status = 2 AND id BETWEEN $2 AND $3 GROUP BY status
"""

_EXCHANGE = """
SELECT exchange FROM webhook_attempt WHERE message_id = $1 AND id = $2 FOR NO KEY UPDATE
"""

_EXPUNGE = """
UPDATE webhook_attempt SET response = 'EXPUNGED'::bytea, exchange = $3 WHERE message_id = $1 AND id = $2
"""


class PostgresqlAttempts:
    """See :class:`~webhook_engine.store.seam.AttemptStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, message_id: str, attempt_id: str) -> Attempt | None:
        """By id."""
        found = await self._database.read(_GET, message_id, attempt_id)
        return rows.attempt(found[0]) if found else None

    async def list_by_endpoint(self, endpoint_id: str, span: Span, where: AttemptFilter) -> Sequence[Attempt]:
        """In the order of ids."""
        statuses: Sequence[AttemptStatus] = STATUSES if where.status is None else (where.status,)
        if where.status_code_class not in (None, SUCCESSFUL_CODES):
            # No success has such a code, and there may be very many.
            statuses = tuple(status for status in statuses if status is not AttemptStatus.SUCCESS)
            if not statuses:
                return ()
        parameters = Parameters(endpoint_id, *bounds(span), span.limit)
        message, conditions = _filtered(where, parameters)
        # The index holds the attempts of each status in order; each range gives no more than the whole list may have.
        ranges = [
            f"""
            (SELECT {_COLUMNS} FROM webhook_attempt AS attempt {message}
            WHERE attempt.endpoint_id = $1 AND attempt.status = {status:d}
            AND attempt.id > $2 AND attempt.id < $3 {conditions}
            ORDER BY attempt.id {direction(span)} LIMIT $4)
            """
            for status in statuses
        ]
        sql = f"SELECT * FROM ({' UNION ALL '.join(ranges)}) AS merged ORDER BY id {direction(span)} LIMIT $4"
        return await self._database.read_span(sql, parameters.values, rows.attempt, span.max_bytes)

    async def edge(self, endpoint_id: str, status: AttemptStatus | None, span: Span, count: int) -> Edge | None:
        """The edge after the first ``count`` elements of the span."""
        statuses: Sequence[AttemptStatus] = STATUSES if status is None else (status,)
        ranges = [
            f"""
            (SELECT id FROM webhook_attempt WHERE endpoint_id = $1 AND status = {one:d} AND id > $2 AND id < $3
            ORDER BY id {direction(span)} LIMIT $4 + 1)
            """
            for one in statuses
        ]
        return edge_of(await self._database.read_long(edge_of_ranges(ranges, span), endpoint_id, *bounds(span), count))

    async def list_by_message(self, message_id: str, span: Span, where: AttemptFilter) -> Sequence[Attempt]:
        """In the order of ids."""
        parameters = Parameters(message_id, *bounds(span), span.limit)
        message, conditions = _filtered(where, parameters)
        if where.status is not None:
            conditions += f" AND attempt.status = {where.status:d}"
        if where.endpoint_id is not None:
            conditions += f" AND attempt.endpoint_id = {parameters.add(where.endpoint_id)}"
        sql = f"""
        SELECT {_COLUMNS} FROM webhook_attempt AS attempt {message}
        WHERE attempt.message_id = $1 AND attempt.id > $2 AND attempt.id < $3 {conditions}
        ORDER BY attempt.id {direction(span)} LIMIT $4
        """
        return await self._database.read_span(sql, parameters.values, rows.attempt, span.max_bytes)

    async def count(self, endpoint_id: str, low: str, high: str) -> dict[AttemptStatus, int]:
        """Attempts of an endpoint with ids in [``low``, ``high``], by status."""
        found = await self._database.read_long(_COUNT, endpoint_id, low, high)
        return {AttemptStatus(status): count for status, count in found}

    async def expunge(self, message_id: str, attempt_id: str) -> bool:
        """Replace the response by ``EXPUNGED``."""

        async def change(session: Session) -> bool:
            # Not by the server's functions for JSON, which take no escaped NUL.
            exchange = rows.without_head(await session.value(_EXCHANGE, message_id, attempt_id))
            return await session.change(_EXPUNGE, message_id, attempt_id, exchange) > 0

        return await self._database.write(change)


def _filtered(where: AttemptFilter, parameters: Parameters) -> tuple[str, str]:
    """The join with the message if it is needed, and the conditions."""
    conditions = message_conditions(parameters, where.event_types, where.channel, where.tag)
    message = f"CROSS JOIN {MESSAGE_OF.format('attempt')}" if conditions else ""
    if where.status_code_class is not None:
        code = parameters.add(where.status_code_class)
        conditions += f" AND attempt.status_code BETWEEN {code}::integer AND {code}::integer + 99"
    return message, conditions
