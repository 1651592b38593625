"""How the file is used: settings, group commit, and the host program's own tables beside ours."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from records import World, addressed

from webhook_engine.errors import StoreUnavailableError
from webhook_engine.store.records import MessageFilter, Span
from webhook_engine.store.sqlite import SqliteStore
from webhook_engine.store.sqlite.connection import Session


def pragma(session: Session, name: str) -> object:
    return session.rows(f"PRAGMA {name}")[0][0]


async def test_the_settings_really_hold(sqlite_store: SqliteStore) -> None:
    def settings(session: Session) -> dict[str, object]:
        names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "query_only")
        return {name: pragma(session, name) for name in names}

    expected = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5_000, "query_only": 0}
    assert await sqlite_store.database.write(settings) == expected
    for _ in range(5):
        assert await sqlite_store.database.read_with(settings) == {**expected, "query_only": 1}


async def test_all_tables_but_the_outbox_are_strict(sqlite_store: SqliteStore) -> None:
    tables = {row[1]: bool(row[5]) for row in await sqlite_store.database.read("PRAGMA table_list")}
    lax = {name for name, strict in tables.items() if name.startswith("webhook_") and not strict}
    assert lax == {"webhook_outbox"}


async def test_changes_that_come_together_share_a_commit(sqlite_store: SqliteStore) -> None:
    world = World(sqlite_store)
    application, endpoint = await world.pair()
    before = sqlite_store.database.commits
    batches = [[addressed(world.new_message(application.id), endpoint)] for _ in range(1_000)]
    await asyncio.gather(*(sqlite_store.messages.add(batch) for batch in batches))
    assert sqlite_store.database.commits - before <= 5


async def test_changes_that_come_one_by_one_are_each_committed(sqlite_store: SqliteStore) -> None:
    world = World(sqlite_store)
    application, endpoint = await world.pair()
    before = sqlite_store.database.commits
    for _ in range(5):
        await world.send(endpoint, application=application)
    assert sqlite_store.database.commits - before == 5


async def test_what_returned_is_committed(sqlite_store: SqliteStore, path: Path) -> None:
    world = World(sqlite_store)
    _, endpoint = await world.pair()
    with closing(sqlite3.connect(path)) as db:
        for count in range(1, 4):
            await world.send(endpoint)
            assert db.execute("SELECT count(*) FROM webhook_message").fetchone() == (count,)


async def test_a_host_program_keeps_its_own_tables_in_the_file(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE invoice (id INTEGER PRIMARY KEY, paid INTEGER)")
        db.execute("PRAGMA user_version=77")
    store = SqliteStore(path)
    await store.open()
    try:
        with closing(sqlite3.connect(path)) as db:
            with db:
                db.execute("INSERT INTO invoice (paid) VALUES (1)")
                db.execute("INSERT INTO webhook_outbox (application, event_type, payload) VALUES ('a', 'b', '{}')")
            assert len(await store.outbox.waiting(10)) == 1
            assert db.execute("PRAGMA user_version").fetchone() == (77,)
    finally:
        await store.close()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM invoice").fetchone() == (1,)


async def test_an_outbox_that_is_there_already_is_taken_over(path: Path) -> None:
    sql = (Path(__file__).parents[3] / "webhook_engine/outbox/sqlite.sql").read_text()
    with closing(sqlite3.connect(path)) as db:
        db.executescript(sql)
        with db:
            db.execute("INSERT INTO webhook_outbox (application, event_type, payload) VALUES ('a', 'b', '{}')")
    store = SqliteStore(path)
    await store.open()
    assert [row.application for row in await store.outbox.waiting(10)] == ["a"]
    await store.close()


async def test_others_write_while_the_engine_does(sqlite_store: SqliteStore, path: Path) -> None:
    world = World(sqlite_store)
    application, endpoint = await world.pair()

    def write_rows() -> None:
        with closing(sqlite3.connect(path, timeout=30)) as db:
            for _ in range(50):
                with db:
                    db.execute("INSERT INTO webhook_outbox (application, event_type, payload) VALUES ('a', 'b', '{}')")

    async def write_messages() -> None:
        for _ in range(50):
            await world.send(endpoint)

    await asyncio.gather(asyncio.to_thread(write_rows), *(write_messages() for _ in range(3)))
    assert len(await sqlite_store.outbox.waiting(100)) == 50
    listed = await sqlite_store.messages.list(application.id, Span(limit=1_000), MessageFilter())
    assert len(listed) == 150


async def test_closing_folds_the_write_ahead_log_into_the_file(path: Path) -> None:
    store = SqliteStore(path)
    await store.open()
    await World(store).pair()
    with closing(sqlite3.connect(path)) as db:
        db.execute("SELECT count(*) FROM webhook_endpoint").fetchone()
        await store.close()
        assert path.with_name("webhooks.db-wal").stat().st_size == 0
    assert not path.with_name("webhooks.db-wal").exists()


async def test_text_in_another_encoding_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA encoding='UTF-16'")
        db.execute("CREATE TABLE invoice (id INTEGER PRIMARY KEY)")
    with pytest.raises(StoreUnavailableError, match="not UTF-8"):
        await SqliteStore(path).open()


async def test_an_old_sqlite_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 37, 2))
    with pytest.raises(StoreUnavailableError, match=r"too old; 3\.38\.0 or newer"):
        await SqliteStore(path).open()


@pytest.mark.parametrize("work", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
async def test_the_first_start_on_a_file_waits_for_a_host_that_is_writing(path: Path, work: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as host:
        host.execute("CREATE TABLE invoice (id INTEGER PRIMARY KEY)")
        host.execute(work)
        host.execute("INSERT INTO invoice VALUES (1)")
        store = SqliteStore(path)
        opening = asyncio.create_task(store.open())
        # It has come to the change, and has been refused.
        done, _ = await asyncio.wait([opening], timeout=0.5)
        assert not done
        host.execute("COMMIT")
        await opening
        assert host.execute("SELECT count(*) FROM invoice").fetchone() == (1,)
        await store.close()


async def test_the_first_start_waits_for_a_while_only(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webhook_engine.store.sqlite.database.WAL_PATIENCE_S", 0.2)
    with closing(sqlite3.connect(path, isolation_level=None)) as host:
        host.execute("CREATE TABLE invoice (id INTEGER PRIMARY KEY)")
        host.execute("BEGIN IMMEDIATE")
        host.execute("INSERT INTO invoice VALUES (1)")
        with pytest.raises(StoreUnavailableError, match="write transaction"):
            await SqliteStore(path).open()


@pytest.mark.slow
async def test_a_shared_file_shrinks_once_it_is_made_one_that_can(path: Path) -> None:
    """As docs/embedding.md says."""
    with closing(sqlite3.connect(path, isolation_level=None)) as host:
        host.execute("CREATE TABLE invoice (id INTEGER PRIMARY KEY, text)")
        host.executemany("INSERT INTO invoice (text) VALUES (?)", [("x" * 1000,)] * 2_000)
        for shrinks in (False, True):
            store = SqliteStore(path)
            await store.open()
            host.execute("DELETE FROM invoice WHERE id % 2 = ?", (int(shrinks),))
            assert (await store.upkeep.shrink(0.0, 10_000_000) > 0) is shrinks
            await store.close()
            host.execute("PRAGMA auto_vacuum = INCREMENTAL")
            host.execute("VACUUM")
