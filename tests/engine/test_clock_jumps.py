"""The clock jumps, as when an administrator sets it or a machine wakes: nothing is lost, and nothing storms."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from engine.helpers import (
    DAY,
    Answers,
    acme,
    destination,
    local_engine,
    pass_time,
    record_events,
    send,
    send_many,
    until,
)
from freezegun import freeze_time
from receivers import Receiver

from webhook_engine import AttemptStatus, EndpointDisabledEvent, ManualClock, NotFoundError

START = datetime(2026, 1, 1, tzinfo=UTC)
YEAR = timedelta(days=365)


@pytest.mark.parametrize("jump", [DAY, YEAR])
async def test_after_a_jump_forward_what_became_due_is_sent_once(tmp_path: Path, jump: timedelta) -> None:
    clock = ManualClock(START)
    answers = Answers(500)
    async with Receiver(answers) as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        await acme(engine, receiver.url)
        messages = await send_many(engine, 50)
        await engine.join(timeout=5)
        clock.set(START + jump)
        begun = time.perf_counter()
        await receiver.wait_for(100, timeout=5)
        assert time.perf_counter() - begun < 1
        await engine.join(timeout=5)
        assert len(receiver.requests) == 100
        for message in messages:
            end = await destination(engine, message)
            assert end.next_attempt == START + jump + timedelta(minutes=5)


@pytest.mark.parametrize("jump", [DAY, YEAR])
async def test_after_a_jump_back_new_messages_go_at_once_and_old_retries_are_still_there(
    tmp_path: Path, jump: timedelta
) -> None:
    clock = ManualClock(START)
    answers = Answers(500)
    async with Receiver(answers) as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        await acme(engine, receiver.url)
        old = await send(engine)
        await engine.join(timeout=5)
        clock.set(START - jump)
        answers.status = 200
        new = await send(engine)
        await engine.join(timeout=5)
        assert (await destination(engine, new)).status is AttemptStatus.SUCCESS
        assert len(receiver.requests) == 2
        assert (await destination(engine, old)).status is AttemptStatus.SENDING
        clock.set(START + timedelta(seconds=5))
        await engine.join(timeout=5)
        assert (await destination(engine, old)).status is AttemptStatus.SUCCESS
        assert len(receiver.requests) == 3


async def test_a_clock_that_goes_back_and_forth_repeats_and_loses_nothing(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with Receiver() as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        await acme(engine, receiver.url)
        messages = []
        for jump in (DAY, -DAY, YEAR, -YEAR, -DAY, 2 * DAY, -YEAR, timedelta(0)):
            clock.set(START + jump)
            messages.append(await send(engine))
        await engine.join(timeout=5)
        assert sorted(request.headers["webhook-id"] for request in receiver.requests) == sorted(messages)
        assert messages == sorted(messages)
        listed = [message.id async for message in engine.messages.iterate("acme")]
        assert listed == messages[::-1]


async def test_a_jump_forward_alone_does_not_disable_an_endpoint_that_only_just_failed(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with Receiver(Answers(500)) as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        disabled = record_events(engine, EndpointDisabledEvent)
        await acme(engine, receiver.url)
        await send(engine)
        await engine.join(timeout=5)
        clock.set(START + YEAR)
        await engine.join(timeout=5)
        assert len(receiver.requests) == 2
        assert not disabled


async def test_a_jump_back_in_a_failure_window_neither_crashes_nor_disables(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with (
        Receiver(Answers(500)) as receiver,
        local_engine(tmp_path / "e.db", clock, retry_schedule=[]) as engine,
    ):
        disabled = record_events(engine, EndpointDisabledEvent)
        await acme(engine, receiver.url)
        await send(engine)
        await engine.join(timeout=5)
        clock.set(START - YEAR)
        for _ in range(3):
            await send(engine)
            await pass_time(engine, clock, timedelta(hours=1))
        assert not disabled
        # Five days of failure count again from where the clock stands.
        for _ in range(6):
            await pass_time(engine, clock, DAY)
            await send(engine)
            await engine.join(timeout=5)
        assert len(disabled) <= 1


async def test_an_engine_that_starts_in_the_past_still_has_what_is_due_later(tmp_path: Path) -> None:
    clock = ManualClock(START)
    answers = Answers(500)
    async with Receiver(answers) as receiver:
        async with local_engine(tmp_path / "e.db", clock) as engine:
            await acme(engine, receiver.url)
            message = await send(engine)
            await engine.join(timeout=5)
        clock.set(START - YEAR)
        answers.status = 200
        async with local_engine(tmp_path / "e.db", clock) as engine:
            await engine.join(timeout=5)
            assert len(receiver.requests) == 1
            clock.set(START + timedelta(seconds=5))
            await engine.join(timeout=5)
            assert (await destination(engine, message)).status is AttemptStatus.SUCCESS


async def test_a_jump_is_noticed_within_a_second_under_freezegun(tmp_path: Path) -> None:
    with freeze_time("2026-01-01", real_asyncio=True) as frozen:
        async with Receiver(Answers(500)) as receiver, local_engine(tmp_path / "e.db") as engine:
            await acme(engine, receiver.url)
            await send_many(engine, 20)
            await engine.join(timeout=5)
            frozen.move_to("2027-01-01")
            await receiver.wait_for(40, timeout=1)
            await engine.join(timeout=5)
            assert len(receiver.requests) == 40
            frozen.move_to("2025-01-01")
            await send(engine)
            await receiver.wait_for(41, timeout=1)
            await engine.join(timeout=5)
            assert len(receiver.requests) == 41
            frozen.move_to("2027-01-01 00:05:00")
            await receiver.wait_for(62, timeout=1)
            await engine.join(timeout=5)
            assert len(receiver.requests) == 62


async def test_a_jump_forward_deletes_nothing_until_it_has_lasted(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with Receiver() as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        await acme(engine, receiver.url)
        message = await engine.messages.create("acme", event_type="a.b", payload={}, payload_retention_hours=1)
        await engine.join(timeout=5)
        retention = engine._flow.retention
        await until(lambda: retention.passes)
        clock.set(START + 4_000 * DAY)
        await until(lambda: retention._trust.doubted)
        clock.advance(timedelta(minutes=59))
        assert (await engine.messages.get("acme", message.id)).payload == b"{}"
        before = retention.passes
        clock.advance(timedelta(minutes=2))
        await until(lambda: retention.passes > before)
        with pytest.raises(NotFoundError):
            await engine.messages.get("acme", message.id)


async def test_a_rate_limit_does_not_stall_when_the_clock_goes_back(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with Receiver() as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        await acme(engine, receiver.url, throttle_rate=10)
        await send_many(engine, 5)
        await receiver.wait_for(1, timeout=5)
        clock.set(START - YEAR)
        for number in range(2, 6):
            clock.advance(0.1)
            await receiver.wait_for(number, timeout=1)
