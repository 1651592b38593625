"""Trying an endpoint out, catching up, counting."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from resources.calls import HOUR, clock_time, send

from webhook_engine import Engine, ManualClock, NotFoundError, ValidationError
from webhook_engine.errors import ExampleUnavailableError
from webhook_engine.model import Endpoint, TaskStatus, TriggerType


async def test_an_example_is_sent_whatever_the_filters(engine: Engine, receiver) -> None:
    await engine.event_types.create(name="a", schemas={"1": {"examples": [{"ü": 1}]}})
    await engine.event_types.create(name="plain")
    await engine.endpoints.create(
        "acme", url=receiver.url, uid="u", event_types=["plain"], channels=["c"], disabled=True
    )
    other = await engine.endpoints.create("acme", url=receiver.url)
    ping = await engine.endpoints.send_example("acme", "u", "svix.ping")
    await engine.endpoints.send_example("acme", "u", "a")
    await engine.join(5)
    assert receiver.bodies == [b'{"success": true}', '{"ü":1}'.encode()]
    (attempt,) = (await engine.attempts.list_by_message("acme", ping.id)).data
    assert attempt.trigger_type is TriggerType.MANUAL
    assert (await engine.attempts.list_by_endpoint("acme", other.id)).data == []
    with pytest.raises(ExampleUnavailableError):
        await engine.endpoints.send_example("acme", "u", "plain")
    with pytest.raises(NotFoundError, match="event type"):
        await engine.endpoints.send_example("acme", "u", "unknown")
    with pytest.raises(ValidationError):
        await engine.endpoints.send_example("acme", "u", "a b")


async def test_a_payload_of_ones_own_takes_the_place_of_the_example(engine: Engine, receiver) -> None:
    for name in ("plain", "other"):
        await engine.event_types.create(name=name, description="")
    await engine.endpoints.create("acme", url=f"{receiver.url}/one", uid="one")
    await engine.endpoints.create("acme", url=f"{receiver.url}/deaf", event_types=["other"])
    await engine.endpoints.create("acme", url=f"{receiver.url}/two", event_types=["plain"])
    await engine.endpoints.send_example("acme", "one", "plain", payload={"n": 1})
    await engine.endpoints.send_example("acme", "one", "webhook.ping", payload=b'{"n":  2}')
    await engine.join(5)
    assert {(request.path, request.body) for request in receiver.requests} == {
        ("/hook/one", b'{"n":1}'),
        ("/hook/one", b'{"n":  2}'),
    }
    receiver.requests.clear()
    message = await engine.endpoints.send_example("acme", None, "plain", payload={"n": 3})
    await engine.join(5)
    assert {request.path for request in receiver.requests} == {"/hook/one", "/hook/two"}
    assert len((await engine.attempts.list_by_message("acme", message.id)).data) == 2
    with pytest.raises(NotFoundError, match="event type"):
        await engine.endpoints.send_example("acme", None, "unknown", payload={"n": 4})


async def test_a_failed_example_is_not_repeated(engine: Engine, endpoint: Endpoint, receiver) -> None:
    receiver.answer(500)
    await engine.endpoints.send_example("acme", "main", "webhook.ping")
    await engine.join(5)
    assert len(receiver.bodies) == 1
    assert (await engine.endpoints.stats("acme", "main")).fail == 1


async def test_recover_sends_what_failed(engine: Engine, endpoint: Endpoint, receiver, clock: ManualClock) -> None:
    receiver.answer(500)
    since = clock_time(clock)
    await send(engine)
    receiver.answer(200)
    task = await engine.endpoints.recover("acme", "main", since)
    assert (task.task, task.status, task.endpoint_id) == ("endpoint.recover", TaskStatus.RUNNING, endpoint.id)
    done = await engine.tasks.wait(task.id, timeout=5)
    await engine.join(5)
    assert (done.status, done.data["processed"]) == (TaskStatus.FINISHED, 1)
    assert len(receiver.bodies) == 2
    stats = await engine.endpoints.stats("acme", "main")
    assert (stats.success, stats.fail) == (1, 1)


async def test_replay_sends_what_was_missed(engine: Engine, endpoint: Endpoint, receiver, clock: ManualClock) -> None:
    await engine.endpoints.disable("acme", "main")
    await send(engine, payload={"missed": True})
    await engine.endpoints.enable("acme", "main")
    task = await engine.endpoints.replay_missing("acme", "main", clock_time(clock) - HOUR)
    await engine.tasks.wait(task.id, timeout=5)
    await engine.join(5)
    assert receiver.bodies == [b'{"missed":true}']


@pytest.mark.parametrize(
    ("since", "until", "field"),
    [
        (timedelta(days=-14, minutes=-6), None, "since"),
        (timedelta(seconds=1), None, "since"),
        (timedelta(hours=-1), timedelta(hours=-1), "since"),
        (None, None, "since"),
        (timedelta(hours=-1), "now", "until"),
    ],
)
async def test_catching_up_has_bounds(
    engine: Engine, endpoint, clock, since: object, until: object, field: str
) -> None:
    def moment(offset: object) -> object:
        return clock_time(clock) + offset if isinstance(offset, timedelta) else offset

    for start in (engine.endpoints.recover, engine.endpoints.replay_missing):
        with pytest.raises(ValidationError) as caught:
            await start("acme", "main", moment(since), moment(until))  # type: ignore[arg-type]
        assert caught.value.field == field


async def test_catching_up_may_begin_14_days_ago(engine: Engine, endpoint: Endpoint, clock: ManualClock) -> None:
    task = await engine.endpoints.recover("acme", "main", clock_time(clock) - timedelta(days=14, minutes=5))
    assert (await engine.tasks.wait(task.id, 5)).status is TaskStatus.FINISHED


async def test_a_bound_in_the_future_is_now(engine: Engine, endpoint: Endpoint, clock: ManualClock) -> None:
    now = clock_time(clock)
    task = await engine.endpoints.recover("acme", "main", now - HOUR, now + HOUR)
    assert task.data["until"] == clock.now() + 1
    await engine.tasks.wait(task.id, 5)


async def test_statistics_count_attempts_in_the_span(engine: Engine, endpoint: Endpoint, receiver, clock) -> None:
    begin = clock_time(clock)
    await send(engine)
    clock.advance(HOUR)
    receiver.answer(500)
    await send(engine)
    end = clock_time(clock)
    assert await counts(engine) == (1, 1)
    assert await counts(engine, until=begin + HOUR / 2) == (1, 0)
    assert await counts(engine, since=begin + HOUR / 2) == (0, 1)
    assert await counts(engine, since=end - timedelta(days=28, minutes=5), until=end) == (1, 1)


async def counts(engine: Engine, **bounds: datetime) -> tuple[int, int]:
    stats = await engine.endpoints.stats("acme", "main", **bounds)
    return stats.success, stats.fail


@pytest.mark.parametrize(
    ("since", "until", "field"),
    [(None, timedelta(seconds=1), "until"), (timedelta(days=-28, minutes=-6), None, "since"), (5, None, "since")],
)
async def test_statistics_have_bounds(
    engine: Engine, endpoint, clock, since: object, until: object, field: str
) -> None:
    def moment(offset: object) -> object:
        return clock_time(clock) + offset if isinstance(offset, timedelta) else offset

    with pytest.raises(ValidationError) as caught:
        await engine.endpoints.stats("acme", "main", moment(since), moment(until))  # type: ignore[arg-type]
    assert caught.value.field == field
