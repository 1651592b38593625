"""Waking the other engines: what comes with it, and what is under way when a store closes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import psycopg
import pytest
from engines import until

from webhook_engine.errors import StoreUnavailableError
from webhook_engine.store.members import Notice
from webhook_engine.store.postgresql import PostgresqlStore
from webhook_engine.store.postgresql.connection import Session
from webhook_engine.store.postgresql.own_line import OwnLine
from webhook_engine.store.postgresql.sharing import tell
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


async def test_what_is_told_comes_with_the_wake_up_and_once(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is read for it, unless it does not fit, or is one of those that triggers store."""
    monkeypatch.setattr(PostgresqlWakeups, "look_every_s", 60.0)
    stores = [PostgresqlStore(postgresql_url, "carrying") for _ in range(2)]
    for store in stores:
        await store.open()
    teller, listener = (store.wakeups for store in stores)
    assert teller is not None
    assert listener is not None
    for one in (teller, listener):
        await one.start()
    listener._must_read = True  # The first look tidies up as well.
    assert await listener.read() == ([], False)
    reads = 0
    run = OwnLine.run

    async def counted(line: OwnLine, job: Callable[[Session], Awaitable[object]]) -> object:
        nonlocal reads
        reads += line is listener._line
        return await run(line, job)

    monkeypatch.setattr(OwnLine, "run", counted)

    async def heard() -> list[Notice]:
        assert await listener.wait(30.0)
        notices, missed = await listener.read()
        assert not missed
        return list(notices)

    small, large = Notice(expunged=["msg_1"]), Notice(expunged=["msg_" + "0" * 8_000])
    await teller.tell(small)
    assert await heard() == [small]
    assert reads == 0
    await teller.tell(large)
    assert await heard() == [large]
    assert reads == 1
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute("INSERT INTO carrying.webhook_notice (content) VALUES ('{\"tasks\":true}')")
    teller.committed()
    assert await heard() == [Notice(tasks=True)]
    assert reads == 2
    # What came with a wake-up is not found once more by the look that comes now and then anyway.
    await teller.tell(small)
    assert await heard() == [small]
    listener._must_read = True
    assert await listener.read() == ([], False)
    assert reads == 3
    for store in stores:
        await store.close()


async def test_a_look_that_fails_loses_nothing_of_what_was_told(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = PostgresqlStore(postgresql_url, "failing_looks")
    await store.open()
    wakeups = store.wakeups
    assert wakeups is not None
    await wakeups.start()
    run, failing = OwnLine.run, True

    async def cut(line: OwnLine, job: Callable[[Session], Awaitable[object]]) -> object:
        if failing:
            raise StoreUnavailableError("cut off")
        return await run(line, job)

    await wakeups.tell(Notice(expunged=["msg_1"]))
    assert await wakeups.wait(30.0)
    monkeypatch.setattr(OwnLine, "run", cut)
    wakeups._must_read = True
    with pytest.raises(StoreUnavailableError):
        await wakeups.read()
    failing = False
    assert await wakeups.read() == ([Notice(expunged=["msg_1"])], False)
    await store.close()


async def test_of_a_change_that_fails_among_others_nobody_is_told(postgresql_url: str) -> None:
    store = PostgresqlStore(postgresql_url, "failing")
    await store.open()
    told: list[str] = []
    store.database.sharing.on_told = lambda notices: told.extend(one.content for one in notices)

    async def change(session: Session, name: str, *, fails: bool) -> None:
        await tell(session, Notice(expunged=[name]))
        if fails:
            raise ValueError(name)

    results = await asyncio.gather(
        *(store.database.write(partial(change, name=name, fails=name == "b")) for name in "abc"), return_exceptions=True
    )
    assert [type(one) for one in results] == [type(None), ValueError, type(None)]
    assert told == ['{"expunged":["a"]}', '{"expunged":["c"]}']
    await store.close()
