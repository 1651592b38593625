"""What is told of attempts and of endpoints that fail."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from engines import Answers, acme, local_engine, pass_time, record_events, send
from operational import told, watch
from receivers import Receiver

from webhook_engine import (
    EndpointDisabledEvent,
    ManualClock,
)


async def test_an_endpoint_that_is_disabled_is_told_with_the_start_of_its_failure(tmp_path: Path) -> None:
    async with Receiver() as platform, Receiver(410) as consumer, local_engine(tmp_path / "e.db") as engine:
        disabled = record_events(engine, EndpointDisabledEvent)
        await watch(engine, platform.url)
        endpoint = await acme(engine, consumer.url)
        await send(engine)
        await engine.join(timeout=5)
        [data] = told(platform, "endpoint.disabled")
        assert data.keys() == {"appId", "appUid", "endpointId", "endpointUid", "failSince", "trigger"}
        assert (data["endpointId"], data["trigger"]) == (endpoint.id, "automatic")
        assert data["failSince"].endswith("Z")
        assert datetime.fromisoformat(data["failSince"]) == disabled[0].first_failure_at


async def test_failing_recovered_and_exhausted_attempts_are_told(tmp_path: Path) -> None:
    clock = ManualClock()
    answers = Answers(503)
    async with (
        Receiver() as platform,
        Receiver(answers) as consumer,
        local_engine(tmp_path / "e.db", clock, retry_schedule=["1s"] * 5) as engine,
    ):
        await watch(engine, platform.url)
        endpoint = await acme(engine, consumer.url)
        application = await engine.applications.get("acme")
        message = await engine.messages.create("acme", event_type="a.b", payload={}, event_id="order-1")
        await engine.join(timeout=5)
        for _ in range(3):
            await pass_time(engine, clock, 1)
        [failing] = told(platform, "message.attempt.failing")
        attempts = (await engine.attempts.list_by_message("acme", message.id)).data
        last = failing.pop("lastAttempt")
        assert failing == {
            "appId": application.id,
            "appUid": "acme",
            "endpointId": endpoint.id,
            "msgId": message.id,
            "msgEventId": "order-1",
        }
        assert last.keys() == {"id", "responseStatusCode", "timestamp"}
        assert (last["id"], last["responseStatusCode"]) == (attempts[0].id, 503)
        answers.status = 200
        await pass_time(engine, clock, 1)
        assert [one["msgId"] for one in told(platform, "message.attempt.recovered")] == [message.id]
        answers.status = 500
        lost = await send(engine)
        await engine.join(timeout=5)
        for _ in range(5):
            await pass_time(engine, clock, 1)
        assert [one["msgId"] for one in told(platform, "message.attempt.exhausted")] == [lost]
        assert told(platform, "message.attempt.exhausted")[0]["msgEventId"] is None
