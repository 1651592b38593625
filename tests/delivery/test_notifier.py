"""What happens is told: to handlers in the host program, and as signed webhooks of the operational application."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest
from engines import acme, ids_of, local_engine, record_events, send, until
from operational import OPERATIONAL, told, watch
from receivers import Receiver
from stores import accept_messages, refuse_messages
from svix.webhooks import Webhook

from webhook_engine import (
    BackgroundTaskFinishedEvent,
    EndpointCreatedEvent,
    EndpointDisabledEvent,
    MessageAttemptFailingEvent,
    OperationalEvent,
    StoreError,
)
from webhook_engine.model import DEFAULT_ORGANIZATION


async def test_changes_of_endpoints_are_told_with_the_fields_of_the_contract(tmp_path: Path) -> None:
    async with Receiver() as platform, Receiver() as consumer, local_engine(tmp_path / "e.db") as engine:
        await watch(engine, platform.url)
        application = await engine.applications.create(name="Acme", uid="acme")
        endpoint = await acme(engine, consumer.url, uid="main")
        plain = await acme(engine, consumer.url)
        await engine.endpoints.update("acme", "main", description="x")
        await engine.endpoints.rotate_secret("acme", "main")
        await engine.endpoints.disable("acme", "main")
        await engine.endpoints.enable("acme", "main")
        await engine.endpoints.delete("acme", "main")
        await engine.join(timeout=5)
        expected = {
            "appId": application.id,
            "appUid": "acme",
            "endpointId": endpoint.id,
            "endpointUid": "main",
        }
        assert told(platform, "endpoint.created") == [
            expected,
            {**expected, "endpointId": plain.id, "endpointUid": None},
        ]
        assert told(platform, "endpoint.updated") == [expected] * 4
        assert told(platform, "endpoint.enabled") == [expected]
        assert told(platform, "endpoint.deleted") == [expected]
        assert told(platform, "endpoint.disabled") == []


async def test_the_webhook_is_compact_json_with_sorted_members_and_signed(tmp_path: Path) -> None:
    async with Receiver() as platform, Receiver() as consumer, local_engine(tmp_path / "e.db") as engine:
        watcher = await watch(engine, platform.url)
        secret = await engine.organization(OPERATIONAL).endpoints.get_secret(DEFAULT_ORGANIZATION, watcher.id)
        await acme(engine, consumer.url)
        [request] = await platform.wait_for(1)
        Webhook(secret).verify(request.body, dict(request.headers))
        body = json.loads(request.body)
        assert body["type"] == "endpoint.created"
        assert request.body == json.dumps(body, separators=(",", ":"), sort_keys=True).encode()
        assert request.headers["content-type"] == "application/json"


async def test_the_end_of_a_background_task_is_told(tmp_path: Path) -> None:
    async with Receiver() as platform, Receiver() as consumer, local_engine(tmp_path / "e.db") as engine:
        finished = record_events(engine, BackgroundTaskFinishedEvent)
        await watch(engine, platform.url)
        endpoint = await acme(engine, consumer.url)
        task = await engine.endpoints.recover("acme", endpoint.id, since=endpoint.created_at - timedelta(hours=1))
        await engine.join(timeout=5)
        [data] = told(platform, "background_task.finished")
        assert (data["taskId"], data["task"], data["status"]) == (task.id, "endpoint.recover", "finished")
        assert data["data"]["processed"] == 0
        assert len(finished) == 1


async def test_no_crash_comes_between_the_end_of_a_task_and_what_is_told_of_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database = tmp_path / "e.db"
    async with Receiver() as platform, Receiver() as consumer:
        async with local_engine(database) as engine:
            await watch(engine, platform.url)
            endpoint = await acme(engine, consumer.url)
            await engine.join(timeout=5)
            refuse_messages(database, "background_task.finished", "as if the process died here")
            finished = record_events(engine, BackgroundTaskFinishedEvent)
            since = endpoint.created_at - timedelta(hours=1)
            task = await engine.endpoints.recover("acme", endpoint.id, since=since)
            await until(lambda: "as if the process died here" in caplog.text)
            assert finished == []
        accept_messages(database)
        async with local_engine(database) as engine:
            await engine.join(timeout=5)
            assert [data["taskId"] for data in told(platform, "background_task.finished")] == [task.id]


async def test_no_crash_comes_between_a_change_of_an_endpoint_and_what_is_told_of_it(tmp_path: Path) -> None:
    database = tmp_path / "e.db"
    async with Receiver() as platform, Receiver() as consumer:
        async with local_engine(database) as engine:
            await watch(engine, platform.url)
            endpoint = await acme(engine, consumer.url, uid="main")
            await engine.join(timeout=5)
            refuse_messages(database, "endpoint.*", "as if the process died here")
            for change in (
                engine.endpoints.create("acme", url=consumer.url, uid="other"),
                engine.endpoints.update("acme", "main", uid="renamed"),
                engine.endpoints.disable("acme", "main"),
                engine.endpoints.rotate_secret("acme", "main"),
                engine.endpoints.delete("acme", "main"),
                engine.applications.delete("acme"),
            ):
                with pytest.raises(StoreError, match="as if the process died here"):
                    await change
            assert (await engine.endpoints.list("acme")).data == [endpoint]
            accept_messages(database)
            await engine.endpoints.update("acme", "main", uid="renamed")
            await engine.applications.delete("acme")
            await engine.join(timeout=5)
        [updated] = told(platform, "endpoint.updated")
        assert (updated["endpointId"], updated["endpointUid"]) == (endpoint.id, "renamed")
        assert [data["endpointUid"] for data in told(platform, "endpoint.deleted")] == ["renamed"]


async def test_a_webhook_is_retried_like_any_other(tmp_path: Path) -> None:
    async with (
        Receiver([500, 500, 200]) as platform,
        local_engine(tmp_path / "e.db", retry_schedule=["5ms", "5ms"]) as engine,
    ):
        await watch(engine, platform.url)
        await acme(engine, platform.url + "/consumer")
        await platform.wait_for(3)
        assert len(set(ids_of(platform))) == 1


async def test_each_organization_hears_of_its_own(tmp_path: Path) -> None:
    other = "org_2aaaaaaaaaaaaaaaaaaaaaaaaaa"
    async with Receiver() as first, Receiver() as second, local_engine(tmp_path / "e.db") as engine:
        await watch(engine, first.url)
        await watch(engine, second.url, other)
        await engine.organization(other).applications.create(name="Other", uid="acme")
        theirs = await engine.organization(other).endpoints.create("acme", url="https://example.com/")
        await engine.join(timeout=5)
        assert not first.requests
        assert [one["endpointId"] for one in told(second, "endpoint.created")] == [theirs.id]


async def test_what_happens_to_operational_webhooks_makes_no_more_of_them(tmp_path: Path) -> None:
    """The operational organization may even watch itself: it ends all the same."""
    async with Receiver(410) as platform, local_engine(tmp_path / "e.db", retry_schedule=["1ms"] * 5) as engine:
        disabled = record_events(engine, EndpointDisabledEvent)
        await watch(engine, platform.url, OPERATIONAL)
        watcher = await watch(engine, platform.url)
        await acme(engine, platform.url)
        await send(engine)
        await engine.join(timeout=5)
        assert len(platform.requests) <= 3
        assert watcher.id in {event.endpoint_id for event in disabled}


async def test_an_event_that_nobody_subscribed_to_is_not_sent(tmp_path: Path) -> None:
    async with Receiver() as platform, local_engine(tmp_path / "e.db") as engine:
        await engine.organization(OPERATIONAL).event_types.create(name="endpoint.disabled")
        await watch(engine, platform.url, event_types=["endpoint.disabled"])
        await acme(engine, platform.url)
        await engine.join(timeout=5)
        assert not platform.requests


async def test_handlers_may_be_plain_or_coroutine_functions_and_hear_one_class_or_all(tmp_path: Path) -> None:
    async with Receiver() as consumer, local_engine(tmp_path / "e.db") as engine:
        heard: list[str] = []

        @engine.on(EndpointCreatedEvent)
        def plain(event: EndpointCreatedEvent) -> None:
            heard.append(f"plain {event.endpoint_uid}")

        @engine.on(EndpointCreatedEvent)
        async def coroutine(event: EndpointCreatedEvent) -> None:
            await asyncio.sleep(0)
            # The change is committed when a handler runs.
            endpoint = await engine.endpoints.get(event.application_id, event.endpoint_id)
            heard.append(f"coroutine {endpoint.uid}")

        @engine.on(OperationalEvent)
        def every(event: OperationalEvent) -> None:
            heard.append(f"every {event.type}")

        @engine.on(MessageAttemptFailingEvent)
        def never(_event: MessageAttemptFailingEvent) -> None:
            heard.append("never")

        await acme(engine, consumer.url, uid="a")
        await until(lambda: len(heard) == 3)
        assert sorted(heard) == ["coroutine a", "every endpoint.created", "plain a"]


async def test_a_handler_that_raises_is_logged_and_the_others_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Receiver() as consumer, local_engine(tmp_path / "e.db") as engine:
        heard = []

        @engine.on(EndpointCreatedEvent)
        def faulty(_event: EndpointCreatedEvent) -> None:
            raise RuntimeError("the host's own mistake")

        @engine.on(EndpointCreatedEvent)
        async def faulty_too(_event: EndpointCreatedEvent) -> None:
            raise RuntimeError("another")

        engine.on(EndpointCreatedEvent)(heard.append)
        await acme(engine, consumer.url)
        await until(lambda: heard)
        await until(lambda: caplog.text.count("event.handler_failed") == 2)
        assert "faulty_too" in caplog.text
        await send(engine)
        await consumer.wait_for(1)


async def test_what_a_handler_of_a_failure_reads_is_true(tmp_path: Path) -> None:
    async with Receiver(410) as consumer, local_engine(tmp_path / "e.db") as engine:
        seen = []

        @engine.on(EndpointDisabledEvent)
        async def check(event: EndpointDisabledEvent) -> None:
            endpoint = await engine.endpoints.get(event.application_id, event.endpoint_id)
            attempts = await engine.attempts.list_by_endpoint(event.application_id, event.endpoint_id)
            seen.append((endpoint.disabled, endpoint.first_failure_at == event.first_failure_at, len(attempts.data)))

        await acme(engine, consumer.url)
        await send(engine)
        await until(lambda: seen)
        assert seen == [(True, True, 1)]
