"""Migrations: applied once, in order, each whole or not at all."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from webhook_engine.errors import SchemaVersionError, StoreError
from webhook_engine.store.migrations import Migration
from webhook_engine.store.sqlite import SqliteStore, store
from webhook_engine.store.sqlite.schema import migrations

FIRST = Migration(1, "CREATE TABLE webhook_first (id INTEGER PRIMARY KEY) STRICT;")
SECOND = Migration(2, "ALTER TABLE webhook_first ADD COLUMN name TEXT; CREATE INDEX webhook_i ON webhook_first (name);")
BROKEN = Migration(
    2, "CREATE TABLE webhook_second (id INTEGER) STRICT; DELETE FROM webhook_first; SELECT * FROM nowhere;"
)


async def open_with(path: Path, monkeypatch: pytest.MonkeyPatch, *known: Migration) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(store, "migrations", lambda: known)
        opened = SqliteStore(path)
        await opened.open()
        await opened.close()


def ask(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(sql).fetchall()


def test_the_migrations_are_numbered_without_a_gap() -> None:
    known = migrations()
    assert [one.version for one in known] == list(range(1, len(known) + 1))
    for migration in known:
        words = migration.sql.upper()
        assert "COMMIT" not in words
        assert "BEGIN" not in words


async def test_a_new_file_gets_the_latest_schema(path: Path) -> None:
    opened = SqliteStore(path)
    await opened.open()
    await opened.close()
    assert ask(path, "SELECT max(version) FROM webhook_schema") == [(migrations()[-1].version,)]
    assert ask(path, "PRAGMA integrity_check") == [("ok",)]


async def test_only_what_is_new_is_applied(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await open_with(path, monkeypatch, FIRST)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("INSERT INTO webhook_first VALUES (5)")
    await open_with(path, monkeypatch, FIRST, SECOND)
    await open_with(path, monkeypatch, FIRST, SECOND)
    assert ask(path, "SELECT id, name FROM webhook_first") == [(5, None)]
    assert ask(path, "SELECT version FROM webhook_schema ORDER BY version") == [(1,), (2,)]


async def test_a_broken_migration_leaves_the_old_schema_and_its_data(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await open_with(path, monkeypatch, FIRST)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("INSERT INTO webhook_first VALUES (5)")
    with pytest.raises(StoreError, match="nowhere"):
        await open_with(path, monkeypatch, FIRST, BROKEN)
    assert ask(path, "SELECT max(version) FROM webhook_schema") == [(1,)]
    assert ask(path, "SELECT id FROM webhook_first") == [(5,)]
    assert ask(path, "SELECT name FROM sqlite_master WHERE name = 'webhook_second'") == []
    await open_with(path, monkeypatch, FIRST, SECOND)
    assert ask(path, "SELECT max(version) FROM webhook_schema") == [(2,)]


async def test_what_was_migrated_before_a_broken_one_stays(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StoreError):
        await open_with(path, monkeypatch, FIRST, BROKEN)
    assert ask(path, "SELECT max(version) FROM webhook_schema") == [(1,)]


async def test_a_newer_schema_is_refused_untouched(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await open_with(path, monkeypatch, FIRST, SECOND)
    before = ask(path, "SELECT name FROM sqlite_master ORDER BY name")
    with pytest.raises(SchemaVersionError) as caught:
        await open_with(path, monkeypatch, FIRST)
    text = str(caught.value)
    assert str(path) in text
    assert "schema version 2" in text
    assert "up to 1" in text
    assert ask(path, "SELECT name FROM sqlite_master ORDER BY name") == before
    await open_with(path, monkeypatch, FIRST, SECOND)
