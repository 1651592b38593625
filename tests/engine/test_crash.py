"""Nothing accepted is lost: SIGKILL at random instants, again and again on the same database."""

from __future__ import annotations

import asyncio
import io
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from engines import destination, local_engine, until
from receivers import Receiver, Request
from stores import about_the_file

from webhook_engine import AttemptStatus

KILLS = 20
FAILURES = 0.3
MAX_UNRECORDED = 128
SEED = random.randrange(2**32)


class Lives:
    """The child, and the lives that it lives."""

    def __init__(self, database: Path, url: str) -> None:
        program = Path(__file__).with_name("accepting_child.py")
        self._child = subprocess.Popen(
            [sys.executable, str(program), str(database), url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        self._lines = io.BufferedReader(self._child.stdout)  # type: ignore[arg-type, type-var]

    def live(self, seconds: float) -> list[str]:
        """Accept for so long and be killed; returns the ids that were printed."""
        self._child.stdin.write(b".")  # type: ignore[union-attr]
        before = iter(self._lines.readline, b"READY\n")
        [pid] = [line for line in before if line.startswith(b"PID ")] or [self._lines.readline()]
        time.sleep(seconds)  # The random instant is the point.
        os.kill(int(pid.split()[1]), signal.SIGKILL)
        return [line.decode().strip() for line in iter(self._lines.readline, b"DEAD\n")]

    def __enter__(self) -> Lives:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.stdin.close()  # type: ignore[union-attr]
        self._child.wait(timeout=10)
        self._lines.close()


class Chance:
    """Fails now and then, so that retries are pending when the process dies; notes what it accepted."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.delivered: Counter[str] = Counter()

    def __call__(self, request: Request) -> int:
        if self._chance.random() < FAILURES:
            return 500
        self.delivered[request.headers["webhook-id"]] += 1
        return 200


@about_the_file
async def test_every_message_that_was_accepted_arrives_although_the_process_is_killed(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    database = tmp_path / "crash.db"
    accepted: list[str] = []
    answers = Chance(chance)
    async with Receiver(answers) as receiver:
        with Lives(database, receiver.url) as child:
            for _ in range(KILLS):
                accepted += await asyncio.to_thread(child.live, chance.uniform(0.02, 0.4))
        async with local_engine(database, retry_schedule=["50ms"] * 20) as engine:
            await until(lambda: not set(accepted) - set(answers.delivered), timeout=30)
            await engine.join(timeout=30)
            for message in random.Random(SEED).sample(accepted, 50):
                assert (await destination(engine, message, "crash")).status is AttemptStatus.SUCCESS
    assert len(set(accepted)) == len(accepted) > KILLS, f"seed {SEED}"
    repeats = answers.delivered.total() - len(answers.delivered)
    print(f"seed {SEED}: {len(accepted)} accepted, {len(answers.delivered)} delivered, ", end="")
    print(f"{repeats} repeated after {KILLS} kills")
    # Only what was in flight or unrecorded at a kill may be repeated, and the engine bounds how much that can be.
    assert repeats <= KILLS * MAX_UNRECORDED
