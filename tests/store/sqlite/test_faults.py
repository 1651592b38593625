"""A full disk, a database that another process keeps locked, and errors of our own."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from records import START, World, addressed, change, ids

from webhook_engine.errors import StoreError, StoreUnavailableError
from webhook_engine.model import Application, DeliveryStatus
from webhook_engine.store.records import AttemptFilter, MessageFilter, Outcomes, Span
from webhook_engine.store.sqlite import SqliteStore
from webhook_engine.store.sqlite.connection import Session

EVERYTHING = Span(limit=10_000, descending=False)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


async def fill(store: SqliteStore, world: World) -> list[str]:
    """Store messages until there is no room; returns those that were accepted."""
    application, endpoint = await world.pair()
    accepted: list[str] = []

    async def send_many() -> None:
        for _ in range(1_000):
            message = world.new_message(application.id, payload=b"x" * 20_000)
            await store.messages.add([addressed(message, endpoint)])
            accepted.append(message.id)

    with pytest.raises(StoreUnavailableError, match="free disk space"):
        await send_many()
    listed = await store.messages.list(application.id, EVERYTHING, MessageFilter(with_content=False))
    assert ids(listed) == accepted
    due = await store.deliveries.due(endpoint.endpoint.id, START * 2, 10_000)
    assert [one.message_id for one in due] == accepted
    return accepted


async def test_a_full_database_keeps_what_was_accepted_and_goes_on_later(sqlite_store: SqliteStore) -> None:
    world = World(sqlite_store)
    database = sqlite_store.database
    before = await database.write(lambda session: session.rows("PRAGMA max_page_count")[0][0])
    await database.write(lambda session: session.rows("PRAGMA max_page_count=300"))
    assert len(await fill(sqlite_store, world)) > 5
    await database.write(lambda session: session.rows(f"PRAGMA max_page_count={before}"))
    await World(sqlite_store).pair()
    assert await database.read("PRAGMA integrity_check") == [("ok",)]


async def test_a_full_disk_keeps_what_was_accepted_and_goes_on_later(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 1_000_000)
    store = SqliteStore(small_disk / "webhooks.db")
    await store.open()
    try:
        assert len(await fill(store, World(store))) > 5
        ballast.unlink()
        _, endpoint = await World(store).pair()
        await World(store).send(endpoint)
        assert await store.database.read("PRAGMA integrity_check") == [("ok",)]
    finally:
        await store.close()


async def test_all_who_wait_for_a_full_disk_are_told(sqlite_store: SqliteStore) -> None:
    world = World(sqlite_store)
    application, endpoint = await world.pair()
    await sqlite_store.database.write(lambda session: session.rows("PRAGMA max_page_count=1"))
    batches = [[addressed(world.new_message(application.id, payload=b"x" * 50_000), endpoint)] for _ in range(40)]
    results = await asyncio.gather(*(sqlite_store.messages.add(batch) for batch in batches), return_exceptions=True)
    assert any(isinstance(result, StoreUnavailableError) for result in results)
    stored = await sqlite_store.messages.list(application.id, EVERYTHING, MessageFilter())
    accepted = [
        batch[0].message.id
        for batch, result in zip(batches, results, strict=True)
        if not isinstance(result, BaseException)
    ]
    assert ids(stored) == accepted


async def test_a_lock_of_another_process_is_waited_for(sqlite_store: SqliteStore, path: Path) -> None:
    world = World(sqlite_store)
    _, endpoint = await world.pair()
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as db:
        db.execute("BEGIN IMMEDIATE")
        sending = asyncio.create_task(world.send(endpoint))
        assert len(await sqlite_store.endpoints.of_application(endpoint.endpoint.application_id)) == 1
        assert not sending.done()
        db.execute("ROLLBACK")
        await sending


async def test_a_lock_that_is_kept_too_long_is_told_and_forgotten(sqlite_store: SqliteStore, path: Path) -> None:
    world = World(sqlite_store)
    application, endpoint = await world.pair()
    await sqlite_store.database.write(lambda session: session.rows("PRAGMA busy_timeout=20"))
    message = world.new_message(application.id)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        results = await asyncio.gather(
            *(sqlite_store.messages.add([addressed(message, endpoint)]) for _ in range(3)), return_exceptions=True
        )
        assert all(isinstance(result, StoreUnavailableError) for result in results)
        assert "another process holds a write transaction" in str(results[0])
        assert await sqlite_store.messages.get(application.id, message.id) is None
        db.execute("ROLLBACK")
    assert list(await sqlite_store.messages.add([addressed(message, endpoint)])) == []


async def test_a_lock_does_not_keep_a_store_from_closing(path: Path) -> None:
    store = SqliteStore(path)
    await store.open()
    await World(store).pair()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        async with asyncio.timeout(3):
            await store.close()


async def test_a_database_that_is_locked_cannot_be_opened_but_later(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webhook_engine.store.sqlite.database._PRAGMAS", ("PRAGMA busy_timeout=20",))
    monkeypatch.setattr("webhook_engine.store.sqlite.database.WAL_PATIENCE_S", 0.1)
    store = SqliteStore(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreUnavailableError):
            await store.open()
        db.execute("ROLLBACK")
    await store.open()
    await store.close()


async def test_outcomes_that_could_not_be_recorded_can_be_recorded_again(sqlite_store: SqliteStore) -> None:
    world = World(sqlite_store)
    _, endpoint = await world.pair()
    sent = await world.send(endpoint)
    outcomes = Outcomes(
        attempts=[world.new_attempt(sent, endpoint, response="x" * 500_000)],
        deliveries=[change(sent, endpoint, DeliveryStatus.SUCCEEDED)],
    )
    database = sqlite_store.database
    before = await database.write(lambda session: session.rows("PRAGMA max_page_count")[0][0])
    await database.write(lambda session: session.rows("PRAGMA max_page_count=1"))
    with pytest.raises(StoreUnavailableError):
        await sqlite_store.deliveries.record(outcomes)
    assert await sqlite_store.attempts.list_by_message(sent.id, EVERYTHING, AttemptFilter()) == []
    await database.write(lambda session: session.rows(f"PRAGMA max_page_count={before}"))
    await sqlite_store.deliveries.record(outcomes)
    [seen] = await sqlite_store.deliveries.list_by_message(sent.id, EVERYTHING)
    assert seen.attempt_count == 1


async def test_an_error_of_a_change_reaches_its_caller_alone(sqlite_store: SqliteStore) -> None:
    world = World(sqlite_store)

    def wrong_sql(session: Session) -> None:
        session.change("INSERT INTO nowhere VALUES (1)")

    def wrong_code(session: Session) -> None:
        session.change("UPDATE webhook_application SET name = 'spoilt'")
        raise ZeroDivisionError

    database = sqlite_store.database
    results = await asyncio.gather(
        world.application(),
        database.write(wrong_sql),
        world.application(),
        database.write(wrong_code),
        world.application(),
        return_exceptions=True,
    )
    assert [type(result).__name__ for result in results] == [
        "Application",
        "StoreError",
        "Application",
        "ZeroDivisionError",
        "Application",
    ]
    found = await sqlite_store.applications.list("org_1", EVERYTHING)
    assert [application.name for application in found] == ["Acme"] * 3
    with pytest.raises(StoreError, match="nowhere"):
        await database.read("SELECT * FROM nowhere")


async def test_a_writer_that_was_cancelled_leaves_nobody_waiting(sqlite_store: SqliteStore) -> None:
    world = World(sqlite_store)
    for turns in range(5):
        waiting = [asyncio.create_task(world.application()) for _ in range(3)]
        for _ in range(turns):
            await asyncio.sleep(0)
        for task in asyncio.all_tasks():
            if task.get_name() == "webhook-engine-writer":
                task.cancel()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(result, StoreUnavailableError | Application) for result in results)
    await world.application()


async def test_a_database_that_lacks_memory_is_unavailable_and_harms_neither_the_change_nor_others(
    store: SqliteStore, world: World
) -> None:
    """Python's module raises ``MemoryError`` then, which is no error of SQLite."""

    def starving(session: Session) -> None:
        session.change("DELETE FROM webhook_application")
        raise MemoryError

    def too_large(_: Session) -> None:
        raise MemoryError

    application = await world.application()
    database = store.database
    results = await asyncio.gather(
        database.write(starving),
        database.write(lambda session: session.change("UPDATE webhook_application SET name = 'new'")),
        return_exceptions=True,
    )
    assert all(isinstance(one, StoreUnavailableError) and "not enough memory" in str(one) for one in results), results
    with pytest.raises(StoreUnavailableError, match="not enough memory"):
        await database.read_with(too_large)
    [found] = await store.applications.list(application.organization_id, EVERYTHING)
    assert found.name == application.name
