"""No statement of the flow or of the lists reads a table from end to end, or sorts what an index could hold in order.

The statements are not copied here: they are caught as they are run.
"""

from __future__ import annotations

import itertools
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from records import World
from store.scenario import fill, run_the_flow, run_the_lists, run_the_managers

from webhook_engine.store.sqlite import SqliteStore
from webhook_engine.store.sqlite.connection import Parameters, Row, Session

ALLOWED_SCANS = {
    "webhook_outbox USING INDEX webhook_outbox_waiting": "holds only the rows that wait",
    "webhook_endpoint": "one row is read, whichever comes first",
}

Statements = dict[str, Parameters]


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Statements:
    """What is run from now on, each with its parameters."""
    seen: Statements = {}

    def catch(name: str) -> None:
        original = getattr(Session, name)

        def catching(session: Session, sql: str, parameters: Parameters = ()) -> object:
            seen[sql] = parameters
            return original(session, sql, parameters)

        monkeypatch.setattr(Session, name, catching)

    for name in ("rows", "stream", "change"):
        catch(name)
    return seen


def plan(db: sqlite3.Connection, sql: str, parameters: Parameters) -> list[str]:
    rows: list[Row] = db.execute(f"EXPLAIN QUERY PLAN {sql}", parameters).fetchall()
    return [row[3] for row in rows]


def complaints(path: Path, statements: Statements) -> Iterator[str]:
    with closing(sqlite3.connect(path)) as db:
        for sql, parameters in statements.items():
            if not re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)", sql):
                continue
            tables = {"webhook_" + name for name in re.findall(r"webhook_(\w+)", sql)}
            tables |= set(re.findall(r"webhook_\w+ AS (\w+)", sql))
            for step in plan(db, sql, parameters):
                scanned = re.match(r"SCAN (\w+)(?! VIRTUAL)", step)
                scans = (
                    scanned and scanned[1] in tables and not any(step.startswith(f"SCAN {a}") for a in ALLOWED_SCANS)
                )
                # A range of ids alone goes through what belongs to everybody else.
                wanders = re.match(r"SEARCH .*\((id|message_id)[<>]", step)
                if scans or wanders or "TEMP B-TREE" in step or "AUTOMATIC" in step:
                    yield f"{step}\n{sql}"


@pytest.mark.parametrize("analyzed", [0, 1, 2_000])
async def test_every_statement_goes_through_an_index(
    sqlite_store: SqliteStore, path: Path, statements: Statements, analyzed: int
) -> None:
    """Also where the host program had SQLite gather statistics, when there was little or much to see."""
    world = World(sqlite_store)
    application, endpoint = await fill(sqlite_store, world, max(analyzed, 1))
    if analyzed:
        with closing(sqlite3.connect(path)) as db:
            db.execute("ANALYZE")
    await run_the_managers(sqlite_store, world)
    await run_the_flow(sqlite_store, world, application, endpoint)
    await run_the_lists(sqlite_store, application.id, endpoint.endpoint.id)
    assert len(statements) > 150
    assert list(complaints(path, statements)) == []


Efforts = dict[str, int]


@pytest.fixture
def efforts(monkeypatch: pytest.MonkeyPatch) -> Efforts:
    """The greatest number of steps that SQLite's machine took for each statement that is run from now on."""
    seen: Efforts = {}

    def catch(name: str) -> None:
        original = getattr(Session, name)

        def counting(session: Session, sql: str, parameters: Parameters = ()) -> object:
            steps = itertools.count()
            session._connection.set_progress_handler(lambda: next(steps) < 0, 1)
            try:
                result = original(session, sql, parameters)
                return iter(list(result)) if name == "stream" else result
            finally:
                session._connection.set_progress_handler(None, 1)
                seen[sql] = max(seen.get(sql, 0), next(steps))

        monkeypatch.setattr(Session, name, counting)

    for name in ("rows", "stream", "change"):
        catch(name)
    return seen


GROWING = {
    "count(*)": "counts along an index",
    "EXISTS (SELECT 1 FROM json_each(message.": "passes over what a filter leaves out",
    "message.event_type IN (SELECT": "passes over what a filter leaves out",
    "attempt.status_code BETWEEN": "passes over what a filter leaves out",
}


@pytest.mark.slow
async def test_no_statement_works_harder_where_there_is_more(tmp_path: Path, efforts: Efforts) -> None:
    """An index may be the wrong one. So the work is counted: five times as much data must not be more of it."""

    async def run(count: int) -> Efforts:
        store = SqliteStore(tmp_path / f"{count}.db")
        await store.open()
        world = World(store)
        application, endpoint = await fill(store, world, count)
        efforts.clear()
        await run_the_managers(store, world)
        await run_the_flow(store, world, application, endpoint)
        await run_the_lists(store, application.id, endpoint.endpoint.id)
        await store.close()
        return dict(efforts)

    few, many = await run(300), await run(1_500)
    harder = {
        sql: (few[sql], steps)
        for sql, steps in many.items()
        if steps > few[sql] * 1.2 + 100 and not any(reason in sql for reason in GROWING)
    }
    assert harder == {}
