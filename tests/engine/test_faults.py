"""Receivers, disks and databases misbehave: a recorded attempt or a clear error, nothing lost, and on it goes."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, closing, contextmanager
from pathlib import Path

import pytest
import receivers
from engine.helpers import Answers, acme, attempts_of, destination, ids_of, local_engine, send, send_many, until
from receivers import Receiver
from stores import query

from webhook_engine import AttemptStatus, Engine, StoreUnavailableError

Fault = Callable[[], AbstractAsyncContextManager]

FAILING: dict[str, tuple[Fault, int, str]] = {
    "refused": (receivers.refusing, 0, "refused"),
    "not accepting": (receivers.silent, 0, "time"),
    "reset": (receivers.resetting, 0, "reset"),
    "reset in the headers": (receivers.resetting_within_headers, 0, "reset|closed|headers"),
    "closed in the headers": (receivers.cutting_headers, 0, "closed|ended|headers"),
    "silent": (receivers.hanging, 0, "time"),
    "not HTTP": (receivers.malformed, 0, "HTTP"),
    "huge headers": (receivers.huge_headers, 0, "headers are larger than 256 kB"),
    "100 Continue for ever": (receivers.continuing_endlessly, 0, "time|100"),
    "101": (receivers.switching_protocols, 101, "101|protocol|hello"),
    "expired certificate": (lambda: receivers.tls("expired"), 0, "certificate"),
    "self-signed certificate": (lambda: receivers.tls("self-signed"), 0, "certificate"),
    "redirect": (lambda: receivers.redirecting("http://127.0.0.1:1/"), 302, "moved|redirect"),
    "404": (lambda: Receiver(404), 404, "ok"),
}

FINE: dict[str, tuple[Fault, str]] = {
    "100 Continue once": (receivers.continuing_once, "ok"),
    "gzip bomb": (receivers.gzip_bomb, ""),
    "invalid UTF-8": (receivers.invalid_utf8, ""),
    "NUL": (receivers.nul_body, ""),
    "reset in the body": (receivers.resetting_within_body, "its body broke off: Connection reset by peer"),
    "closed in the body": (receivers.short_body, "its body broke off: it ended too soon"),
    "trickling body": (lambda: receivers.trickling(0.01), "its body did not end within 2 s"),
}


@contextmanager
def no_flood(limit_mib: int = 60) -> Iterator[None]:
    """The process must not grow by more than this."""
    before = rss_mib()
    yield
    assert rss_mib() - before < limit_mib


def rss_mib() -> float:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.parametrize("name", FAILING)
async def test_a_fault_of_the_receiver_is_a_failed_attempt_with_a_useful_text(tmp_path: Path, name: str) -> None:
    fault, status_code, words = FAILING[name]
    async with fault() as faulty, local_engine(tmp_path / "e.db", timeout="500ms") as engine:
        await acme(engine, faulty if isinstance(faulty, str) else faulty.url)
        message = await send(engine)
        begun = time.perf_counter()
        with no_flood():
            await engine.join(timeout=10)
        assert time.perf_counter() - begun < 5
        [attempt] = await attempts_of(engine, message)
        assert attempt.status is AttemptStatus.FAIL
        assert (attempt.response_status_code, name) == (status_code, name)
        assert any(word.lower() in attempt.response.lower() for word in words.split("|")), attempt.response
        end = await destination(engine, message)
        assert (end.status, end.attempt_count) == (AttemptStatus.SENDING, 1)


@pytest.mark.parametrize("name", FINE)
async def test_an_odd_success_is_a_success(tmp_path: Path, name: str) -> None:
    fault, text = FINE[name]
    async with fault() as odd, local_engine(tmp_path / "e.db", timeout="2s") as engine:
        await acme(engine, odd.url)
        message = await send(engine)
        with no_flood():
            await engine.join(timeout=10)
        [attempt] = await attempts_of(engine, message)
        assert attempt.status is AttemptStatus.SUCCESS
        assert text in attempt.response
        # What is no text is kept as base64.
        assert len(attempt.response) <= 27_000


async def test_an_endless_body_is_cut_and_does_not_hold_the_engine(tmp_path: Path) -> None:
    async with receivers.endless_body(500) as endless, local_engine(tmp_path / "e.db", timeout="1s") as engine:
        await acme(engine, endless.url)
        message = await send(engine)
        with no_flood():
            await engine.join(timeout=10)
        [attempt] = await attempts_of(engine, message)
        assert attempt.status is AttemptStatus.FAIL
        assert len(attempt.response) <= 20_000


async def test_a_name_that_does_not_resolve_is_a_failed_attempt(tmp_path: Path) -> None:
    async with local_engine(tmp_path / "e.db") as engine:
        await acme(engine, "http://no-such-host.invalid/")
        message = await send(engine)
        await engine.join(timeout=15)
        [attempt] = await attempts_of(engine, message)
        assert (attempt.status, attempt.response_status_code) == (AttemptStatus.FAIL, 0)
        assert "no-such-host.invalid" in attempt.response


async def test_a_private_address_is_a_failed_attempt_that_says_that_it_is_blocked(tmp_path: Path) -> None:
    async with Receiver() as receiver, Engine.open(tmp_path / "e.db") as engine:
        await acme(engine, receiver.url)
        message = await send(engine)
        await engine.join(timeout=5)
        [attempt] = await attempts_of(engine, message)
        assert (attempt.status, attempt.response_status_code) == (AttemptStatus.FAIL, 0)
        assert "blocked" in attempt.response
        assert not receiver.requests


async def test_a_storm_of_500s_loses_nothing_and_ends_in_success(tmp_path: Path) -> None:
    answers = Answers(500)
    async with Receiver(answers) as receiver, local_engine(tmp_path / "e.db", retry_schedule=["100ms"] * 50) as engine:
        await acme(engine, receiver.url)
        messages = await send_many(engine, 300)
        await until(lambda: len(receiver.requests) > 400)
        answers.status = 200

        async def all_there() -> bool:
            return query(tmp_path / "e.db", "SELECT count(*) FROM webhook_delivery WHERE status <> 0") == [(0,)]

        await until(all_there, timeout=20)
        assert set(ids_of(receiver)) == set(messages)


async def test_a_receiver_that_comes_back_gets_everything(tmp_path: Path) -> None:
    receiver = Receiver()
    await receiver.start()
    await receiver.stop()
    async with local_engine(tmp_path / "e.db", retry_schedule=["100ms"] * 100) as engine:
        await acme(engine, receiver.url)
        messages = await send_many(engine, 50)
        await receiver.start()
        try:
            await until(lambda: set(ids_of(receiver)) == set(messages), timeout=10)
            await engine.join(timeout=10)
        finally:
            await receiver.stop()
        assert len(receiver.requests) == 50


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
