"""The disk is full or the database refuses or is locked. Messages are refused, and outcomes recorded later."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from engines import Answers, acme, destination, ids_of, local_engine, send, send_many, until
from receivers import Receiver
from stores import about_the_file, query

from webhook_engine import AttemptStatus, Engine, StoreUnavailableError

# The disk is full.


@contextmanager
def small_disk(directory: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    directory.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", directory], check=False).returncode:
        pytest.skip("a file system can be mounted only by root")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", directory], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="a file system can be mounted only by root")
async def test_a_full_disk_refuses_new_messages_keeps_the_old_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        answers = Answers(500)
        async with (
            Receiver(answers) as receiver,
            local_engine(disk / "e.db", retry_schedule=["200ms"] * 100) as engine,
        ):
            await acme(engine, receiver.url)
            accepted = await send_many(engine, 20)
            ballast = disk / "ballast"
            fill(ballast)
            with pytest.raises(StoreUnavailableError, match="disk space"):
                await send_without_end(engine)
            refused = query_count(disk / "e.db", "webhook_message")
            # Outcomes wait; nothing is thrown away, and reading goes on.
            assert (await engine.messages.get("acme", accepted[0])).id == accepted[0]
            answers.status = 200
            await asyncio.sleep(0.5)
            ballast.unlink()
            message = await send(engine)
            await until(lambda: message in ids_of(receiver))

            async def settled() -> bool:
                sql = "SELECT count(*) FROM webhook_delivery WHERE status <> 0"
                return query(disk / "e.db", sql) == [(0,)]

            await until(settled, timeout=20)
            assert query_count(disk / "e.db", "webhook_message") == refused + 1
            assert set(accepted) <= set(ids_of(receiver))
        assert query(disk / "e.db", "PRAGMA integrity_check") == [("ok",)]


async def send_without_end(engine: Engine) -> None:
    """Until it is refused."""
    for _ in range(500):
        await engine.messages.create("acme", event_type="a.b", payload=b"x" * 20_000)


def fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file:
        for size in (65_536, 4_096, 1):
            try:
                while file.write(b"\0" * size) == size:
                    pass
            except OSError:
                continue


def query_count(database: Path, table: str) -> int:
    return query(database, f"SELECT count(*) FROM {table}")[0][0]


async def test_a_database_at_its_limit_refuses_and_goes_on_when_the_limit_is_lifted(tmp_path: Path) -> None:
    database = tmp_path / "e.db"
    answers = Answers(500)
    async with Receiver(answers) as receiver, local_engine(database, retry_schedule=["200ms"] * 100) as engine:
        await acme(engine, receiver.url)
        accepted = await send_many(engine, 20)
        await limit_pages(engine, 1)
        with pytest.raises(StoreUnavailableError, match="disk space"):
            await send_without_end(engine)
        answers.status = 200
        await limit_pages(engine, 2**31 - 2)
        message = await send(engine)
        await until(lambda: query(database, "SELECT count(*) FROM webhook_delivery WHERE status <> 0") == [(0,)], 20)
        assert set(accepted) | {message} <= set(ids_of(receiver))


async def limit_pages(engine: Engine, pages: int) -> None:
    writer = engine._store.database._writer
    assert writer
    await writer.run(lambda session: session.rows(f"PRAGMA max_page_count={pages}"))


# The database is locked.

HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
connection.execute("BEGIN IMMEDIATE")
print("HELD", flush=True)
sys.stdin.read(1)
connection.execute("ROLLBACK")
"""


class Locked:
    """Another process holds a write transaction."""

    def __init__(self, database: Path) -> None:
        self._database = database

    def __enter__(self) -> Locked:
        self._holder = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(self._database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._holder.stdout
        assert self._holder.stdout.readline() == b"HELD\n"
        return self

    def __exit__(self, *_: object) -> None:
        self._holder.communicate(b".")


@pytest.mark.slow
async def test_a_database_locked_by_another_process_refuses_after_a_while_and_outcomes_are_recorded_later(
    tmp_path: Path,
) -> None:
    database = tmp_path / "e.db"
    go = asyncio.Event()

    async def answer(_request: object) -> int:
        await go.wait()
        return 200

    async with Receiver(answer) as receiver, local_engine(database) as engine:
        await acme(engine, receiver.url)
        accepted = await send_many(engine, 10)
        await receiver.wait_for(1)
        with Locked(database):
            go.set()
            begun = time.perf_counter()
            with pytest.raises(StoreUnavailableError, match="another process"):
                await send(engine)
            assert time.perf_counter() - begun < 12
            # Reading goes on meanwhile, and so does sending.
            assert len((await engine.messages.list("acme")).data) == 10
        await engine.join(timeout=20)
        for message in accepted:
            end = await destination(engine, message)
            assert (end.status, end.attempt_count) == (AttemptStatus.SUCCESS, 1)
        assert sorted(ids_of(receiver)) == sorted(accepted)
        await send(engine)
        await engine.join(timeout=10)
        assert len(receiver.requests) == 11


async def test_a_short_lock_of_another_process_is_waited_for(tmp_path: Path) -> None:
    database = tmp_path / "e.db"
    async with Receiver() as receiver, local_engine(database) as engine:
        await acme(engine, receiver.url)
        with closing(sqlite3.connect(database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            sending = asyncio.create_task(send(engine))
            await asyncio.sleep(0.3)
            assert not sending.done()
            other.execute("COMMIT")
        await sending
        await engine.join(timeout=5)
        assert len(receiver.requests) == 1


async def test_reading_for_long_in_another_process_does_not_hold_up_the_engine(tmp_path: Path) -> None:
    database = tmp_path / "e.db"
    async with Receiver() as receiver, local_engine(database) as engine:
        await acme(engine, receiver.url)
        with closing(sqlite3.connect(database, isolation_level=None)) as other:
            other.execute("BEGIN")
            other.execute("SELECT * FROM webhook_message").fetchall()
            await send_many(engine, 100)
            await engine.join(timeout=5)
            assert len(receiver.requests) == 100


# Several outcomes in one commit.


@about_the_file
async def test_a_failure_that_comes_into_one_commit_after_a_disabling_does_not_undo_it(tmp_path: Path) -> None:
    database = tmp_path / "e.db"
    statuses = [asyncio.get_running_loop().create_future() for _ in range(3)]
    following = iter(statuses)

    async def answer(_request: object) -> int:
        return int(await next(following))

    async with Receiver(answer) as receiver, local_engine(database) as engine:
        await engine.applications.create(name="Other", uid="other")
        await engine.endpoints.create("other", url=receiver.url)
        endpoint = await acme(engine, receiver.url)
        await send(engine, application="other")
        await receiver.wait_for(1)
        failing = await send_many(engine, 2)
        await receiver.wait_for(3)
        recorder = engine._flow._recorder
        with closing(sqlite3.connect(database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            # While the first outcome waits for the lock, the others wait for the next commit.
            for count, (status, waiting) in enumerate(zip((200, 410, 500), statuses, strict=True), 1):
                waiting.set_result(status)
                await until(lambda count=count: recorder.backlog == count)
            other.execute("ROLLBACK")
        await engine.join(timeout=10)
        stored = await engine.endpoints.get("acme", endpoint.id)
        assert (stored.disabled, stored.disabled_reason) == (True, "the receiver answered 410 Gone")
        ends = [await destination(engine, message) for message in failing]
        assert [end.status for end in ends] == [AttemptStatus.FAIL] * 2
