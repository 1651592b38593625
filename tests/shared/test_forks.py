"""Processes that are forked from one with a running engine: they are told what to do, and harm nothing."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from shared.test_workers import ask, gunicorn, prepared, serving, survives_its_leader
from stores import query

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")

USES = """
import asyncio, os, sys
from webhook_engine import EngineNotRunningError, Engine, SyncEngine

async def use(engine):
    for name, work in {
        "read": lambda: engine.applications.list(),
        "accept": lambda: engine.messages.create("acme", event_type="a.b", payload={}),
        "write": lambda: engine.applications.create(name="Other"),
        "join": lambda: engine.join(timeout=5),
        "start": lambda: engine.start(),
    }.items():
        try:
            async with asyncio.timeout(5):
                await work()
            print(name, "worked")
        except EngineNotRunningError as error:
            print(name, "post_fork" in str(error))
    print("running", engine.running)
    await engine.stop()
    print("stopped")

engine = SyncEngine.open(sys.argv[1])
with engine:
    engine.applications.create(name="Acme", uid="acme")
    engine.messages.create("acme", event_type="a.b", payload={})  # the application is known from now on
    if os.fork() == 0:
        asyncio.run(use(engine._engine))
        try:
            engine.start()
        except EngineNotRunningError as error:
            print("sync start", "post_fork" in str(error))
        engine.stop()
        sys.stdout.flush()
        os._exit(0)
    os.wait()
    engine.messages.create("acme", event_type="a.b", payload={})
    print("parent", engine.running)
"""

# A child that ends as programs do lets go of all objects. SQLite must not be led to believe that its connections, in
# the middle of a transaction as they are, were closed: it would roll back what the parent has written since.
WRITES = """
import asyncio, os, sys, threading
from webhook_engine import SyncEngine

engine = SyncEngine.open(sys.argv[1])
engine.start()
database = engine._engine._store.database
under_way, go_on = threading.Event(), threading.Event()

def begin(*statements):
    def change(session):
        for statement in statements:
            session.change(statement)
        under_way.set()
        go_on.wait()

    async def write():
        await database.write(change)

    done = asyncio.run_coroutine_threadsafe(write(), engine._background._loop)
    under_way.wait()
    under_way.clear()
    return done

def commit(begun):
    go_on.set()
    begun.result()
    go_on.clear()

end_child, told = os.pipe()
first = begin("CREATE TABLE shop (id INTEGER PRIMARY KEY, text TEXT)")
child = os.fork()
if child == 0:
    os.read(end_child, 1)
    sys.exit()
commit(first)
second = begin(
    "WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 40000)"
    " INSERT INTO shop SELECT id, printf('%1000d', id) FROM n"
)
os.write(told, b"!")
print(os.waitpid(child, 0)[1])
commit(second)
engine.stop()
"""


def python(program: str, *arguments: object) -> list[str]:
    """The lines that a program prints."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_whatever_a_forked_process_asks_of_the_engine_it_is_told_to_make_its_own(tmp_path: Path) -> None:
    assert python(USES, tmp_path / "webhooks.db") == [
        *(f"{name} True" for name in ("read", "accept", "write", "join", "start")),
        "running False",
        "stopped",
        "sync start True",
        "parent True",
    ]


@pytest.mark.slow
async def test_a_child_that_ends_in_the_middle_of_a_transaction_harms_nothing(tmp_path: Path) -> None:
    database = tmp_path / "webhooks.db"
    assert python(WRITES, database) == ["0"]
    check = "SELECT count(*), (SELECT * FROM pragma_integrity_check) FROM shop"
    assert query(database, check) == [(40_000, "ok")]


@pytest.mark.slow
async def test_gunicorn_with_preload_where_each_worker_starts_after_the_fork(tmp_path: Path) -> None:
    hooks = tmp_path / "gunicorn.conf.py"
    hooks.write_text("def post_fork(server, worker):\n    import wsgi_app\n\n    wsgi_app.webhooks.start()\n")
    command = gunicorn(2, "--preload", "--config", str(hooks), "--env", "START_LATE=1")
    await survives_its_leader(tmp_path, 2, command)


@pytest.mark.slow
async def test_gunicorn_with_preload_and_an_engine_of_one_process_says_what_to_do(tmp_path: Path) -> None:
    command = gunicorn(2, "--preload")
    command[1] = "wsgi_alone:application"
    async with prepared(tmp_path) as (database, _), serving(database, *command) as url:
        async with asyncio.timeout(20):
            while (answer := await ask(url)) is None:
                await asyncio.sleep(0.05)
        assert "gunicorn: in post_fork, or without preload_app" in answer["error"]
