"""Everything in an SQLite file moves to PostgreSQL: complete and checked, or refused with what to do."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from records import ORGANIZATION, START, World, addressed, change, manual, progress

from webhook_engine.config.sections import StoreConfig
from webhook_engine.errors import (
    ConfigError,
    EngineAlreadyRunningError,
    SchemaVersionError,
    StoreError,
    StoreUnavailableError,
)
from webhook_engine.model import DeliveryStatus, TaskStatus
from webhook_engine.store import moving
from webhook_engine.store.audit import AuditEntry
from webhook_engine.store.kept_responses import KeptResponse
from webhook_engine.store.members import Member
from webhook_engine.store.moving import TABLES, Moved, move
from webhook_engine.store.opening import opened_for_moving
from webhook_engine.store.play import PlayInbox, PlayLimits, PlayRequest, PlayResponse
from webhook_engine.store.portal_links import PortalLink
from webhook_engine.store.positions import Position
from webhook_engine.store.postgresql import PostgresqlStore
from webhook_engine.store.postgresql import moving as moving_postgresql
from webhook_engine.store.records import ClockMark, EndpointCondition, Outcomes
from webhook_engine.store.revocations import Revocation
from webhook_engine.store.sqlite import SqliteStore
from webhook_engine.store.sqlite.moving import opened

LATER = START * 2
LIMITS = PlayLimits(inboxes=10, requests=10, body_bytes=1_000, total_bytes=10_000)
OWN = {"delivery": ["shard"], "manual_attempt": ["shard"], "clock": ["member"]}
"""Columns that only PostgreSQL has, besides those that it fills by itself."""

_numbers = itertools.count(1)


async def fill(path: Path, messages: int = 12) -> None:
    """Every kind of row, and what is unusual in each."""
    store = SqliteStore(path)
    await store.open()
    try:
        await fill_store(store, World(store), messages)
    finally:
        await store.close()
    fill_outbox(path)


async def fill_store(store: SqliteStore, world: World, messages: int) -> None:
    acme = await world.application(uid="acme", name="Ä \U0001f600", metadata={"a": 'b"\\'})
    limited = await world.application(throttle_rate=7)
    gone = await world.application()
    endpoint = await world.endpoint(acme, uid="main", encrypted_headers=b"\x00\x01", encrypted_user_info=b"\xff")
    other, late = await world.endpoint(limited, event_types=("a", "b"), channels=("x",)), await world.endpoint(limited)
    await store.endpoints.delete(late.endpoint.id, START)
    await store.applications.delete(gone.id, START)
    await store.event_types.add(world.new_event_type("a", schemas={"1": {}}, feature_flags=("beta",), archived=True))
    sent = [world.new_message(acme.id, event_id=f"e{number}", payload=b"%d" % number) for number in range(messages)]
    sent.append(world.new_message(limited.id, tags=("t",), channels=("x",), deliver_at=LATER, payload_expires_at=LATER))
    sent.append(
        world.new_message(limited.id, trace_context="00-1\nx=y", content_type="text/plain", payload=b"\x00\xff")
    )
    await store.messages.add(
        [addressed(one, endpoint) for one in sent[:-2]] + [addressed(one, other) for one in sent[-2:]]
    )
    for message, status in zip(sent[:-2], itertools.cycle(DeliveryStatus), strict=False):
        due_at = START if status is DeliveryStatus.PENDING else None
        await store.deliveries.record(
            Outcomes(
                attempts=[world.new_attempt(message, endpoint, response="ä" * 10)],
                deliveries=[change(message, endpoint, status, due_at, reason="why")],
                conditions={endpoint.endpoint.id: EndpointCondition()},
            )
        )
    await store.deliveries.request_attempt(manual(sent[0], endpoint, "manual_1"))
    task = await world.task(application_id=acme.id, endpoint_id=endpoint.endpoint.id, data={"n": 1})
    await store.tasks.advance(progress(task, cursor="msg_1"), START)
    await store.tasks.end(progress(await world.task(), status=TaskStatus.FINISHED), START, [])
    await store.audit.add(
        AuditEntry(
            id=world.id("audit_"), organization_id=ORGANIZATION, application_id=acme.id, subject=ORGANIZATION,
            token_id="tok_1", session_id=None, action="endpoint.patch", target=None, changes=("url",), address="::1",
        )
    )  # fmt: skip
    await store.revocations.add([Revocation(subject="app:1", up_to="a", effective_at=START, drop_at=LATER)])
    await store.portal_links.add(
        PortalLink(
            digest=b"\x00\x01", organization_id=ORGANIZATION, application_id=acme.id, feature_flags=("beta",),
            capabilities=None, session_id=None, session_ttl_s=60, expires_at=LATER,
        )
    )  # fmt: skip
    await store.kept_responses.keep([KeptResponse(digest=b"\xff" * 32, encrypted=b"\x00" * 50, expires_at=LATER)])
    await store.play.add(
        PlayInbox(token="t", created_at=START, expires_at=LATER, response=PlayResponse(status=503)), LIMITS
    )
    request = PlayRequest(id="r", received_at=START, method="PUT", path="/?", headers=[("a", "ö")], body=b"\x00")
    await store.play.receive("t", request, LIMITS)
    await store.positions.keep(Position(application_id=acme.id, sink="s", consumer="c", after="m", used_at=START), 9, 0)
    await store.upkeep.keep_clock_mark(
        ClockMark(ran=5, seen_at=START, believed_at=START - 7, doubted_ran=3, last_id="2")
    )


def fill_outbox(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.executemany(
            "INSERT INTO webhook_outbox (id, application, event_type, payload, error, created_at, failed_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (7, "acme", "a", '{"ä": 1}', None, "2026-01-02T03:04:05.678Z", None),
                (9, "acme", "a", b"\xff", "bad", "2026-01-02T03:04:05.678Z", "2026-01-03T00:00:00.000000Z"),
                (11, "a\0b", 5, 12.5, None, "yesterday", None),
                (12, b"\xff", "a", b"", None, "2026-01-02 03:04:05", None),
            ],
        )


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("filled") / "webhooks.db"
    asyncio.run(fill(path))
    return path


@pytest.fixture
def source(filled: Path, tmp_path: Path) -> Path:
    return shutil.copy(filled, tmp_path / "webhooks.db")


@pytest.fixture
def schema(postgresql_url: str) -> Iterator[str]:
    name = f"moved {next(_numbers)}"
    yield name
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute("SET client_min_messages = error")
        connection.execute(f'DROP SCHEMA IF EXISTS "{name}" CASCADE')


def nothing(_table: str, _done: int, _of: int) -> None:
    pass


Moving = Callable[..., "asyncio.Future[Moved]"]


@pytest.fixture
def moving_to(postgresql_url: str, schema: str) -> Callable[..., object]:
    async def run(source: Path, told: Callable[[str, int, int], None] = nothing, *, dry_run: bool = False) -> Moved:
        goal = StoreConfig(url=postgresql_url)
        object.__setattr__(goal, "schema", schema)
        async with opened_for_moving(StoreConfig(url=f"sqlite:///{source}"), goal) as (what, where):
            return await move(what, where, told, dry_run=dry_run)

    return run


def rows_there(url: str, schema: str, table: str, columns: list[str]) -> list[tuple]:
    with psycopg.connect(url) as connection:
        connection.execute(f'SET search_path = "{schema}"')
        return connection.execute(f"SELECT {', '.join(columns)} FROM webhook_{table}").fetchall()


def both(source: Path, url: str, schema: str, table: str) -> tuple[list[tuple], list[tuple]]:
    """The rows of a table here and there."""
    with closing(sqlite3.connect(source)) as db:
        columns = [
            row[1] for row in db.execute(f"PRAGMA table_info(webhook_{table})") if (table, row[1]) != ("clock", "id")
        ]
        here = db.execute(f"SELECT {', '.join(columns)} FROM webhook_{table}").fetchall()
    return sorted(here, key=repr), sorted(map(comparable, rows_there(url, schema, table, columns)), key=repr)


def comparable(row: tuple) -> tuple:
    return tuple(int(value) if isinstance(value, bool) else value for value in row)


def test_every_table_is_moved(tmp_path: Path) -> None:
    for package in ("sqlite", "postgresql"):
        folder = Path(moving.__file__).parent / package / "migrations"
        text = "".join(file.read_text() for file in sorted(folder.glob("*.sql")))
        words = text.replace("UNLOGGED ", "").split()
        made = {words[at + 2] for at in range(len(words) - 2) if words[at : at + 2] == ["CREATE", "TABLE"]}
        of_engines = {"webhook_member", "webhook_shard", "webhook_notice"}
        # As they were called first.
        renamed = {"webhook_answer": "webhook_kept_response", "webhook_consumer": "webhook_position"}
        assert {renamed.get(name, name) for name in made} - of_engines | {"webhook_outbox"} == {
            f"webhook_{one}" for one in TABLES
        }


async def test_every_row_is_there_as_it_was(source: Path, postgresql_url: str, schema: str, moving_to) -> None:
    before = source.read_bytes()
    moved = await moving_to(source)
    assert source.read_bytes() == before
    assert set(moved.already.values()) == {0}
    for table in TABLES:
        assert moved.rows[table], table
        here, there = both(source, postgresql_url, schema, table)
        if table != "outbox":
            assert there == here, table
    # What can only be in the outbox of a file: the engine refuses it there too.
    columns = ["id", "application", "event_type", "payload", "created_at", "error", "failed_at"]
    first = datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC)
    assert sorted(rows_there(postgresql_url, schema, "outbox", columns)) == [
        (7, "acme", "a", '{"ä": 1}'.encode(), first, None, None),
        (9, "acme", "a", b"\xff", first, "bad", datetime(2026, 1, 3, tzinfo=UTC)),
        (11, "a\ufffdb", "5", b"12.5", datetime(1970, 1, 1, tzinfo=UTC), None, None),
        (12, "\ufffd", "a", b"", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), None, None),
    ]
    assert rows_there(postgresql_url, schema, "notice", ["id"]) == []
    with psycopg.connect(postgresql_url) as connection:
        connection.execute(f'SET search_path = "{schema}"')
        insert = "INSERT INTO webhook_outbox (application, event_type, payload) VALUES ('a', 'b', '') RETURNING id"
        assert connection.execute(insert).fetchone() == (13,)
        apart = connection.execute(
            "SELECT count(*), count(*) FILTER (WHERE delivery.shard <> endpoint.shard)"
            " FROM webhook_delivery AS delivery"
            " JOIN webhook_endpoint AS endpoint ON endpoint.id = delivery.endpoint_id"
        ).fetchone()
        assert apart == (14, 0)


async def test_a_store_opens_on_it_and_knows_the_clock(
    source: Path, postgresql_url: str, schema: str, moving_to
) -> None:
    await moving_to(source)
    store = PostgresqlStore(postgresql_url, schema)
    await store.open()
    try:
        mark = await store.upkeep.clock_mark()
        assert mark == ClockMark(ran=5, seen_at=START, believed_at=START - 7, doubted_ran=3, last_id="2")
        assert await store.endpoints.get((await store.applications.get(ORGANIZATION, "acme")).id, "main")
    finally:
        await store.close()


class InterruptedCopyError(Exception):
    pass


def until(table: str, done: int) -> Callable[[str, int, int], None]:
    def told(at: str, count: int, _of: int) -> None:
        if at == table and count >= done:
            raise InterruptedCopyError

    return told


async def test_after_an_interruption_it_goes_on_and_no_engine_starts_before(
    source: Path, postgresql_url: str, schema: str, moving_to, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webhook_engine.store.sqlite.moving.BATCH_ROWS", 5)
    with pytest.raises(InterruptedCopyError):
        await moving_to(source, until("delivery", 10))
    store = PostgresqlStore(postgresql_url, schema)
    with pytest.raises(StoreUnavailableError, match=r"a copy into it is not finished; .* or run it again"):
        await store.open()
    looked = await moving_to(source, dry_run=True)
    assert (looked.rows["delivery"], looked.already["delivery"]) == (14, 10)
    moved = await moving_to(source)
    assert (moved.already["message"], moved.already["delivery"], moved.already["attempt"]) == (14, 10, 0)
    for table in TABLES[:-1]:
        here, there = both(source, postgresql_url, schema, table)
        assert there == here, table
    await store.open()
    await store.close()


async def test_it_begins_anew_when_the_source_has_changed_since(
    source: Path, postgresql_url: str, schema: str, moving_to
) -> None:
    with pytest.raises(InterruptedCopyError):
        await moving_to(source, until("attempt", 1))
    with closing(sqlite3.connect(source)) as db, db:
        db.execute("UPDATE webhook_application SET name = 'Another' WHERE uid = 'acme'")
    assert set((await moving_to(source)).already.values()) == {0}
    here, there = both(source, postgresql_url, schema, "application")
    assert there == here


async def test_a_second_time_there_is_nothing_to_do(source: Path, moving_to) -> None:
    moved = await moving_to(source)
    again = await moving_to(source)
    assert again.already == again.rows == moved.rows


async def test_a_database_that_holds_anything_else_is_refused(
    source: Path, postgresql_url: str, schema: str, moving_to
) -> None:
    await moving_to(source)
    with psycopg.connect(postgresql_url) as connection:
        connection.execute(f"UPDATE \"{schema}\".webhook_endpoint SET url = url || '/2'")
    with pytest.raises(StoreError, match=r"holds other data .*webhook_message.*--schema"):
        await moving_to(source)


async def test_a_database_with_a_running_engine_is_refused(
    source: Path, postgresql_url: str, schema: str, moving_to
) -> None:
    store = PostgresqlStore(postgresql_url, schema)
    await store.open()
    try:
        await store.leases.join(Member(id="m", host="h", pid=1, version="1", started_at=START))
        with pytest.raises(StoreError, match="an engine runs on it; stop what runs there"):
            await moving_to(source)
    finally:
        await store.close()


async def test_a_file_with_a_running_engine_is_refused(source: Path, moving_to) -> None:
    store = SqliteStore(source)
    await store.open()
    try:
        with pytest.raises(EngineAlreadyRunningError, match="is in use by another engine"):
            await moving_to(source)
    finally:
        await store.close()


async def test_no_engine_starts_on_the_file_meanwhile(source: Path, moving_to) -> None:
    async def start() -> None:
        with pytest.raises(EngineAlreadyRunningError):
            await SqliteStore(source).open()

    tries: list[asyncio.Task[None]] = []
    await moving_to(source, lambda *_: tries.append(asyncio.create_task(start())))
    await asyncio.gather(*tries[:1])


@pytest.mark.parametrize(("version", "words"), [(11, "start an engine of this release"), (9_999, "made by a newer")])
async def test_a_file_of_another_release_is_refused(source: Path, moving_to, version: int, words: str) -> None:
    with closing(sqlite3.connect(source)) as db, db:
        db.execute("DELETE FROM webhook_schema")
        db.execute("INSERT INTO webhook_schema VALUES (?)", (version,))
    with pytest.raises(SchemaVersionError, match=f"has schema version {version}.*{words}"):
        await moving_to(source)


async def test_a_database_of_a_newer_release_is_refused(
    source: Path, postgresql_url: str, schema: str, moving_to
) -> None:
    store = PostgresqlStore(postgresql_url, schema)
    await store.open()
    await store.close()
    with psycopg.connect(postgresql_url) as connection:
        connection.execute(f'INSERT INTO "{schema}".webhook_schema VALUES (9999)')
    with pytest.raises(SchemaVersionError, match="made by a newer Webhook Engine"):
        await moving_to(source)


async def test_what_is_no_database_of_an_engine_is_refused(tmp_path: Path, moving_to) -> None:
    with pytest.raises(StoreError, match="there is no database"):
        await moving_to(tmp_path / "no.db")
    assert not any(tmp_path.iterdir())
    with closing(sqlite3.connect(tmp_path / "other.db")) as db, db:
        db.execute("CREATE TABLE x (y)")
    with pytest.raises(StoreError, match="has no tables of Webhook Engine"):
        await moving_to(tmp_path / "other.db")


async def test_it_goes_from_a_file_to_a_server_only(source: Path, postgresql_url: str) -> None:
    for pair in ((postgresql_url, postgresql_url), (f"sqlite:///{source}", f"sqlite:///{source}2")):
        with pytest.raises(ConfigError, match="from an SQLite file to a PostgreSQL database"):
            async with opened_for_moving(*(StoreConfig(url=url) for url in pair)):
                pass


async def test_a_pooler_in_between_is_refused(source: Path, pgbouncer_url: str) -> None:
    with pytest.raises(StoreError, match=r"a pooler stands in between.*name the server itself"):
        async with opened_for_moving(StoreConfig(url=f"sqlite:///{source}"), StoreConfig(url=pgbouncer_url)):
            pass


async def test_a_dry_run_changes_nothing(source: Path, postgresql_url: str, schema: str, moving_to) -> None:
    moved = await moving_to(source, dry_run=True)
    assert (moved.rows["message"], moved.already["message"]) == (14, 0)
    with psycopg.connect(postgresql_url) as connection:
        assert connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (schema,)).fetchall() == []


async def test_rows_that_are_enqueued_meanwhile_are_not_left_behind(source: Path, moving_to) -> None:
    def told(table: str, _done: int, _of: int) -> None:
        if table == "task":
            with closing(sqlite3.connect(source)) as db, db:
                db.execute("INSERT INTO webhook_outbox (application, event_type, payload) VALUES ('acme', 'a', '1')")

    with pytest.raises(StoreError, match="a program has written to the outbox while it was copied"):
        await moving_to(source, told)
    assert (await moving_to(source)).rows["outbox"] > 4


async def test_what_somebody_else_writes_to_the_target_is_told(
    source: Path, postgresql_url: str, schema: str, moving_to
) -> None:
    def told(table: str, _done: int, _of: int) -> None:
        if table == "outbox":
            with psycopg.connect(postgresql_url) as connection:
                connection.execute(f'UPDATE "{schema}".webhook_message SET payload = NULL')
                connection.execute(f'DELETE FROM "{schema}".webhook_position')

    with pytest.raises(StoreError) as refused:
        await moving_to(source, told)
    assert "rows of webhook_message have other values" in str(refused.value)
    assert "webhook_position has 0 rows and not 1" in str(refused.value)


async def test_two_copies_at_once_are_one(postgresql_url: str, schema: str) -> None:
    async with moving_postgresql.opened(postgresql_url, schema) as first:
        assert not await first.begin("the one")
        async with moving_postgresql.opened(postgresql_url, schema) as second:
            with pytest.raises(StoreError, match="another copy to it is under way"):
                await second.begin("the one")


def test_batches_have_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.db"
    asyncio.run(fill(path, 300))
    monkeypatch.setattr("webhook_engine.store.sqlite.moving.BATCH_BYTES", 2_000)
    with opened(path) as what:
        batches = list(what.batches("message", 0))
        assert sum(map(len, batches)) == what.sums("message").rows == 302
        assert len(batches) > 5
        for batch in batches:
            assert sum(len(value) for row in batch for value in row if isinstance(value, str | bytes)) < 2_200
        assert [row for batch in what.batches("message", 100) for row in batch] == [
            row for one in batches for row in one
        ][100:]


@pytest.fixture
async def killed_child(source: Path, postgresql_url: str, schema: str) -> None:
    """A process has begun to copy, and was killed in the midst of it."""
    program = f"""
import asyncio, sys
from webhook_engine.config.sections import StoreConfig
from webhook_engine.store.moving import move
from webhook_engine.store.opening import opened_for_moving
import webhook_engine.store.sqlite.moving as reading
reading.BATCH_ROWS = 2

def told(table, done, of):
    print(table, done, flush=True)

async def main():
    goal = StoreConfig(url={postgresql_url!r})
    object.__setattr__(goal, "schema", {schema!r})
    async with opened_for_moving(StoreConfig(url={f"sqlite:///{source}"!r}), goal) as (what, where):
        await move(what, where, told)

asyncio.run(main())
"""
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    assert child.stdout is not None
    async with asyncio.timeout(30):
        while line := await child.stdout.readline():
            if line == b"delivery 4\n":
                break
        child.kill()
        assert await child.wait() == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.usefixtures("killed_child")
async def test_after_kill_9_it_goes_on(source: Path, postgresql_url: str, schema: str, moving_to) -> None:
    async def moved() -> Moved | None:
        # The server may not have noticed yet that the one before is gone.
        try:
            return await moving_to(source)
        except StoreError:
            return None

    async with asyncio.timeout(30):
        while (done := await moved()) is None:
            await asyncio.sleep(0.05)
    assert done.already["message"] == 14
    assert 4 <= done.already["delivery"] <= 14
    for table in TABLES[:-1]:
        here, there = both(source, postgresql_url, schema, table)
        assert there == here, table
