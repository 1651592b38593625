"""Rows that anybody commits to the outbox of the engine's database are noticed soon and delivered once."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

import psycopg
import pytest
from engines import Answers, acme, destination, ids_of, local_engine, until
from receivers import Receiver
from stores import ON_POSTGRESQL, ROW, about_the_file, add_rows, outside, query

from webhook_engine import AttemptStatus
from webhook_engine.delivery.accept import router
from webhook_engine.outbox import enqueue
from webhook_engine.store.postgresql.outbox import PostgresqlOutbox
from webhook_engine.store.sqlite.outbox import SqliteOutbox


def waiting(database: Path) -> int:
    return query(database, "SELECT count(*) FROM webhook_outbox WHERE error IS NULL")[0][0]


@about_the_file
async def test_rows_of_another_process_are_delivered_exactly_once(tmp_path: Path) -> None:
    database = tmp_path / "e.db"
    program = f"""
import sqlite3, sys
for number in range(300):
    with sqlite3.connect(sys.argv[1], timeout=30) as connection:
        connection.execute({ROW!r}, ("acme", "a.b", '{{"n":%d}}' % number))
    connection.close()
"""
    async with Receiver() as receiver, local_engine(database) as engine:
        await acme(engine, receiver.url)
        writer = await asyncio.create_subprocess_exec(sys.executable, "-c", program, str(database))
        assert await asyncio.wait_for(writer.wait(), 60) == 0
        await engine.join(timeout=10)
        assert sorted(json.loads(body)["n"] for body in receiver.bodies) == list(range(300))
        assert waiting(database) == 0


async def test_what_is_rolled_back_is_not_sent(tmp_path: Path) -> None:
    database = tmp_path / "e.db"
    async with Receiver() as receiver, local_engine(database) as engine:
        await acme(engine, receiver.url)
        with outside(database) as connection:
            enqueue(connection, application="acme", event_type="a.b", payload={"n": 1})
            await engine.join(timeout=5)
            connection.rollback()
            kept = enqueue(connection, application="acme", event_type="a.b", payload={"n": 2})
            connection.commit()
        await engine.join(timeout=5)
        assert ids_of(receiver) == [kept]
        assert receiver.bodies == [b'{"n":2}']


async def test_a_row_has_all_that_a_message_has(tmp_path: Path) -> None:
    database = tmp_path / "e.db"
    async with Receiver() as receiver, local_engine(database) as engine:
        await acme(engine, receiver.url, channels=["red"])
        with outside(database) as connection:
            enqueue(
                connection, application="acme", event_type="a.b", payload=b"[1]", event_id="x", channels=["red"],
                tags=["t"],
            )  # fmt: skip
        await engine.join(timeout=5)
        message = await engine.messages.get("acme", "x")
        assert (message.payload, message.channels, message.tags) == (b"[1]", ("red",), ("t",))
        assert receiver.bodies == [b"[1]"]


async def test_join_waits_for_rows_that_were_committed_before(tmp_path: Path) -> None:
    database = tmp_path / "e.db"
    async with Receiver() as receiver, local_engine(database) as engine:
        await acme(engine, receiver.url)
        for number in range(1, 11):
            add_rows(database, *([("acme", "a.b", "{}")] * 20))
            await engine.join(timeout=10)
            assert len(receiver.requests) == 20 * number


async def test_rows_that_wait_at_the_start_are_delivered(tmp_path: Path) -> None:
    database = tmp_path / "e.db"
    async with Receiver() as receiver:
        async with local_engine(database) as engine:
            await acme(engine, receiver.url)
        add_rows(database, *([("acme", "a.b", "{}")] * 1_200))
        async with local_engine(database) as engine:
            await engine.join(timeout=20)
            assert len(receiver.requests) == len(set(ids_of(receiver))) == 1_200


FULL_ROW = (
    "INSERT INTO webhook_outbox (application, event_type, payload, event_id, channels, tags, deliver_at, organization,"
    " message_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"application": "nobody"}, "nobody"),
        ({"application": ""}, "application"),
        ({"application": b"\xff\xfe"}, "application"),
        ({"event_type": "no spaces allowed"}, "event_type"),
        ({"event_type": "a\x00b"}, "event_type"),
        ({"event_type": 7.5}, None),
        ({"payload": "x" * (1024 * 1024 + 1)}, "payload"),
        ({"payload": b"\xff\xfe\x00"}, None),
        ({"payload": "not JSON"}, None),
        ({"payload": 5}, None),
        ({"channels": "red"}, "channels"),
        ({"channels": "[" * 100_000}, "channels"),
        ({"channels": '["red", 5]'}, "channels"),
        ({"tags": '{"a": 1}'}, "tags"),
        ({"deliver_at": "tomorrow"}, "deliver_at"),
        ({"deliver_at": "9999-12-31T23:59:59Z"}, "deliver_at"),
        ({"deliver_at": "0001-01-01T00:00:00+14:00"}, None),
        ({"organization": "org_elsewhere"}, "application"),
        ({"organization": "\x00"}, None),
        ({"message_id": "mine"}, "message_id"),
        ({"message_id": "msg_" + "z" * 27}, None),
        ({"message_id": "msg_" + "0" * 27}, None),
        ({"event_id": "no spaces allowed"}, "event_id"),
        ({"event_id": b"\x80"}, "event_id"),
    ],
)
async def test_a_poison_row_is_set_aside_with_its_error_and_holds_up_nothing(
    tmp_path: Path, values: dict[str, object], error: str | None
) -> None:
    """Without ``error`` it is enough that the row comes to some end."""
    database = tmp_path / "e.db"
    row = {
        "application": "acme",
        "event_type": "a.b",
        "payload": "{}",
        "event_id": None,
        "channels": None,
        "tags": None,
        "deliver_at": None,
        "organization": None,
        "message_id": None,
        **values,
    }
    async with Receiver() as receiver, local_engine(database) as engine:
        await acme(engine, receiver.url)
        add_rows(database, ("acme", "before", "{}"))
        try:
            add_rows(database, tuple(row.values()), sql=FULL_ROW)
        except (sqlite3.IntegrityError, psycopg.Error):
            pytest.skip("the table itself refuses it")
        add_rows(database, ("acme", "after", "{}"))
        await engine.join(timeout=5)
        assert waiting(database) == 0
        types = Counter([message.event_type async for message in engine.messages.iterate("acme")])
        assert types["before"] == types["after"] == 1
        set_aside = query(database, "SELECT error, failed_at FROM webhook_outbox")
        if error is not None:
            [(text, failed_at)] = set_aside
            assert error in text
            assert ON_POSTGRESQL or failed_at.endswith("Z")
            await until(lambda: len(receiver.requests) == 2)
        # A second look takes nothing up again.
        add_rows(database, ("acme", "last", "{}"))
        await engine.join(timeout=5)
        assert query(database, "SELECT error, failed_at FROM webhook_outbox") == set_aside


async def test_a_row_with_an_event_id_that_is_taken_is_dropped_as_a_duplicate(tmp_path: Path) -> None:
    database = tmp_path / "e.db"
    sql = "INSERT INTO webhook_outbox (application, event_type, payload, event_id) VALUES (?, ?, ?, ?)"
    async with Receiver() as receiver, local_engine(database) as engine:
        await acme(engine, receiver.url)
        add_rows(database, *([("acme", "a.b", "{}", "same")] * 5), sql=sql)
        await engine.join(timeout=5)
        add_rows(database, *([("acme", "a.b", "{}", "same")] * 5), sql=sql)
        await engine.join(timeout=5)
        assert len(receiver.requests) == 1
        assert query(database, "SELECT count(*) FROM webhook_outbox") == [(0,)]


async def test_a_database_that_refuses_for_a_while_makes_no_row_be_sent_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = tmp_path / "e.db"
    async with Receiver() as receiver, local_engine(database) as engine:
        await acme(engine, receiver.url)
        looked = 0
        outbox = PostgresqlOutbox if ON_POSTGRESQL else SqliteOutbox
        real = outbox.waiting

        async def sometimes(self: SqliteOutbox | PostgresqlOutbox, limit: int, shards: Collection[int]) -> object:
            nonlocal looked
            looked += 1
            if looked % 3 == 1:
                raise_unavailable()
            return await real(self, limit, shards)

        monkeypatch.setattr(outbox, "waiting", sometimes)
        for _ in range(5):
            add_rows(database, *([("acme", "a.b", "{}")] * 30))
            await engine.join(timeout=10)
        assert len(receiver.requests) == len(set(ids_of(receiver))) == 150
        assert looked > 5


async def test_no_row_is_stored_before_one_that_was_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of rows may take several batches, and the database may refuse the first of them and take the second."""
    database = tmp_path / "e.db"
    monkeypatch.setattr(router, "MAX_BATCH", 2)
    async with Receiver() as receiver, local_engine(database) as engine:
        await acme(engine, receiver.url)
        messages = type(engine.services.store.messages)
        real, calls = messages.add, 0

        async def refusing_the_first(self: Any, batch: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == 1:
                raise_unavailable()
            return await real(self, batch)

        monkeypatch.setattr(messages, "add", refusing_the_first)
        add_rows(database, *(("acme", "a.b", json.dumps({"n": number})) for number in range(7)))
        await engine.join(timeout=30)
        stored = [message async for message in engine.messages.iterate("acme")]
        assert [json.loads(message.payload)["n"] for message in reversed(stored)] == list(range(7))
        assert calls > 1


def raise_unavailable() -> None:
    from webhook_engine import StoreUnavailableError  # noqa: PLC0415

    raise StoreUnavailableError("on purpose")


@pytest.mark.slow
async def test_a_restart_in_the_middle_of_a_move_sends_every_row_once(tmp_path: Path) -> None:
    database = tmp_path / "e.db"
    async with Receiver() as receiver:
        async with local_engine(database) as engine:
            await acme(engine, receiver.url)
        add_rows(database, *([("acme", "a.b", json.dumps({"n": n})) for n in range(2_000)]))
        rounds = 0
        while waiting(database):
            rounds += 1
            async with local_engine(database) as engine:
                left = waiting(database)
                await until(lambda left=left: waiting(database) < left or not left)
        async with local_engine(database) as engine:
            await engine.join(timeout=20)
        assert rounds > 1
        assert sorted(receiver.bodies) == sorted(json.dumps({"n": n}).encode() for n in range(2_000))


@about_the_file
@pytest.mark.slow
def test_a_kill_in_the_middle_of_a_move_loses_no_row_and_doubles_none(tmp_path: Path) -> None:
    """The row goes in the transaction that brings the message, so there is never both nor neither."""
    database = tmp_path / "e.db"
    program = """
import asyncio, sys, os
from webhook_engine import Engine
async def main():
    async with Engine.open(sys.argv[1]) as engine:
        await engine.applications.get_or_create(name="Acme", uid="acme")
        os.write(1, b"READY\\n")
        await asyncio.Event().wait()
asyncio.run(main())
"""

    async def make() -> None:
        async with local_engine(database) as engine:
            await engine.applications.create(name="Acme", uid="acme")

    asyncio.run(make())
    total = 3_000
    add_rows(database, *([("acme", "a.b", json.dumps({"n": n})) for n in range(total)]))
    for _ in range(3):
        child = subprocess.Popen([sys.executable, "-c", program, str(database)], stdout=subprocess.PIPE)
        assert child.stdout
        child.stdout.read(1)
        left = waiting(database)
        ends_at = time.monotonic() + 10
        while waiting(database) == left > 0 and time.monotonic() < ends_at:
            os.sched_yield()
        child.kill()
        child.stdout.close()
        child.wait()

    async def finish() -> None:
        async with local_engine(database) as engine:
            await engine.join(timeout=20)

    asyncio.run(finish())
    rows = query(database, "SELECT CAST(payload AS TEXT) FROM webhook_message")
    assert sorted(json.loads(payload)["n"] for (payload,) in rows) == list(range(total))
    assert waiting(database) == 0


async def test_a_message_of_the_outbox_takes_the_same_way_as_any_other(tmp_path: Path) -> None:
    database = tmp_path / "e.db"
    async with Receiver(Answers(500)) as receiver, local_engine(database, retry_schedule=["1ms"]) as engine:
        await acme(engine, receiver.url)
        with outside(database) as connection:
            message = enqueue(connection, application="acme", event_type="a.b", payload={})
        await receiver.wait_for(2)
        await engine.join(timeout=5)
        end = await destination(engine, message)
        assert (end.status, end.attempt_count) == (AttemptStatus.FAIL, 2)
