"""Records a batch of outcomes: attempts, and the new states of deliveries and endpoints."""

from __future__ import annotations

from webhook_engine.store import rows
from webhook_engine.store.order import Turns, moves_order, stopping
from webhook_engine.store.records import Outcomes
from webhook_engine.store.sqlite.attempts import NewAttempts
from webhook_engine.store.sqlite.batches import BatchStatement
from webhook_engine.store.sqlite.clock_mark import keep_mark
from webhook_engine.store.sqlite.connection import Session
from webhook_engine.store.sqlite.messages import NewMessages
from webhook_engine.store.sqlite.order import leave_order

__all__ = ["NewOutcomes"]

# A success always applies. Another change applies to what is still pending, and after a manual attempt only where
# nothing is scheduled: the schedule may have moved on while that attempt was under way. The attempt always counts.
_APPLIES = "(column3 = 0 OR status = 1 AND (due_at IS NULL OR NOT column9))"

_CHANGE_DELIVERIES = BatchStatement(
    """
    UPDATE webhook_delivery
    SET
        status = CASE WHEN {applies} THEN column3 ELSE status END,
        due_at = CASE WHEN {applies} THEN column4 ELSE due_at END,
        due_ran = CASE WHEN {applies} THEN column10 ELSE due_ran END,
        asked = CASE WHEN {applies} AND NOT column9 THEN 0 ELSE asked END,
        step = CASE WHEN {applies} THEN column5 ELSE step END,
        reason = CASE WHEN {applies} THEN column6 ELSE reason END,
        settled_at = CASE WHEN {applies} THEN column7 ELSE settled_at END,
        attempt_count = attempt_count + column8,
        attempted = attempt_count + column8 > 0
    FROM {batch}
    WHERE message_id = column1 AND endpoint_id = column2
    """.replace("{applies}", _APPLIES),
    width=10,
)

_FORGET_MANUAL_ATTEMPTS = BatchStatement(
    """
    DELETE FROM webhook_manual_attempt
    WHERE (endpoint_id, id) IN (SELECT column1, column2 FROM {batch})
    """,
    width=2,
)

_CHANGE_ENDPOINTS = BatchStatement(
    """
    UPDATE webhook_endpoint
    SET
        first_failure_at = column2,
        last_failure_at = column3,
        warned = column4,
        disabled_at = column5,
        disabled_reason = column6,
        first_failure_ran = column7,
        last_failure_ran = column8,
        paused_until = column9
    FROM {batch}
    WHERE id = column1 AND disabled_at IS NULL
    """,
    width=9,
)


class NewOutcomes:
    """A batch of outcomes, made ready on the caller's thread to be recorded in a transaction."""

    def __init__(self, outcomes: Outcomes) -> None:
        self._attempts = NewAttempts(outcomes.attempts)
        self._changes = [
            [rows.change_row(change) for change in changes] for changes in rows.rounds(outcomes.deliveries)
        ]
        self._settled = [one for one in outcomes.deliveries if moves_order(one)]
        self._fulfilled = [(one.endpoint_id, one.manual_id) for one in outcomes.deliveries if one.manual_id]
        self._conditions = [rows.condition_row(*condition) for condition in outcomes.conditions.items()]
        self._mark = outcomes.mark
        self._messages = NewMessages(outcomes.messages) if outcomes.messages else None

    def record(self, session: Session) -> Turns:
        """Make all changes; returns the turns that they give."""
        self._attempts.add(session)
        for changes in self._changes:
            _CHANGE_DELIVERIES.run(session, changes)
        _FORGET_MANUAL_ATTEMPTS.run(session, self._fulfilled)
        _CHANGE_ENDPOINTS.run(session, self._conditions)
        if self._messages:
            self._messages.add(session)
        if self._mark:
            keep_mark(session, self._mark)
        return self._turns(session) if self._settled else Turns()

    def _turns(self, session: Session) -> Turns:
        settled = {(one.message_id, one.endpoint_id) for one in self._settled}
        now = max(one.settled_at or 0 for one in self._settled)
        return leave_order(session, settled, now, stopping(self._settled))
