"""Nothing accepted is lost: SIGKILL at random instants, again and again on the same database."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest
from engines import destination, local_engine, until
from lives import Chance, Lives
from receivers import Receiver
from stores import about_the_file

from webhook_engine import AttemptStatus

KILLS = int(os.environ.get("WEBHOOK_ENGINE_KILLS", "300"))
YOUNG = 0.3
"""Of so many lives, the end comes while the engine starts."""
MOST = 40
"""Messages of a life, so that the last engine, which makes up for all that is left, comes to its end."""
MAX_UNRECORDED = 128
SEED = random.randrange(2**32)


@about_the_file
@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_every_message_that_was_accepted_arrives_although_the_process_is_killed(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    database = tmp_path / "crash.db"
    accepted: list[str] = []
    answers = Chance(chance)
    async with Receiver(answers) as receiver:
        with Lives(database, receiver.url, most=MOST) as child:
            for _ in range(KILLS):
                if chance.random() < YOUNG:
                    accepted += await asyncio.to_thread(child.die_young, chance.uniform(0.0, 0.15))
                else:
                    accepted += await asyncio.to_thread(child.live, chance.uniform(0.0, 0.12))
        async with local_engine(database, retry_schedule=["50ms"] * 20) as engine:
            await until(lambda: not set(accepted) - set(answers.delivered), timeout=30 + KILLS)
            await engine.join(timeout=30)
            for message in random.Random(SEED).sample(accepted, 50):
                assert (await destination(engine, message, "crash")).status is AttemptStatus.SUCCESS
    assert len(set(accepted)) == len(accepted) > KILLS, f"seed {SEED}"
    repeats = answers.delivered.total() - len(answers.delivered)
    print(f"seed {SEED}: {len(accepted)} accepted, {len(answers.delivered)} delivered, ", end="")
    print(f"{repeats} repeated after {KILLS} kills")
    # Only what was in flight or unrecorded at a kill may be repeated, and the engine bounds how much that can be.
    assert repeats <= KILLS * MAX_UNRECORDED
