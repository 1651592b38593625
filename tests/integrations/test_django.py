"""A small Django project: ``migrate`` makes the outbox, ``atomic`` decides on messages, a command delivers them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
from engines import until
from receivers import Receiver

from webhook_engine import Engine, outbox

HERE = Path(__file__).parent


def project(tmp_path: Path) -> dict[str, str]:
    """The environment of the small project."""
    return {
        **os.environ,
        "SHOP_DIRECTORY": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "shop_settings",
        "PYTHONPATH": str(HERE),
    }


def manage(tmp_path: Path, *command: str) -> str:
    """What a command of the project says, on both of its outputs."""
    done = subprocess.run(
        [sys.executable, "-m", "django", *command],
        env=project(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_tests_that_commit_leave_nothing_in_the_outbox(tmp_path: Path) -> None:
    said = manage(tmp_path, "test", "shop_tests", "--pattern", "shop_tests.py", "--keepdb")
    assert "Ran 15 tests" in said


@pytest.mark.slow
def test_the_migration_prints_sql_that_can_be_used(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "by hand.db") as database:
        database.executescript(manage(tmp_path, "sqlmigrate", "webhook_engine", "0001"))
        outbox.enqueue(database, application="acme", event_type="a.b", payload={})
        [(created_at,)] = database.execute("SELECT created_at FROM webhook_outbox")
        datetime.fromisoformat(created_at)  # the percent signs of the default have survived
        database.commit()
        database.executescript(manage(tmp_path, "sqlmigrate", "webhook_engine", "0001", "--backwards"))
        assert database.execute("SELECT count(*) FROM sqlite_master WHERE name = 'webhook_outbox'").fetchone() == (0,)
    database.close()


def test_the_model_and_the_migration_agree(tmp_path: Path) -> None:
    assert "No changes" in manage(tmp_path, "makemigrations", "--check", "--dry-run")
    assert "no issues" in manage(tmp_path, "check")


def test_an_engine_that_cannot_start_is_an_error_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "webhooks.db").mkdir()
    with pytest.raises(AssertionError, match=r"CommandError: .*webhooks\.db") as caught:
        manage(tmp_path, "webhook_engine")
    assert "Traceback" not in str(caught.value)


@pytest.mark.slow
def test_a_missing_migration_is_said_before_the_engine_waits_for_it(tmp_path: Path) -> None:
    assert "W002" not in manage(tmp_path, "check")
    assert "webhook_engine.W002" in manage(tmp_path, "check", "--database", "default")
    manage(tmp_path, "migrate")
    assert "no issues" in manage(tmp_path, "check", "--database", "default")


@pytest.mark.slow
async def test_the_command_sends_signals(tmp_path: Path) -> None:
    async with Receiver() as receiver:
        receiver.answer(status=410)
        async with Engine.open(tmp_path / "webhooks.db") as engine:
            await engine.applications.create(name="Acme", uid="acme")
            await engine.endpoints.create("acme", url=receiver.url, uid="gone")
        await asyncio.to_thread(manage, tmp_path, "migrate")
        with closing(sqlite3.connect(tmp_path / "shop.db")) as database, database:
            outbox.enqueue(database, application="acme", event_type="a.b", payload={})
        server = subprocess.Popen([sys.executable, "-m", "django", "webhook_engine"], env=project(tmp_path))
        try:

            async def noted() -> bool:
                return (tmp_path / "disabled.txt").exists() and "gone" in (tmp_path / "disabled.txt").read_text()

            await until(noted, 45)
        finally:
            server.send_signal(signal.SIGTERM)
            await asyncio.to_thread(server.wait, 20)
        assert server.returncode == 0


@pytest.mark.slow
async def test_a_project_from_migration_to_delivery(tmp_path: Path) -> None:
    environment = project(tmp_path)

    def run(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, *command], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    async with Receiver() as receiver:
        async with Engine.open(tmp_path / "webhooks.db") as engine:
            await engine.applications.create(name="Acme", uid="acme")
            await engine.endpoints.create("acme", url=receiver.url)
        assert "0001_outbox" in await asyncio.to_thread(run, "-m", "django", "migrate")
        said = json.loads(await asyncio.to_thread(run, str(HERE / "django_child.py")))
        assert said["genuine"] == [200, {"type": "invoice.paid"}]
        assert said["altered"] == [401, "invalid_signature"]
        assert said["guarded"] == 403
        server = subprocess.Popen(
            [sys.executable, "-m", "django", "webhook_engine"], env=environment, stdout=subprocess.PIPE
        )
        try:
            [request] = await receiver.wait_for(1, timeout=30)
            assert request.headers["webhook-id"] == said["paid"]
        finally:
            server.send_signal(signal.SIGTERM)
            out, _ = await asyncio.to_thread(server.communicate, timeout=20)
        assert server.returncode == 0
        assert b"delivering" in out
        assert len(receiver.requests) == 1
