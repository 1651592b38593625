"""What can go wrong with a server, and what becomes of it: nothing that returned is lost, and all goes on by itself."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator

import asyncpg
import psycopg
import pytest
from database_servers import RestartablePostgresql, pgbouncer, restartable_postgresql
from records import World, addressed, ids
from store.scenario import run_the_flow, run_the_lists, run_the_managers

from webhook_engine.errors import (
    ConfigError,
    ConflictError,
    EngineAlreadyRunningError,
    SchemaVersionError,
    StoreError,
    StoreUnavailableError,
)
from webhook_engine.store.postgresql import PostgresqlStore
from webhook_engine.store.postgresql.connection import Session
from webhook_engine.store.postgresql.faults import is_environmental, store_error
from webhook_engine.store.records import MessageFilter, Span
from webhook_engine.store.sources import source_database

EVERYTHING = Span(limit=10_000, descending=False)
_numbers = itertools.count(1)


@pytest.fixture
def server(postgresql_url: str) -> str:
    return postgresql_url


@pytest.fixture
def schema() -> str:
    return f"faults {next(_numbers)}"


@pytest.fixture
async def store(server: str, schema: str) -> AsyncIterator[PostgresqlStore]:
    store = PostgresqlStore(server, schema)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
def world(store: PostgresqlStore) -> World:
    return World(store)


@pytest.fixture
def own_server() -> Iterator[RestartablePostgresql]:
    with restartable_postgresql() as running:
        yield running


async def scenario(store: PostgresqlStore) -> None:
    """All that the engine asks of a store."""
    world = World(store)
    application, endpoint = await world.pair()
    await run_the_flow(store, world, application, endpoint)
    await run_the_managers(store, world)
    await run_the_lists(store, application.id, endpoint.endpoint.id)


def end_backends(url: str) -> None:
    """As an administrator does, or a failover."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")


async def test_connections_that_were_ended_are_made_again(server: str, store: PostgresqlStore, world: World) -> None:
    application, endpoint = await world.pair()
    for _ in range(3):
        end_backends(server)
        assert await store.endpoints.count(application.id) == 1
        end_backends(server)
        await world.send(endpoint)
    assert len(await store.messages.list(application.id, EVERYTHING, MessageFilter())) == 3


async def test_backends_that_end_in_the_midst_lose_nothing_that_returned(
    server: str, store: PostgresqlStore, world: World
) -> None:
    application, endpoint = await world.pair()
    accepted, refused = [], []

    async def write() -> None:
        for _ in range(40):
            message = world.new_message(application.id)
            try:
                await store.messages.add([addressed(message, endpoint)])
                accepted.append(message.id)
            except StoreUnavailableError:
                refused.append(message.id)

    writing = asyncio.gather(*(write() for _ in range(5)))
    while not writing.done():
        await asyncio.to_thread(end_backends, server)
        await asyncio.sleep(0.01)
    await writing
    stored = set(ids(await store.messages.list(application.id, EVERYTHING, MessageFilter())))
    assert stored == set(accepted)
    assert len(accepted) + len(refused) == 200


async def test_a_server_that_is_killed_loses_nothing_and_all_goes_on_when_it_is_back(
    own_server: RestartablePostgresql,
) -> None:
    store = PostgresqlStore(own_server.url)
    await store.open()
    try:
        world = World(store)
        application, endpoint = await world.pair()
        accepted, unsure = [], []
        away = asyncio.Event()

        async def write() -> None:
            while not away.is_set():
                message = world.new_message(application.id)
                try:
                    await store.messages.add([addressed(message, endpoint)])
                    accepted.append(message.id)
                except StoreUnavailableError:
                    unsure.append(message.id)
                    away.set()

        writing = [asyncio.create_task(write()) for _ in range(5)]
        while len(accepted) < 20:
            await asyncio.sleep(0)
        await asyncio.to_thread(own_server.kill)
        with pytest.raises(StoreUnavailableError) as told:
            await store.endpoints.count(application.id)
        assert "work goes on by itself" in str(told.value)
        with pytest.raises(StoreUnavailableError):
            await world.send(endpoint)
        await asyncio.to_thread(own_server.start)
        await asyncio.gather(*writing)
        while True:  # for a moment nobody tries to connect
            try:
                accepted.append((await world.send(endpoint)).id)
                break
            except StoreUnavailableError:
                await asyncio.sleep(0.05)
        stored = set(ids(await store.messages.list(application.id, EVERYTHING, MessageFilter())))
        assert set(accepted) <= stored <= {*accepted, *unsure}
        await store.upkeep.check(5)
    finally:
        await store.close()


@pytest.mark.parametrize("committed", [True, False])
async def test_the_fate_of_a_commit_whose_answer_was_lost_is_looked_up(
    store: PostgresqlStore, world: World, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    application, endpoint = await world.pair()
    script, lost = Session.script, []

    async def losing(self: Session, sql: str) -> None:
        if sql == "COMMIT" and not lost:
            lost.append(sql)
            if committed:
                await script(self, sql)
            self._connection.terminate()
            raise ConnectionResetError("the answer was lost")
        await script(self, sql)

    monkeypatch.setattr(Session, "script", losing)
    message = world.new_message(application.id)
    adding = store.messages.add([addressed(message, endpoint)])
    if committed:
        assert list(await adding) == []
    else:
        with pytest.raises(StoreUnavailableError):
            await adding
    assert lost
    assert (await store.messages.get(application.id, message.id) is not None) is committed


async def test_a_change_that_others_got_in_the_way_of_is_made_again(store: PostgresqlStore, world: World) -> None:
    await world.pair()
    tries = itertools.count(1)

    async def unlucky(session: Session) -> int:
        number = next(tries)
        if number < 3:
            await session.script("DO $$ BEGIN RAISE EXCEPTION SQLSTATE '40P01'; END $$")
        return number

    assert await store.database.write(unlucky) == 3


async def test_one_change_that_fails_does_not_take_others_with_it(store: PostgresqlStore, world: World) -> None:
    async def wrong(session: Session) -> None:
        await session.change("UPDATE webhook_application SET name = NULL")

    await world.application(uid="taken")
    results = await asyncio.gather(
        *(world.application() for _ in range(5)),
        *(store.database.write(wrong) for _ in range(5)),
        *(world.application(uid="taken") for _ in range(5)),
        return_exceptions=True,
    )
    assert not any(isinstance(result, Exception) for result in results[:5])
    assert all(type(result) is StoreError for result in results[5:10])
    assert all(isinstance(result, ConflictError) for result in results[10:])


async def test_engines_that_start_at_once_make_the_tables_once(server: str, schema: str) -> None:
    stores = [PostgresqlStore(server, schema) for _ in range(4)]
    results = await asyncio.gather(*(store.open() for store in stores), return_exceptions=True)
    assert None in results
    assert all(result is None or isinstance(result, EngineAlreadyRunningError) for result in results)
    for store in stores:
        await store.close()


async def test_a_schema_of_a_newer_version_is_refused(server: str, schema: str, store: PostgresqlStore) -> None:
    await store.close()
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'INSERT INTO "{schema}".webhook_schema VALUES (9999)')
    with pytest.raises(SchemaVersionError, match="9999"):
        await store.open()


async def test_a_user_without_the_right_to_make_a_schema_is_told_what_to_do(server: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CREATE ROLE nobody_special LOGIN")
    store = PostgresqlStore(server.replace("user=postgres", "user=nobody_special"), "of_its_own")
    with pytest.raises(StoreUnavailableError, match='CREATE SCHEMA "of_its_own" AUTHORIZATION'):
        await store.open()
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA of_its_own AUTHORIZATION nobody_special")
    await store.open()
    try:
        await scenario(store)
    finally:
        await store.close()


async def test_a_commit_waits_for_the_disk_whatever_the_user_is_set_to(server: str, schema: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CREATE ROLE hasty SUPERUSER LOGIN")
        connection.execute("ALTER ROLE hasty SET synchronous_commit = off")
    store = PostgresqlStore(server.replace("user=postgres", "user=hasty"), schema)
    await store.open()
    try:
        assert await store.database.write(lambda session: session.value("SHOW synchronous_commit")) == "on"
    finally:
        await store.close()


async def test_behind_a_pooler_everything_is_the_same(server: str, schema: str) -> None:
    with pgbouncer(server) as pooled:
        store = PostgresqlStore(pooled, schema)
        await store.open()
        try:
            assert store.database.connector.server.pooled
            await scenario(store)
        finally:
            await store.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql:///nowhere?host={host}&user=postgres", "there is no such database"),
        ("postgresql:///postgres?host={host}&user=stranger", "refuses this user"),
        ("postgresql:///postgres?host=/nowhere&user=postgres", "cannot be reached"),
        ("postgresql://127.0.0.1:1/postgres", "cannot be reached"),
    ],
)
async def test_why_it_cannot_be_opened_is_said(server: str, url: str, words: str) -> None:
    host = server.partition("host=")[2].partition("&")[0]
    store = PostgresqlStore(url.replace("{host}", host))
    with pytest.raises(StoreUnavailableError, match=words):
        await store.open()
    await store.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql:///postgres?service=unknown", "PGSERVICEFILE"),
        ("postgresql://h/postgres?channel_binding=require", "channel_binding"),
        ("postgresql://h/postgres?connect_timeout=soon", "connect_timeout"),
    ],
)
def test_a_parameter_that_cannot_be_followed_is_refused(url: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGSERVICEFILE", "/nowhere/services")
    with pytest.raises(ConfigError, match=words):
        PostgresqlStore(url)


def test_what_the_driver_cannot_send_is_the_fault_of_the_change() -> None:
    assert not is_environmental(asyncpg.exceptions._base.DataError("invalid input for query argument $1"))
    assert is_environmental(asyncpg.InterfaceError("connection is closed"))
    assert is_environmental(TimeoutError())
    assert not isinstance(store_error("db", asyncpg.UniqueViolationError("twice")), StoreUnavailableError)
    assert isinstance(store_error("db", asyncpg.DiskFullError("full")), StoreUnavailableError)


async def test_what_was_set_aside_is_found_in_the_schema_of_the_engine(
    server: str, schema: str, store: PostgresqlStore
) -> None:
    """As `webhook-engine outbox list` looks for it."""
    with psycopg.connect(server) as connection:
        connection.execute(
            f'INSERT INTO "{schema}".webhook_outbox (application, event_type, payload, error)'
            " VALUES ('acme', 'a.b', '{}', 'no such application')"
        )
    source = source_database(server, schema)
    source.connect(exclusive=False)
    try:
        assert [row.error for row in source.list_set_aside(10)] == ["no such application"]
    finally:
        source.close()
