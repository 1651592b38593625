"""Operational events: what the engine tells the platform. One class per type; each is also sent as a webhook.

``data()`` is the ``data`` member of the webhook's body ``{"data": {...}, "type": "..."}``, with the HTTP API's names.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import msgspec

__all__ = [
    "BackgroundTaskFinishedEvent",
    "EndpointBacklogEvent",
    "EndpointCreatedEvent",
    "EndpointDeletedEvent",
    "EndpointDisabledEvent",
    "EndpointEnabledEvent",
    "EndpointEvent",
    "EndpointFailingEvent",
    "EndpointRecoveredEvent",
    "EndpointUpdatedEvent",
    "LastAttempt",
    "MessageAttemptEvent",
    "MessageAttemptExhaustedEvent",
    "MessageAttemptFailingEvent",
    "MessageAttemptRecoveredEvent",
    "OperationalEvent",
]


class OperationalEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all operational events; ``engine.on(OperationalEvent)`` sees every one."""

    type: ClassVar[str] = ""

    organization_id: str
    application_id: str
    application_uid: str | None
    timestamp: datetime

    def data(self) -> dict[str, object]:
        """The members of ``data`` in the webhook."""
        return {"appId": self.application_id, "appUid": self.application_uid}

    def body(self) -> dict[str, object]:
        """The body of the webhook."""
        return {"data": self.data(), "type": self.type}


class EndpointEvent(OperationalEvent, frozen=True, kw_only=True):
    """Something happened to an endpoint."""

    endpoint_id: str
    endpoint_uid: str | None

    def data(self) -> dict[str, object]:
        """The members of ``data`` in the webhook."""
        return {**super().data(), "endpointId": self.endpoint_id, "endpointUid": self.endpoint_uid}


class EndpointCreatedEvent(EndpointEvent, frozen=True, kw_only=True):
    """An endpoint was created."""

    type: ClassVar[str] = "endpoint.created"


class EndpointUpdatedEvent(EndpointEvent, frozen=True, kw_only=True):
    """An endpoint was changed, or its secret rotated."""

    type: ClassVar[str] = "endpoint.updated"


class EndpointDeletedEvent(EndpointEvent, frozen=True, kw_only=True):
    """An endpoint was deleted."""

    type: ClassVar[str] = "endpoint.deleted"


class EndpointEnabledEvent(EndpointEvent, frozen=True, kw_only=True):
    """A disabled endpoint was enabled again."""

    type: ClassVar[str] = "endpoint.enabled"


class EndpointFailingEvent(EndpointEvent, frozen=True, kw_only=True):
    """An endpoint has failed for half of the failure window: the early warning."""

    type: ClassVar[str] = "endpoint.failing"

    first_failure_at: datetime

    def data(self) -> dict[str, object]:
        """The members of ``data`` in the webhook."""
        return {**super().data(), "failSince": rfc3339(self.first_failure_at)}


class EndpointRecoveredEvent(EndpointEvent, frozen=True, kw_only=True):
    """An endpoint that ``endpoint.failing`` was sent for accepted a message again, before it was disabled."""

    type: ClassVar[str] = "endpoint.recovered"

    first_failure_at: datetime

    def data(self) -> dict[str, object]:
        """The members of ``data`` in the webhook."""
        return {**super().data(), "failSince": rfc3339(self.first_failure_at)}


class EndpointBacklogEvent(EndpointEvent, frozen=True, kw_only=True):
    """A due delivery of an endpoint has waited longer than ``alerts.backlog_after``; sent once until that is over."""

    type: ClassVar[str] = "endpoint.backlog"

    waiting_since: datetime
    """When the delivery that has waited longest was due."""

    def data(self) -> dict[str, object]:
        """The members of ``data`` in the webhook."""
        return {**super().data(), "waitingSince": rfc3339(self.waiting_since)}


class EndpointDisabledEvent(EndpointEvent, frozen=True, kw_only=True):
    """The engine disabled an endpoint, which failed for the whole failure window or asked for it (410, header)."""

    type: ClassVar[str] = "endpoint.disabled"

    first_failure_at: datetime
    reason: str

    def data(self) -> dict[str, object]:
        """The members of ``data`` in the webhook."""
        return {**super().data(), "failSince": rfc3339(self.first_failure_at), "trigger": "automatic"}


class LastAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """The attempt that caused the event."""

    id: str
    response_status_code: int
    timestamp: datetime


class MessageAttemptEvent(OperationalEvent, frozen=True, kw_only=True):
    """Something happened to the delivery of a message to an endpoint."""

    message_id: str
    message_event_id: str | None
    endpoint_id: str
    last_attempt: LastAttempt

    def data(self) -> dict[str, object]:
        """The members of ``data`` in the webhook."""
        return {
            **super().data(),
            "endpointId": self.endpoint_id,
            "lastAttempt": {
                "id": self.last_attempt.id,
                "responseStatusCode": self.last_attempt.response_status_code,
                "timestamp": rfc3339(self.last_attempt.timestamp),
            },
            "msgEventId": self.message_event_id,
            "msgId": self.message_id,
        }


class MessageAttemptFailingEvent(MessageAttemptEvent, frozen=True, kw_only=True):
    """The fourth scheduled attempt failed, and more will follow."""

    type: ClassVar[str] = "message.attempt.failing"


class MessageAttemptExhaustedEvent(MessageAttemptEvent, frozen=True, kw_only=True):
    """The retry schedule is used up; the delivery has failed."""

    type: ClassVar[str] = "message.attempt.exhausted"


class MessageAttemptRecoveredEvent(MessageAttemptEvent, frozen=True, kw_only=True):
    """A delivery that was reported as failing succeeded after all."""

    type: ClassVar[str] = "message.attempt.recovered"


class BackgroundTaskFinishedEvent(OperationalEvent, frozen=True, kw_only=True):
    """A background task has ended."""

    type: ClassVar[str] = "background_task.finished"

    task_id: str
    task: str
    status: str
    progress: dict[str, object]

    def data(self) -> dict[str, object]:
        """The members of ``data`` in the webhook."""
        return {"data": self.progress, "status": self.status, "task": self.task, "taskId": self.task_id}


def rfc3339(instant: datetime) -> str:
    """An aware UTC datetime as RFC 3339 with ``Z``, microseconds as needed."""
    return instant.isoformat().replace("+00:00", "Z")
