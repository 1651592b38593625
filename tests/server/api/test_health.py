"""``/health`` tells the truth, and soon."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing

import pytest
from api_clients import Answer, Client
from engines import until
from stores import about_the_file

from webhook_engine import Engine
from webhook_engine.delivery.troubles import Lack
from webhook_engine.server.api import health

SOON_S = health.PATIENCE_S + 8
"""No answer takes longer; with room for a busy machine."""


async def asked(api: Client) -> Answer:
    began_at = time.perf_counter()
    answer = await api.with_token(None).get("/health")
    assert time.perf_counter() - began_at < SOON_S
    return answer


async def is_well(api: Client) -> bool:
    return (await asked(api)).status == 200


async def test_all_is_well(api: Client) -> None:
    answer = await asked(api)
    assert answer.status == 200
    assert answer.json == {part: {"status": "ok"} for part in ("database", "queue", "cache")}


@pytest.mark.slow
async def test_a_lock_of_another_process(api: Client, engine: Engine) -> None:
    with closing(sqlite3.connect(engine.config.store.path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        await until(lambda: is_ill(api), timeout=30)
        answer = await asked(api)
        assert (answer.status, answer.json["database"]["status"], answer.json["queue"]["status"]) == (
            500,
            "error",
            "ok",
        )
        db.execute("ROLLBACK")
    await until(lambda: is_well(api), timeout=30)


@about_the_file
async def test_a_full_database(acme: Client, engine: Engine) -> None:
    database = engine.services.store.database
    before = await database.write(lambda session: session.rows("PRAGMA max_page_count")[0][0])
    await database.write(lambda session: session.rows("PRAGMA max_page_count=1"))

    async def refused_and_ill() -> Answer | None:
        refused = (await send(acme)).status != 202
        answer = await asked(acme)
        return answer if refused and answer.status != 200 else None

    # What is small, such as an outcome, may still be written between the two.
    answer = await until(refused_and_ill, timeout=60)
    assert (answer.status, answer.json["database"]["detail"]) == (500, "database or disk is full")
    await database.write(lambda session: session.rows(f"PRAGMA max_page_count={before}"))
    assert (await send(acme)).status == 202
    assert await is_well(acme)


@about_the_file
async def test_a_damaged_page(acme: Client, engine: Engine) -> None:
    path = engine.config.store.path
    with closing(sqlite3.connect(path)) as db:
        [(root,)] = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'webhook_message'").fetchall()
        [(size,)] = db.execute("PRAGMA page_size").fetchall()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * size)
    assert (await send(acme)).status == 503
    # Other tables can still be written.
    assert (await acme.post("/app", {"name": "x"})).status == 201
    answer = await asked(acme)
    assert (answer.status, answer.json["database"]["status"]) == (500, "error")


@about_the_file
@pytest.mark.parametrize("new", [None, b"another file"])
async def test_a_file_that_is_gone_or_another(acme: Client, engine: Engine, new: bytes | None) -> None:
    path = engine.config.store.path
    path.rename(path.with_name("moved.db"))
    if new is not None:
        path.write_bytes(new)
    refused = await send(acme)
    assert (refused.status, refused.json["code"]) == (503, "unavailable")
    assert "the database file was removed or replaced" in refused.json["detail"]
    assert str(path) not in refused.text
    answer = await asked(acme)
    assert answer.status == 500
    assert answer.json["database"] == {"status": "error", "detail": "the database file was removed or replaced"}


async def test_a_database_that_does_not_answer(api: Client, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(engine.services.store.revocations, "all", never)
    answer = await asked(api)
    assert (answer.status, answer.json["database"]["detail"]) == (500, "it does not answer within 2 s")


async def test_what_the_engine_lacks(api: Client, engine: Engine) -> None:
    engine.measures.troubles.met(Lack.DESCRIPTORS, "Too many open files", engine.services.clock.now())
    answer = await asked(api)
    assert answer.status == 500
    assert answer.json["queue"] == {
        "status": "error",
        "detail": "the engine lacks descriptors: Too many open files (1 times)",
    }


async def is_ill(api: Client) -> bool:
    return (await asked(api)).status == 500


async def send(api: Client) -> Answer:
    return await api.post("/app/acme/msg", {"eventType": "a.b", "payload": {"fill": "x" * 10_000}})
