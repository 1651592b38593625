"""The public API as its users write it. Nobody runs this file; mypy checks it in strict mode, so that a change which
breaks their types does not go unnoticed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import assert_type

import aiosqlite
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.routing import Mount

from webhook_engine import (
    Application,
    Attempt,
    AttemptedDestination,
    AttemptedMessage,
    AttemptStatus,
    Config,
    Endpoint,
    EndpointDisabledEvent,
    EndpointFailingEvent,
    EndpointHeaders,
    EndpointStats,
    Engine,
    EventType,
    ManualClock,
    Message,
    MessageAttemptExhaustedEvent,
    NotFoundError,
    OperationalEvent,
    Page,
    SharedEngine,
    SyncEngine,
    Task,
    TaskStatus,
    TriggerType,
    ValidationError,
    Webhook,
    WebhookEngineError,
    WebhookVerificationError,
    __version__,
    event,
)
from webhook_engine.outbox import create_table, create_table_async, enqueue, enqueue_async
from webhook_engine.testing import Delivered, Enqueued, Receiver, assert_delivered, assert_enqueued, enqueued

SINCE = datetime(2030, 1, 1, tzinfo=UTC)


async def ways_to_open() -> None:
    Engine()
    Engine(Config())
    Engine(Config.load())
    Engine(Config.load("config.toml"))
    Engine(Config(delivery={"retry_schedule": ["10ms"]}), clock=ManualClock(SINCE))
    Engine.open(Path("webhooks.db"))
    async with Engine.open(
        "webhooks.db", allow_subnets=["127.0.0.1/32"], timeout=timedelta(seconds=5), server__listen="127.0.0.1:0"
    ) as engine:
        assert_type(engine, Engine)
    await engine.start()
    await engine.stop()


async def send(engine: Engine) -> None:
    assert_type(await engine.event_types.create(name="invoice.paid", description="An invoice was paid"), EventType)
    assert_type(await engine.applications.create(name="Acme", uid="acme"), Application)
    endpoint = await engine.endpoints.create("acme", url="https://example.com/hooks", event_types=["invoice.paid"])
    assert_type(endpoint, Endpoint)
    assert_type(await engine.endpoints.get_secret("acme", endpoint.id), str)
    message = await engine.messages.create("acme", event_type="invoice.paid", payload={"id": 1}, event_id="inv-1")
    assert_type(message, Message)
    await engine.messages.create("acme", event_type="invoice.paid", payload=[1, 2], channels={"eu"}, tags=["a"])
    await engine.messages.create("acme", event_type="invoice.paid", payload=b"{}", deliver_at=SINCE)
    await engine.messages.create("acme", event_type="invoice.paid", payload="{}")
    await engine.join(timeout=5)
    assert_type(await engine.attempts.list_by_message("acme", message.id), Page[Attempt])
    await engine.attempts.resend("acme", message.id, endpoint.id)
    assert_type(await engine.endpoints.recover("acme", endpoint.id, since=SINCE), Task)
    assert_type(await engine.endpoints.replay_missing("acme", endpoint.id, since=SINCE), Task)
    assert_type(await engine.endpoints.send_example("acme", endpoint.id, event_type="invoice.paid"), Message)


async def manage(engine: Engine) -> None:
    assert_type(await engine.applications.get("acme"), Application)
    assert_type(await engine.applications.list(limit=10), Page[Application])
    await engine.applications.update("acme", name="Acme Inc.", uid=None, throttle_rate=5)
    await engine.applications.delete("acme")
    assert_type(await engine.endpoints.update("acme", "main", url="https://example.com", channels=None), Endpoint)
    await engine.endpoints.enable("acme", "main")
    await engine.endpoints.disable("acme", "main")
    await engine.endpoints.rotate_secret("acme", "main")
    assert_type(await engine.endpoints.stats("acme", "main"), EndpointStats)
    assert_type(await engine.endpoints.get_headers("acme", "main"), EndpointHeaders)
    await engine.event_types.update("invoice.paid", archived=True)
    await engine.event_types.delete("invoice.paid")
    assert_type(await engine.attempts.list_attempted_messages("acme", "main"), Page[AttemptedMessage])
    assert_type(await engine.attempts.list_attempted_destinations("acme", "msg_1"), Page[AttemptedDestination])
    assert_type((await engine.tasks.get("qtask_1")).status, TaskStatus)
    other = engine.organization("org_other")
    assert_type(await other.messages.get("acme", "msg_1"), Message)


async def read(engine: Engine) -> None:
    page = await engine.messages.list("acme")
    assert_type(page.data, Sequence[Message])
    assert_type(page.iterator, str | None)
    assert_type(page.done, bool)
    async for message in engine.messages.iterate("acme"):
        assert_type(message.payload, bytes | None)
        assert_type(message.timestamp, datetime)
    async for attempt in engine.attempts.iterate_by_endpoint("acme", "main"):
        assert_type(attempt.status, AttemptStatus)
        assert_type(attempt.trigger_type, TriggerType)
        assert_type(attempt.response_status_code, int)
    endpoint = await engine.endpoints.get("acme", "main")
    assert_type(endpoint.disabled, bool)
    assert_type(endpoint.event_types, tuple[str, ...] | None)
    assert_type(endpoint.first_failure_at, datetime | None)
    assert_type(endpoint.metadata, Mapping[str, str])
    stats = await engine.endpoints.stats("acme", "main", since=SINCE)
    assert_type(stats.success, int)


def listen(engine: Engine) -> None:
    @engine.on(EndpointDisabledEvent)
    async def alert(event: EndpointDisabledEvent) -> None:
        assert_type(event.endpoint_id, str)
        assert_type(event.application_id, str)
        assert_type(event.first_failure_at, datetime)

    @engine.on(EndpointFailingEvent)
    def warn(event: EndpointFailingEvent) -> None:
        assert_type(event.application_uid, str | None)

    @engine.on(MessageAttemptExhaustedEvent)
    def exhausted(event: MessageAttemptExhaustedEvent) -> None:
        assert_type(event.last_attempt.response_status_code, int)

    @engine.on(OperationalEvent)
    def everything(event: OperationalEvent) -> None:
        assert_type(event.type, str)
        assert_type(event.data(), dict[str, object])


def verify(body: bytes, headers: Mapping[str, str]) -> str:
    webhook = Webhook("whsec_new", "whsec_old", tolerance=timedelta(minutes=1))
    try:
        event = webhook.verify(body, headers)
    except WebhookVerificationError as error:
        return str(error)
    assert isinstance(event, dict)
    assert_type(webhook.check(body, headers), bytes)
    assert_type(webhook.sign("msg_1", SINCE, body), str)
    return __version__


async def fail(engine: Engine) -> None:
    try:
        await engine.messages.get("acme", "inv-1")
    except NotFoundError as error:
        assert_type(error.kind, str)
    except ValidationError as error:
        assert_type(error.field, str)
        assert_type(error.problem, str)
    except WebhookEngineError:
        pass


def write(connection: sqlite3.Connection) -> None:
    create_table(connection)
    message_id = enqueue(
        connection,
        application="acme",
        event_type="invoice.paid",
        payload={"id": 1},
        event_id="inv-1",
        channels=["eu"],
        tags=["a"],
        deliver_at=SINCE,
        organization="org_other",
    )
    assert_type(message_id, str)


async def write_asynchronously(connection: aiosqlite.Connection) -> None:
    await create_table_async(connection)
    assert_type(await enqueue_async(connection, application="acme", event_type="a.b", payload=b"{}"), str)


async def typed_events(engine: Engine, db: sqlite3.Connection) -> None:
    @event("invoice.paid", version=1)
    @dataclass
    class InvoicePaid:
        """An invoice was paid."""

        id: int

    assert_type(InvoicePaid(id=1), InvoicePaid)
    assert_type(await engine.messages.create("acme", InvoicePaid(id=1)), Message)
    assert_type(await engine.messages.create_many("acme", [InvoicePaid(id=1)], tags=["x"]), Sequence[Message])
    assert_type(enqueue(db, application="acme", event=InvoicePaid(id=1)), str)
    assert_type(await engine.event_types.sync([InvoicePaid]), Sequence[EventType])


async def tests_of_users(engine: Engine, db: sqlite3.Connection, webhook_clock: ManualClock) -> None:
    webhook_clock.advance(timedelta(hours=5))
    webhook_clock.advance(hours=5)
    assert_type(enqueued(db), list[Enqueued])
    assert_type(assert_enqueued(db, event_type="invoice.paid", payload={"id": 1}), Enqueued)
    assert_type(await assert_delivered(engine, event_type="invoice.paid"), Delivered)
    async with Receiver() as receiver:
        receiver.fail(1)
        receiver.answer(status=503, delay=0.1)
        assert_type(receiver.url, str)


def measure(engine: Engine, sync: SyncEngine, registry: CollectorRegistry) -> None:
    registry.register(engine.metrics_collector())
    registry.register(sync.metrics_collector())


def mount(engine: Engine, app: FastAPI) -> Starlette:
    app.mount("/webhooks", engine.asgi())
    return Starlette(routes=[Mount("/webhooks", app=SharedEngine.open("webhooks.db").asgi())])
