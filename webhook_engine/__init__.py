"""Webhook Engine delivers webhooks reliably, from one SQLite file.

>>> async with Engine.open("webhooks.db") as engine:
...     await engine.messages.create("acme", event_type="invoice.paid", payload={"id": 1})

The names below are loaded when they are first used, so that a program that only enqueues (``webhook_engine.outbox``)
or only verifies does not pay for the engine.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from webhook_engine.clock import Clock, ManualClock
    from webhook_engine.config.loading import Config
    from webhook_engine.delivery.transformations.functions import transformation
    from webhook_engine.delivery.transformations.outgoing import OutgoingWebhook
    from webhook_engine.engine import Engine
    from webhook_engine.errors import (
        BreakingChangeError,
        ConfigError,
        ConflictError,
        EngineAlreadyRunningError,
        EngineNotRunningError,
        NotFoundError,
        PayloadUnavailableError,
        PortalUnavailableError,
        PositionLimitError,
        RotationLimitError,
        SchemaVersionError,
        SecretsUnreadableError,
        StoreError,
        StoreUnavailableError,
        ValidationError,
        WebhookEngineError,
    )
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
        LastAttempt,
        MessageAttemptExhaustedEvent,
        MessageAttemptFailingEvent,
        MessageAttemptRecoveredEvent,
        OperationalEvent,
    )
    from webhook_engine.model import (
        Application,
        Attempt,
        AttemptedDestination,
        AttemptedMessage,
        AttemptStatus,
        AuthenticationTrial,
        Endpoint,
        EndpointAuthentication,
        EndpointHeaders,
        EndpointStats,
        EndpointTls,
        EndpointTransformation,
        EventType,
        Message,
        Page,
        Task,
        TaskStatus,
        TransformationTrial,
        TriggerType,
        UnsentDestination,
    )
    from webhook_engine.secrets.signing import Webhook, WebhookVerificationError
    from webhook_engine.shared import SharedEngine
    from webhook_engine.sync import SyncEngine
    from webhook_engine.sync.shared import SyncSharedEngine
    from webhook_engine.typed_events import event
    from webhook_engine.version import __version__

__all__ = [
    "Application",
    "Attempt",
    "AttemptStatus",
    "AttemptedDestination",
    "AttemptedMessage",
    "AuthenticationTrial",
    "BackgroundTaskFinishedEvent",
    "BreakingChangeError",
    "Clock",
    "Config",
    "ConfigError",
    "ConflictError",
    "Endpoint",
    "EndpointAuthentication",
    "EndpointBacklogEvent",
    "EndpointCreatedEvent",
    "EndpointDeletedEvent",
    "EndpointDisabledEvent",
    "EndpointEnabledEvent",
    "EndpointFailingEvent",
    "EndpointHeaders",
    "EndpointRecoveredEvent",
    "EndpointStats",
    "EndpointTls",
    "EndpointTransformation",
    "EndpointUpdatedEvent",
    "Engine",
    "EngineAlreadyRunningError",
    "EngineNotRunningError",
    "EventType",
    "LastAttempt",
    "ManualClock",
    "Message",
    "MessageAttemptExhaustedEvent",
    "MessageAttemptFailingEvent",
    "MessageAttemptRecoveredEvent",
    "NotFoundError",
    "OperationalEvent",
    "OutgoingWebhook",
    "Page",
    "PayloadUnavailableError",
    "PortalUnavailableError",
    "PositionLimitError",
    "RotationLimitError",
    "SchemaVersionError",
    "SecretsUnreadableError",
    "SharedEngine",
    "StoreError",
    "StoreUnavailableError",
    "SyncEngine",
    "SyncSharedEngine",
    "Task",
    "TaskStatus",
    "TransformationTrial",
    "TriggerType",
    "UnsentDestination",
    "ValidationError",
    "Webhook",
    "WebhookEngineError",
    "WebhookVerificationError",
    "__version__",
    "event",
    "transformation",
]

_HOMES = {
    "clock": (
        "Clock",
        "ManualClock",
    ),
    "config.loading": ("Config",),
    "delivery.transformations.functions": ("transformation",),
    "delivery.transformations.outgoing": ("OutgoingWebhook",),
    "engine": ("Engine",),
    "errors": (
        "BreakingChangeError",
        "ConfigError",
        "ConflictError",
        "PositionLimitError",
        "EngineAlreadyRunningError",
        "EngineNotRunningError",
        "NotFoundError",
        "PayloadUnavailableError",
        "PortalUnavailableError",
        "RotationLimitError",
        "SchemaVersionError",
        "SecretsUnreadableError",
        "StoreError",
        "StoreUnavailableError",
        "ValidationError",
        "WebhookEngineError",
    ),
    "events": (
        "BackgroundTaskFinishedEvent",
        "EndpointBacklogEvent",
        "EndpointCreatedEvent",
        "EndpointDeletedEvent",
        "EndpointDisabledEvent",
        "EndpointEnabledEvent",
        "EndpointFailingEvent",
        "EndpointRecoveredEvent",
        "EndpointUpdatedEvent",
        "LastAttempt",
        "MessageAttemptExhaustedEvent",
        "MessageAttemptFailingEvent",
        "MessageAttemptRecoveredEvent",
        "OperationalEvent",
    ),
    "model": (
        "Application",
        "Attempt",
        "AttemptedDestination",
        "AttemptedMessage",
        "AttemptStatus",
        "AuthenticationTrial",
        "Endpoint",
        "EndpointAuthentication",
        "EndpointHeaders",
        "EndpointStats",
        "EndpointTls",
        "EndpointTransformation",
        "EventType",
        "Message",
        "Page",
        "Task",
        "TaskStatus",
        "TransformationTrial",
        "TriggerType",
        "UnsentDestination",
    ),
    "secrets.signing": (
        "Webhook",
        "WebhookVerificationError",
    ),
    "shared": ("SharedEngine",),
    "sync": ("SyncEngine",),
    "sync.shared": ("SyncSharedEngine",),
    "typed_events": ("event",),
    "version": ("__version__",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    module = _HOME_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'webhook_engine' has no attribute {name!r}")
    value = getattr(import_module(f"webhook_engine.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
