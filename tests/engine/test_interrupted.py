"""Cancelled wherever it waits, once or again and again: the engine is either running, or nothing of it is left."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from engines import acme, ids_of, local_engine, send, until
from interruptions import Interrupted
from receivers import Receiver, hanging
from stores import query

MOST_WAITS = 200


async def interrupted(work: Coroutine[Any, Any, object], first: int, times: int) -> bool:
    """Cancel the work where it waits for the first time given, and ``times - 1`` times after that; whether it did."""
    attempt = Interrupted(work, range(first, first + times))

    async def run() -> object:
        return await attempt

    await asyncio.gather(asyncio.create_task(run()), return_exceptions=True)
    return attempt.waits > first


def left_over() -> tuple[int, int, int]:
    """Tasks, open files and threads of this process."""
    gc.collect()
    own = sum(not thread.name.startswith("asyncio_") for thread in threading.enumerate())
    return len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd")), own


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 3])
async def test_a_start_that_is_cancelled_anywhere_leaves_nothing(tmp_path: Path, times: int) -> None:
    database = tmp_path / "e.db"
    async with local_engine(database):
        pass
    before = left_over()
    for first in range(MOST_WAITS):
        engine = local_engine(database)
        met = await interrupted(engine.start(), first, times)
        assert engine.running is not met
        await engine.stop()
        await until(lambda: left_over() <= before)
        async with local_engine(database):
            pass
        if not met:
            break
    else:
        pytest.fail("it never ran to its end")
    assert first > 10


@pytest.mark.parametrize("times", [1, 3])
async def test_a_stop_that_is_cancelled_anywhere_is_carried_through(tmp_path: Path, times: int) -> None:
    database = tmp_path / "e.db"
    async with Receiver() as receiver:
        before = left_over()
        async with hanging() as hang:
            engine = local_engine(database, shutdown_grace="50ms")
            await engine.start()
            endpoint = await acme(engine, hang.url)
            message = await send(engine)
            await hang.wait_for(1)
            assert await interrupted(engine.stop(), 0, times)
        await until(lambda: left_over() <= before)
        async with local_engine(database, retry_schedule=["50ms"] * 100) as engine:
            await engine.endpoints.update("acme", endpoint.id, url=receiver.url)
            await receiver.wait_for(1)
            assert ids_of(receiver) == [message]


async def test_a_resend_that_is_cancelled_anywhere_is_made_or_was_never_asked_for(tmp_path: Path) -> None:
    database = tmp_path / "e.db"
    async with Receiver() as receiver, local_engine(database) as engine:
        endpoint = await acme(engine, receiver.url)
        message = await send(engine)
        await engine.join(timeout=5)
        for first in range(MOST_WAITS):
            met = await interrupted(engine.attempts.resend("acme", message, endpoint.id), first, 1)
            await until(lambda: query(database, "SELECT count(*) FROM webhook_manual_attempt") == [(0,)])
            if not met:
                break
        assert first > 1
        await engine.join(timeout=5)
        assert len(receiver.requests) > 1


async def test_a_task_whose_caller_is_cancelled_anywhere_runs_or_was_never_begun(tmp_path: Path) -> None:
    database = tmp_path / "e.db"
    async with Receiver() as receiver, local_engine(database) as engine:
        endpoint = await acme(engine, receiver.url)
        since = datetime.now(UTC)
        for first in range(MOST_WAITS):
            met = await interrupted(engine.endpoints.recover("acme", endpoint.id, since=since), first, 1)
            await until(lambda: query(database, "SELECT count(*) FROM webhook_task WHERE status = 'running'") == [(0,)])
            if not met:
                break
        assert first > 1
        assert query(database, "SELECT count(*) > 0 FROM webhook_task") == [(1,)]
