"""Recover and replay missing: complete, durable, and told of."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from engines import (
    DAY,
    Answers,
    acme,
    attempts_of,
    destination,
    ids_of,
    local_engine,
    pass_time,
    record_events,
    send,
    send_many,
    until,
)
from receivers import Receiver, Request
from stores import query

from webhook_engine import (
    AttemptStatus,
    BackgroundTaskFinishedEvent,
    Engine,
    ManualClock,
    StoreUnavailableError,
    TaskStatus,
    TriggerType,
    ValidationError,
)
from webhook_engine.clock import to_datetime
from webhook_engine.model import Task
from webhook_engine.store.records import TaskProgress
from webhook_engine.store.sqlite.tasks import SqliteTasks

START = datetime(2026, 1, 1, tzinfo=UTC)
MANY = 1_700


async def fail_many(engine: Engine, receiver: Receiver, answers: Answers, count: int) -> list[str]:
    answers.status = 500
    messages = await send_many(engine, count)
    await engine.join(timeout=30)
    answers.status = 200
    receiver.requests.clear()
    return messages


async def test_recover_sends_all_that_failed_however_many(tmp_path: Path) -> None:
    answers = Answers()
    async with Receiver(answers) as receiver, local_engine(tmp_path / "e.db", retry_schedule=[]) as engine:
        finished = record_events(engine, BackgroundTaskFinishedEvent)
        endpoint = await acme(engine, receiver.url)
        begun = datetime.now(UTC)
        delivered = await send_many(engine, 50)
        await engine.join(timeout=10)
        messages = await fail_many(engine, receiver, answers, MANY)
        task = await engine.endpoints.recover("acme", endpoint.id, since=begun)
        assert (task.status, task.task, task.endpoint_id) == (TaskStatus.RUNNING, "endpoint.recover", endpoint.id)
        await engine.join(timeout=30)
        after = await engine.tasks.wait(task.id, timeout=5)
        assert (after.status, after.data["processed"]) == (TaskStatus.FINISHED, MANY)
        assert Counter(ids_of(receiver)) == Counter(messages)
        assert not set(ids_of(receiver)) & set(delivered)
        [event] = finished
        assert (event.task_id, event.task, event.status) == (task.id, "endpoint.recover", "finished")
        assert event.progress["processed"] == MANY


@pytest.mark.parametrize("pages", [0, 2])
async def test_recover_goes_on_after_a_restart_in_the_middle(tmp_path: Path, pages: int) -> None:
    database = tmp_path / "e.db"
    answers = Answers()
    async with Receiver(answers) as receiver:
        async with local_engine(database, retry_schedule=[]) as engine:
            endpoint = await acme(engine, receiver.url)
            begun = datetime.now(UTC)
            messages = await fail_many(engine, receiver, answers, MANY)
            task = await engine.endpoints.recover("acme", endpoint.id, since=begun)

            async def pages_done() -> bool:
                return (await engine.tasks.get(task.id)).data["processed"] >= 500 * pages

            await until(pages_done)
        [(status, data)] = query(database, "SELECT status, data FROM webhook_task")
        processed = json.loads(data)["processed"]
        assert (status == "running" and processed < MANY) or pages == 2
        async with local_engine(database, retry_schedule=[]) as engine:
            await engine.join(timeout=30)
            after = await engine.tasks.get(task.id)
            assert (after.status, after.data["processed"]) == (TaskStatus.FINISHED, MANY)
            assert set(ids_of(receiver)) == set(messages)
            stats = await engine.endpoints.stats("acme", endpoint.id)
            assert stats.success == MANY


async def test_a_recovered_delivery_gets_a_full_run_through_the_ladder(tmp_path: Path) -> None:
    clock = ManualClock(START)
    answers = Answers(500)
    async with (
        Receiver(answers) as receiver,
        local_engine(tmp_path / "e.db", clock, retry_schedule=["1s", "1s"]) as engine,
    ):
        endpoint = await acme(engine, receiver.url)
        message = await send(engine)
        for _ in range(5):
            await pass_time(engine, clock, 1)
        assert (await destination(engine, message)).status is AttemptStatus.FAIL
        assert len(receiver.requests) == 3
        await engine.endpoints.recover("acme", endpoint.id, since=START - DAY)
        for _ in range(5):
            await pass_time(engine, clock, 1)
        assert len(receiver.requests) == 6
        assert (await destination(engine, message)).attempt_count == 6


async def test_the_first_attempt_of_a_recovery_was_asked_for_and_counts_in_the_failure_window(tmp_path: Path) -> None:
    clock = ManualClock(START)
    answers = Answers(500)
    async with (
        Receiver(answers) as receiver,
        local_engine(tmp_path / "e.db", clock, retry_schedule=[], failure_window="5d") as engine,
    ):
        endpoint = await acme(engine, receiver.url)
        message = await send(engine)
        await engine.join(timeout=5)
        await pass_time(engine, clock, 5 * DAY)
        await engine.endpoints.recover("acme", endpoint.id, since=START - DAY)
        await engine.join(timeout=5)
        kinds = [attempt.trigger_type for attempt in await attempts_of(engine, message)]
        assert kinds == [TriggerType.SCHEDULED, TriggerType.MANUAL]
        assert (await engine.endpoints.get("acme", endpoint.id)).disabled


async def test_recover_goes_by_when_a_delivery_failed_and_not_by_when_its_message_was_created(tmp_path: Path) -> None:
    clock = ManualClock(START)
    answers = Answers(500)
    async with (
        Receiver(answers) as receiver,
        local_engine(tmp_path / "e.db", clock, retry_schedule=["1h"]) as engine,
    ):
        endpoint = await acme(engine, receiver.url)
        failed_late = await send(engine, 1)
        await engine.join(timeout=5)
        await pass_time(engine, clock, timedelta(hours=1))
        failed_after = await send(engine, 2)
        await pass_time(engine, clock, timedelta(minutes=1))
        await pass_time(engine, clock, timedelta(hours=1))
        answers.status = 200
        receiver.requests.clear()
        span = {"since": START + timedelta(minutes=30), "until": START + timedelta(minutes=90)}
        task = await engine.endpoints.recover("acme", endpoint.id, **span)
        await engine.join(timeout=5)
        assert (await engine.tasks.get(task.id)).data["processed"] == 1
        assert ids_of(receiver) == [failed_late]
        assert (await destination(engine, failed_after)).status is AttemptStatus.FAIL
        nothing = await engine.endpoints.recover("acme", endpoint.id, **span)
        await engine.join(timeout=5)
        assert (await engine.tasks.get(nothing.id)).data["processed"] == 0


async def test_recover_makes_retries_at_once_that_wait_for_later(tmp_path: Path) -> None:
    """Who has repaired a server must not wait ten hours for what was created in the outage."""
    clock = ManualClock(START)
    answers = Answers(500)
    async with (
        Receiver(answers) as receiver,
        local_engine(tmp_path / "e.db", clock, retry_schedule=["5h", "10h"], jitter=0) as engine,
    ):
        endpoint = await acme(engine, receiver.url)
        before = await send(engine)
        await engine.join(timeout=5)
        await pass_time(engine, clock, timedelta(hours=1))
        retrying = await send_many(engine, 600)
        await engine.join(timeout=20)
        later = (await engine.messages.create("acme", event_type="a", payload={}, deliver_at=START + 2 * DAY)).id
        since = START + timedelta(minutes=30)

        receiver.requests.clear()
        task = await engine.endpoints.recover("acme", endpoint.id, since=since)
        await engine.join(timeout=20)
        assert (await engine.tasks.get(task.id)).data["processed"] == 600
        assert sorted(ids_of(receiver)) == sorted(retrying)
        seen = await destination(engine, retrying[0])
        assert (seen.attempt_count, seen.next_attempt) == (2, to_datetime(clock.now()) + timedelta(hours=10))
        assert (await destination(engine, before)).next_attempt == START + timedelta(hours=5)

        answers.status = 200
        await engine.endpoints.recover("acme", endpoint.id, since=since)
        await engine.join(timeout=20)
        assert {(await destination(engine, one)).status for one in retrying} == {AttemptStatus.SUCCESS}
        assert (await destination(engine, later)).attempt_count == 0


async def test_recover_of_an_endpoint_that_goes_on_failing_ends(tmp_path: Path) -> None:
    answers = Answers(500)
    async with Receiver(answers) as receiver, local_engine(tmp_path / "e.db", retry_schedule=[]) as engine:
        endpoint = await acme(engine, receiver.url)
        begun = datetime.now(UTC)
        await send_many(engine, 600)
        await engine.join(timeout=20)
        task = await engine.endpoints.recover("acme", endpoint.id, since=begun)
        await engine.join(timeout=20)
        assert (await engine.tasks.get(task.id)).data["processed"] == 600
        assert len(receiver.requests) == 1_200


async def test_recover_takes_what_failed_between_since_and_until(tmp_path: Path) -> None:
    clock = ManualClock(START)
    answers = Answers(500)
    async with (
        Receiver(answers) as receiver,
        local_engine(tmp_path / "e.db", clock, retry_schedule=[]) as engine,
    ):
        endpoint = await acme(engine, receiver.url)
        messages = []
        for _ in range(6):
            messages.append(await send(engine))
            await engine.join(timeout=5)
            await pass_time(engine, clock, timedelta(hours=1))
        answers.status = 200
        receiver.requests.clear()
        task = await engine.endpoints.recover(
            "acme", endpoint.id, since=START + timedelta(hours=1), until=START + timedelta(hours=4)
        )
        await engine.join(timeout=5)
        assert (await engine.tasks.get(task.id)).data["processed"] == 3
        assert sorted(ids_of(receiver)) == sorted(messages[1:4])
        await pass_time(engine, clock, 14 * DAY)
        with pytest.raises(ValidationError, match="at most 14 days ago"):
            await engine.endpoints.recover("acme", endpoint.id, since=START)
        with pytest.raises(ValidationError, match="at most 14 days ago"):
            await engine.endpoints.replay_missing("acme", endpoint.id, since=START)
        with pytest.raises(ValidationError, match="in the past"):
            await engine.endpoints.recover("acme", endpoint.id, since=START + 20 * DAY)


async def test_messages_whose_payload_is_gone_are_passed_over(tmp_path: Path) -> None:
    answers = Answers()
    async with Receiver(answers) as receiver, local_engine(tmp_path / "e.db", retry_schedule=[]) as engine:
        endpoint = await acme(engine, receiver.url)
        begun = datetime.now(UTC)
        messages = await fail_many(engine, receiver, answers, 10)
        for message in messages[:4]:
            await engine.messages.expunge_content("acme", message)
        task = await engine.endpoints.recover("acme", endpoint.id, since=begun)
        await engine.join(timeout=5)
        assert (await engine.tasks.get(task.id)).data["processed"] == 6
        assert sorted(ids_of(receiver)) == sorted(messages[4:])


async def test_replay_missing_sends_what_matches_and_was_never_on_its_way(tmp_path: Path) -> None:
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        for name in ("invoice.paid", "invoice.lost"):
            await engine.event_types.create(name=name)
        await engine.applications.create(name="Acme", uid="acme")
        begun = datetime.now(UTC)
        wanted = await send_many(engine, MANY)
        await send(engine, event_type="invoice.lost")
        endpoint = await acme(engine, receiver.url, event_types=["invoice.paid"])
        had_already = await send_many(engine, 20)
        await engine.join(timeout=10)
        receiver.requests.clear()
        task = await engine.endpoints.replay_missing("acme", endpoint.id, since=begun)
        await engine.join(timeout=30)
        after = await engine.tasks.get(task.id)
        assert (after.status, after.data["processed"]) == (TaskStatus.FINISHED, MANY)
        assert Counter(ids_of(receiver)) == Counter(wanted)
        assert not set(had_already) & set(ids_of(receiver))
        again = await engine.endpoints.replay_missing("acme", endpoint.id, since=begun)
        assert (await engine.tasks.wait(again.id, timeout=10)).data["processed"] == 0


@pytest.mark.slow
async def test_replay_missing_goes_on_after_a_restart_in_the_middle(tmp_path: Path) -> None:
    database = tmp_path / "e.db"
    async with Receiver() as receiver:
        async with local_engine(database) as engine:
            await engine.applications.create(name="Acme", uid="acme")
            begun = datetime.now(UTC)
            messages = await send_many(engine, MANY)
            endpoint = await acme(engine, receiver.url)
            task = await engine.endpoints.replay_missing("acme", endpoint.id, since=begun)
        for _ in range(3):
            async with local_engine(database) as engine:
                await asyncio.sleep(0)
        async with local_engine(database) as engine:
            await engine.join(timeout=30)
            after = await engine.tasks.get(task.id)
            assert (after.status, after.data["processed"]) == (TaskStatus.FINISHED, MANY)
            assert set(ids_of(receiver)) == set(messages)
            assert (await engine.endpoints.stats("acme", endpoint.id)).success == MANY


async def test_a_task_of_an_endpoint_that_was_deleted_fails_with_the_reason(tmp_path: Path) -> None:
    database = tmp_path / "e.db"
    answers = Answers()
    async with Receiver(answers) as receiver, local_engine(database, retry_schedule=[]) as engine:
        finished = record_events(engine, BackgroundTaskFinishedEvent)
        endpoint = await acme(engine, receiver.url)
        begun = datetime.now(UTC)
        await fail_many(engine, receiver, answers, 600)
        runner, deleted = engine._flow._tasks, asyncio.Event()
        step = runner._step

        async def after_the_deletion(task: Task, progress: TaskProgress) -> TaskProgress:
            await deleted.wait()
            return await step(task, progress)

        runner._step = after_the_deletion  # type: ignore[method-assign]
        task = await engine.endpoints.recover("acme", endpoint.id, since=begun)
        await engine.endpoints.delete("acme", endpoint.id)
        deleted.set()
        after = await engine.tasks.wait(task.id, timeout=10)
        await engine.join(timeout=10)
        assert after.status is TaskStatus.FAILED
        assert after.data["error"] == "the endpoint was deleted"
        assert [event.status for event in finished] == ["failed"]
        assert (await engine.endpoints.list("acme")).data == []


async def test_a_page_of_recover_and_its_count_are_one_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = tmp_path / "e.db"
    answers = Answers()
    async with Receiver(answers) as receiver:
        async with local_engine(database, retry_schedule=[]) as engine:
            endpoint = await acme(engine, receiver.url)
            begun = datetime.now(UTC)
            await fail_many(engine, receiver, answers, 10)

            async def killed(*_: object) -> None:
                raise StoreUnavailableError("as if the process died here")

            monkeypatch.setattr(SqliteTasks, "advance", killed)
            task = await engine.endpoints.recover("acme", endpoint.id, since=begun)
            await receiver.wait_for(10, timeout=5)
        monkeypatch.undo()
        async with local_engine(database, retry_schedule=[]) as engine:
            await engine.join(timeout=10)
            after = await engine.tasks.get(task.id)
            assert (after.status, after.data["processed"]) == (TaskStatus.FINISHED, 10)


@pytest.mark.parametrize("how", ["recover", "what waits for a retry", "replay missing"])
async def test_the_first_attempt_that_somebody_asked_for_is_manual_and_those_that_follow_are_not(
    tmp_path: Path, how: str
) -> None:
    clock = ManualClock(START)
    answers = Answers(500)
    async with (
        Receiver(answers) as receiver,
        local_engine(tmp_path / "e.db", clock, retry_schedule=["1h", "1h"]) as engine,
    ):
        if how == "replay missing":
            await engine.applications.create(name="Acme", uid="acme")
            message = await send(engine)
            endpoint = await acme(engine, receiver.url)
            await engine.endpoints.replay_missing("acme", endpoint.id, since=START - DAY)
            before = 0
        else:
            endpoint = await acme(engine, receiver.url)
            message = await send(engine)
            await engine.join(timeout=5)
            before = 1
            if how == "recover":
                await pass_time(engine, clock, 3_600)
                await pass_time(engine, clock, 3_600)
                before = 3
            await engine.endpoints.recover("acme", endpoint.id, since=START - DAY)
        await engine.join(timeout=5)
        for _ in range(3):
            await pass_time(engine, clock, 3_600)
        kinds = [attempt.trigger_type for attempt in await attempts_of(engine, message)]
        assert kinds[: before + 1] == [TriggerType.SCHEDULED] * before + [TriggerType.MANUAL]
        assert set(kinds[before + 1 :]) == {TriggerType.SCHEDULED}


async def test_finished_means_that_all_is_scheduled_and_not_that_it_is_delivered(tmp_path: Path) -> None:
    """As the documentation says: the lane paces the sending, however long that takes."""
    delivering, status = asyncio.Event(), 500

    async def answer(_: Request) -> int:
        if status == 200:
            await delivering.wait()
        return status

    async with Receiver(answer) as receiver, local_engine(tmp_path / "e.db", retry_schedule=[]) as engine:
        endpoint = await acme(engine, receiver.url)
        begun = datetime.now(UTC)
        messages = await send_many(engine, 5)
        await engine.join(timeout=10)
        status = 200
        task = await engine.endpoints.recover("acme", endpoint.id, since=begun)
        after = await engine.tasks.wait(task.id, timeout=10)
        assert (after.status, after.data["processed"]) == (TaskStatus.FINISHED, 5)
        waiting = await engine.attempts.list_attempted_messages("acme", endpoint.id)
        assert [each.status for each in waiting.data] == [AttemptStatus.SENDING] * 5
        delivering.set()
        await engine.join(timeout=10)
        done = await engine.attempts.list_attempted_messages("acme", endpoint.id, status=AttemptStatus.SUCCESS)
        assert sorted(each.message.id for each in done.data) == sorted(messages)


async def test_a_paused_recovery_stays_so_over_a_restart_and_goes_on_when_it_is_resumed(tmp_path: Path) -> None:
    database = tmp_path / "e.db"
    answers = Answers()
    async with Receiver(answers) as receiver:
        async with local_engine(database, retry_schedule=[]) as engine:
            endpoint = await acme(engine, receiver.url)
            begun = datetime.now(UTC)
            messages = await fail_many(engine, receiver, answers, 600)
            task = await engine.endpoints.recover("acme", endpoint.id, since=begun)
            paused = await engine.tasks.pause(task.id)
            assert paused.status is TaskStatus.PAUSED
            await engine.join(timeout=10)
            held = await engine.tasks.get(task.id)
            assert held.status is TaskStatus.PAUSED
            assert int(str(held.data["processed"])) < 600
        async with local_engine(database, retry_schedule=[]) as engine:
            await engine.join(timeout=10)
            assert (await engine.tasks.get(task.id)).data == held.data
            assert (await engine.tasks.resume(task.id)).status is not TaskStatus.PAUSED
            after = await engine.tasks.wait(task.id, timeout=10)
            assert (after.status, after.data["processed"]) == (TaskStatus.FINISHED, 600)
            await engine.join(timeout=10)
            assert Counter(ids_of(receiver)) == Counter(messages)


async def test_a_cancelled_recovery_ends_at_once_and_is_told_of(tmp_path: Path) -> None:
    answers = Answers()
    async with Receiver(answers) as receiver, local_engine(tmp_path / "e.db", retry_schedule=[]) as engine:
        told = record_events(engine, BackgroundTaskFinishedEvent)
        endpoint = await acme(engine, receiver.url)
        begun = datetime.now(UTC)
        await fail_many(engine, receiver, answers, 3)
        task = await engine.endpoints.recover("acme", endpoint.id, since=begun)
        await engine.tasks.pause(task.id)
        ended = await engine.tasks.cancel(task.id)
        assert (ended.status, ended.data["error"]) == (TaskStatus.FAILED, "cancelled")
        assert (await engine.tasks.resume(task.id)).status is TaskStatus.FAILED
        assert (await engine.tasks.cancel(task.id)).updated_at == ended.updated_at
        await engine.join(timeout=10)
        assert [(event.task_id, event.status) for event in told] == [(task.id, "failed")]
