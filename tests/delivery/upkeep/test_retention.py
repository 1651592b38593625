"""Retention: what is old goes, in small steps, and what is still needed stays."""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from engines import acme, attempts_of, local_engine, send, send_many, until
from receivers import Receiver, Reply
from stores import about_the_file, query

from webhook_engine import ConflictError, Engine, ManualClock, NotFoundError, PayloadUnavailableError
from webhook_engine.clock import to_datetime
from webhook_engine.store.sqlite.connection import Session

T = TypeVar("T")

HOUR = timedelta(hours=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "webhooks.db"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


async def cleaned(engine: Engine, clock: ManualClock, by: timedelta) -> None:
    """Let time pass, and a whole pass of the retention after it."""
    clock.advance(by)
    retention = engine._flow.retention
    wanted = retention.passes + 2  # one may have been under way already

    def passed() -> bool:
        retention.nudge()
        return retention.passes >= wanted

    await until(passed)
    await engine.join(timeout=10)


def size(path: Path) -> int:
    """Of the database, whatever of it is still in the write-ahead log."""
    return query(path, "PRAGMA page_count")[0][0] * query(path, "PRAGMA page_size")[0][0]


def count(path: Path, table: str) -> int:
    return query(path, f"SELECT count(*) FROM webhook_{table}")[0][0]


async def test_payloads_go_first_then_messages_with_all_that_is_theirs(path: Path, clock: ManualClock) -> None:
    async with (
        Receiver() as receiver,
        local_engine(path, clock, retention__payload="2h", retention__attempts="5h") as engine,
    ):
        await acme(engine, receiver.url)
        message = await engine.messages.create("acme", event_type="a", payload={"n": 1}, event_id="once")
        await engine.join(timeout=5)
        await cleaned(engine, clock, HOUR)
        assert (await engine.messages.get("acme", message.id)).payload
        await cleaned(engine, clock, 2 * HOUR)
        assert query(path, "SELECT payload FROM webhook_message") == [(None,)]
        assert len(await attempts_of(engine, message.id)) == 1
        with pytest.raises(PayloadUnavailableError):
            await engine.attempts.resend("acme", message.id, (await engine.endpoints.list("acme")).data[0].id)
        with pytest.raises(ConflictError):
            await engine.messages.create("acme", event_type="a", payload={}, event_id="once")
        await cleaned(engine, clock, 3 * HOUR)
        with pytest.raises(NotFoundError):
            await engine.messages.get("acme", message.id)
        assert [count(path, table) for table in ("message", "delivery", "attempt")] == [0, 0, 0]
        await engine.messages.create("acme", event_type="a", payload={}, event_id="once")


async def test_a_payload_never_outlives_its_attempts(path: Path, clock: ManualClock) -> None:
    async with (
        Receiver() as receiver,
        local_engine(path, clock, retention__payload="90d", retention__attempts="2h") as engine,
    ):
        await acme(engine, receiver.url)
        await engine.messages.create("acme", event_type="a", payload={}, payload_retention_hours=48)
        await engine.join(timeout=5)
        await cleaned(engine, clock, 3 * HOUR)
        assert count(path, "message") == 0


async def test_a_message_s_own_retention_wins(path: Path, clock: ManualClock) -> None:
    async with Receiver() as receiver, local_engine(path, clock, retention__payload="10h") as engine:
        await acme(engine, receiver.url)
        short = await engine.messages.create("acme", event_type="a", payload={"n": 1}, payload_retention_hours=5)
        long = await engine.messages.create("acme", event_type="a", payload={"n": 2}, payload_retention_hours=24)
        await engine.join(timeout=5)

        def with_payload() -> list[tuple]:
            return query(path, "SELECT id FROM webhook_message WHERE payload IS NOT NULL ORDER BY id")

        await cleaned(engine, clock, 6 * HOUR)
        assert with_payload() == [(long.id,)]
        await cleaned(engine, clock, 6 * HOUR)
        assert with_payload() == [(long.id,)]
        await cleaned(engine, clock, 13 * HOUR)
        assert with_payload() == []
        assert short.id < long.id


async def test_what_is_still_to_come_is_kept(path: Path, clock: ManualClock) -> None:
    answer = Reply(503)
    async with (
        Receiver(lambda _request: answer) as receiver,
        local_engine(path, clock, retry_schedule=["10h"], retention__payload="12h", retention__attempts="2h") as engine,
    ):
        await acme(engine, receiver.url)
        message = await send(engine)
        later = await engine.messages.create(
            "acme", event_type="a", payload={}, deliver_at=to_datetime(clock.now()) + 9 * HOUR
        )
        await receiver.wait_for(1)
        await engine.join(timeout=5)
        await cleaned(engine, clock, 4 * HOUR)
        assert count(path, "message") == 2
        answer = Reply(200)
        await cleaned(engine, clock, 7 * HOUR)
        await receiver.wait_for(3)
        assert {request.headers["webhook-id"] for request in receiver.requests} == {message, later.id}
        await cleaned(engine, clock, 3 * HOUR)
        assert count(path, "message") == 0


@pytest.mark.slow
async def test_twenty_four_hours_of_work_leave_no_more_than_the_last_ones(path: Path, clock: ManualClock) -> None:
    async with (
        Receiver() as receiver,
        local_engine(path, clock, retention__payload="1h", retention__attempts="3h") as engine,
    ):
        await acme(engine, receiver.url)
        listed_in = []
        for hour in range(24):
            await asyncio.gather(*(_create(engine, 4_000, number) for number in range(150)))
            await engine.join(timeout=20)
            began_at = time.perf_counter()
            await engine.messages.list("acme", limit=50)
            listed_in.append(time.perf_counter() - began_at)
            await cleaned(engine, clock, HOUR)
            if hour == 5:
                size_after_six = size(path)
        assert len(receiver.requests) == 24 * 150
        assert count(path, "message") <= 3 * 150 + 150
        assert count(path, "attempt") == count(path, "message") == count(path, "delivery")
        assert query(path, "SELECT count(*) FROM webhook_message WHERE payload IS NOT NULL")[0][0] <= 300
        assert size(path) < size_after_six * 1.5
        assert statistics.median(listed_in) < 1.0
        await cleaned(engine, clock, 6 * HOUR)
        assert count(path, "message") == 0
        await until(lambda: query(path, "PRAGMA freelist_count")[0][0] <= query(path, "PRAGMA page_count")[0][0] * 0.2)
    assert path.stat().st_size < size_after_six / 3
    assert query(path, "PRAGMA integrity_check") == [("ok",)]


async def _create(engine: Engine, size: int, number: int) -> None:
    await engine.messages.create("acme", event_type="invoice.paid", payload={"n": number, "text": "x" * size})


def multiply(path: Path, message_id: str, times: int) -> None:
    """Many messages of the same time as one that was really sent."""
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(
            "WITH RECURSIVE n (i) AS (SELECT 10000 UNION ALL SELECT i + 1 FROM n WHERE i < 9999 + ?)"
            " INSERT INTO webhook_message (id, application_id, event_type, created_at, payload)"
            " SELECT ? || i, application_id, event_type, created_at, zeroblob(500) FROM n, webhook_message",
            (times, message_id[:-5]),
        )


@about_the_file
async def test_deliveries_go_on_at_once_while_much_is_deleted(path: Path, clock: ManualClock) -> None:
    async with Receiver() as receiver, local_engine(path, clock, retention__attempts="1h") as engine:
        await acme(engine, receiver.url)
        [message_id] = await send_many(engine, 1)
        await engine.join(timeout=5)
        multiply(path, message_id, 10_000)

        async def time_of_one() -> float:
            began_at = time.perf_counter()
            await send(engine)
            await engine.join(timeout=10)
            return time.perf_counter() - began_at

        usual = sorted([await time_of_one() for _ in range(21)])[10]
        clock.advance(2 * HOUR)
        took = []
        while count(path, "message") > 1_000 and len(took) < 200:
            took.append(await time_of_one())
        assert len(took) > 5
        assert sorted(took)[len(took) // 2] < usual + 0.5
        assert max(took) < usual + 10.0


@about_the_file
async def test_a_disk_that_takes_long_to_commit_does_not_make_steps_small(
    path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise less would be deleted than comes in."""
    async with Receiver() as receiver, local_engine(path, clock, retention__attempts="1h") as engine:
        await acme(engine, receiver.url)
        [message_id] = await send_many(engine, 1)
        await engine.join(timeout=5)
        multiply(path, message_id, 2_000)
        database = engine._store.database
        write, steps = database.write, 0

        async def commit_slowly(change: Callable[[Session], T]) -> T:
            nonlocal steps
            steps += 1
            result = await write(change)
            await asyncio.sleep(0.02)
            return result

        monkeypatch.setattr(database, "write", commit_slowly)
        clock.advance(2 * HOUR)
        await until(lambda: count(path, "message") == 0, timeout=20)
        assert steps < 50
