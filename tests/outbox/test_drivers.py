"""``enqueue`` with the connections of other libraries and databases: it commits and rolls back with their changes."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import aiosqlite
import asyncmy
import asyncpg
import psycopg
import pymysql
import pytest
import sqlalchemy.orm
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from stores import no_engine

from webhook_engine import ValidationError
from webhook_engine.outbox import (
    create_table,
    create_table_async,
    drop_table,
    drop_table_async,
    enqueue,
    enqueue_async,
    table_sql,
)
from webhook_engine.store.sources import source_database

pytestmark = no_engine

BODY = b'{"text":"na\xc3\xafve","%s":":name ?","nul":"\\u0000"}'
RAW = b"\xff\x00 not even text"
COLUMNS = "message_id, application, event_type, payload, event_id, channels, tags, organization, error"


@pytest.fixture(params=["sqlite", "postgresql", "mysql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without an outbox."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'app.db'}"
    url = str(request.getfixturevalue("postgresql_url" if request.param == "postgresql" else "mariadb_url"))
    with plain(url) as connection:
        cursor = connection.cursor()
        cursor.execute("DROP TABLE IF EXISTS webhook_outbox")
        connection.commit()
    return url


@contextmanager
def plain(url: str) -> Iterator[Any]:
    """A DB-API connection."""
    if url.startswith("sqlite"):
        connection: Any = sqlite3.connect(url.removeprefix("sqlite:///"))
    elif url.startswith("postgresql"):
        connection = psycopg.connect(url)
    else:
        connection = pymysql.connect(**mysql_arguments(url))
    try:
        yield connection
    finally:
        connection.close()


def mysql_arguments(url: str) -> dict[str, str]:
    parts = urlsplit(url)
    return {
        "user": parts.username or "",
        "database": parts.path.lstrip("/"),
        "unix_socket": parse_qs(parts.query)["unix_socket"][0],
    }


def sqlalchemy_url(url: str, *, asynchronous: bool = False) -> str:
    scheme, rest = url.split("://", 1)
    drivers = {"sqlite": "aiosqlite", "postgresql": "asyncpg", "mysql": "asyncmy"}
    if not asynchronous:
        drivers = {"sqlite": "pysqlite", "postgresql": "psycopg", "mysql": "pymysql"}
    return f"{scheme}+{drivers[scheme]}://{rest}"


def stored(url: str) -> list[tuple[object, ...]]:
    """What another connection sees."""
    with plain(url) as connection:
        cursor = connection.cursor()
        cursor.execute(f"SELECT {COLUMNS} FROM webhook_outbox ORDER BY id")
        return [tuple(row) for row in cursor.fetchall()]


@contextmanager
def sqlalchemy_connection(url: str) -> Iterator[Any]:
    engine = sqlalchemy.create_engine(sqlalchemy_url(url))
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@contextmanager
def sqlalchemy_session(url: str) -> Iterator[Any]:
    engine = sqlalchemy.create_engine(sqlalchemy_url(url))
    with sqlalchemy.orm.Session(engine) as session:
        yield session
    engine.dispose()


@contextmanager
def sqlalchemy_scoped_session(url: str) -> Iterator[Any]:
    engine = sqlalchemy.create_engine(sqlalchemy_url(url))
    session = sqlalchemy.orm.scoped_session(sqlalchemy.orm.sessionmaker(engine))
    yield session
    session.remove()
    engine.dispose()


@contextmanager
def sqlalchemy_raw_connection(url: str) -> Iterator[Any]:
    engine = sqlalchemy.create_engine(sqlalchemy_url(url))
    connection = engine.raw_connection()
    yield connection
    connection.close()
    engine.dispose()


WAYS: list[Callable[[str], AbstractContextManager[Any]]] = [
    plain,
    sqlalchemy_connection,
    sqlalchemy_session,
    sqlalchemy_scoped_session,
    sqlalchemy_raw_connection,
]


@pytest.mark.parametrize("connect", WAYS)
def test_the_message_comes_with_the_commit_and_goes_with_the_rollback(url: str, connect: Any) -> None:
    with connect(url) as connection:
        create_table(connection)
        create_table(connection)
        connection.commit()
        enqueue(connection, application="acme", event_type="invoice.lost", payload={})
        connection.rollback()
        first = enqueue(
            connection,
            application="acme",
            event_type="invoice.paid",
            payload=BODY,
            event_id="inv-1",
            channels=["a:b"],
            tags=["x"],
            organization="org_demo",
        )
        second = enqueue(connection, application="acme", event_type="invoice.paid", payload=RAW)
        assert stored(url) == []
        connection.commit()
    assert stored(url) == [
        (first, "acme", "invoice.paid", BODY, "inv-1", '["a:b"]', '["x"]', "org_demo", None),
        (second, "acme", "invoice.paid", RAW, None, None, None, None, None),
    ]


@pytest.mark.parametrize("connect", WAYS)
def test_a_missing_table_is_explained(url: str, connect: Any) -> None:
    with connect(url) as connection:
        with pytest.raises(Exception, match="webhook_outbox") as caught:
            enqueue(connection, application="acme", event_type="a.b", payload={})
        assert "create_table(connection)" in " ".join(caught.value.__notes__)
        connection.rollback()


@asynccontextmanager
async def native(url: str) -> AsyncIterator[tuple[Any, Callable[[], Any], Callable[[], Any]]]:
    """An asynchronous connection with how it commits and rolls back."""
    if url.startswith("sqlite"):
        async with aiosqlite.connect(url.removeprefix("sqlite:///")) as connection:
            yield connection, connection.commit, connection.rollback
    elif url.startswith("postgresql"):
        async with await psycopg.AsyncConnection.connect(url) as psycopg_connection:
            yield psycopg_connection, psycopg_connection.commit, psycopg_connection.rollback
    else:
        arguments = mysql_arguments(url)
        mysql = await asyncmy.connect(db=arguments.pop("database"), **arguments)
        yield mysql, mysql.commit, mysql.rollback
        await mysql.ensure_closed()


@asynccontextmanager
async def sqlalchemy_async_connection(url: str) -> AsyncIterator[tuple[Any, Callable[[], Any], Callable[[], Any]]]:
    engine = create_async_engine(sqlalchemy_url(url, asynchronous=True))
    async with engine.connect() as connection:
        yield connection, connection.commit, connection.rollback
    await engine.dispose()


@asynccontextmanager
async def sqlalchemy_async_session(url: str) -> AsyncIterator[tuple[Any, Callable[[], Any], Callable[[], Any]]]:
    engine = create_async_engine(sqlalchemy_url(url, asynchronous=True))
    async with AsyncSession(engine) as session:
        yield session, session.commit, session.rollback
    await engine.dispose()


@pytest.mark.parametrize("connect", [native, sqlalchemy_async_connection, sqlalchemy_async_session])
async def test_the_same_with_asynchronous_libraries(url: str, connect: Any) -> None:
    async with connect(url) as (connection, commit, rollback):
        await create_table_async(connection)
        await create_table_async(connection)
        await commit()
        await enqueue_async(connection, application="acme", event_type="invoice.lost", payload={})
        await rollback()
        first = await enqueue_async(connection, application="acme", event_type="invoice.paid", payload=BODY, tags=["x"])
        second = await enqueue_async(connection, application="acme", event_type="invoice.paid", payload=RAW)
        assert stored(url) == []
        await commit()
    assert stored(url) == [
        (first, "acme", "invoice.paid", BODY, None, None, '["x"]', None, None),
        (second, "acme", "invoice.paid", RAW, None, None, None, None, None),
    ]


async def test_the_raw_connection_of_an_asynchronous_engine_is_refused(tmp_path: Path) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'app.db'}")
    async with engine.connect() as connection:
        raw = await connection.get_raw_connection()
        with pytest.raises(ValidationError, match="must be the AsyncConnection itself"):
            await enqueue_async(raw, application="acme", event_type="a.b", payload={})
    await engine.dispose()


@pytest.fixture
def schema(url: str) -> Iterator[str]:
    """A schema with a name that has to be quoted, beside the one where the connection looks."""
    if url.startswith("sqlite"):
        pytest.skip("has no schemas, but attached databases")
    quote = "`" if url.startswith("mysql") else '"'
    cascade = "" if url.startswith("mysql") else " CASCADE"
    drop = f"DROP SCHEMA IF EXISTS {quote}My-order{quote}{cascade}"
    for statement in (drop, f"CREATE SCHEMA {quote}My-order{quote}", "", drop):
        if not statement:
            yield "My-order"
            continue
        with plain(url) as connection:
            connection.cursor().execute(statement)
            connection.commit()


@pytest.mark.parametrize("connect", WAYS)
def test_the_table_may_be_in_another_schema(url: str, schema: str, connect: Any) -> None:
    with connect(url) as connection:
        create_table(connection, schema=schema)
        create_table(connection, schema=schema)
        message_id = enqueue(connection, application="acme", event_type="a.b", payload={}, schema=schema)
        connection.commit()
        with pytest.raises(Exception, match="webhook_outbox"):
            enqueue(connection, application="acme", event_type="a.b", payload={})
        connection.rollback()
    source = source_database(in_schema(url, schema))
    source.connect()
    try:
        assert [row.message_id for row in source.rows(10)] == [message_id]
        source.release()
    finally:
        source.close()
    with connect(url) as connection:
        drop_table(connection, schema=schema)
        drop_table(connection, schema=schema)
        connection.commit()


def in_schema(url: str, schema: str) -> str:
    """The source in a schema, as ``outbox.sources`` has it."""
    if url.startswith("mysql"):
        return url.replace("/app?", f"/{schema}?")
    return f"{url}&options=" + quote(f'-c search_path="{schema}"')


@pytest.mark.parametrize("connect", [native, sqlalchemy_async_connection, sqlalchemy_async_session])
async def test_the_schema_with_asynchronous_libraries(url: str, schema: str, connect: Any) -> None:
    async with connect(url) as (connection, commit, _):
        await create_table_async(connection, schema=schema)
        await enqueue_async(connection, application="acme", event_type="a.b", payload={}, schema=schema)
        await commit()
        await drop_table_async(connection, schema=schema)
        await commit()


def test_the_schema_is_an_attached_database_in_sqlite(tmp_path: Path) -> None:
    with plain(f"sqlite:///{tmp_path / 'app.db'}") as connection:
        connection.execute("ATTACH ? AS other", (str(tmp_path / "other.db"),))
        create_table(connection, schema="other")
        message_id = enqueue(connection, application="acme", event_type="a.b", payload={}, schema="other")
        connection.commit()
    assert stored(f"sqlite:///{tmp_path / 'other.db'}")[0][0] == message_id


def test_what_is_no_name_of_a_schema_is_refused(tmp_path: Path) -> None:
    with plain(f"sqlite:///{tmp_path / 'app.db'}") as connection:
        for wrong in ("", "a.b", 'a"; DROP TABLE x; --', "100%s"):
            with pytest.raises(ValidationError, match="schema"):
                enqueue(connection, application="acme", event_type="a.b", payload={}, schema=wrong)


async def test_asyncpg_and_its_pool(postgresql_url: str) -> None:
    with plain(postgresql_url) as connection:
        connection.execute("DROP TABLE IF EXISTS webhook_outbox")
        connection.commit()
    async with asyncpg.create_pool(postgresql_url) as pool, pool.acquire() as connection:
        await create_table_async(connection)
        transaction = connection.transaction()
        await transaction.start()
        await enqueue_async(connection, application="acme", event_type="a.b", payload={})
        await transaction.rollback()
        async with connection.transaction():
            message_id = await enqueue_async(connection, application="acme", event_type="a.b", payload=BODY)
    [(stored_id, _, _, payload, *_)] = stored(postgresql_url)
    assert (stored_id, payload) == (message_id, BODY)


def test_the_printed_statement_for_other_languages_works(postgresql_url: str, mariadb_url: str) -> None:
    for url, dialect in ((postgresql_url, "postgresql"), (mariadb_url, "mysql")):
        sql = table_sql(dialect)  # type: ignore[arg-type]
        statement = next(line for line in sql.splitlines() if "INSERT INTO" in line).lstrip("- ")
        with plain(url) as connection:
            cursor = connection.cursor()
            cursor.execute("DROP TABLE IF EXISTS webhook_outbox")
            create_table(connection)
            cursor.execute(statement)
            connection.commit()
        [(message_id, application, event_type, payload, *_)] = stored(url)
        assert (message_id, application, event_type, payload) == (None, "acme", "invoice.paid", b'{"id":1}')


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only to be sure that the servers run")
def test_servers_do_not_run_as_root(postgresql_url: str) -> None:
    with plain(postgresql_url) as connection:
        [pid] = connection.execute("SELECT pg_backend_pid()").fetchone()
    assert os.stat(f"/proc/{pid}").st_uid != 0
