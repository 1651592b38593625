"""The hand-over survives SIGKILL between every two of its steps: each message is there once, in order, none is lost."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
import sys
import threading
from collections import defaultdict
from pathlib import Path

import pytest
from outbox.sources import LOOPBACK, connected, fresh, left, run
from receivers import Receiver
from stores import about_the_file

from webhook_engine import Engine
from webhook_engine.outbox import enqueue

CHILD = Path(__file__).with_name("dying_child.py")
COUNT = 12
FOREIGN_STEPS = [
    "before:identify",
    "commit:identify",
    "after:identify",
    "before:accept",
    "before:add",
    "after:add",
    "after:accept",
    "before:remove",
    "commit:remove",
    "after:remove",
    "before:set_aside",
    "commit:set_aside",
    "after:set_aside",
]
OWN_STEPS = ["before:accept", "before:add", "after:add", "after:accept", "before:own_set_aside", "after:own_set_aside"]


def fill(url: str) -> None:
    """Rows of a program's own and of ``enqueue``, and among them one that can never be delivered."""
    body = """convert_to('{"n":%d}', 'UTF8')""" if url.startswith("postgresql") else """'{"n":%d}'"""
    with connected(url) as connection:
        cursor = connection.cursor()
        for number in range(COUNT):
            if number % 2:
                enqueue(connection, application="acme", event_type="a.b", payload={"n": number})
            else:
                cursor.execute(
                    "INSERT INTO webhook_outbox (application, event_type, payload) "
                    f"VALUES ('acme', 'a.b', {body % number})"
                )
            if number == COUNT // 2:
                enqueue(connection, application="nobody", event_type="a.b", payload={"n": -1})
        connection.commit()


async def survive(tmp_path: Path, url: str, source: str, step: str) -> None:
    """Prepare, let a child die at a step, let another engine finish, and see what came of it."""
    database = tmp_path / "webhooks.db"
    async with Receiver() as receiver:
        async with Engine.open(database) as engine:
            await engine.applications.create(name="Acme", uid="acme")
            await engine.endpoints.create("acme", url=receiver.url)
        fill(url)
        child = await asyncio.to_thread(
            subprocess.run, [sys.executable, str(CHILD), str(database), source, step], timeout=60, check=False
        )
        assert child.returncode == -signal.SIGKILL
        sources = [source] if source else []
        async with Engine.open(database, allow_subnets=LOOPBACK, outbox__sources=sources) as engine:
            await engine.join(timeout=20)
            stored = [message async for message in engine.messages.iterate("acme")]
    numbers = [json.loads(message.payload or b"")["n"] for message in stored]
    assert sorted(numbers) == list(range(COUNT))
    # Each writer's messages are in their order: an id is made when the row is written, or when it is first moved.
    for parity in (0, 1):
        assert [number for number in numbers[::-1] if number % 2 == parity] == list(range(parity, COUNT, 2))
    ids = defaultdict(set)
    for request in receiver.requests:
        ids[json.loads(request.body)["n"]].add(request.headers["webhook-id"])
    assert {number: len(seen) for number, seen in ids.items()} == dict.fromkeys(range(COUNT), 1)
    [(_, application, error)] = left(url)
    assert application == "nobody"
    assert "nobody" in error


@pytest.mark.slow
@pytest.mark.parametrize("step", FOREIGN_STEPS)
async def test_from_another_database(tmp_path: Path, source: str, step: str) -> None:
    await survive(tmp_path, source, source, step)


@pytest.mark.slow
@pytest.mark.parametrize("step", OWN_STEPS)
async def test_within_the_engines_own_database(tmp_path: Path, step: str) -> None:
    async with Engine.open(tmp_path / "webhooks.db"):
        pass
    await survive(tmp_path, f"sqlite:///{tmp_path / 'webhooks.db'}", "", step)


@about_the_file
async def test_between_stored_here_and_removed_there(tmp_path: Path) -> None:
    await survive(tmp_path, source := fresh(f"sqlite:///{tmp_path / 'app.db'}"), source, "before:remove")


WRITER = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from outbox.sources import connected
from webhook_engine.outbox import enqueue

def died(step):
    if sys.argv[3] == step:
        os.kill(os.getpid(), signal.SIGKILL)

with connected(sys.argv[2]) as connection:
    cursor = connection.cursor()
    cursor.execute("INSERT INTO invoice VALUES (1)")
    died("before enqueue")
    enqueue(connection, application="acme", event_type="invoice.paid", payload={"id": 1})
    died("before commit")
    connection.commit()
    died("after commit")
"""


@pytest.mark.parametrize(("step", "written"), [("before enqueue", 0), ("before commit", 0), ("after commit", 1)])
async def test_a_writer_that_dies_leaves_both_the_change_and_the_message_or_neither(
    tmp_path: Path, source: str, step: str, written: int
) -> None:
    run(source, "DROP TABLE IF EXISTS invoice")
    run(source, "CREATE TABLE invoice (id INTEGER PRIMARY KEY)")
    command = [sys.executable, "-c", WRITER, str(CHILD.parents[1]), source, step]
    child = await asyncio.to_thread(subprocess.run, command, timeout=60, check=False)
    assert child.returncode == -signal.SIGKILL
    database = tmp_path / "webhooks.db"
    async with Receiver() as receiver:
        async with Engine.open(database) as engine:
            await engine.applications.create(name="Acme", uid="acme")
            await engine.endpoints.create("acme", url=receiver.url)
        async with Engine.open(database, allow_subnets=LOOPBACK, outbox__sources=[source]) as engine:
            await engine.join(timeout=10)
        assert len(receiver.requests) == written
    assert run(source, "SELECT count(*) FROM invoice") == [(written,)]
    assert left(source) == []


@pytest.mark.slow
async def test_an_engine_that_is_killed_again_and_again_while_rows_keep_coming(tmp_path: Path, source: str) -> None:
    database, chance, count = tmp_path / "webhooks.db", random.Random(7), 400
    stop = threading.Event()

    def write() -> None:
        with connected(source) as connection:
            for number in range(count):
                enqueue(connection, application="acme", event_type="a.b", payload={"n": number})
                connection.commit()
                stop.wait(0.01)

    async with Receiver() as receiver:
        async with Engine.open(database) as engine:
            await engine.applications.create(name="Acme", uid="acme")
            await engine.endpoints.create("acme", url=receiver.url)
        writing = asyncio.ensure_future(asyncio.to_thread(write))
        kills = 0
        try:
            while not writing.done():
                child = await asyncio.create_subprocess_exec(
                    *(sys.executable, str(CHILD), str(database), source, "never"), stdout=subprocess.PIPE
                )
                assert child.stdout is not None
                assert await asyncio.wait_for(child.stdout.readline(), 30) == b"caught up\n"
                await asyncio.sleep(chance.uniform(0, 0.4))  # not a wait: the moment is to be any
                child.kill()
                await child.communicate()
                kills += 1
        finally:
            stop.set()
            await writing
        async with Engine.open(database, allow_subnets=LOOPBACK, outbox__sources=[source]) as engine:
            await engine.join(timeout=20)
            stored = [message async for message in engine.messages.iterate("acme")]
    assert kills > 1
    assert [json.loads(message.payload or b"")["n"] for message in stored[::-1]] == list(range(count))
    assert {request.headers["webhook-id"] for request in receiver.requests} == {message.id for message in stored}
    assert left(source) == []
