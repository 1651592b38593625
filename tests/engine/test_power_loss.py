"""Nothing accepted is lost when the power fails: what was not synced is gone, or there in part, in whatever order."""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from engines import local_engine, until
from lives import Chance, Lives
from losing import LosingDisk, Nothing
from receivers import Receiver
from stores import about_the_file

from webhook_engine import StoreUnavailableError

LOSSES = int(os.environ.get("WEBHOOK_ENGINE_POWER_LOSSES", "15"))
SEED = random.randrange(2**32)

WRITER = """
import os, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("PRAGMA journal_mode=WAL")
database.execute(f"PRAGMA synchronous={sys.argv[2]}")
database.execute("CREATE TABLE told (number INTEGER)")
for number in range(50):
    database.execute("INSERT INTO told VALUES (?)", (number,))
print(os.getpid(), flush=True)
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize(("synchronous", "left"), [("FULL", 50), ("OFF", 0)])
def test_the_disk_loses_what_was_not_synced_and_nothing_else(tmp_path: Path, synchronous: str, left: int) -> None:
    path = tmp_path / "w.db"
    disk = LosingDisk(tmp_path, path)
    run = subprocess.run(
        [sys.executable, "-c", WRITER, path, synchronous],
        env=disk.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    disk.cut_power(int(run.stdout), Nothing())
    with closing(sqlite3.connect(path)) as database:
        tables = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        assert (database.execute("SELECT count(*) FROM told").fetchone()[0] if tables else 0) == left


@pytest.mark.slow
@about_the_file
async def test_every_message_that_was_accepted_arrives_although_the_power_fails(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    database = tmp_path / "power.db"
    disk = LosingDisk(tmp_path, database)
    accepted: list[str] = []
    answers = Chance(chance)
    lost = 0
    async with Receiver(answers) as receiver:
        with Lives(database, receiver.url, disk.environment) as child:
            for _ in range(LOSSES):
                accepted += await asyncio.to_thread(child.live, chance.uniform(0.02, 0.3))
                lost += disk.cut_power(child.pid, chance)
        async with local_engine(database, retry_schedule=["50ms"] * 20) as engine:
            await until(lambda: not set(accepted) - set(answers.delivered), timeout=60 + LOSSES)
            await engine.join(timeout=30)
    print(f"seed {SEED}: {len(accepted)} accepted; {lost} writes lost in {LOSSES} losses of power")
    assert len(accepted) > LOSSES, f"seed {SEED}"
    assert lost > 0, f"seed {SEED}"


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["W", "S", "R"], ids=["writes", "syncs", "read-only"])
@about_the_file
async def test_an_engine_lives_through_a_disk_that_fails_and_loses_nothing(tmp_path: Path, fault: str) -> None:
    chance = random.Random(SEED)
    database = tmp_path / "eio.db"
    disk = LosingDisk(tmp_path, database)
    answers = Chance(chance)
    async with Receiver(answers) as receiver:

        def live() -> list[str]:
            child.begin()
            accepted = child.accept(20)
            disk.fails(fault)
            accepted += child.be_refused(20)
            disk.fails("N")
            accepted += child.accept(100)
            accepted += child.kill()
            disk.cut_power(child.pid, chance)
            return accepted

        with Lives(database, receiver.url, disk.environment) as child:
            accepted = [message for _ in range(2) for message in await asyncio.to_thread(live)]
        async with local_engine(database, retry_schedule=["50ms"] * 20) as engine:
            await until(lambda: not set(accepted) - set(answers.delivered), timeout=60)
            await engine.join(timeout=30)
    assert len(accepted) >= 2 * 120, f"seed {SEED}"


@about_the_file
async def test_an_engine_says_why_it_cannot_start_on_a_file_system_that_became_read_only(tmp_path: Path) -> None:
    place = tmp_path / "mounted"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", place]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        async with local_engine(place / "ro.db") as engine:
            await engine.applications.create(name="Acme", uid="acme")
        subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        with pytest.raises(StoreUnavailableError, match=r"ro\.db"):
            async with local_engine(place / "ro.db"):
                pass
        subprocess.run(["mount", "-o", "remount,rw", place], check=True)
        async with local_engine(place / "ro.db") as engine:
            assert (await engine.applications.get("acme")).name == "Acme"
    finally:
        subprocess.run(["umount", place], check=True)
