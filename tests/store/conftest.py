"""The implementations of the store, each of which has to pass the same tests."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Protocol

import pytest
from store.world import World

from webhook_engine.store.seam import Store
from webhook_engine.store.sqlite import SqliteStore


class Place(Protocol):
    """Where an implementation keeps its data, for one test."""

    def store(self) -> Store:
        """A new store on the same data, not opened yet."""
        ...

    def write_outbox(self, **columns: object) -> int:
        """Write a row of the outbox as another program does; returns its id."""
        ...


class SqlitePlace:
    """A file."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "webhooks.db"

    def store(self) -> SqliteStore:
        return SqliteStore(self.path)

    def write_outbox(self, **columns: object) -> int:
        names, marks = ", ".join(columns), ", ".join("?" for _ in columns)
        with closing(sqlite3.connect(self.path)) as db, db:
            cursor = db.execute(f"INSERT INTO webhook_outbox ({names}) VALUES ({marks})", tuple(columns.values()))
            return cursor.lastrowid or 0


@pytest.fixture(params=[SqlitePlace], ids=["sqlite"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return request.param(tmp_path)


@pytest.fixture
async def store(place: Place) -> AsyncIterator[Store]:
    store = place.store()
    await store.open()
    yield store
    await store.close()


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of the tests that are about SQLite."""
    return tmp_path / "webhooks.db"


@pytest.fixture
async def sqlite_store(path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(path)
    await store.open()
    yield store
    await store.close()
