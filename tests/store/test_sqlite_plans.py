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
from store.world import ORGANIZATION, START, World, change, manual, progress, routed

from webhook_engine.model import AttemptStatus, DeliveryStatus, TaskStatus
from webhook_engine.store.records import (
    ApplicationChanges,
    AttemptFilter,
    DeliveryFilter,
    EndpointChanges,
    EndpointCondition,
    EventTypeChanges,
    MessageFilter,
    OutboxVerdict,
    Outcomes,
    RoutedMessage,
    Span,
)
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


async def run_the_flow(store: SqliteStore, world: World) -> None:
    application, endpoint = await world.pair()
    other = await world.endpoint(application)
    batch = [routed(world.new_message(application.id, event_id=f"e{number}"), endpoint, other) for number in range(3)]
    await store.messages.add([*batch, RoutedMessage(world.new_message(application.id), [], endpoint.endpoint.id, 1)])
    await store.messages.add(batch)
    endpoint_id, message = endpoint.endpoint.id, batch[0].message
    await store.deliveries.request_attempt(manual(message, endpoint, "manual_1"))
    await store.deliveries.endpoints_with_due("ep_0", 10)
    await store.deliveries.due(endpoint_id, START * 2, 10)
    await store.deliveries.next_due_at(endpoint_id, START)
    await store.deliveries.get(message.id, endpoint_id)
    await store.deliveries.record(
        Outcomes(
            attempts=[world.new_attempt(message, endpoint)],
            deliveries=[change(message, endpoint, DeliveryStatus.FAILED, manual_id="manual_1")],
            conditions={endpoint_id: EndpointCondition()},
            messages=[routed(world.new_message(application.id), other)],
        )
    )
    for status in (DeliveryStatus.FAILED, DeliveryStatus.CANCELLED):
        await store.deliveries.settle_pending(endpoint_id, status, "why", START, 10)
    await store.deliveries.cancel_message(message.id, "why", START)
    task = await world.task()
    await store.deliveries.recover(endpoint_id, START - 1, START + 1, START, 10, progress(task))
    await store.deliveries.missing(application.id, endpoint_id, "msg_", "msg_~", 10)
    await store.deliveries.replay(endpoint_id, [message.id], START, progress(task))
    await store.deliveries.count_pending(endpoint_id)
    await store.attempts.count(endpoint_id, "", "~")
    await store.attempts.get(message.id, "atmpt_1")
    await store.attempts.expunge(message.id, "atmpt_1")
    await store.messages.get(application.id, message.id)
    await store.messages.expunge(message.id)
    await store.tasks.running()
    await store.tasks.get(ORGANIZATION, task.id)
    await store.tasks.advance(progress(task, status=TaskStatus.FINISHED), START)
    await store.outbox.waiting(10)
    await store.outbox.set_aside([OutboxVerdict(1, "bad")], START)


async def run_the_managers(store: SqliteStore, world: World) -> None:
    application, endpoint = await world.pair()
    await store.applications.get(ORGANIZATION, "acme")
    await store.applications.update(application.id, ApplicationChanges(name="x"), START)
    await store.endpoints.get(application.id, "main")
    await store.endpoints.load(endpoint.endpoint.id)
    await store.endpoints.first()
    await store.endpoints.of_application(application.id)
    await store.endpoints.update(endpoint.endpoint.id, EndpointChanges(version=2), START)
    await store.endpoints.delete(endpoint.endpoint.id, START)
    await store.applications.delete(application.id, START)
    await store.event_types.add(world.new_event_type(world.id("type_")))
    await store.event_types.get(ORGANIZATION, "a")
    await store.event_types.update(ORGANIZATION, "a", EventTypeChanges(archived=True), START)
    await store.event_types.unknown(ORGANIZATION, ["a", "b"])
    await store.event_types.expunge(ORGANIZATION, "a")


async def run_the_lists(store: SqliteStore) -> None:
    types = (None, ("a",), ("a", "b"), tuple(f"t{number}" for number in range(50)))
    for descending in (True, False):
        span = Span(low="a", high="z", descending=descending)
        await store.applications.list(ORGANIZATION, span)
        await store.endpoints.list("app_1", span)
        await store.deliveries.list_by_message("msg_1", span)
        for archived, flags in itertools.product((True, False), (None, ("beta",))):
            await store.event_types.list(ORGANIZATION, span, include_archived=archived, feature_flags=flags)
        for status, kind, application_id in itertools.product(
            (None, TaskStatus.RUNNING), (None, "endpoint.recover"), (None, "app_1")
        ):
            await store.tasks.list(ORGANIZATION, span, status=status, kind=kind, application_id=application_id)
        for event_types, channel, tag in itertools.product(types, (None, "x"), (None, "t")):
            for content in (True, False):
                where = MessageFilter(event_types=event_types, channel=channel, tag=tag, with_content=content)
                await store.messages.list("app_1", span, where)
            for status in (None, *AttemptStatus):
                delivery = DeliveryFilter(status=status, event_types=event_types, channel=channel, tag=tag)
                await store.deliveries.list_by_endpoint("ep_1", span, delivery)
                for code, endpoint_id in itertools.product((None, 500), (None, "ep_1")):
                    attempt = AttemptFilter(
                        status=status,
                        status_code_class=code,
                        event_types=event_types,
                        channel=channel,
                        tag=tag,
                        endpoint_id=endpoint_id,
                    )
                    await store.attempts.list_by_endpoint("ep_1", span, attempt)
                    await store.attempts.list_by_message("msg_1", span, attempt)


async def fill(store: SqliteStore, world: World, count: int) -> None:
    """One application with so many messages."""
    application = await world.application(uid="filled")
    endpoints = [await world.endpoint(application) for _ in range(3)]
    sent = [world.new_message(application.id, event_type="ab"[number % 2]) for number in range(count)]
    await store.messages.add([routed(message, *endpoints) for message in sent])
    await store.event_types.add(world.new_event_type("a"))
    await world.task(application_id=application.id)
    statuses = itertools.cycle(DeliveryStatus)
    for endpoint in endpoints:
        await store.deliveries.record(
            Outcomes(
                attempts=[world.new_attempt(message, endpoint) for message in sent],
                deliveries=[
                    change(message, endpoint, status, START if status is DeliveryStatus.PENDING else None)
                    for message, status in zip(sent, statuses, strict=False)
                ],
            )
        )


@pytest.mark.parametrize("analyzed", [0, 1, 2_000])
async def test_every_statement_goes_through_an_index(
    sqlite_store: SqliteStore, path: Path, statements: Statements, analyzed: int
) -> None:
    """Also where the host program had SQLite gather statistics, when there was little or much to see."""
    world = World(sqlite_store)
    if analyzed:
        await fill(sqlite_store, world, analyzed)
        with closing(sqlite3.connect(path)) as db:
            db.execute("ANALYZE")
    await run_the_managers(sqlite_store, world)
    await run_the_flow(sqlite_store, world)
    await run_the_lists(sqlite_store)
    assert len(statements) > 150
    assert list(complaints(path, statements)) == []


async def test_the_search_for_due_endpoints_does_not_read_all_that_is_due(sqlite_store: SqliteStore) -> None:
    """Its work is counted in steps of SQLite's machine."""
    world = World(sqlite_store)
    application = await world.application()
    endpoints = [await world.endpoint(application) for _ in range(5)]

    async def add(count: int) -> None:
        batch = [routed(world.new_message(application.id), *endpoints) for _ in range(count)]
        await sqlite_store.messages.add(batch)

    async def steps() -> int:
        counted = 0

        def count() -> None:
            nonlocal counted
            counted += 1

        def search(session: Session) -> None:
            session._connection.set_progress_handler(count, 1)
            try:
                session.rows(search_sql, ("", 100))
            finally:
                session._connection.set_progress_handler(None, 1)

        await sqlite_store.database.read_with(search)
        return counted

    caught: Statements = {}
    original = Session.rows

    def catching(session: Session, sql: str, parameters: Parameters = ()) -> list[Row]:
        caught[sql] = parameters
        return original(session, sql, parameters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Session, "rows", catching)
        assert await sqlite_store.deliveries.endpoints_with_due(None, 100) == []
    [search_sql] = caught

    await add(100)
    few = await steps()
    await add(2_000)
    assert len(await sqlite_store.deliveries.endpoints_with_due(None, 100)) == 5
    assert await steps() <= few * 1.1
