"""Rows and records: the names of the columns, and the conversion in both directions.

The names of a table's columns stand here once, in the order in which the functions below take them.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
from msgspec import UNSET

from webhook_engine.clock import from_datetime, to_datetime
from webhook_engine.ids import timestamp_of
from webhook_engine.model import (
    Application,
    Attempt,
    AttemptStatus,
    DeliveryStatus,
    Endpoint,
    EndpointOptions,
    EventType,
    Exchange,
    Health,
    Message,
    OldKey,
    Task,
    TaskStatus,
    TriggerType,
)
from webhook_engine.store.audit import AuditEntry, AuditFilter
from webhook_engine.store.insight import EndpointStanding
from webhook_engine.store.records import (
    ApplicationChanges,
    DeliveryChange,
    Due,
    EndpointChanges,
    EndpointCondition,
    EventTypeChanges,
    NewMessage,
    RecordedAttempt,
    StoredEndpoint,
    TaskProgress,
)
from webhook_engine.store.upkeep import EncryptAgain

__all__ = [
    "APPLICATION",
    "ATTEMPT",
    "CONTENT",
    "ENDPOINT",
    "EVENT_TYPE",
    "MESSAGE",
    "TASK",
    "Row",
    "application",
    "application_changes",
    "application_row",
    "attempt",
    "attempt_row",
    "attempt_status",
    "audit",
    "audit_conditions",
    "audit_row",
    "change_row",
    "columns",
    "condition_row",
    "condition_values",
    "content",
    "due",
    "earliest",
    "endpoint",
    "endpoint_changes",
    "endpoint_values",
    "event_type",
    "event_type_changes",
    "event_type_row",
    "json_of",
    "message",
    "message_row",
    "moved_on",
    "names_or_none",
    "old_keys_again",
    "optional_json",
    "rounds",
    "standing",
    "task",
    "task_row",
    "without_head",
]

Row: TypeAlias = Sequence[Any]
"""The query knows the types of its columns; the type checker does not."""

_exchange = msgspec.json.Decoder(Exchange)
_options = msgspec.json.Decoder(EndpointOptions)
_NO_OPTIONS = EndpointOptions()

AUDIT = (
    "id",
    "organization_id",
    "application_id",
    "subject",
    "token_id",
    "session_id",
    "action",
    "target",
    "changes",
    "address",
)

STANDING = (
    "id",
    "application_id",
    "application_uid",
    "application_name",
    "url",
    "description",
    "disabled_at",
    "disabled_reason",
    "first_failure_at",
    "pending",
)

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
    "paused_until",
    "metadata",
    "created_at",
    "updated_at",
    "encrypted_key",
    "old_keys",
    "encrypted_headers",
    "encrypted_user_info",
    "options",
    "encrypted_credentials",
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

MESSAGE = (
    "id",
    "application_id",
    "event_type",
    "event_id",
    "channels",
    "tags",
    "deliver_at",
    "created_at",
    "ordering_key",
)
CONTENT = ("payload_expires_at", "payload", "trace_context", "content_type")
"""The further columns of a message."""

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
    "exchange",
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
    """The names as a list for SQL, each qualified by ``table`` if given."""
    return ", ".join(f"{table}.{name}" if table else name for name in names)


def json_of(value: object) -> str:
    """A value as JSON text for a column or a parameter."""
    return msgspec.json.encode(value).decode()


def optional_json(value: object) -> str | None:
    """The same, with NULL for ``None``."""
    return None if value is None else json_of(value)


def names_or_none(text: str | None) -> tuple[str, ...] | None:
    """The names in a JSON array; ``None`` for NULL."""
    return None if text is None else tuple(msgspec.json.decode(text))


def _encode_options(options: EndpointOptions) -> str | None:
    """Options as JSON; NULL if all have their defaults, as at nearly all endpoints."""
    return None if options == _NO_OPTIONS else json_of(options)


def _encode_old_keys(keys: Sequence[OldKey]) -> str:
    """Rotated keys as JSON."""
    return json_of([[base64.b64encode(key.encrypted).decode(), key.expires_at] for key in keys])


def application(row: Row) -> Application:
    """An application from the columns ``APPLICATION``."""
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


def endpoint(row: Row) -> StoredEndpoint:
    """An endpoint from the columns ``ENDPOINT``."""
    values: dict[str, Any] = dict(zip(ENDPOINT, row, strict=True))
    first_failure_at, disabled_at = values["first_failure_at"], values["disabled_at"]
    options = values["options"]
    paused_until = values["paused_until"]
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
            paused_until=None if paused_until is None else to_datetime(paused_until),
            metadata=msgspec.json.decode(values["metadata"]),
            created_at=to_datetime(values["created_at"]),
            updated_at=to_datetime(values["updated_at"]),
            **({} if options is None else msgspec.structs.asdict(_options.decode(options))),
        ),
        encrypted_key=values["encrypted_key"],
        old_keys=tuple(
            OldKey(base64.b64decode(encrypted), expires_at)
            for encrypted, expires_at in msgspec.json.decode(values["old_keys"])
        ),
        encrypted_headers=values["encrypted_headers"],
        encrypted_user_info=values["encrypted_user_info"],
        encrypted_credentials=values["encrypted_credentials"],
        health=Health(
            first_failure_at,
            values["last_failure_at"],
            bool(values["warned"]),
            values["first_failure_ran"],
            values["last_failure_ran"],
            paused_until,
        ),
        deleted=bool(values["deleted"]),
    )


def event_type(row: Row) -> EventType:
    """An event type from the columns ``EVENT_TYPE``."""
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


def message(row: Row) -> Message:
    """A message from the columns ``MESSAGE``, then those of its content."""
    identifier, application_id, type_name, event_id, channels, tags, deliver_at, created_at, key, payload, kind = row
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
        ordering_key=key,
    )


def content(wanted: bool) -> str:
    """The columns of a message's content, which come last in a row; NULL if not ``wanted``."""
    return "message.payload, message.content_type" if wanted else "NULL, NULL"


def attempt(row: Row) -> Attempt:
    """An attempt from the columns ``ATTEMPT``."""
    identifier, message_id, endpoint_id, url, status, response, status_code, duration_ms, trigger, *more = row
    headers, failure, exchange = more
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
        exchange=None if exchange is None else _exchange.decode(exchange),
    )


def without_head(exchange: str | None) -> str | None:
    """A stored exchange without the response."""
    if exchange is None:
        return None
    return json_of([*(parts := msgspec.json.decode(exchange))[:2], "", *parts[3:8]])


def attempt_status(status: int, attempt_count: int) -> AttemptStatus:
    """The status of a delivery in lists of messages and endpoints."""
    if status == DeliveryStatus.PENDING:
        return AttemptStatus.SENDING if attempt_count else AttemptStatus.PENDING
    return AttemptStatus(status)


def due(row: Row) -> Due:
    """A due delivery from columns in the order of its fields."""
    return Due(*row)


def audit_row(entry: AuditEntry) -> Row:
    """The values of the columns ``AUDIT``."""
    return (
        entry.id,
        entry.organization_id,
        entry.application_id,
        entry.subject,
        entry.token_id,
        entry.session_id,
        entry.action,
        entry.target,
        json_of(entry.changes),
        entry.address,
    )


def audit(row: Row) -> AuditEntry:
    """An audit entry from the columns ``AUDIT``."""
    values = dict(zip(AUDIT, row, strict=True))
    return AuditEntry(**{**values, "changes": tuple(msgspec.json.decode(values["changes"]))})


def audit_conditions(where: AuditFilter) -> Mapping[str, str]:
    """The values that columns must have."""
    return {name: value for name, value in msgspec.structs.asdict(where).items() if value is not None}


def standing(row: Row) -> EndpointStanding:
    """From the columns ``STANDING``, the oldest message never attempted, and the oldest attempted one."""
    *values, oldest, oldest_retry = row
    return EndpointStanding(**dict(zip(STANDING, values, strict=True)), oldest_pending=earliest(oldest, oldest_retry))


def earliest(*identifiers: str | None) -> str | None:
    """The lowest id; ``None`` if all are ``None``."""
    return min((each for each in identifiers if each is not None), default=None)


def moved_on(progress: TaskProgress, count: int, following: int | None) -> TaskProgress:
    """The progress after ``count`` more, to continue from ``following`` (``None``: done)."""
    processed = progress.data.get("processed")
    return progress.moved_on(
        None if following is None else str(following),
        processed=(processed if isinstance(processed, int) else 0) + count,
    )


def task(row: Row) -> Task:
    """A task from the columns ``TASK``."""
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


# What is written.


def application_row(application: Application) -> Row:
    """The values of the columns ``APPLICATION``."""
    return (
        application.id,
        application.organization_id,
        application.uid,
        application.name,
        application.throttle_rate,
        json_of(application.metadata),
        from_datetime(application.created_at),
        from_datetime(application.updated_at),
    )


def application_changes(changes: ApplicationChanges, now: int) -> dict[str, Any]:
    """The columns that change, with their values."""
    values: dict[str, Any] = {"updated_at": now}
    for name in ("uid", "name", "throttle_rate"):
        if (value := getattr(changes, name)) is not UNSET:
            values[name] = value
    if changes.metadata is not UNSET:
        values["metadata"] = json_of(changes.metadata)
    return values


def condition_values(condition: EndpointCondition) -> dict[str, Any]:
    """The columns of a condition, with their values."""
    return {
        "first_failure_at": condition.health.first_failure_at,
        "last_failure_at": condition.health.last_failure_at,
        "warned": condition.health.warned,
        "first_failure_ran": condition.health.first_failure_ran,
        "last_failure_ran": condition.health.last_failure_ran,
        "paused_until": condition.health.paused_until,
        "disabled_at": condition.disabled_at,
        "disabled_reason": condition.disabled_reason,
    }


def endpoint_values(stored: StoredEndpoint) -> dict[str, Any]:
    """The columns ``ENDPOINT``, with their values."""
    endpoint = stored.endpoint
    condition = EndpointCondition(
        health=stored.health,
        disabled_at=from_datetime(endpoint.disabled_at) if endpoint.disabled_at else None,
        disabled_reason=endpoint.disabled_reason,
    )
    return {
        "id": endpoint.id,
        "application_id": endpoint.application_id,
        "organization_id": endpoint.organization_id,
        "uid": endpoint.uid,
        "url": endpoint.url,
        "description": endpoint.description,
        "event_types": optional_json(endpoint.event_types),
        "channels": optional_json(endpoint.channels),
        "throttle_rate": endpoint.throttle_rate,
        "version": endpoint.version,
        **condition_values(condition),
        "metadata": json_of(endpoint.metadata),
        "created_at": from_datetime(endpoint.created_at),
        "updated_at": from_datetime(endpoint.updated_at),
        "encrypted_key": stored.encrypted_key,
        "old_keys": _encode_old_keys(stored.old_keys),
        "encrypted_headers": stored.encrypted_headers,
        "encrypted_user_info": stored.encrypted_user_info,
        "options": _encode_options(endpoint.options),
        "encrypted_credentials": stored.encrypted_credentials,
        "deleted": stored.deleted,
    }


def endpoint_changes(changes: EndpointChanges, now: int) -> dict[str, Any]:
    """The columns that change, with their values."""
    values: dict[str, Any] = {}
    for name in ("uid", "url", "description", "throttle_rate", "version"):
        if (value := getattr(changes, name)) is not UNSET:
            values[name] = value
    for name in ("encrypted_key", "encrypted_headers", "encrypted_user_info", "encrypted_credentials"):
        if (value := getattr(changes, name)) is not UNSET:
            values[name] = value
    for name in ("event_types", "channels", "metadata"):
        if (value := getattr(changes, name)) is not UNSET:
            values[name] = optional_json(value)
    if changes.options is not UNSET:
        values["options"] = _encode_options(changes.options)
    if changes.old_keys is not UNSET:
        values["old_keys"] = _encode_old_keys(changes.old_keys)
    if changes.condition is not UNSET:
        values |= condition_values(changes.condition)
    if changes.resumed:
        values["paused_until"] = None
    return {**values, "updated_at": now}


def event_type_row(event_type: EventType) -> Row:
    """The values of the columns ``EVENT_TYPE``."""
    return (
        event_type.name,
        event_type.organization_id,
        event_type.description,
        event_type.archived,
        event_type.deprecated,
        optional_json(event_type.schemas),
        json_of(event_type.feature_flags),
        event_type.group_name,
        from_datetime(event_type.created_at),
        from_datetime(event_type.updated_at),
    )


def event_type_changes(changes: EventTypeChanges, now: int) -> dict[str, Any]:
    """The columns that change, with their values."""
    values: dict[str, Any] = {"updated_at": now}
    for column in ("description", "archived", "deprecated", "group_name"):
        if (value := getattr(changes, column)) is not UNSET:
            values[column] = value
    for column in ("schemas", "feature_flags"):
        if (value := getattr(changes, column)) is not UNSET:
            values[column] = optional_json(value)
    return values


def message_row(message: NewMessage) -> Row:
    """The values of the columns ``MESSAGE`` and ``CONTENT``."""
    return (
        message.id,
        message.application_id,
        message.event_type,
        message.event_id,
        optional_json(message.channels),
        optional_json(message.tags),
        message.deliver_at,
        message.created_at,
        message.ordering_key,
        message.payload_expires_at,
        message.payload,
        message.trace_context,
        message.content_type,
    )


def attempt_row(attempt: RecordedAttempt) -> Row:
    """The values of the columns ``ATTEMPT``."""
    return (
        attempt.id,
        attempt.message_id,
        attempt.endpoint_id,
        attempt.url,
        int(attempt.status),
        attempt.response.encode(errors="replace"),
        attempt.status_code,
        attempt.duration_ms,
        int(attempt.trigger),
        json_of(attempt.request_headers),
        attempt.failure,
        optional_json(attempt.exchange),
    )


def rounds(changes: Sequence[DeliveryChange]) -> Sequence[Sequence[DeliveryChange]]:
    """The changes in rounds, each with at most one per delivery, because one statement can change a row only once."""
    rounds: list[list[DeliveryChange]] = []
    seen: dict[str, int] = {}
    for change in changes:
        # One text, because tuples in such numbers keep the garbage collector busy.
        key = f"{change.message_id} {change.endpoint_id}"
        number = seen[key] = seen.get(key, -1) + 1
        if number == len(rounds):
            rounds.append([])
        rounds[number].append(change)
    return rounds


def change_row(change: DeliveryChange) -> Row:
    """The delivery, its new state, the number of attempts to add, and whether a manual one was made."""
    return (
        change.message_id,
        change.endpoint_id,
        int(change.status),
        change.due_at,
        change.step,
        change.reason,
        change.settled_at,
        int(change.attempted),
        int(change.manual_id is not None),
        change.due_ran,
    )


def condition_row(endpoint_id: str, condition: EndpointCondition) -> Row:
    """An endpoint and its condition."""
    return (
        endpoint_id,
        condition.health.first_failure_at,
        condition.health.last_failure_at,
        condition.health.warned,
        condition.disabled_at,
        condition.disabled_reason,
        condition.health.first_failure_ran,
        condition.health.last_failure_ran,
        condition.health.paused_until,
    )


def task_row(task: Task) -> Row:
    """The values of the columns ``TASK``."""
    return (
        task.id,
        task.organization_id,
        task.application_id,
        task.endpoint_id,
        task.task,
        task.status.value,
        json_of(task.data),
        from_datetime(task.created_at),
        from_datetime(task.updated_at),
    )


def old_keys_again(encrypt_again: EncryptAgain, endpoint_id: str, text: str) -> str:
    """Stored rotated keys, encrypted again with the current main secret."""
    keys = msgspec.json.decode(text)
    fresh = []
    for encrypted, expires_at in keys:
        plain = base64.b64decode(encrypted)
        fresh.append([base64.b64encode(encrypt_again(plain, endpoint_id) or plain).decode(), expires_at])
    return text if fresh == keys else json_of(fresh)
