"""A database of every earlier schema opens, with all that was in it; ``tests/fixtures/schemas`` has one of each."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from engines import local_engine
from receivers import Receiver
from stores import query

from webhook_engine import ManualClock
from webhook_engine.errors import StoreError
from webhook_engine.store.migrations import Migration
from webhook_engine.store.sqlite import SqliteStore, store
from webhook_engine.store.sqlite.schema import migrations

DUMPS = sorted((Path(__file__).parents[1] / "fixtures" / "schemas").glob("*.sql"))
MAIN_SECRET = "the main secret of the fixtures"


@pytest.fixture(params=DUMPS, ids=[dump.stem for dump in DUMPS])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    made = tmp_path / "webhooks.db"
    with closing(sqlite3.connect(made)) as db:
        db.executescript(request.param.read_text("utf-8"))
    return made


def test_there_is_one_of_every_schema_before_this_one() -> None:
    assert [int(dump.stem) for dump in DUMPS] == [migration.version for migration in migrations()][:-1]


async def test_everything_is_still_there(path: Path) -> None:
    async with local_engine(path, security__main_secret=MAIN_SECRET, retention__attempts="36500d") as engine:
        [endpoint] = (await engine.endpoints.list("acme")).data
        assert await engine.endpoints.get_secret("acme", endpoint.id) == "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
        message = await engine.messages.get("acme", "once")
        [attempt] = (await engine.attempts.list_by_message("acme", message.id)).data
        assert attempt.response_status_code == 500
        await engine.messages.create("acme", event_type="invoice.paid", payload={})
    assert query(path, "SELECT max(version) FROM webhook_schema") == [(migrations()[-1].version,)]
    assert query(path, "PRAGMA integrity_check") == [("ok",)]


async def test_what_was_scheduled_is_sent_when_it_is_due(path: Path) -> None:
    clock = ManualClock(datetime(2096, 10, 1, tzinfo=UTC))
    async with (
        Receiver() as receiver,
        local_engine(path, clock, security__main_secret=MAIN_SECRET, retention__attempts="36500d") as engine,
    ):
        [endpoint] = (await engine.endpoints.list("acme")).data
        await engine.endpoints.update("acme", endpoint.id, url=receiver.url)
        await engine.join(timeout=5)
        assert not receiver.requests
        clock.advance(timedelta(days=2))
        await engine.join(timeout=5)
        assert [request.body for request in receiver.requests] == [b"{}"]


async def test_a_step_that_fails_leaves_it_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = query(path, "SELECT name FROM sqlite_master ORDER BY name"), query(path, "SELECT * FROM webhook_schema")
    version = before[1][-1][0]
    broken = Migration(version + 1, "DROP INDEX webhook_delivery_by_due; SELECT nothing FROM nowhere;")
    monkeypatch.setattr(store, "migrations", lambda: [*migrations()[:version], broken])
    with pytest.raises(StoreError):
        await SqliteStore(path).open()
    assert (
        query(path, "SELECT name FROM sqlite_master ORDER BY name"),
        query(path, "SELECT * FROM webhook_schema"),
    ) == before
