"""Attempts in SQLite."""

# ruff: noqa: S608 (only names of columns are put into statements, values never)

from __future__ import annotations

from collections.abc import Sequence

from webhook_engine.model import Attempt, AttemptStatus
from webhook_engine.store import rows
from webhook_engine.store.records import AttemptFilter, Edge, RecordedAttempt, Span
from webhook_engine.store.spans import bounds, direction, edge_of
from webhook_engine.store.sqlite.batches import BatchStatement
from webhook_engine.store.sqlite.connection import Session, Value
from webhook_engine.store.sqlite.database import Database
from webhook_engine.store.sqlite.filters import message_conditions

__all__ = ["NewAttempts", "SqliteAttempts"]

_COLUMNS = rows.columns(rows.ATTEMPT, "attempt")

STATUSES = (AttemptStatus.SUCCESS, AttemptStatus.FAIL)
"""The possible statuses of an attempt."""
SUCCESSFUL_CODES = 200

_ADD = BatchStatement(
    f"""
    INSERT INTO webhook_attempt ({rows.columns(rows.ATTEMPT)})
    SELECT * FROM {{batch}}
    """,
    width=len(rows.ATTEMPT),
)

_GET = f"""
SELECT {_COLUMNS} FROM webhook_attempt AS attempt WHERE message_id = ? AND id = ?
"""

_COUNT = """
SELECT status, count(*) FROM webhook_attempt
WHERE endpoint_id = ?1 AND status = 0 AND id BETWEEN ?2 AND ?3
UNION ALL
SELECT status, count(*) FROM webhook_attempt
WHERE endpoint_id = ?1 AND status = 2 AND id BETWEEN ?2 AND ?3
"""

_EXPUNGE = """
UPDATE webhook_attempt
SET response = CAST('EXPUNGED' AS BLOB), exchange = json_remove(json_set(exchange, '$[2]', ''), '$[8]')
WHERE message_id = ? AND id = ?
"""


class SqliteAttempts:
    """See :class:`~webhook_engine.store.seam.AttemptStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, message_id: str, attempt_id: str) -> Attempt | None:
        """By id."""
        found = await self._database.read(_GET, (message_id, attempt_id))
        return rows.attempt(found[0]) if found else None

    async def list_by_endpoint(self, endpoint_id: str, span: Span, where: AttemptFilter) -> Sequence[Attempt]:
        """In the order of ids."""
        statuses: Sequence[AttemptStatus] = STATUSES if where.status is None else (where.status,)
        if where.status_code_class not in (None, SUCCESSFUL_CODES):
            # No success has such a code, and there may be very many.
            statuses = tuple(status for status in statuses if status is not AttemptStatus.SUCCESS)
            if not statuses:
                return ()
        message, conditions, parameters = _filtered(where)
        # The index holds the attempts of each status in order; the database merges the ranges as it reads.
        ranges = [
            f"""
            SELECT {_COLUMNS} FROM webhook_attempt AS attempt INDEXED BY webhook_attempt_by_endpoint {message}
            WHERE attempt.endpoint_id = :endpoint AND attempt.status = {status:d}
            AND attempt.id > :low AND attempt.id < :high {conditions}
            """
            for status in statuses
        ]
        sql = f"{' UNION ALL '.join(ranges)} ORDER BY 1 {direction(span)} LIMIT :limit"
        return await self._list(sql, {"endpoint": endpoint_id, **parameters}, span)

    async def edge(self, endpoint_id: str, status: AttemptStatus | None, span: Span, count: int) -> Edge | None:
        """The edge after the first ``count`` elements of the span."""
        statuses: Sequence[AttemptStatus] = STATUSES if status is None else (status,)
        ranges = [
            f"""
            SELECT id FROM webhook_attempt INDEXED BY webhook_attempt_by_endpoint
            WHERE endpoint_id = ?1 AND status = {one:d} AND id > ?2 AND id < ?3
            """
            for one in statuses
        ]
        sql = f"{' UNION ALL '.join(ranges)} ORDER BY 1 {direction(span)} LIMIT 2 OFFSET ?4"
        return edge_of(await self._database.read_long(sql, (endpoint_id, *bounds(span), count - 1)))

    async def list_by_message(self, message_id: str, span: Span, where: AttemptFilter) -> Sequence[Attempt]:
        """In the order of ids."""
        message, conditions, parameters = _filtered(where)
        if where.status is not None:
            conditions += f" AND attempt.status = {where.status:d}"
        if where.endpoint_id is not None:
            conditions += " AND attempt.endpoint_id = :endpoint"
            parameters["endpoint"] = where.endpoint_id
        sql = f"""
        SELECT {_COLUMNS} FROM webhook_attempt AS attempt {message}
        WHERE attempt.message_id = :message AND attempt.id > :low AND attempt.id < :high {conditions}
        ORDER BY attempt.id {direction(span)} LIMIT :limit
        """
        return await self._list(sql, {"message": message_id, **parameters}, span)

    async def count(self, endpoint_id: str, low: str, high: str) -> dict[AttemptStatus, int]:
        """Attempts of an endpoint with ids in [``low``, ``high``], by status."""
        found = await self._database.read_long(_COUNT, (endpoint_id, low, high))
        return {AttemptStatus(status): count for status, count in found if count}

    async def expunge(self, message_id: str, attempt_id: str) -> bool:
        """Replace the response by ``EXPUNGED``."""
        return await self._database.write(lambda session: session.change(_EXPUNGE, (message_id, attempt_id)) > 0)

    async def _list(self, sql: str, parameters: dict[str, Value], span: Span) -> Sequence[Attempt]:
        low, high = bounds(span)
        parameters |= {"low": low, "high": high, "limit": span.limit}
        return await self._database.read_span(sql, parameters, rows.attempt, span.max_bytes)


class NewAttempts:
    """A batch of attempts, prepared on the caller's thread to be added in a transaction."""

    def __init__(self, batch: Sequence[RecordedAttempt]) -> None:
        self._rows = [rows.attempt_row(attempt) for attempt in batch]

    def add(self, session: Session) -> None:
        """Insert them."""
        _ADD.run(session, self._rows)


def _filtered(where: AttemptFilter) -> tuple[str, str, dict[str, Value]]:
    """The join with the message if it is needed, the conditions, and their parameters."""
    conditions, parameters = message_conditions(where.event_types, where.channel, where.tag)
    message = ""
    if conditions:
        message = "CROSS JOIN webhook_message AS message"
        conditions = f"AND message.id = attempt.message_id {conditions}"
    if where.status_code_class is not None:
        conditions += " AND attempt.status_code BETWEEN :code AND :code + 99"
        parameters["code"] = where.status_code_class
    return message, conditions, parameters
