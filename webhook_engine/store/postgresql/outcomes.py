"""Records a batch of outcomes: attempts, and the new states of deliveries and endpoints."""

# ruff: noqa: S608 (only names of columns are put into statements, values never)

from __future__ import annotations

from webhook_engine.store import rows
from webhook_engine.store.order import Turns, moves_order, stopping
from webhook_engine.store.postgresql.batches import arrays, unnest
from webhook_engine.store.postgresql.clock_mark import keeping_mark, mark_row
from webhook_engine.store.postgresql.connection import Session
from webhook_engine.store.postgresql.messages import NewMessages
from webhook_engine.store.postgresql.order import leave_order, lock_order
from webhook_engine.store.postgresql.sharing import check_member
from webhook_engine.store.records import Outcomes

__all__ = ["NewOutcomes"]

_ATTEMPT_TYPES = (
    "text",
    "text",
    "text",
    "text",
    "smallint",
    "bytea",
    "integer",
    "bigint",
    "smallint",
    "text",
    "text",
    "text",
)
_CHANGE_TYPES = (
    "text",
    "text",
    "smallint",
    "bigint",
    "integer",
    "text",
    "bigint",
    "integer",
    "integer",
    "bigint",
)
_CHANGE = "message_id, endpoint_id, status, due_at, step, reason, settled_at, attempts, manual, due_ran"

# A success always applies. Another change applies to what is still pending, and after a manual attempt only where
# nothing is scheduled: the schedule may have moved on while that attempt was under way. The attempt always counts.
_APPLIES = "(change.status = 0 OR delivery.status = 1 AND (delivery.due_at IS NULL OR change.manual = 0))"

_CHANGED = """
UPDATE webhook_delivery AS delivery
SET
    status = CASE WHEN {applies} THEN change.status ELSE delivery.status END,
    due_at = CASE WHEN {applies} THEN change.due_at ELSE delivery.due_at END,
    due_ran = CASE WHEN {applies} THEN change.due_ran ELSE delivery.due_ran END,
    asked = CASE WHEN {applies} AND change.manual = 0 THEN false ELSE delivery.asked END,
    step = CASE WHEN {applies} THEN change.step ELSE delivery.step END,
    reason = CASE WHEN {applies} THEN change.reason ELSE delivery.reason END,
    settled_at = CASE WHEN {applies} THEN change.settled_at ELSE delivery.settled_at END,
    attempt_count = delivery.attempt_count + change.attempts,
    attempted = delivery.attempt_count + change.attempts > 0
FROM {batch} AS change ({columns})
WHERE delivery.message_id = change.message_id AND delivery.endpoint_id = change.endpoint_id
""".replace("{applies}", _APPLIES).replace("{columns}", _CHANGE)

# All that most batches have, in one statement. An attempt is there already only where this was recorded before, and the
# answer to that did not arrive.
_RECORD = f"""
WITH attempted AS (
    INSERT INTO webhook_attempt ({rows.columns(rows.ATTEMPT)})
    SELECT * FROM {unnest(_ATTEMPT_TYPES)}
    ON CONFLICT DO NOTHING
), marked AS (
    {keeping_mark(len(_ATTEMPT_TYPES) + len(_CHANGE_TYPES))}
)
{_CHANGED.replace("{batch}", unnest(_CHANGE_TYPES, len(_ATTEMPT_TYPES)))}
"""

_CHANGE_AGAIN = _CHANGED.replace("{batch}", unnest(_CHANGE_TYPES))

_FORGET_MANUAL_ATTEMPTS = """
DELETE FROM webhook_manual_attempt
WHERE (endpoint_id, id) IN (SELECT * FROM unnest($1::text[], $2::text[]))
"""

_CONDITION_TYPES = ("text", "bigint", "bigint", "boolean", "bigint", "text", "bigint", "bigint", "bigint")
_CHANGE_ENDPOINTS = f"""
UPDATE webhook_endpoint AS endpoint
SET
    first_failure_at = change.first_failure_at,
    last_failure_at = change.last_failure_at,
    warned = change.warned,
    disabled_at = change.disabled_at,
    disabled_reason = change.disabled_reason,
    first_failure_ran = change.first_failure_ran,
    last_failure_ran = change.last_failure_ran,
    paused_until = change.paused_until
FROM {unnest(_CONDITION_TYPES)} AS change (
    id, first_failure_at, last_failure_at, warned, disabled_at, disabled_reason, first_failure_ran, last_failure_ran,
    paused_until
)
WHERE endpoint.id = change.id AND endpoint.disabled_at IS NULL
"""


class NewOutcomes:
    """A batch of outcomes, prepared to be recorded in a transaction."""

    def __init__(self, outcomes: Outcomes, member: str) -> None:
        first, *further = rows.rounds(outcomes.deliveries) or [[]]
        self._attempts = arrays([rows.attempt_row(attempt) for attempt in outcomes.attempts], len(_ATTEMPT_TYPES))
        self._changes = arrays([rows.change_row(change) for change in first], len(_CHANGE_TYPES))
        self._further = [arrays([rows.change_row(change) for change in changes], 0) for changes in further]
        self._fulfilled = [(one.endpoint_id, one.manual_id) for one in outcomes.deliveries if one.manual_id]
        # Always in the same order, so that two engines cannot deadlock.
        self._conditions = [rows.condition_row(*condition) for condition in sorted(outcomes.conditions.items())]
        self._mark = mark_row(outcomes.mark, member)
        self._messages = NewMessages(outcomes.messages)
        self._made_by = outcomes.member
        self._settled = [one for one in outcomes.deliveries if moves_order(one)]

    async def record(self, session: Session) -> Turns:
        """Make all changes; returns the turns that they give."""
        if self._settled:
            await lock_order(session, {one.endpoint_id for one in self._settled} | self._messages.ordered)
        await check_member(session, self._made_by)
        await session.change(_RECORD, *self._attempts, *self._changes, *self._mark)
        for changes in self._further:
            await session.change(_CHANGE_AGAIN, *changes)
        if self._fulfilled:
            await session.change(_FORGET_MANUAL_ATTEMPTS, *arrays(self._fulfilled, 2))
        if self._conditions:
            await session.change(_CHANGE_ENDPOINTS, *arrays(self._conditions, len(_CONDITION_TYPES)))
        await self._messages.add(session)
        return await self._turns(session) if self._settled else Turns()

    async def _turns(self, session: Session) -> Turns:
        settled = {(one.message_id, one.endpoint_id) for one in self._settled}
        now = max(one.settled_at or 0 for one in self._settled)
        return await leave_order(session, settled, now, stopping(self._settled))
