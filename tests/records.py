"""Makers of records: of one with its usual fields, or of a world of them, each a second after the one before."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from webhook_engine.clock import to_datetime
from webhook_engine.ids import IdSource
from webhook_engine.model import (
    DEFAULT_ORGANIZATION,
    Application,
    AttemptStatus,
    DeliveryStatus,
    Endpoint,
    EventType,
    Message,
    Task,
    TaskStatus,
    TriggerType,
)
from webhook_engine.store.members import shard_of
from webhook_engine.store.records import (
    AddressedMessage,
    DeliveryChange,
    Due,
    NewMessage,
    Outcomes,
    RecordedAttempt,
    StoredEndpoint,
    TaskProgress,
)
from webhook_engine.store.seam import Store

START = 1_780_000_000_000_000
SECOND = 1_000_000
ORGANIZATION = "org_1"


SOME_DAY = datetime(2026, 1, 1, tzinfo=UTC)


def make_application(application_id: str = "app_1", **fields: Any) -> Application:
    """An application with its usual fields, or others."""
    values: dict[str, Any] = {
        "organization_id": DEFAULT_ORGANIZATION,
        "uid": None,
        "name": "Acme",
        "throttle_rate": None,
        "metadata": {},
        "created_at": SOME_DAY,
        "updated_at": SOME_DAY,
    }
    return Application(id=application_id, **{**values, **fields})


def make_endpoint(endpoint_id: str = "ep_1", **fields: Any) -> Endpoint:
    """An endpoint with its usual fields, or others."""
    values: dict[str, Any] = {
        "application_id": "app_1",
        "organization_id": DEFAULT_ORGANIZATION,
        "uid": None,
        "url": "https://example.com/hook",
        "description": "",
        "event_types": None,
        "channels": None,
        "throttle_rate": None,
        "version": 1,
        "disabled": False,
        "disabled_at": None,
        "disabled_reason": None,
        "first_failure_at": None,
        "metadata": {},
        "created_at": SOME_DAY,
        "updated_at": SOME_DAY,
    }
    return Endpoint(id=endpoint_id, **{**values, **fields})


def make_stored(endpoint: Endpoint, **fields: Any) -> StoredEndpoint:
    """An endpoint as it is stored."""
    return StoredEndpoint(endpoint=endpoint, **{"encrypted_key": b"", **fields})


class World:
    """A source of records, and short ways to store them."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = START
        self._ids = IdSource()

    def tick(self) -> int:
        self.now += SECOND
        return self.now

    def id(self, prefix: str) -> str:
        return self._ids.new(prefix, self.tick())

    # Things that are made and stored

    async def application(self, **fields: Any) -> Application:
        application = self.new_application(**fields)
        await self.store.applications.add(application)
        return application

    async def endpoint(self, application: Application, **fields: Any) -> StoredEndpoint:
        stored = self.new_endpoint(application, **fields)
        await self.store.endpoints.add(stored)
        return stored

    async def pair(self) -> tuple[Application, StoredEndpoint]:
        """An application with one endpoint."""
        application = await self.application()
        return application, await self.endpoint(application)

    async def send(
        self, *endpoints: StoredEndpoint, application: Application | None = None, **fields: Any
    ) -> NewMessage:
        """A message with a delivery to each endpoint."""
        application_id = application.id if application else endpoints[0].endpoint.application_id
        message = self.new_message(application_id, **fields)
        assert not await self.store.messages.add([addressed(message, *endpoints)])
        return message

    async def task(self, **fields: Any) -> Task:
        task = self.new_task(**fields)
        await self.store.tasks.add(task, None)
        return task

    async def conclude(
        self,
        message: NewMessage,
        stored: StoredEndpoint,
        status: DeliveryStatus,
        due_at: int | None = None,
        settled_at: int | None = None,
        **fields: Any,
    ) -> RecordedAttempt:
        """One attempt, and what becomes of the delivery."""
        succeeded = status is DeliveryStatus.SUCCEEDED
        attempt = self.new_attempt(
            message, stored, status=AttemptStatus.SUCCESS if succeeded else AttemptStatus.FAIL, **fields
        )
        await self.store.deliveries.record(
            Outcomes(attempts=[attempt], deliveries=[change(message, stored, status, due_at, settled_at=settled_at)])
        )
        return attempt

    # Things that are only made

    def new_application(self, **fields: Any) -> Application:
        now = to_datetime(self.tick())
        made = {"organization_id": ORGANIZATION, "created_at": now, "updated_at": now}
        return make_application(fields.pop("id", None) or self.id("app_"), **{**made, **fields})

    def new_endpoint(self, application: Application, **fields: Any) -> StoredEndpoint:
        now = to_datetime(self.tick())
        outer = {name: fields.pop(name) for name in tuple(fields) if name in StoredEndpoint.__struct_fields__}
        of = {"application_id": application.id, "organization_id": application.organization_id}
        made = {**of, "created_at": now, "updated_at": now, **fields}
        endpoint = make_endpoint(made.pop("id", None) or self.id("ep_"), **made)
        if self.store.wakeups is not None:
            outer.setdefault("shard", shard_of(endpoint.id if application.throttle_rate is None else application.id))
        return make_stored(endpoint, **{"encrypted_key": b"\x00key\xff", **outer})

    def new_event_type(self, name: str, **fields: Any) -> EventType:
        now = self.tick()
        values: dict[str, Any] = {
            "name": name,
            "organization_id": ORGANIZATION,
            "description": "Something happened",
            "archived": False,
            "deprecated": False,
            "schemas": None,
            "feature_flags": (),
            "group_name": None,
            "created_at": to_datetime(now),
            "updated_at": to_datetime(now),
        }
        return EventType(**{**values, **fields})

    def new_message(self, application_id: str, **fields: Any) -> NewMessage:
        values: dict[str, Any] = {
            "id": self.id("msg_"),
            "organization_id": ORGANIZATION,
            "application_id": application_id,
            "event_type": "invoice.paid",
            "payload": b'{"id":1}',
            "created_at": self.now,
        }
        return NewMessage(**{**values, **fields})

    def new_attempt(self, message: NewMessage, stored: StoredEndpoint, **fields: Any) -> RecordedAttempt:
        values: dict[str, Any] = {
            "id": self.id("atmpt_"),
            "message_id": message.id,
            "endpoint_id": stored.endpoint.id,
            "url": stored.endpoint.url,
            "status": AttemptStatus.SUCCESS,
            "status_code": 200,
            "duration_ms": 12,
            "trigger": TriggerType.SCHEDULED,
            "response": "ok",
            "request_headers": {"content-type": "application/json"},
        }
        return RecordedAttempt(**{**values, **fields})

    def new_task(self, **fields: Any) -> Task:
        now = self.tick()
        values: dict[str, Any] = {
            "id": self.id("qtask_"),
            "organization_id": ORGANIZATION,
            "application_id": None,
            "endpoint_id": None,
            "task": "endpoint.recover",
            "status": TaskStatus.RUNNING,
            "data": {},
            "created_at": to_datetime(now),
            "updated_at": to_datetime(now),
        }
        return Task(**{**values, **fields})


def addressed(message: NewMessage, *endpoints: StoredEndpoint, **fields: Any) -> AddressedMessage:
    """A message and where it goes."""
    return AddressedMessage(message, [stored.endpoint.id for stored in endpoints], **fields)


def change(
    message: NewMessage,
    stored: StoredEndpoint,
    status: DeliveryStatus,
    due_at: int | None = None,
    *,
    step: int = 1,
    reason: str | None = None,
    settled_at: int | None = None,
    manual_id: str | None = None,
    attempted: bool = True,
) -> DeliveryChange:
    """What becomes of a delivery."""
    if settled_at is None and status is not DeliveryStatus.PENDING:
        settled_at = START
    return DeliveryChange(
        message.id, stored.endpoint.id, status, due_at, step, reason, settled_at, manual_id, attempted
    )


def manual(message: NewMessage, stored: StoredEndpoint, manual_id: str) -> Due:
    """A manual attempt to ask for."""
    return Due(message.id, stored.endpoint.id, 0, 0, 0, message.event_id, message.payload, manual_id)


def progress(task: Task, **fields: Any) -> TaskProgress:
    """Where a task stands."""
    values: dict[str, Any] = {"task_id": task.id, "status": TaskStatus.RUNNING, "cursor": None, "data": {}}
    return TaskProgress(**{**values, **fields})


def kept(message: NewMessage, **fields: Any) -> Message:
    """What the store is to give back of a message."""
    values: dict[str, Any] = {
        "id": message.id,
        "application_id": message.application_id,
        "event_type": message.event_type,
        "event_id": message.event_id,
        "payload": message.payload,
        "channels": message.channels,
        "tags": message.tags,
        "deliver_at": None if message.deliver_at is None else to_datetime(message.deliver_at),
        "timestamp": to_datetime(message.created_at),
    }
    return Message(**{**values, **fields})


def ids(records: Sequence[Any]) -> list[str]:
    """The ids of records that have one."""
    return [record.id for record in records]


async def make_every_kind(
    store: Store, world: World, endpoint: StoredEndpoint
) -> list[tuple[NewMessage, AttemptStatus]]:
    """Messages of every status, type, channel and tag; some settled without an attempt."""
    made = []
    kinds = itertools.product(AttemptStatus, ("a", "b"), (None, ("x",)), (None, ("t", "u")))
    for number, (status, event_type, channels, tags) in enumerate(kinds):
        message = await world.send(endpoint, event_type=event_type, channels=channels, tags=tags)
        made.append((message, status))
        attempted = status is AttemptStatus.SENDING or (number % 2 == 0 and status is not AttemptStatus.SUCCESS)
        if status is AttemptStatus.SENDING:
            changed = change(message, endpoint, DeliveryStatus.PENDING, START * 2)
        elif status is AttemptStatus.PENDING:
            continue
        else:
            changed = change(message, endpoint, DeliveryStatus(status), reason="why", attempted=attempted)
        await store.deliveries.record(Outcomes(deliveries=[changed]))
    return made
