"""What was enqueued, as a test sees it: within the transaction under test, with every library, without an engine."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiosqlite
import pytest
import sqlalchemy
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from webhook_engine.errors import ValidationError
from webhook_engine.outbox import create_table, create_table_async, enqueue, enqueue_async
from webhook_engine.testing import (
    assert_enqueued,
    assert_enqueued_async,
    assert_nothing_enqueued,
    enqueued,
    enqueued_async,
)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(tmp_path / "app.db")
    create_table(connection)
    yield connection
    connection.close()


def test_a_row_is_seen_in_its_transaction_with_all_that_was_said(db: sqlite3.Connection) -> None:
    deliver_at = datetime.now(UTC) + timedelta(hours=1)
    message_id = enqueue(
        db,
        application="acme",
        event_type="invoice.paid",
        payload={"id": 1},
        event_id="e-1",
        channels=["eu"],
        tags=["x", "y"],
        deliver_at=deliver_at,
        organization="org_1",
    )
    [row] = enqueued(db)
    assert (row.application, row.event_type, row.payload, row.body) == ("acme", "invoice.paid", {"id": 1}, b'{"id":1}')
    assert (row.event_id, row.channels, row.tags) == ("e-1", ("eu",), ("x", "y"))
    assert (row.deliver_at, row.organization, row.message_id) == (deliver_at, "org_1", message_id)
    assert assert_enqueued(db, event_type="invoice.paid", payload={"id": 1}, channels=["eu"], times=1) == row
    assert assert_enqueued(db, payload=lambda payload: payload["id"] == 1) == row
    db.rollback()
    assert_nothing_enqueued(db)


def as_mapping(cursor: sqlite3.Cursor, row: tuple) -> dict[str, object]:
    return {column[0]: value for column, value in zip(cursor.description, row, strict=True)}


@pytest.mark.parametrize("factory", [sqlite3.Row, as_mapping])
def test_a_connection_may_give_its_rows_in_another_form(db: sqlite3.Connection, factory: type) -> None:
    db.row_factory = factory
    enqueue(db, application="acme", event_type="a.b", payload="not JSON")
    [row] = enqueued(db)
    assert row.payload == "not JSON"


@pytest.mark.parametrize(
    "wanted",
    [
        {"event_type": "invoice.sent"},
        {"payload": {"id": 2}},
        {"application": "other"},
        {"tags": ["a"]},
        {"times": 2},
        {"payload": lambda payload: False},
    ],
)
def test_what_is_missing_is_said_with_what_is_there(db: sqlite3.Connection, wanted: dict) -> None:
    enqueue(db, application="acme", event_type="invoice.paid", payload={"id": 1})
    with pytest.raises(AssertionError) as caught:
        assert_enqueued(db, **wanted)
    assert "invoice.paid {'id': 1} for acme" in str(caught.value)
    with pytest.raises(AssertionError, match=r"the outbox should be empty; there is:\n  invoice\.paid"):
        assert_nothing_enqueued(db)


def test_an_empty_outbox_and_a_long_one_are_told_of_in_few_lines(db: sqlite3.Connection) -> None:
    with pytest.raises(AssertionError, match="found 0; nothing is there"):
        assert_enqueued(db, event_type="a.b")
    for number in range(50):
        enqueue(db, application="acme", event_type="a.b", payload={"text": "x" * 1000, "n": number})
    with pytest.raises(AssertionError) as caught:
        assert_enqueued(db, event_type="c.d")
    assert len(str(caught.value).splitlines()) == 22
    assert len(str(caught.value)) < 10_000


def test_without_django_a_connection_must_be_given() -> None:
    program = "from webhook_engine.testing import enqueued; enqueued()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "a connection must be given" in done.stderr


def test_what_is_no_connection_is_refused() -> None:
    with pytest.raises(ValidationError, match="connection"):
        enqueued(object())  # type: ignore[arg-type]


def test_a_session_of_sqlalchemy_that_is_rolled_back_after_each_test(tmp_path: Path) -> None:
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/app.db")
    # So that savepoints work with sqlite3, as SQLAlchemy's documentation of this driver has it.
    sqlalchemy.event.listen(engine, "connect", lambda connection, _: setattr(connection, "isolation_level", None))
    sqlalchemy.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    with engine.begin() as connection:
        create_table(connection)
    with engine.connect() as connection:
        outer = connection.begin()
        # The recipe of SQLAlchemy's documentation: what the program commits is a savepoint of the test's transaction.
        with Session(bind=connection, join_transaction_mode="create_savepoint") as session:
            enqueue(session, application="acme", event_type="invoice.paid", payload={"id": 1})
            session.commit()
            assert_enqueued(session, event_type="invoice.paid", payload={"id": 1})
            assert_enqueued(connection, application="acme")
        outer.rollback()
    with engine.connect() as connection:
        assert_nothing_enqueued(connection)
    engine.dispose()


async def test_asynchronous_connections(tmp_path: Path) -> None:
    async with aiosqlite.connect(tmp_path / "a.db") as db:
        await create_table_async(db)
        await enqueue_async(db, application="acme", event_type="a.b", payload={"id": 1})
        assert (await assert_enqueued_async(db, payload={"id": 1})).event_type == "a.b"
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/b.db")
    async with AsyncSession(engine) as session:
        await create_table_async(session)
        await enqueue_async(session, application="acme", event_type="c.d", payload={"id": 2})
        [row] = await enqueued_async(session)
        assert row.event_type == "c.d"
    await engine.dispose()


DJANGO = """
    import django
    from django.conf import settings

    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "app.db", "TEST": {"NAME": "test.db"}}},
        INSTALLED_APPS=["webhook_engine.integrations.django"],
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    )
    django.setup()

    from django.db import connection, transaction
    from django.test import TestCase, TransactionTestCase
    from django.test.runner import DiscoverRunner
    from webhook_engine.outbox import enqueue
    from webhook_engine.testing import assert_enqueued, assert_nothing_enqueued, enqueued


    def pay():
        with transaction.atomic():
            enqueue(connection, application="acme", event_type="invoice.paid", payload={"id": 1})


    class InOneTransaction(TestCase):
        def test_1(self):
            pay()
            assert_enqueued(event_type="invoice.paid", payload={"id": 1}, times=1)

        def test_2(self):
            assert_nothing_enqueued()
            pay()
            self.assertEqual(len(enqueued(connection)), 1)

        def test_rolled_back(self):
            try:
                with transaction.atomic():
                    pay()
                    raise KeyError
            except KeyError:
                pass
            assert_nothing_enqueued()


    class Committed(TransactionTestCase):
        def test_1(self):
            pay()
            assert_enqueued(event_type="invoice.paid", payload={"id": 1}, times=1)

        def test_2(self):
            pay()
            assert_enqueued(times=1)


    import unittest, sys
    runner = DiscoverRunner(verbosity=0)
    runner.setup_test_environment()
    databases = runner.setup_databases()
    suite = unittest.TestSuite(
        unittest.defaultTestLoader.loadTestsFromTestCase(case) for case in (InOneTransaction, Committed)
    )
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    runner.teardown_databases(databases)
    sys.exit(not result.wasSuccessful())
"""


def test_djangos_test_cases(tmp_path: Path) -> None:
    (tmp_path / "shop_tests.py").write_text(textwrap.dedent(DJANGO))
    done = subprocess.run(
        [sys.executable, "shop_tests.py"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "Ran 5 tests" in done.stderr
