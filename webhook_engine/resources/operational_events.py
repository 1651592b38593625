"""The event types of operational webhooks, with a schema and an example each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from webhook_engine.clock import to_datetime
from webhook_engine.errors import ConflictError
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
from webhook_engine.model import DEFAULT_ORGANIZATION, EventType
from webhook_engine.store.records import EventTypeChanges, Span
from webhook_engine.store.seam import EventTypeStore

__all__ = ["is_as_registered", "operational_event_types", "register_operational_event_types"]

MOST: Final = 100
"""Event types of the organization that are read at once; the rest are looked up by name."""

_NOW: Final = datetime(2030, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
_SINCE: Final = _NOW - timedelta(days=5)
_NULLABLE: Final = frozenset({"appUid", "endpointUid", "msgEventId"})
_OPEN: Final = "data"
"""A member of ``data`` of this name (that of a background task) may hold anything."""

_APPLICATION: Final[dict[str, Any]] = {
    "organization_id": DEFAULT_ORGANIZATION,
    "application_id": "app_1srOrx2ZWZBpBUvZwXKQmoEYga2",
    "application_uid": "acme",
    "timestamp": _NOW,
}
_ENDPOINT: Final[dict[str, Any]] = {
    **_APPLICATION,
    "endpoint_id": "ep_1srOrx2ZWZBpBUvZwXKQmoEYga2",
    "endpoint_uid": "main",
}
_ATTEMPT: Final[dict[str, Any]] = {
    **_APPLICATION,
    "message_id": "msg_1srOrx2ZWZBpBUvZwXKQmoEYga2",
    "message_event_id": "inv-1",
    "endpoint_id": "ep_1srOrx2ZWZBpBUvZwXKQmoEYga2",
    "last_attempt": LastAttempt(id="atmpt_1srOrx2ZWZBpBUvZwXKQmoEYga2", response_status_code=500, timestamp=_NOW),
}

_EXAMPLES: Final[tuple[OperationalEvent, ...]] = (
    BackgroundTaskFinishedEvent(
        **_APPLICATION,
        task_id="qtask_1srOrx2ZWZBpBUvZwXKQmoEYga2",
        task="endpoint.recover",
        status="finished",
        progress={"messagesSent": 42},
    ),
    EndpointBacklogEvent(**_ENDPOINT, waiting_since=_SINCE),
    EndpointCreatedEvent(**_ENDPOINT),
    EndpointDeletedEvent(**_ENDPOINT),
    EndpointDisabledEvent(**_ENDPOINT, first_failure_at=_SINCE, reason="it has failed for 5 days"),
    EndpointEnabledEvent(**_ENDPOINT),
    EndpointFailingEvent(**_ENDPOINT, first_failure_at=_SINCE),
    EndpointRecoveredEvent(**_ENDPOINT, first_failure_at=_SINCE),
    EndpointUpdatedEvent(**_ENDPOINT),
    MessageAttemptExhaustedEvent(**_ATTEMPT),
    MessageAttemptFailingEvent(**_ATTEMPT),
    MessageAttemptRecoveredEvent(
        **{**_ATTEMPT, "last_attempt": msgspec.structs.replace(_ATTEMPT["last_attempt"], response_status_code=200)}
    ),
)
"""One of each, in the order of their names."""


def operational_event_types(organization_id: str, now: datetime) -> Iterator[EventType]:
    """Every operational event as an event type of the organization that has the operational endpoints."""
    for example in _EXAMPLES:
        body = example.body()
        yield EventType(
            name=example.type,
            organization_id=organization_id,
            description=(type(example).__doc__ or "").partition("\n")[0],
            archived=False,
            deprecated=False,
            schemas={"1": {**_schema(body, ()), "title": example.type, "examples": [body]}},
            feature_flags=(),
            group_name=None,
            created_at=now,
            updated_at=now,
        )


def is_as_registered(event_type: EventType) -> bool:
    """Whether an event type is one of these, exactly as the engine has registered it."""
    for own in operational_event_types(event_type.organization_id, event_type.created_at):
        if own.name == event_type.name:
            return event_type == own
    return False


async def register_operational_event_types(store: EventTypeStore, organization_id: str, now: int) -> None:
    """Register the missing ones; those changed or archived by somebody stay. Raises ``StoreError``."""
    span = Span(descending=False, limit=MOST)
    rows = await store.list(organization_id, span, include_archived=True, feature_flags=None)
    there = {event_type.name: event_type for event_type in rows}
    for wanted in operational_event_types(organization_id, to_datetime(now)):
        found = there.get(wanted.name) or await store.get(organization_id, wanted.name)
        if found is None:
            with suppress(ConflictError):  # another engine on the same database was faster
                await store.add(wanted)
        elif found.schemas is None:
            await store.update(organization_id, wanted.name, EventTypeChanges(schemas=wanted.schemas), now)


def _schema(value: object, path: tuple[str, ...]) -> dict[str, Any]:
    """A JSON Schema (draft 7) for values like this one."""
    name = path[-1] if path else ""
    if isinstance(value, Mapping):
        if len(path) == 2 and name == _OPEN:
            return {"type": "object"}
        members = {key: _schema(member, (*path, key)) for key, member in value.items()}
        return {"type": "object", "properties": members, "required": sorted(members)}
    if path == ("type",):
        return {"type": "string", "const": value}
    if isinstance(value, int):
        return {"type": "integer"}
    if name in ("timestamp", "failSince"):
        return {"type": "string", "format": "date-time"}
    return {"type": ["string", "null"]} if name in _NULLABLE else {"type": "string"}
