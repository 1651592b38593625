"""What ``webhook-engine doctor`` says of a database on a server."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
from commands import command

from webhook_engine.config.sections import StoreConfig
from webhook_engine.store.opening import inspect_server
from webhook_engine.store.postgresql import PostgresqlStore, inspection
from webhook_engine.store.postgresql.inspection import Remark

_numbers = itertools.count(1)
FSYNC = "fsync is off there"
"""Which is so for all servers of the tests."""


@pytest.fixture
def administrator(postgresql_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute("SET client_min_messages = error")
        yield connection


@pytest.fixture
def role(administrator: psycopg.Connection) -> Iterator[str]:
    """A role that may log in, and nothing else; it has a schema of its name."""
    name = f"inspected_{next(_numbers)}"
    administrator.execute(f"CREATE ROLE {name} LOGIN")
    administrator.execute(f"CREATE SCHEMA {name} AUTHORIZATION {name}")
    yield name
    administrator.execute(f"DROP OWNED BY {name} CASCADE")
    administrator.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE")
    administrator.execute(f"DROP ROLE {name}")


def as_role(url: str, role: str) -> str:
    return url.replace("user=postgres", f"user={role}")


async def complaints(url: str, schema: str | None = None) -> list[Remark]:
    """What there is to be done."""
    remarks = await inspect_server(StoreConfig(url=url, schema=schema))
    return [remark for remark in remarks if remark.advice and FSYNC not in remark.what]


async def test_a_database_that_will_do_is_left_alone(postgresql_url: str, role: str) -> None:
    url = as_role(postgresql_url, role)
    remarks = await inspect_server(StoreConfig(url=url))
    assert await complaints(url) == []
    words = [remark.what for remark in remarks]
    assert any(each.startswith("PostgreSQL 1") and "answers at" in each for each in words)
    assert f"the tables will be made in the schema {role} of postgres, as {role} may" in words
    assert "its clock and that of this machine agree" in words
    [serious] = [remark for remark in remarks if remark.serious]
    assert serious.what.startswith(FSYNC)
    assert serious.advice == "Set fsync = on in postgresql.conf, and reload it."


def test_the_command_says_it(postgresql_url: str, role: str) -> None:
    done = command("doctor", "--offline", WEBHOOK_ENGINE_STORE__URL=as_role(postgresql_url, role))
    assert done.code == 1
    assert f"error   database: {FSYNC}: a crash of its machine loses or damages what was accepted" in done.out
    done = command("doctor", "--offline", WEBHOOK_ENGINE_STORE__URL="postgresql:///nothing?host=/nowhere")
    assert "error   database: postgresql:///nothing" in done.out


async def test_a_server_without_autovacuum_is_told(
    postgresql_url: str, role: str, administrator: psycopg.Connection
) -> None:
    def set_to(value: str, wanted: str) -> None:
        administrator.execute(f"ALTER SYSTEM SET autovacuum = {value}")
        administrator.execute("SELECT pg_reload_conf()")
        ends_at = time.monotonic() + 10
        while administrator.execute("SHOW autovacuum").fetchone() != (wanted,):
            assert time.monotonic() < ends_at
            time.sleep(0.01)

    set_to("off", "off")
    try:
        [remark] = await complaints(as_role(postgresql_url, role))
    finally:
        set_to("DEFAULT", "on")
    assert remark.what == "autovacuum is off there: the space of what is deleted is never used again"
    assert remark.advice == "Set autovacuum = on in postgresql.conf, and reload it."


async def test_a_user_who_does_not_wait_for_the_disk_does_so_for_the_engine(
    postgresql_url: str, role: str, administrator: psycopg.Connection
) -> None:
    administrator.execute(f"ALTER ROLE {role} SET synchronous_commit = off")
    remarks = await inspect_server(StoreConfig(url=as_role(postgresql_url, role)))
    assert "synchronous_commit is off there; the engine switches it on for itself" in [each.what for each in remarks]


async def test_a_clock_that_is_off_is_told(postgresql_url: str, role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Late:
        def now(self) -> int:
            return time.time_ns() // 1_000 - 90_000_000

    monkeypatch.setattr(inspection, "Clock", Late)
    [remark] = await complaints(as_role(postgresql_url, role))
    assert remark.what.startswith("its clock and that of this machine are 90.")
    assert "timedatectl" in remark.advice


async def test_a_pooler_is_told_of(pgbouncer_url: str) -> None:
    remarks = await inspect_server(StoreConfig(url=pgbouncer_url))
    assert any("a pooler stands in between that shares sessions" in remark.what for remark in remarks)


def no_tables(administrator: psycopg.Connection, role: str) -> None:
    administrator.execute(f"ALTER SCHEMA {role} OWNER TO postgres")
    administrator.execute(f"GRANT USAGE ON SCHEMA {role} TO {role}")


def tables_of_another(administrator: psycopg.Connection, role: str) -> None:
    administrator.execute(f"CREATE TABLE {role}.webhook_message (id text)")


def few_connections(administrator: psycopg.Connection, role: str) -> None:
    administrator.execute(f"ALTER ROLE {role} CONNECTION LIMIT 5")


def unfinished_copy(administrator: psycopg.Connection, role: str) -> None:
    administrator.execute(f"CREATE TABLE {role}.webhook_copy (origin text)")


@pytest.mark.parametrize(
    ("spoil", "words", "advice"),
    [
        (no_tables, "{role} may not make tables in the schema {role}", 'GRANT USAGE, CREATE ON SCHEMA "{role}"'),
        (tables_of_another, "{role} may not read and write webhook_message", "GRANT ALL ON ALL TABLES IN SCHEMA"),
        (few_connections, "{role} may have 5 connections, and an engine wants 12", "CONNECTION LIMIT -1"),
        (unfinished_copy, "a copy into the schema {role} is not finished", "Run `webhook-engine copy` again"),
    ],
)
async def test_what_is_missing_is_told_with_what_to_do(
    postgresql_url: str,
    role: str,
    administrator: psycopg.Connection,
    spoil: Callable[[psycopg.Connection, str], None],
    words: str,
    advice: str,
) -> None:
    spoil(administrator, role)
    [remark] = await complaints(as_role(postgresql_url, role))
    assert words.format(role=role) in remark.what
    assert advice.format(role=role) in remark.advice


async def test_a_schema_that_is_not_there_and_may_not_be_made_is_told(postgresql_url: str, role: str) -> None:
    [remark] = await complaints(as_role(postgresql_url, role), "not_there")
    assert remark.what == f"there is no schema not_there, and {role} may not make it"
    assert f'CREATE SCHEMA "not_there" AUTHORIZATION "{role}"' in remark.advice


async def test_a_user_with_settings_of_its_own_for_transactions_is_no_hindrance(
    postgresql_url: str, role: str, administrator: psycopg.Connection
) -> None:
    administrator.execute(f"ALTER ROLE {role} SET default_transaction_isolation = 'serializable'")
    administrator.execute(f"ALTER ROLE {role} SET default_transaction_read_only = on")
    store = PostgresqlStore(as_role(postgresql_url, role))
    await store.open()
    try:
        level = await store.database.write(lambda session: session.value("SHOW transaction_isolation"))
        assert level == "read committed"
        await store.upkeep.check(5.0)
    finally:
        await store.close()
