"""Rows and records: what the columns are called, and how one becomes the other.

The names of a table's columns stand here once, in the order in which the functions below take them.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from webhook_engine.clock import to_datetime
from webhook_engine.ids import timestamp_of
from webhook_engine.model import (
    Application,
    Attempt,
    AttemptStatus,
    DeliveryStatus,
    Endpoint,
    EventType,
    Health,
    Message,
    OldKey,
    Task,
    TaskStatus,
    TriggerType,
)
from webhook_engine.store.records import Due, StoredEndpoint, TaskProgress
from webhook_engine.store.sqlite.connection import Row

__all__ = [
    "APPLICATION",
    "ATTEMPT",
    "ENDPOINT",
    "EVENT_TYPE",
    "MESSAGE",
    "TASK",
    "application",
    "assignments",
    "attempt",
    "attempt_status",
    "columns",
    "due",
    "encode_old_keys",
    "endpoint",
    "event_type",
    "json_of",
    "message",
    "moved_on",
    "names_or_none",
    "optional_json",
    "task",
]

APPLICATION = ("id", "organization_id", "uid", "name", "throttle_rate", "metadata", "created_at", "updated_at")

ENDPOINT = (
    "id",
    "application_id",
    "organization_id",
    "uid",
    "url",
    "description",
    "event_types",
    "channels",
    "throttle_rate",
    "version",
    "disabled_at",
    "disabled_reason",
    "first_failure_at",
    "last_failure_at",
    "warned",
    "first_failure_ran",
    "last_failure_ran",
    "metadata",
    "created_at",
    "updated_at",
    "encrypted_key",
    "old_keys",
    "encrypted_headers",
    "encrypted_user_info",
    "deleted",
)

EVENT_TYPE = (
    "name",
    "organization_id",
    "description",
    "archived",
    "deprecated",
    "schemas",
    "feature_flags",
    "group_name",
    "created_at",
    "updated_at",
)

MESSAGE = ("id", "application_id", "event_type", "event_id", "channels", "tags", "deliver_at", "created_at")

ATTEMPT = (
    "id",
    "message_id",
    "endpoint_id",
    "url",
    "status",
    "response",
    "status_code",
    "duration_ms",
    "trigger",
    "request_headers",
    "failure",
)

TASK = (
    "id",
    "organization_id",
    "application_id",
    "endpoint_id",
    "task",
    "status",
    "data",
    "created_at",
    "updated_at",
)


def columns(names: Sequence[str], table: str = "") -> str:
    """The names as a list for SQL, each with its table if one is given."""
    return ", ".join(f"{table}.{name}" if table else name for name in names)


def assignments(names: Iterable[str]) -> str:
    """``SET`` of these columns, each to the next parameter."""
    return ", ".join(f"{name} = ?" for name in names)


def json_of(value: object) -> str:
    """A value as the JSON text that a column or a parameter holds."""
    return msgspec.json.encode(value).decode()


def optional_json(value: object) -> str | None:
    """The same, with NULL for ``None``."""
    return None if value is None else json_of(value)


def names_or_none(text: str | None) -> tuple[str, ...] | None:
    """A list of names."""
    return None if text is None else tuple(msgspec.json.decode(text))


def encode_old_keys(keys: Sequence[OldKey]) -> str:
    """Rotated keys as JSON."""
    return json_of([[base64.b64encode(key.encrypted).decode(), key.expires_at] for key in keys])


def application(row: Row) -> Application:
    """Of the columns ``APPLICATION``."""
    identifier, organization_id, uid, name, throttle_rate, metadata, created_at, updated_at = row
    return Application(
        id=identifier,
        organization_id=organization_id,
        uid=uid,
        name=name,
        throttle_rate=throttle_rate,
        metadata=msgspec.json.decode(metadata),
        created_at=to_datetime(created_at),
        updated_at=to_datetime(updated_at),
    )


def endpoint(row: Sequence[Any]) -> StoredEndpoint:
    """Of the columns ``ENDPOINT``."""
    values: dict[str, Any] = dict(zip(ENDPOINT, row, strict=True))
    first_failure_at, disabled_at = values["first_failure_at"], values["disabled_at"]
    return StoredEndpoint(
        endpoint=Endpoint(
            id=values["id"],
            application_id=values["application_id"],
            organization_id=values["organization_id"],
            uid=values["uid"],
            url=values["url"],
            description=values["description"],
            event_types=names_or_none(values["event_types"]),
            channels=names_or_none(values["channels"]),
            throttle_rate=values["throttle_rate"],
            version=values["version"],
            disabled=disabled_at is not None,
            disabled_at=None if disabled_at is None else to_datetime(disabled_at),
            disabled_reason=values["disabled_reason"],
            first_failure_at=None if first_failure_at is None else to_datetime(first_failure_at),
            metadata=msgspec.json.decode(values["metadata"]),
            created_at=to_datetime(values["created_at"]),
            updated_at=to_datetime(values["updated_at"]),
        ),
        encrypted_key=values["encrypted_key"],
        old_keys=tuple(
            OldKey(base64.b64decode(encrypted), expires_at)
            for encrypted, expires_at in msgspec.json.decode(values["old_keys"])
        ),
        encrypted_headers=values["encrypted_headers"],
        encrypted_user_info=values["encrypted_user_info"],
        health=Health(
            first_failure_at,
            values["last_failure_at"],
            bool(values["warned"]),
            values["first_failure_ran"],
            values["last_failure_ran"],
        ),
        deleted=bool(values["deleted"]),
    )


def event_type(row: Row) -> EventType:
    """Of the columns ``EVENT_TYPE``."""
    name, organization_id, description, archived, deprecated, schemas, flags, group_name, created_at, updated_at = row
    return EventType(
        name=name,
        organization_id=organization_id,
        description=description,
        archived=bool(archived),
        deprecated=bool(deprecated),
        schemas=None if schemas is None else msgspec.json.decode(schemas),
        feature_flags=tuple(msgspec.json.decode(flags)),
        group_name=group_name,
        created_at=to_datetime(created_at),
        updated_at=to_datetime(updated_at),
    )


def message(row: Sequence[Any]) -> Message:
    """Of the columns ``MESSAGE``, then those of its content."""
    identifier, application_id, type_name, event_id, channels, tags, deliver_at, created_at, payload, kind = row
    return Message(
        id=identifier,
        application_id=application_id,
        event_type=type_name,
        event_id=event_id,
        payload=payload,
        channels=names_or_none(channels),
        tags=names_or_none(tags),
        deliver_at=None if deliver_at is None else to_datetime(deliver_at),
        timestamp=to_datetime(created_at),
        content_type=kind,
    )


def content(wanted: bool) -> str:
    """The columns of a message's content. They come last in a row, and what is not wanted of it is not read."""
    return "message.payload, message.content_type" if wanted else "NULL, NULL"


def attempt(row: Row) -> Attempt:
    """Of the columns ``ATTEMPT``."""
    identifier, message_id, endpoint_id, url, status, response, status_code, duration_ms, trigger, headers, failure = (
        row
    )
    return Attempt(
        id=identifier,
        msg_id=message_id,
        endpoint_id=endpoint_id,
        url=url,
        status=AttemptStatus(status),
        response=response.decode(),
        response_status_code=status_code,
        response_duration_ms=duration_ms,
        trigger_type=TriggerType(trigger),
        timestamp=to_datetime(timestamp_of(identifier)),
        request_headers=msgspec.json.decode(headers),
        failure=failure,
    )


def attempt_status(status: int, attempt_count: int) -> AttemptStatus:
    """How a delivery looks to those who list messages or endpoints."""
    if status == DeliveryStatus.PENDING:
        return AttemptStatus.SENDING if attempt_count else AttemptStatus.PENDING
    return AttemptStatus(status)


def due(row: Row) -> Due:
    """Of the columns in the order of its fields."""
    return Due(*row)


def moved_on(progress: TaskProgress, count: int, following: int | None) -> TaskProgress:
    """The progress after ``count`` more, to be continued from ``following``; done where that is ``None``."""
    processed = progress.data.get("processed")
    return progress.moved_on(
        None if following is None else str(following),
        processed=(processed if isinstance(processed, int) else 0) + count,
    )


def task(row: Row) -> Task:
    """Of the columns ``TASK``."""
    identifier, organization_id, application_id, endpoint_id, kind, status, data, created_at, updated_at = row
    return Task(
        id=identifier,
        organization_id=organization_id,
        application_id=application_id,
        endpoint_id=endpoint_id,
        task=kind,
        status=TaskStatus(status),
        data=msgspec.json.decode(data),
        created_at=to_datetime(created_at),
        updated_at=to_datetime(updated_at),
    )
