"""Recording a batch of outcomes: attempts, what becomes of their deliveries, and of the endpoints."""

from __future__ import annotations

from collections.abc import Sequence

from webhook_engine.store.records import DeliveryChange, Outcomes
from webhook_engine.store.sqlite.attempts import NewAttempts
from webhook_engine.store.sqlite.batches import rows_parameter
from webhook_engine.store.sqlite.connection import Row, Session
from webhook_engine.store.sqlite.messages import NewMessages

__all__ = ["NewOutcomes"]

# A success always applies. Another change applies to what is still pending, and after a manual attempt only where
# nothing is scheduled: the schedule may have moved on while that attempt was under way. The attempt always counts.
_CHANGE_DELIVERIES = """
UPDATE webhook_delivery
SET
    attempt_count = attempt_count + change.attempted,
    status = iif(change.applies, change.status, webhook_delivery.status),
    due_at = iif(change.applies, change.due_at, webhook_delivery.due_at),
    step = iif(change.applies, change.step, webhook_delivery.step),
    reason = iif(change.applies, change.reason, webhook_delivery.reason),
    settled_at = iif(change.applies, change.settled_at, webhook_delivery.settled_at)
FROM (
    SELECT
        value ->> 0 AS message_id,
        value ->> 1 AS endpoint_id,
        value ->> 2 AS status,
        value ->> 3 AS due_at,
        value ->> 4 AS step,
        value ->> 5 AS reason,
        value ->> 6 AS settled_at,
        value ->> 7 AS attempted,
        value ->> 2 = 0
            OR present.status = 1 AND (present.due_at IS NULL OR NOT value ->> 8) AS applies
    FROM json_each(?1)
    CROSS JOIN webhook_delivery AS present
        ON present.message_id = value ->> 0 AND present.endpoint_id = value ->> 1
) AS change
WHERE webhook_delivery.message_id = change.message_id AND webhook_delivery.endpoint_id = change.endpoint_id
"""

_FORGET_MANUAL_ATTEMPTS = """
DELETE FROM webhook_manual_attempt
WHERE (endpoint_id, id) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1))
"""

_CHANGE_ENDPOINTS = """
UPDATE webhook_endpoint
SET
    first_failure_at = condition.value ->> 1,
    last_failure_at = condition.value ->> 2,
    warned = condition.value ->> 3,
    disabled_at = condition.value ->> 4,
    disabled_reason = condition.value ->> 5
FROM json_each(?1) AS condition
WHERE webhook_endpoint.id = condition.value ->> 0 AND webhook_endpoint.disabled_at IS NULL
"""


class NewOutcomes:
    """A batch of outcomes, made ready on the caller's thread to be recorded in a transaction."""

    def __init__(self, outcomes: Outcomes) -> None:
        self._attempts = NewAttempts(outcomes.attempts)
        self._changes = [
            rows_parameter([_change_row(one) for one in round_]) for round_ in _rounds(outcomes.deliveries)
        ]
        fulfilled = [(one.endpoint_id, one.manual_id) for one in outcomes.deliveries if one.manual_id]
        self._fulfilled = rows_parameter(fulfilled) if fulfilled else None
        conditions = [
            (
                endpoint_id,
                condition.health.first_failure_at,
                condition.health.last_failure_at,
                int(condition.health.warned),
                condition.disabled_at,
                condition.disabled_reason,
            )
            for endpoint_id, condition in outcomes.conditions.items()
        ]
        self._conditions = rows_parameter(conditions) if conditions else None
        self._messages = NewMessages(outcomes.messages) if outcomes.messages else None

    def record(self, session: Session) -> None:
        """Make all changes."""
        self._attempts.add(session)
        for changes in self._changes:
            session.change(_CHANGE_DELIVERIES, (changes,))
        if self._fulfilled:
            session.change(_FORGET_MANUAL_ATTEMPTS, (self._fulfilled,))
        if self._conditions:
            session.change(_CHANGE_ENDPOINTS, (self._conditions,))
        if self._messages:
            self._messages.add(session)


def _rounds(changes: Sequence[DeliveryChange]) -> Sequence[Sequence[DeliveryChange]]:
    """Changes in rounds with at most one for each delivery, because one statement changes a row only once."""
    rounds: list[list[DeliveryChange]] = []
    seen: dict[tuple[str, str], int] = {}
    for change in changes:
        key = (change.message_id, change.endpoint_id)
        number = seen[key] = seen.get(key, -1) + 1
        if number == len(rounds):
            rounds.append([])
        rounds[number].append(change)
    return rounds


def _change_row(change: DeliveryChange) -> Row:
    return (
        change.message_id,
        change.endpoint_id,
        change.status,
        change.due_at,
        change.step,
        change.reason,
        change.settled_at,
        int(change.attempted),
        int(change.manual_id is not None),
    )
