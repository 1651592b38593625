"""Nothing accepted is lost: SIGKILL at random instants, again and again on the same database."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from receivers import Receiver

from webhook_engine import Engine

KILLS = 20
SEED = random.randrange(2**32)


def run_until_killed(database: Path, url: str, life_s: float) -> list[str]:
    """Let the child accept for ``life_s`` seconds after it is ready; returns the ids it printed."""
    child = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("accepting_child.py")), str(database), url],
        stdout=subprocess.PIPE,
    )
    assert child.stdout
    first = child.stdout.readline()
    assert first == b"READY\n", first
    time.sleep(life_s)  # not waiting for luck: the random instant is the point
    child.kill()
    lines = child.stdout.read().split(b"\n")
    child.wait()
    # The last piece is what was being printed when the process died.
    return [line.decode() for line in lines[:-1]]


async def test_every_message_that_was_accepted_arrives_although_the_process_is_killed(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    database = tmp_path / "crash.db"
    accepted: list[str] = []
    # A third of the answers are failures, so that retries are pending when the process dies.
    async with Receiver(answer=lambda _: 500 if chance.random() < 0.3 else 200) as receiver:
        for _ in range(KILLS):
            accepted += await asyncio.to_thread(run_until_killed, database, receiver.url, chance.uniform(0.02, 0.4))
        async with Engine.open(database, allow_subnets=["127.0.0.1/32"], retry_schedule=["50ms"] * 20) as engine:
            async with asyncio.timeout(60):
                while set(accepted) - {request.headers["webhook-id"] for request in receiver.requests}:
                    await asyncio.sleep(0.05)
            await engine.join(timeout=30)
    assert len(set(accepted)) == len(accepted) > KILLS, f"seed {SEED}"
    answered = Counter(request.headers["webhook-id"] for request in receiver.requests if request.status == 200)
    repeats = sum(count - 1 for count in answered.values())
    print(f"seed {SEED}: {len(accepted)} accepted, {len(answered)} delivered, {repeats} repeated after {KILLS} kills")
