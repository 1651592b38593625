"""Operational events as Django signals, besides ``engine.on``.

>>> @receiver(endpoint_disabled)
... def tell(sender, event, **kwargs):
...     mail_admins("An endpoint was disabled", f"{event.endpoint_id}: {event.reason}")

They are sent in the process that runs the engine, such as ``manage.py webhook_engine``, after the change is committed,
one at a time in a separate thread. If a receiver raises, Django logs it, and nothing else is affected.
"""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.db import close_old_connections
from django.dispatch import Signal

from webhook_engine.engine import Engine
from webhook_engine.events import (
    BackgroundTaskFinishedEvent,
    EndpointBacklogEvent,
    EndpointCreatedEvent,
    EndpointDeletedEvent,
    EndpointDisabledEvent,
    EndpointEnabledEvent,
    EndpointFailingEvent,
    EndpointRecoveredEvent,
    EndpointUpdatedEvent,
    MessageAttemptExhaustedEvent,
    MessageAttemptFailingEvent,
    MessageAttemptRecoveredEvent,
    OperationalEvent,
)
from webhook_engine.shared import SharedEngine

__all__ = [
    "SIGNALS",
    "background_task_finished",
    "endpoint_backlog",
    "endpoint_created",
    "endpoint_deleted",
    "endpoint_disabled",
    "endpoint_enabled",
    "endpoint_failing",
    "endpoint_recovered",
    "endpoint_updated",
    "message_attempt_exhausted",
    "message_attempt_failing",
    "message_attempt_recovered",
    "send_signals",
]

endpoint_created = Signal()
endpoint_updated = Signal()
endpoint_deleted = Signal()
endpoint_enabled = Signal()
endpoint_failing = Signal()
endpoint_recovered = Signal()
endpoint_backlog = Signal()
endpoint_disabled = Signal()
message_attempt_failing = Signal()
message_attempt_exhausted = Signal()
message_attempt_recovered = Signal()
background_task_finished = Signal()

SIGNALS: dict[type[OperationalEvent], Signal] = {
    EndpointCreatedEvent: endpoint_created,
    EndpointUpdatedEvent: endpoint_updated,
    EndpointDeletedEvent: endpoint_deleted,
    EndpointEnabledEvent: endpoint_enabled,
    EndpointFailingEvent: endpoint_failing,
    EndpointRecoveredEvent: endpoint_recovered,
    EndpointBacklogEvent: endpoint_backlog,
    EndpointDisabledEvent: endpoint_disabled,
    MessageAttemptFailingEvent: message_attempt_failing,
    MessageAttemptExhaustedEvent: message_attempt_exhausted,
    MessageAttemptRecoveredEvent: message_attempt_recovered,
    BackgroundTaskFinishedEvent: background_task_finished,
}
"""The signal of each class of events; ``sender`` is the class, and ``event`` the event."""


def send_signals(engine: Engine | SharedEngine) -> None:
    """Send the signals of this engine; ``manage.py webhook_engine`` does this for its own."""
    engine.on(OperationalEvent)(_send)


async def _send(event: OperationalEvent) -> None:
    await sync_to_async(_send_here)(event)


def _send_here(event: OperationalEvent) -> None:
    # Django closes stale connections only around requests.
    close_old_connections()
    try:
        SIGNALS[type(event)].send_robust(sender=type(event), event=event)
    finally:
        close_old_connections()
