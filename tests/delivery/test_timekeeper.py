"""The clock jumps, as when an administrator sets it or a machine wakes: nothing is lost, and nothing storms."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from engines import (
    DAY,
    Answers,
    acme,
    attempts_of,
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
from stores import about_the_file, query

from webhook_engine import (
    AttemptStatus,
    EndpointDisabledEvent,
    Engine,
    ManualClock,
    NotFoundError,
    StoreUnavailableError,
)
from webhook_engine.clock import from_datetime
from webhook_engine.delivery.timekeeper import KEPT_EVERY_S, Timekeeper
from webhook_engine.ids import IdSource, id_bounds
from webhook_engine.store.records import AddressedMessage, ClockMark

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
        await receiver.wait_for(100, timeout=20)
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
            await receiver.wait_for(40, timeout=5)
            await engine.join(timeout=5)
            assert len(receiver.requests) == 40
            frozen.move_to("2025-01-01")
            await send(engine)
            await receiver.wait_for(41, timeout=5)
            await engine.join(timeout=5)
            assert len(receiver.requests) == 41
            frozen.move_to("2027-01-01 00:05:00")
            await receiver.wait_for(62, timeout=5)
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
        await until(lambda: engine._flow.timekeeper._trust.doubted)
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
            await receiver.wait_for(number, timeout=5)


# What elapsed time decides


async def test_a_clock_that_jumps_ahead_between_two_failures_disables_nothing(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with (
        Receiver(Answers(500)) as receiver,
        local_engine(tmp_path / "e.db", clock, retry_schedule=["5s", "5s"]) as engine,
    ):
        disabled = record_events(engine, EndpointDisabledEvent)
        await acme(engine, receiver.url)
        await send(engine)
        await engine.join(timeout=5)
        clock.advance(0.4)
        clock.set(START + 6 * DAY)
        await engine.join(timeout=5)
        assert len(receiver.requests) == 2
        assert not disabled


async def test_after_a_jump_the_five_days_are_counted_on(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with Receiver(Answers(500)) as receiver, local_engine(tmp_path / "e.db", clock, retry_schedule=[]) as engine:
        disabled = record_events(engine, EndpointDisabledEvent)
        await acme(engine, receiver.url)
        jumps = [timedelta(days=200), -timedelta(days=300), timedelta(days=30), timedelta(0)]
        for day in range(5):
            await send(engine)
            await engine.join(timeout=5)
            assert not disabled
            await pass_time(engine, clock, DAY)
            clock.set(datetime.fromtimestamp(clock.now() / 1e6, UTC) + jumps[day % 4])
        await send(engine)
        await engine.join(timeout=5)
        assert len(disabled) == 1


async def test_the_time_in_which_the_engine_does_not_run_counts_toward_no_failure_window(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with Receiver(Answers(500)) as receiver:
        async with local_engine(tmp_path / "e.db", clock, retry_schedule=[]) as engine:
            await acme(engine, receiver.url)
            await send(engine)
            await engine.join(timeout=5)
            await pass_time(engine, clock, DAY)
        clock.advance(30 * DAY)
        async with local_engine(tmp_path / "e.db", clock, retry_schedule=[]) as engine:
            disabled = record_events(engine, EndpointDisabledEvent)
            await send(engine)
            await pass_time(engine, clock, 4 * DAY - timedelta(seconds=1))
            await send(engine)
            await engine.join(timeout=5)
            assert not disabled
            await pass_time(engine, clock, 1)
            await send(engine)
            await engine.join(timeout=5)
            assert [event.first_failure_at for event in disabled] == [START]


async def test_a_clock_that_is_set_back_puts_no_retry_off(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with Receiver(Answers(500)) as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        await acme(engine, receiver.url)
        messages = await send_many(engine, 700)
        await engine.join(timeout=20)
        clock.advance(2)
        clock.set(START - timedelta(hours=12))
        await engine.join(timeout=5)
        assert {(await destination(engine, message)).next_attempt for message in messages[::100]} == {
            START - timedelta(hours=12) + timedelta(seconds=3)
        }
        await pass_time(engine, clock, 2.8)
        assert len(receiver.requests) == 700
        await pass_time(engine, clock, 0.2)
        assert len(receiver.requests) == 1_400


@pytest.mark.parametrize("restart", [False, True])
async def test_a_retry_planned_while_the_clock_was_ahead_comes_in_time_when_it_is_corrected(
    tmp_path: Path, restart: bool
) -> None:
    clock = ManualClock(START + 100 * DAY)
    async with Receiver(Answers(500)) as receiver:
        engine = local_engine(tmp_path / "e.db", clock)
        async with engine:
            await acme(engine, receiver.url)
            message = await send(engine)
            later = await engine.messages.create(
                "acme", event_type="a.b", payload={}, deliver_at=START + timedelta(days=101)
            )
            await engine.join(timeout=5)
            if not restart:
                clock.set(START)
                await pass_time(engine, clock, 5)
                assert len(receiver.requests) == 2
        if restart:
            clock.set(START)
            async with engine:
                await pass_time(engine, clock, 5)
                assert len(receiver.requests) == 2
        async with engine:
            end = await destination(engine, message)
            assert end.next_attempt == START + timedelta(minutes=5, seconds=5)
            promised = await destination(engine, later.id)
            assert promised.next_attempt == START + timedelta(days=101), "a promise is a promise"


@about_the_file
async def test_an_engine_that_was_killed_while_the_clock_was_ahead_puts_it_right_too(tmp_path: Path) -> None:
    """What is planned and what the clock said then are stored in one commit."""
    clock = ManualClock(START)
    async with Receiver(Answers(500)) as receiver:
        path, copy = tmp_path / "e.db", tmp_path / "copy.db"
        async with local_engine(path, clock) as engine:
            await acme(engine, receiver.url)
            clock.set(START + 100 * DAY)
            await send(engine)
            await engine.join(timeout=5)
            with closing(sqlite3.connect(path)) as live, closing(sqlite3.connect(copy)) as taken:
                live.backup(taken)
            for secret in tmp_path.glob("e.db.*secret*"):
                shutil.copy(secret, tmp_path / secret.name.replace("e.db", "copy.db"))
        clock.set(START + timedelta(minutes=1))
        async with local_engine(copy, clock) as engine:
            await pass_time(engine, clock, 5)
            assert len(receiver.requests) == 2


async def test_a_clock_that_was_set_back_is_made_up_for_by_the_next_run_if_need_be(
    tmp_path: Path,
) -> None:
    clock, path = ManualClock(START), tmp_path / "e.db"
    answers = Answers(500)
    async with Receiver(answers) as receiver:
        async with local_engine(path, clock) as engine:
            await acme(engine, receiver.url)
            old = await send(engine)
            await engine.join(timeout=5)

            async def refuse(*_: object) -> object:
                raise StoreUnavailableError("disk I/O error")

            engine._store.deliveries.reschedule = refuse  # type: ignore[method-assign, assignment]
            clock.set(START - timedelta(hours=12))
            answers.status = 200
            new = await send(engine)
            await receiver.wait_for(2, timeout=5)

            async def succeeded() -> bool:
                return (await destination(engine, new)).status is AttemptStatus.SUCCESS

            await until(succeeded)
        async with local_engine(path, clock) as engine:
            await pass_time(engine, clock, 5)
            assert (await destination(engine, old)).status is AttemptStatus.SUCCESS


@pytest.mark.parametrize("known", ["what was kept of the clock", "the newest message alone"])
async def test_a_start_with_a_clock_far_ahead_deletes_nothing(tmp_path: Path, known: str) -> None:
    clock, path = ManualClock(START), tmp_path / "e.db"
    async with Receiver() as receiver:
        async with local_engine(path, clock) as engine:
            await acme(engine, receiver.url)
            message = await send(engine)
            await engine.join(timeout=5)
        if known != "what was kept of the clock":
            query(path, "DELETE FROM webhook_clock")
        for _ in range(2):
            clock.set(START + 4_000 * DAY)
            async with local_engine(path, clock) as engine:
                clock.advance(3)
                wanted = engine._flow.retention.looks + 2
                await until(lambda engine=engine, wanted=wanted: _looked(engine, wanted))
                assert (await engine.messages.get("acme", message)).payload
                assert engine._flow.retention.passes == 0
        clock.set(START + DAY)
        async with local_engine(path, clock) as engine:
            assert (await engine.messages.get("acme", message)).payload


async def test_ids_never_fall_below_what_is_stored(tmp_path: Path) -> None:
    clock, path = ManualClock(START), tmp_path / "e.db"
    made: list[str] = []
    async with Receiver() as receiver:
        for back in range(4):
            clock.set(START - timedelta(minutes=back))
            async with local_engine(path, clock) as engine:
                if not back:
                    await acme(engine, receiver.url)
                made.append(await send(engine))
                await engine.join(timeout=5)
                made.append((await attempts_of(engine, made[-1]))[0].id)
    ids = [one.partition("_")[2] for one in made]
    assert ids == sorted(ids)


@pytest.mark.parametrize("restart", [False, True])
async def test_a_consumer_of_the_poller_gets_what_is_made_after_the_clock_was_set_back(
    tmp_path: Path, restart: bool
) -> None:
    clock, path = ManualClock(START), tmp_path / "e.db"
    engine = local_engine(path, clock)

    async def polled() -> list[str]:
        page, iterator, _ = await engine.messages.consumer_poll("acme", "sink", "one")
        await engine.messages.consumer_poll("acme", "sink", "one", iterator=iterator)
        return [message.id for message in page]

    async def made() -> str:
        message = await send(engine)
        assert await polled() == [], "it may still be passed over by one that is on its way"
        clock.advance(3)
        return message

    async with engine:
        await engine.applications.create(name="Acme", uid="acme")
        before = await made()
        assert await polled() == [before]
        if not restart:
            clock.set(START - timedelta(hours=1))
            message = await made()
            assert await polled() == [message]
    clock.set(START - timedelta(hours=2))
    async with engine:
        message = await made()
        assert await polled() == [message]
        assert await polled() == []


async def test_an_id_of_somebody_else_that_is_years_ahead_leads_no_others_there(tmp_path: Path) -> None:
    clock, path = ManualClock(START), tmp_path / "e.db"
    async with Receiver() as receiver:
        async with local_engine(path, clock) as engine:
            await acme(engine, receiver.url)
            message = await send(engine)
            await engine.join(timeout=5)
        far = id_bounds("msg_", from_datetime(START + 10 * YEAR))[0]
        query(
            path,
            "INSERT INTO webhook_message (id, application_id, event_type, created_at)"
            " SELECT ?, application_id, event_type, created_at FROM webhook_message WHERE id = ?",
            far,
            message,
        )
        async with local_engine(path, clock) as engine:
            assert message < await send(engine) < far


def _looked(engine: Engine, times: int) -> bool:
    engine._flow.retention.nudge()
    return engine._flow.retention.looks >= times


async def test_a_rotation_while_the_clock_is_ahead_does_not_end_an_older_secret(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with Receiver() as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        endpoint = await acme(engine, receiver.url)
        await engine.endpoints.rotate_secret("acme", endpoint.id)
        clock.set(START + 6 * DAY)
        await engine.endpoints.rotate_secret("acme", endpoint.id)
        clock.set(START)
        await send(engine)
        await receiver.wait_for(1, timeout=5)
        assert len(receiver.requests[0].headers["webhook-signature"].split()) == 3


async def test_a_message_that_is_stored_just_after_the_clock_was_set_back_goes_at_once(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with Receiver() as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        await acme(engine, receiver.url)
        add = engine._store.messages.add

        async def add_late(batch: Sequence[AddressedMessage]) -> Sequence[AddressedMessage]:
            clock.set(START - DAY)
            await until(lambda: not engine._flow.timekeeper.busy)
            return await add(batch)

        engine._store.messages.add = add_late  # type: ignore[method-assign]
        message = await send(engine)
        await receiver.wait_for(1, timeout=5)
        assert receiver.requests[0].headers["webhook-id"] == message


async def test_a_disk_that_stays_full_is_tried_less_and_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float | None] = []

    class Full:
        async def keep_clock_mark(self, mark: ClockMark) -> None:
            if len(pauses) != 7:
                raise StoreUnavailableError("the disk is full")

    async def nap(self: Timekeeper, seconds: float | None = None) -> None:
        pauses.append(seconds)
        self.stopping = len(pauses) == 9

    monkeypatch.setattr(Timekeeper, "nap", nap)
    await Timekeeper(ManualClock(START), Full(), Full(), IdSource(), lambda: None).run()  # type: ignore[arg-type]

    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, KEPT_EVERY_S, 1.0]
