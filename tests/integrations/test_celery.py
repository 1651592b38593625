"""Tasks of Celery that enqueue: in this process, and in the worker processes of a real worker with its pool."""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from receivers import Receiver

from webhook_engine import Engine, ValidationError
from webhook_engine.outbox import create_table
from webhook_engine.testing import enqueued

HERE = Path(__file__).parent
PATIENCE_S = 60.0


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The small program, with its database."""
    for folder in ("queue", "control", "results"):
        (tmp_path / folder).mkdir()
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database, database:
        database.execute("CREATE TABLE invoice (id INTEGER PRIMARY KEY)")
        create_table(database)
    monkeypatch.setenv("SHOP_DIRECTORY", str(tmp_path))
    monkeypatch.syspath_prepend(HERE)
    monkeypatch.delitem(sys.modules, "celery_shop", raising=False)
    return importlib.import_module("celery_shop")


@asynccontextmanager
async def worker(**environment: str) -> AsyncIterator[None]:
    """A worker with two processes for tasks, as `celery worker` starts it."""
    options = ["--pool", "prefork", "--concurrency", "2", "--without-gossip", "--without-mingle"]
    process = subprocess.Popen(
        [sys.executable, "-m", "celery", "--app", "celery_shop", "worker", *options],
        env={**os.environ, "PYTHONPATH": str(HERE), "C_FORCE_ROOT": "1", **environment},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
        process.terminate()
        assert await asyncio.to_thread(process.wait, 30) == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


async def result(pending: Any) -> Any:
    """What a task returned, or what it raised."""
    return await asyncio.to_thread(pending.get, timeout=PATIENCE_S)


def test_a_task_that_is_run_at_once_belongs_to_its_transaction(shop: Any) -> None:
    shop.app.conf.update(task_always_eager=True, task_eager_propagates=True)
    message_id, _ = shop.pay.delay(1).get()
    with pytest.raises(KeyError):
        shop.pay.delay(2, fail=True)
    with closing(sqlite3.connect(shop.DIRECTORY / "shop.db")) as database:
        assert [(one.message_id, one.payload) for one in enqueued(database)] == [(message_id, {"id": 1})]


@pytest.mark.slow
async def test_worker_processes_enqueue_and_their_errors_come_back(tmp_path: Path, shop: Any) -> None:
    async with Receiver() as receiver, worker():
        async with Engine.open(tmp_path / "webhooks.db") as engine:
            await engine.applications.create(name="Acme", uid="acme")
            await engine.endpoints.create("acme", url=receiver.url)
        sources = [f"sqlite:///{tmp_path / 'shop.db'}"]
        async with Engine.open(tmp_path / "webhooks.db", allow_subnets=["127.0.0.1/32"], outbox__sources=sources):
            done = [await result(pending) for pending in [shop.pay.delay(number) for number in range(6)]]
            with pytest.raises(KeyError):
                await result(shop.pay.delay(7, fail=True))
            with pytest.raises(ValidationError, match="application") as caught:
                await result(shop.pay.delay(8, application="not a name"))
            await receiver.wait_for(6, timeout=PATIENCE_S)
    assert caught.value.field == "application"
    assert sorted(request.headers["webhook-id"] for request in receiver.requests) == sorted(id_ for id_, _ in done)
    assert os.getpid() not in {process for _, process in done}
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database:
        assert [number for (number,) in database.execute("SELECT id FROM invoice ORDER BY id")] == list(range(6))


@pytest.mark.slow
async def test_an_engine_that_was_started_before_the_fork_says_so(shop: Any) -> None:
    async with worker(STARTED_BEFORE_THE_FORK="1"):
        said = await result(shop.use_the_engine_of_the_parent.delay())
    assert "started before this process was forked" in said
