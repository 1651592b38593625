"""The switch of the tests: with ``WEBHOOK_ENGINE_TEST_STORE=postgresql`` engines are on PostgreSQL.

A test goes on naming a file. Where the switch is on, its engine gets a schema of that file's own instead, on a server
that is started once; secrets are kept beside the file that is not there. What looks into the database from outside
does it through :func:`query`, which goes where the engine went.
"""

from __future__ import annotations

import os
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from webhook_engine.config.sections import StoreConfig
from webhook_engine.config.values import database_path

ON_POSTGRESQL = os.environ.get("WEBHOOK_ENGINE_TEST_STORE") == "postgresql"

about_the_file = pytest.mark.skipif(ON_POSTGRESQL, reason="about the file of SQLite, or a process on it")
"""For what can only be true, or go wrong, with a file."""
no_engine = pytest.mark.skipif(ON_POSTGRESQL, reason="asks no engine, so that the switch changes nothing")
"""For what need not run once more."""

_files: dict[str, Path] = {}
"""The file that a test named, by the schema that there is instead."""
_url: str | None = None


def schema_of(path: Path) -> str:
    """The schema that stands in for a file."""
    schema = f"t_{zlib.crc32(str(path.absolute()).encode()):08x}"
    _files[schema] = path
    return schema


def server_url() -> str:
    """The URL of the server."""
    assert _url is not None
    return _url


@contextmanager
def switched(url: str) -> Iterator[None]:
    """Let every configuration that names a file mean a schema on this server."""
    global _url
    check, files = StoreConfig.__post_init__, StoreConfig.files

    def checked(config: StoreConfig) -> None:
        check(config)
        if config.url.startswith("sqlite:///") and config.schema is None:
            path = database_path(config.url)
            object.__setattr__(config, "url", url)
            object.__setattr__(config, "schema", schema_of(path))

    def kept(config: StoreConfig) -> Path:
        return _files.get(config.schema or "") or files.fget(config)  # type: ignore[misc]

    _url = url
    StoreConfig.__post_init__, StoreConfig.files = checked, property(kept)  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        StoreConfig.__post_init__, StoreConfig.files = check, files  # type: ignore[method-assign, assignment]


def forget_all(url: str) -> None:
    """Drop the schemas of the test that has ended."""
    schemas, _ = list(_files), _files.clear()
    if schemas:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SET client_min_messages = error")
            for schema in schemas:
                connection.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')


def query(database: Path, sql: str, *parameters: object) -> list[tuple]:
    """Ask the database of an engine from outside, or change it; placeholders are ``?``."""
    if not ON_POSTGRESQL:
        with closing(sqlite3.connect(database)) as connection, connection:
            return connection.execute(sql, parameters).fetchall()
    with psycopg.connect(server_url()) as connection:
        connection.execute(f'SET search_path = "{schema_of(database)}"')
        marked = sql.replace("%", "%%").replace("?", "%s") if parameters else sql
        cursor = connection.execute(marked, parameters or None)
        return cursor.fetchall() if cursor.description else []


@contextmanager
def outside(database: Path) -> Iterator[sqlite3.Connection | psycopg.Connection]:
    """A connection to the database of an engine as any other program may have one; committed at the end."""
    if not ON_POSTGRESQL:
        with closing(sqlite3.connect(database, timeout=10)) as connection, connection:
            yield connection
        return
    with psycopg.connect(server_url(), options=f"-csearch_path={schema_of(database)}") as connection:
        yield connection


ROW = "INSERT INTO webhook_outbox (application, event_type, payload) VALUES (?, ?, ?)"


def add_rows(database: Path, *rows: tuple[object, ...], sql: str = ROW) -> None:
    """Commit rows to the outbox of an engine as any program may."""
    with outside(database) as connection:
        connection.cursor().executemany(sql.replace("?", "%s") if ON_POSTGRESQL else sql, rows)


def refuse_messages(database: Path, pattern: str, words: str) -> None:
    """Let nobody add a message with an event type like this (``*`` stands for anything)."""
    if not ON_POSTGRESQL:
        query(
            database,
            f"CREATE TRIGGER died BEFORE INSERT ON webhook_message WHEN NEW.event_type GLOB '{pattern}'"
            f" BEGIN SELECT RAISE(ABORT, '{words}'); END",
        )
        return
    query(
        database,
        f"CREATE FUNCTION died() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '{words}'; END $$",
    )
    condition = f"NEW.event_type LIKE '{pattern.replace('*', '%')}'"
    query(
        database,
        f"CREATE TRIGGER died BEFORE INSERT ON webhook_message FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION died()",
    )


def accept_messages(database: Path) -> None:
    """Let them be added again."""
    query(database, "DROP TRIGGER died ON webhook_message" if ON_POSTGRESQL else "DROP TRIGGER died")
