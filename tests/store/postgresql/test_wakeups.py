"""Waking the other engines: what is under way when a store closes."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
from engines import until

from webhook_engine.store.postgresql import PostgresqlStore
from webhook_engine.store.postgresql.connection import Session
from webhook_engine.store.postgresql.wakeups import PostgresqlWakeups


async def test_a_wake_up_that_is_under_way_has_ended_when_the_store_is_closed(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, ended = asyncio.Event(), asyncio.Event()
    notify = PostgresqlWakeups._notify

    async def slow(wakeups: PostgresqlWakeups, session: Session) -> None:
        began.set()
        await asyncio.sleep(0.05)
        await notify(wakeups, session)
        ended.set()

    monkeypatch.setattr(PostgresqlWakeups, "_notify", slow)
    url = f"{postgresql_url}{'&' if '?' in postgresql_url else '?'}application_name=waking"
    store = PostgresqlStore(url, "waking")
    await store.open()
    assert store.wakeups is not None
    await store.wakeups.start()
    store.wakeups.committed()
    await began.wait()
    await store.close()
    assert ended.is_set()

    def connections() -> int:
        with psycopg.connect(postgresql_url) as connection:
            found = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'waking'")
            return int(found.fetchone()[0])  # type: ignore[index]

    await until(lambda: connections() == 0)
