"""Writing to the outbox: in the caller's transaction, exactly the bytes given, and nothing that cannot be sent."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from freezegun import freeze_time
from stores import no_engine

from webhook_engine import ValidationError, event
from webhook_engine.ids import is_id, timestamp_of
from webhook_engine.outbox import create_table, create_table_async, enqueue, enqueue_async, table_sql

pytestmark = no_engine

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
WRITTEN_BY_PROGRAMS = (
    "application, event_type, payload, event_id, channels, tags, deliver_at, organization, message_id, error"
)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "app.db"


@pytest.fixture
def db(database: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(database)
    create_table(connection)
    yield connection
    connection.close()


def rows(database: Path) -> list[sqlite3.Row]:
    """What another process sees."""
    connection = sqlite3.connect(database)
    connection.row_factory = sqlite3.Row
    try:
        return connection.execute(f"SELECT {WRITTEN_BY_PROGRAMS} FROM webhook_outbox ORDER BY id").fetchall()
    finally:
        connection.close()


async def test_what_a_row_cannot_keep_is_refused(database: Path) -> None:
    async with aiosqlite.connect(database) as db:
        for field in ("payload_retention_period", "payload_retention_hours", "content_type"):
            with pytest.raises(ValidationError) as caught:
                await enqueue_async(db, application="acme", event_type="a", payload={}, **{field: "1"})  # type: ignore[misc]
            assert caught.value.field == field


def test_the_row_comes_with_the_commit(db: sqlite3.Connection, database: Path) -> None:
    message_id = enqueue(db, application="acme", event_type="invoice.paid", payload={"id": 1})
    assert rows(database) == []
    assert db.in_transaction
    db.commit()
    (row,) = rows(database)
    assert dict(row) == {
        "application": "acme",
        "event_type": "invoice.paid",
        "payload": b'{"id":1}',
        "event_id": None,
        "channels": None,
        "tags": None,
        "deliver_at": None,
        "organization": None,
        "message_id": message_id,
        "error": None,
    }


def test_the_row_goes_with_the_rollback(db: sqlite3.Connection, database: Path) -> None:
    db.execute("CREATE TABLE invoice (paid INTEGER)")

    def pay(connection: sqlite3.Connection) -> None:
        with connection:
            connection.execute("INSERT INTO invoice VALUES (1)")
            enqueue(connection, application="acme", event_type="invoice.paid", payload={"id": 1})
            raise KeyError("business rule")

    with pytest.raises(KeyError):
        pay(db)
    assert rows(database) == []
    assert db.execute("SELECT count(*) FROM invoice").fetchone() == (0,)


def test_all_that_can_be_said(db: sqlite3.Connection, database: Path) -> None:
    with db:
        enqueue(
            db,
            application="app_0ujsszwN8NRY24YaXiTIE2VWDTS",
            event_type="invoice.paid",
            payload=[1, 2],
            event_id="inv-1",
            channels=["eu", "us", "eu"],
            tags={"b", "a"},
            deliver_at=datetime.now(timezone(timedelta(hours=2))) + timedelta(hours=1),
            organization="org_demo",
        )
    (row,) = rows(database)
    assert row["event_id"] == "inv-1"
    assert row["channels"] == '["eu","us"]'
    assert row["tags"] == '["a","b"]'
    assert row["organization"] == "org_demo"
    deliver_at = datetime.fromisoformat(row["deliver_at"])
    assert row["deliver_at"].endswith("Z")
    assert timedelta(minutes=59) < deliver_at - datetime.now(UTC) < timedelta(minutes=61)


@pytest.mark.parametrize(
    ("payload", "body"),
    [
        ({"z": 1, "a": "é"}, '{"z":1,"a":"é"}'.encode()),
        ([1, {"b": None}], b'[1,{"b":null}]'),
        (b'{ "id" : 1 }', b'{ "id" : 1 }'),
        ('{ "id" : 1.0 }', b'{ "id" : 1.0 }'),
        (b"\xff\x00 not even text", b"\xff\x00 not even text"),
        (bytearray(b"{}"), b"{}"),
        ("nul \0 inside", b"nul \0 inside"),
        (b"", b""),
    ],
)
def test_the_payload_is_stored_as_the_bytes_to_send(
    db: sqlite3.Connection, database: Path, payload: Any, body: bytes
) -> None:
    with db:
        enqueue(db, application="acme", event_type="a.b", payload=payload)
    assert rows(database)[0]["payload"] == body


def test_ids_are_message_ids_of_now_and_increase(db: sqlite3.Connection) -> None:
    with freeze_time(NOW):
        ids = [enqueue(db, application="acme", event_type="a.b", payload={}) for _ in range(50)]
    assert all(is_id("msg_", message_id) for message_id in ids)
    assert sorted(set(ids)) == ids
    assert timestamp_of(ids[0]) == int(NOW.timestamp()) * 1_000_000


@freeze_time(NOW)
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("application", ""),
        ("application", "a b"),
        ("application", None),
        ("application", 7),
        ("event_type", "invoice paid"),
        ("event_type", "x" * 257),
        ("event_type", "é"),
        ("event_id", ""),
        ("event_id", "msg_1"),
        ("event_id", b"x"),
        ("channels", []),
        ("channels", "eu"),
        ("channels", [f"c{number}" for number in range(11)]),
        ("tags", [f"t{number}" for number in range(6)]),
        ("tags", 5),
        ("organization", "acme"),
        ("organization", "org_"),
        ("deliver_at", "2030-01-02T00:00:00Z"),
        ("deliver_at", NOW + timedelta(days=31, seconds=1)),
        ("payload", None),
        ("payload", 1),
        ("payload", {"x": float("nan")}),
        ("payload", {"x": {1, 2}}),
        ("payload", {"x": object()}),
        ("payload", "\ud800"),
        ("payload", {"x": "\ud800"}),
    ],
)
def test_what_the_engine_would_refuse_is_refused_at_once(db: sqlite3.Connection, field: str, value: object) -> None:
    arguments: dict[str, Any] = {"application": "acme", "event_type": "a.b", "payload": {}, field: value}
    with pytest.raises(ValidationError) as caught:
        enqueue(db, **arguments)
    assert caught.value.field == field
    assert not db.in_transaction


@pytest.mark.parametrize(("field", "value"), [("channels", ["ok", "not ok"]), ("tags", ["ok", 5])])
def test_an_item_of_a_list_is_named(db: sqlite3.Connection, field: str, value: object) -> None:
    arguments: dict[str, Any] = {"application": "acme", "event_type": "a.b", "payload": {}, field: value}
    with pytest.raises(ValidationError) as caught:
        enqueue(db, **arguments)
    assert caught.value.field == f"{field}[1]"


def test_a_payload_nested_without_end_is_refused(db: sqlite3.Connection) -> None:
    payload: dict[str, object] = {}
    payload["itself"] = payload
    with pytest.raises(ValidationError, match="payload"):
        enqueue(db, application="acme", event_type="a.b", payload=payload)


def test_an_enumeration_of_names_will_do(db: sqlite3.Connection, database: Path) -> None:
    class Kind(StrEnum):
        PAID = "invoice.paid"

    with db:
        enqueue(db, application="acme", event_type=Kind.PAID, payload={})
    assert rows(database)[0]["event_type"] == "invoice.paid"


def test_a_missing_table_is_the_databases_error_with_what_to_do(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "empty.db")
    try:
        with pytest.raises(sqlite3.OperationalError) as caught:
            enqueue(connection, application="acme", event_type="a.b", payload={})
    finally:
        connection.close()
    assert "webhook_engine.outbox.create_table(connection)" in caught.value.__notes__[0]


def test_making_the_table_twice_is_harmless_and_ends_no_transaction(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "app.db")
    try:
        connection.execute("CREATE TABLE invoice (paid INTEGER)")
        connection.execute("INSERT INTO invoice VALUES (1)")
        create_table(connection)
        create_table(connection)
        assert connection.in_transaction
        connection.rollback()
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("invoice",)]
    finally:
        connection.close()


def test_the_table_can_be_made_from_its_sql(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "app.db")
    try:
        connection.executescript(table_sql())
        enqueue(connection, application="acme", event_type="a.b", payload={})
    finally:
        connection.close()


def test_one_plain_sql_statement_is_enough(db: sqlite3.Connection, database: Path) -> None:
    statement = next(line for line in table_sql().splitlines() if "INSERT INTO" in line).lstrip("- ")
    with db:
        db.execute(statement)
    assert rows(database)[0]["event_type"] == "invoice.paid"


async def test_aiosqlite_the_same(database: Path) -> None:
    async with aiosqlite.connect(database) as connection:
        await create_table_async(connection)
        message_id = await enqueue_async(connection, application="acme", event_type="a.b", payload={"id": 1})
        assert rows(database) == []
        await connection.commit()
        assert [(row["message_id"], row["payload"]) for row in rows(database)] == [(message_id, b'{"id":1}')]
        await enqueue_async(connection, application="acme", event_type="a.b", payload={})
        await connection.rollback()
    assert len(rows(database)) == 1


async def test_aiosqlite_a_missing_table_too(tmp_path: Path) -> None:
    async with aiosqlite.connect(tmp_path / "empty.db") as connection:
        with pytest.raises(sqlite3.OperationalError) as caught:
            await enqueue_async(connection, application="acme", event_type="a.b", payload={})
    assert "await create_table_async(connection)" in caught.value.__notes__[0].replace("webhook_engine.outbox.", "")


async def test_the_wrong_sort_of_connection_is_named(db: sqlite3.Connection, database: Path) -> None:
    message: dict[str, Any] = {"application": "acme", "event_type": "a.b", "payload": {}}
    attempts: list[tuple[Callable[[], object], str]] = [
        (lambda: enqueue(db.cursor(), **message), "must be a connection of sqlite3, .* not a Cursor"),  # type: ignore[arg-type]
        (lambda: asyncio.run(enqueue_async(db, **message)), "needs this function without _async"),  # type: ignore[arg-type]
    ]
    for attempt, words in attempts:
        with pytest.raises(ValidationError, match=words):
            await asyncio.to_thread(attempt) if "async" in words else attempt()
    async with aiosqlite.connect(database) as connection:
        with pytest.raises(ValidationError, match="_async"):
            enqueue(connection, **message)  # type: ignore[arg-type]


@event("invoice.paid")
@dataclass
class InvoicePaid:
    """An invoice was paid."""

    id: int


async def test_a_typed_event_says_its_event_type_and_its_payload(db: sqlite3.Connection, database: Path) -> None:
    with db:
        enqueue(db, application="acme", event=InvoicePaid(1))
    async with aiosqlite.connect(database) as connection:
        await enqueue_async(connection, application="acme", event=InvoicePaid(2))
        await connection.commit()
    assert [(row["event_type"], row["payload"]) for row in rows(database)] == [
        ("invoice.paid", b'{"id":1}'),
        ("invoice.paid", b'{"id":2}'),
    ]
    for wrong in (InvoicePaid("x"), object()):  # type: ignore[arg-type]
        with pytest.raises(ValidationError, match="event"):
            enqueue(db, application="acme", event=wrong)
    with pytest.raises(ValidationError, match="event_type"):
        enqueue(db, application="acme", payload={})
