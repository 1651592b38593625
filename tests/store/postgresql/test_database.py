"""Transactions on PostgreSQL: what they begin with."""

from __future__ import annotations

import asyncio

import pytest

from webhook_engine.errors import StoreError
from webhook_engine.store.postgresql import PostgresqlStore
from webhook_engine.store.postgresql.connection import Session

_LOCKS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"


async def _locks(session: Session) -> int:
    return int(await session.value(_LOCKS))


async def test_what_a_change_asks_to_begin_with_comes_before_all_of_its_transaction(postgresql_url: str) -> None:
    store = PostgresqlStore(postgresql_url, "beginning")
    await store.open()
    write = store.database.write
    assert await write(_locks) == 0
    lock = "SELECT pg_advisory_xact_lock_shared(1, 2)"
    assert await asyncio.gather(write(_locks), write(_locks, begin=lock), write(_locks, begin=lock)) == [1, 1, 1]
    assert await write(_locks) == 0
    await store.close()


async def test_a_beginning_that_fails_leaves_the_connection_as_it_was(postgresql_url: str) -> None:
    store = PostgresqlStore(postgresql_url, "beginning_badly")
    await store.open()
    for _ in range(4):
        with pytest.raises(StoreError, match="division by zero"):
            await store.database.write(_locks, begin="SELECT 1 / 0")
    assert await store.database.write(_locks) == 0
    await store.close()
