"""The implementations of the store, each of which has to pass the same tests."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Protocol

import psycopg
import pytest
from records import World

from webhook_engine.store.postgresql import PostgresqlStore
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


class PostgresqlPlace:
    """A schema on a server."""

    def __init__(self, url: str, schema: str) -> None:
        self.url, self.schema = url, schema

    def store(self) -> PostgresqlStore:
        return PostgresqlStore(self.url, self.schema)

    def write_outbox(self, **columns: object) -> int:
        names, marks = ", ".join(columns), ", ".join("%s" for _ in columns)
        if isinstance(payload := columns.get("payload"), str):
            columns["payload"] = payload.encode()
        insert = f"INSERT INTO webhook_outbox ({names}) VALUES ({marks}) RETURNING id"
        with psycopg.connect(self.url) as connection:
            connection.execute(f'SET search_path = "{self.schema}"')
            row = connection.execute(insert, [*columns.values()])
            return int(row.fetchone()[0])


_numbers = itertools.count(1)


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "sqlite":
        yield SqlitePlace(tmp_path)
        return
    url, schema = request.getfixturevalue("postgresql_url"), f"place {next(_numbers)}"
    yield PostgresqlPlace(url, schema)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET client_min_messages = error")
        connection.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')


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
