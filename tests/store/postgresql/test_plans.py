"""No statement of the flow or of the lists reads a large table from end to end, and autovacuum comes in time.

The statements are not copied here: they are caught as they are run, with the settings of the engine's connections.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import psycopg
import pytest
from records import START, World
from store.scenario import fill, run_the_charts, run_the_flow, run_the_lists, run_the_managers

from webhook_engine.ids import id_bounds
from webhook_engine.store.postgresql import PostgresqlStore
from webhook_engine.store.postgresql.connection import Session

LARGE = ("message", "delivery", "attempt", "endpoint", "application", "manual_attempt", "event_type", "kept_response")

SAID = ("Node Type", "Relation Name", "Index Name", "Join Filter")

ATTEMPT = "id, message_id, endpoint_id, url, request_headers, status, response, status_code, duration_ms, trigger"
Statements = dict[str, tuple[object, ...]]


@pytest.fixture
async def store(postgresql_url: str) -> AsyncIterator[PostgresqlStore]:
    store = PostgresqlStore(postgresql_url, "plans")
    await store.open()
    yield store
    await store.close()
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute("SET client_min_messages = error")
        connection.execute("DROP SCHEMA plans CASCADE")


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Statements:
    """What is run from now on, each with its parameters."""
    seen: Statements = {}

    def catch(name: str) -> None:
        original = getattr(Session, name)

        def catching(session: Session, sql: str, *parameters: object) -> object:
            if not sql.startswith("EXPLAIN"):
                seen[sql] = parameters
            return original(session, sql, *parameters)

        monkeypatch.setattr(Session, name, catching)

    for name in ("rows", "row", "value", "stream", "change"):
        catch(name)
    return seen


def nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


def whole(node: Mapping[str, Any]) -> bool:
    """Whether a step reads all of a large table, or all of an index that has an entry for each of its rows."""
    if node.get("Relation Name", "").removeprefix("webhook_") not in LARGE:
        return False
    if node["Node Type"] == "Seq Scan":
        return True
    partial = node.get("Index Name", "").endswith(
        ("_by_due", "_by_failure", "_disabled", "_in_order", "_payload_expiry", "_by_shard")
    )
    return node["Node Type"].startswith("Index") and "Index Cond" not in node and not partial


def crosses(node: Mapping[str, Any]) -> bool:
    """Whether a step looks for ranges by comparing each row of a large table with each of them."""
    return re.search("[<>]", node.get("Join Filter", "")) is not None and any(
        inner.get("Relation Name", "").removeprefix("webhook_") in LARGE
        for one in node["Plans"]
        for inner in nodes(one)
    )


ALLOWED = {
    "one row is read, whichever comes first": r"FROM webhook_endpoint ORDER BY id LIMIT 1\n",
}


async def complaints(store: PostgresqlStore, statements: Statements) -> list[str]:
    found: list[str] = []

    async def explain(session: Session) -> None:
        for sql, parameters in list(statements.items()):
            if not re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)", sql) or "webhook_" not in sql:
                continue
            if any(re.search(pattern, sql) for pattern in ALLOWED.values()):
                continue
            [(text,)] = await session.rows(f"EXPLAIN (FORMAT JSON) {sql}", *parameters)

            found.extend(
                f"{' '.join(str(node[name]) for name in SAID if name in node)}\n{sql}"
                for node in nodes(json.loads(text)[0]["Plan"])
                if whole(node) or crosses(node)
            )

    await store.database.read_with(explain)
    return found


@pytest.mark.slow
async def test_every_statement_goes_through_an_index(
    store: PostgresqlStore, postgresql_url: str, statements: Statements
) -> None:
    """With statistics of a time when a table was so small that to read all of it was as quick."""
    world = World(store)
    application, endpoint = await fill(store, world, 500)
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute("SET search_path = plans")
        for name in ("message", "delivery", "attempt", "endpoint", "application"):
            connection.execute(f"VACUUM ANALYZE webhook_{name}")
    await run_the_managers(store, world)
    await run_the_flow(store, world, application, endpoint)
    await run_the_lists(store, application.id, endpoint.endpoint.id)
    assert len(statements) > 100
    found = await complaints(store, statements)
    assert found == []


async def test_a_chart_reads_what_is_in_its_time_and_not_all_there_ever_was(
    store: PostgresqlStore, postgresql_url: str, statements: Statements
) -> None:
    world = World(store)
    application, endpoint = await fill(store, world, 1)
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute("SET search_path = plans")
        with connection.cursor() as cursor, cursor.copy(f"COPY webhook_attempt ({ATTEMPT}) FROM STDIN") as copy:
            for number in range(20_000):
                identifier = id_bounds("atmpt_", START + number * 1_000_000)[0]
                copy.write_row(
                    (identifier, "msg_1", endpoint.endpoint.id, "https://example.com", "{}", 0, "", 200, 5, 0)
                )
        connection.execute("VACUUM ANALYZE webhook_attempt")
    statements.clear()
    await run_the_charts(store, application.id, endpoint.endpoint.id)
    assert len(statements) == 3
    assert await complaints(store, statements) == []


async def test_autovacuum_comes_after_a_share_of_a_table_that_it_can_keep_up_with(
    store: PostgresqlStore, postgresql_url: str
) -> None:
    with psycopg.connect(postgresql_url) as connection:
        found = dict(
            connection.execute(
                "SELECT relname, reloptions FROM pg_class WHERE relnamespace = 'plans'::regnamespace AND relkind = 'r'"
            ).fetchall()
        )
    for name in ("message", "delivery", "attempt"):
        assert "autovacuum_vacuum_scale_factor=0.02" in found[f"webhook_{name}"]
        assert "autovacuum_vacuum_cost_delay=0" in found[f"webhook_{name}"]
    for name in ("outbox", "manual_attempt", "member", "clock", "shard", "notice"):
        assert "autovacuum_vacuum_scale_factor=0" in found[f"webhook_{name}"], name
