"""A failed delivery is tried again down the ladder: when, how often, and what the platform hears of it."""

from __future__ import annotations

import asyncio
import itertools
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from engines import (
    LADDER,
    Answers,
    acme,
    attempts_of,
    destination,
    ids_of,
    local_engine,
    pass_time,
    record_events,
    send,
    until,
)
from freezegun import freeze_time
from receivers import Receiver

from webhook_engine import (
    AttemptStatus,
    ManualClock,
    MessageAttemptExhaustedEvent,
    MessageAttemptFailingEvent,
    MessageAttemptRecoveredEvent,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MILLISECOND = timedelta(milliseconds=1)


async def test_the_default_ladder_makes_eight_attempts_each_exactly_when_due(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with Receiver(Answers(500)) as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        await acme(engine, receiver.url)
        message = await send(engine)
        await engine.join(timeout=5)
        for number, step in enumerate(LADDER, start=1):
            assert len(receiver.requests) == number
            await pass_time(engine, clock, step - MILLISECOND)
            assert len(receiver.requests) == number, f"attempt {number + 1} came too early"
            await pass_time(engine, clock, MILLISECOND)
        attempts = await attempts_of(engine, message)
        moments = [attempt.timestamp for attempt in attempts]
        assert [later - earlier for earlier, later in itertools.pairwise(moments)] == LADDER
        assert [attempt.response_status_code for attempt in attempts] == [500] * 8
        await pass_time(engine, clock, timedelta(days=30))
        assert len(receiver.requests) == 8
        assert set(ids_of(receiver)) == {message}
        end = await destination(engine, message)
        assert (end.status, end.reason, end.attempt_count) == (AttemptStatus.FAIL, "retries exhausted", 8)
        assert end.next_attempt is None


async def test_the_default_ladder_holds_under_freezegun(tmp_path: Path) -> None:
    with freeze_time("2026-01-01", real_asyncio=True) as frozen:
        async with Receiver(Answers(500)) as receiver, local_engine(tmp_path / "e.db") as engine:
            await acme(engine, receiver.url)
            message = await send(engine)
            await engine.join(timeout=5)
            for number, step in enumerate(LADDER, start=1):
                frozen.tick(step - SECOND)
                await engine.join(timeout=5)
                assert len(receiver.requests) == number
                frozen.tick(SECOND)
                await receiver.wait_for(number + 1, timeout=5)
                await engine.join(timeout=5)
            assert len(await attempts_of(engine, message)) == 8
            assert (await destination(engine, message)).status is AttemptStatus.FAIL


async def test_each_attempt_is_signed_anew_with_the_time_that_it_is_made_at(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with Receiver(Answers(500)) as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        await acme(engine, receiver.url)
        await send(engine)
        await engine.join(timeout=5)
        await pass_time(engine, clock, 5)
        first, second = receiver.requests
        assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 5
        assert first.headers["webhook-signature"] != second.headers["webhook-signature"]
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        assert first.body == second.body == b'{"n":1}'


async def test_the_platform_hears_of_the_fourth_failure_and_of_the_last(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with Receiver(Answers(500)) as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        events = record_events(engine)
        endpoint = await acme(engine, receiver.url)
        message = await send(engine)
        await engine.join(timeout=5)
        events.clear()
        for step in LADDER:
            await pass_time(engine, clock, step)
        # Whoever listens may hear of an attempt a little later than it is recorded.
        await until(lambda: len(events) >= 2)
        made = (await engine.attempts.list_by_message("acme", message)).data
    numbers = {attempt.id: number for number, attempt in enumerate(reversed(made), start=1)}
    heard = {numbers[event.last_attempt.id]: event for event in events}
    assert {number: type(event) for number, event in heard.items()} == {
        4: MessageAttemptFailingEvent,
        8: MessageAttemptExhaustedEvent,
    }
    for event in heard.values():
        assert (event.message_id, event.endpoint_id, event.application_uid) == (message, endpoint.id, "acme")
        assert event.last_attempt.response_status_code == 500


async def test_a_ladder_of_four_attempts_reports_exhausted_and_not_failing(tmp_path: Path) -> None:
    async with (
        Receiver(Answers(500)) as receiver,
        local_engine(tmp_path / "e.db", retry_schedule=["1ms"] * 3) as engine,
    ):
        events = record_events(engine)
        await acme(engine, receiver.url)
        await send(engine)
        await until(lambda: any(isinstance(event, MessageAttemptExhaustedEvent) for event in events))
        assert not [event for event in events if isinstance(event, MessageAttemptFailingEvent)]
        assert len(receiver.requests) == 4


@pytest.mark.parametrize(("failures", "recovered"), [(3, 0), (4, 1), (7, 1)])
async def test_a_delivery_recovers_if_it_succeeds_after_it_was_reported_as_failing(
    tmp_path: Path, failures: int, recovered: int
) -> None:
    answers = Answers(503)
    clock = ManualClock(START)
    async with Receiver(answers) as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        events = record_events(engine, MessageAttemptRecoveredEvent)
        await acme(engine, receiver.url)
        message = await send(engine)
        await engine.join(timeout=5)
        for number, step in enumerate(LADDER[:failures], start=1):
            if number == failures:
                answers.status = 200
            await pass_time(engine, clock, step)
        assert len(events) == recovered
        end = await destination(engine, message)
        assert (end.status, end.attempt_count) == (AttemptStatus.SUCCESS, failures + 1)
        await pass_time(engine, clock, timedelta(days=1))
        assert len(receiver.requests) == failures + 1


async def test_an_empty_schedule_makes_one_attempt(tmp_path: Path) -> None:
    async with (
        Receiver(Answers(500)) as receiver,
        local_engine(tmp_path / "e.db", retry_schedule=[]) as engine,
    ):
        events = record_events(engine, MessageAttemptExhaustedEvent)
        await acme(engine, receiver.url)
        message = await send(engine)
        await engine.join(timeout=5)
        end = await destination(engine, message)
        assert (end.status, end.attempt_count, len(receiver.requests)) == (AttemptStatus.FAIL, 1, 1)
        assert len(events) == 1


async def test_a_schedule_of_milliseconds_is_kept(tmp_path: Path) -> None:
    answers = Answers(500)
    async with (
        Receiver(answers) as receiver,
        local_engine(tmp_path / "e.db", retry_schedule=["1ms", "10ms", "60ms", "150ms"]) as engine,
    ):
        await acme(engine, receiver.url)
        await send(engine)
        await receiver.wait_for(5, timeout=5)
        arrivals = answers.moments
        gaps = [later - earlier for earlier, later in itertools.pairwise(arrivals)]
        for gap, wanted in zip(gaps, [0.001, 0.01, 0.06, 0.15], strict=True):
            # An arrival is later than the due time by the way there; so a gap may be short by what the first one lost.
            assert wanted - 0.02 <= gap <= wanted + 0.5


@pytest.mark.parametrize("status", [429, 503, 500])
async def test_retry_after_in_seconds_lengthens_the_step_up_to_twice(tmp_path: Path, status: int) -> None:
    clock = ManualClock(START)
    answers = Answers(status, {"retry-after": "8"})
    async with Receiver(answers) as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        await acme(engine, receiver.url)
        message = await send(engine)
        await engine.join(timeout=5)
        assert await wait_until_next(engine, message, clock) == timedelta(seconds=8)
        answers.headers = {"retry-after": "86400"}
        await pass_time(engine, clock, 8)
        assert await wait_until_next(engine, message, clock) == timedelta(minutes=10)
        answers.headers = {"retry-after": "1"}
        await pass_time(engine, clock, 600)
        assert await wait_until_next(engine, message, clock) == timedelta(minutes=30)


async def test_retry_after_as_a_date_counts_from_now(tmp_path: Path) -> None:
    clock = ManualClock(START)
    answers = Answers(503, {"retry-after": format_datetime(START + timedelta(seconds=7), usegmt=True)})
    async with Receiver(answers) as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        await acme(engine, receiver.url)
        message = await send(engine)
        await engine.join(timeout=5)
        assert await wait_until_next(engine, message, clock) == timedelta(seconds=7)
        answers.headers = {"retry-after": "soon, I hope"}
        await pass_time(engine, clock, 7)
        assert await wait_until_next(engine, message, clock) == timedelta(minutes=5)


async def test_jitter_spreads_the_retries_within_a_fifth(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with Receiver(Answers(500)) as receiver, local_engine(tmp_path / "e.db", clock, jitter=0.2) as engine:
        await acme(engine, receiver.url)
        messages = await asyncio.gather(*(send(engine, number) for number in range(100)))
        await engine.join(timeout=10)
        waits = [(await wait_until_next(engine, message, clock)).total_seconds() for message in messages]
    assert min(waits) >= 4
    assert max(waits) <= 6
    assert max(waits) - min(waits) > 1
    assert len(set(waits)) > 50


async def test_what_is_sent_for_later_waits_for_its_time(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with Receiver() as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        await acme(engine, receiver.url)
        await engine.messages.create("acme", event_type="a.b", payload={}, deliver_at=START + timedelta(hours=1))
        await engine.join(timeout=5)
        assert not receiver.requests
        await pass_time(engine, clock, timedelta(minutes=59))
        assert not receiver.requests
        await pass_time(engine, clock, timedelta(minutes=1))
        assert len(receiver.requests) == 1


async def test_a_pending_retry_survives_a_restart_and_keeps_its_place_on_the_ladder(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with Receiver(Answers(500)) as receiver:
        for attempts, step in enumerate([timedelta(0), *LADDER], start=1):
            async with local_engine(tmp_path / "e.db", clock) as engine:
                if attempts == 1:
                    await acme(engine, receiver.url)
                    message = await send(engine)
                await pass_time(engine, clock, step)
                assert len(receiver.requests) == attempts
        async with local_engine(tmp_path / "e.db", clock) as engine:
            await pass_time(engine, clock, timedelta(days=9))
            assert (await destination(engine, message)).attempt_count == 8


async def test_many_failures_at_once_all_come_back_on_time(tmp_path: Path) -> None:
    clock = ManualClock(START)
    answers = Answers(500)
    async with Receiver(answers) as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        await acme(engine, receiver.url)
        messages = await asyncio.gather(*(send(engine, number) for number in range(1_000)))
        await engine.join(timeout=20)
        assert len(receiver.requests) == 1_000
        answers.status = 200
        begun = time.perf_counter()
        await pass_time(engine, clock, 5)
        assert sorted(ids_of(receiver)[1_000:]) == sorted(messages)
        assert time.perf_counter() - begun < 10


async def wait_until_next(engine, message: str, clock: ManualClock) -> timedelta:
    """How long from now until the next attempt."""
    end = await destination(engine, message)
    assert end.next_attempt is not None
    return end.next_attempt - datetime.fromtimestamp(clock.now() / 1_000_000, UTC)
