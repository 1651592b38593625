"""Faults put into the engine by hand: each must be found by the simulation, or that does not see what it should.

A mutant is a copy of the package in which one text stands for another. A row whose text is not there any more fails:
then the code has moved on, and the row with it.

python tests/simulation/mutants.py            # which seed finds each; --anew looks from 0 on, not at the one in the row
python tests/simulation/mutants.py ladder     # those with one of these words in their name
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = ["MUTANTS", "PACKAGE", "Mutant", "found_by"]

PACKAGE = Path(__file__).parents[2] / "webhook_engine"
RUN = Path(__file__).with_name("run.py")
SEEDS = "0-99"


class Mutant(NamedTuple):
    """One fault."""

    name: str
    module: str
    """Below the package."""
    text: str
    instead: str
    seed: int
    """One that found it when it was last looked for; any change of the engine may make it another."""
    worlds: Sequence[str] = ()
    """Arguments of ``run.py``, where what it breaks seldom shows in worlds of all kinds."""


MUTANTS = (
    Mutant(
        "a success by hand leaves the scheduled retry in the lane",
        "delivery/schedule/lane.py",
        "if due.manual_id and change.status is DeliveryStatus.SUCCEEDED:",
        "if due.manual_id and change.status is None:",
        seed=81,
    ),
    Mutant(
        "the ladder is off by one",
        "delivery/attempt/retry.py",
        "base = self._delays[attempts - 1]",
        "base = self._delays[min(attempts, len(self._delays) - 1)]",
        seed=13,
    ),
    Mutant(
        "one attempt more than the ladder has",
        "delivery/attempt/retry.py",
        "if not 1 <= attempts <= len(self._delays):\n            return None\n"
        "        base = self._delays[attempts - 1]",
        "if not 1 <= attempts <= len(self._delays) + 1:\n            return None\n"
        "        base = self._delays[min(attempts, len(self._delays)) - 1]",
        seed=1,
    ),
    Mutant(
        "what a receiver asks for counts for nothing",
        "delivery/attempt/retry.py",
        "if asked is None:",
        "if True:",
        seed=45,
    ),
    Mutant(
        "half the failure window disables",
        "delivery/attempt/health.py",
        "if age >= window:",
        "if age >= window // 2:",
        seed=13,
    ),
    Mutant(
        "a throttle lets twice as many through",
        "delivery/throttle.py",
        "now - CATCH_UP_S) + 1 / self.rate",
        "now - CATCH_UP_S) + 0.5 / self.rate",
        seed=17,
    ),
    Mutant(
        "what is disabled is routed to",
        "delivery/accept/matching.py",
        "if not one.disabled",
        "if one.id",
        seed=3,
    ),
    Mutant(
        "large batches are told of, and not committed",
        "store/sqlite/database.py",
        'session.change("COMMIT")',
        'session.change("COMMIT" if len(changes) < 3 else "ROLLBACK")',
        seed=1,
    ),
    Mutant(
        "commits are not synced",
        "store/sqlite/database.py",
        '"PRAGMA synchronous=FULL"',
        '"PRAGMA synchronous=NORMAL"',
        seed=3,
    ),
    Mutant(
        "an engine sends although its lease has ended",
        "delivery/ownership.py",
        "return self._until == math.inf or self._clock.process() < self._until",
        "return True",
        seed=5,
    ),
    Mutant(
        "an engine goes on with the lanes of a shard that it gives",
        "delivery/ownership.py",
        "        if begun:\n            self._losing(begun)\n",
        "",
        seed=9,
    ),
    Mutant(
        "what is new overtakes what found no room before it",
        "delivery/schedule/lane.py",
        "            self._overflowed = True\n            return False",
        "            return False",
        seed=7,
    ),
    Mutant(
        "a later outcome of a batch undoes a disabling",
        "delivery/attempt/recorder.py",
        "if earlier is None or earlier.disabled_at is None:",
        "if True:",
        seed=61,
        worlds=["--plain"],
    ),
    Mutant(
        "a lane forgets what it left in the database",
        "delivery/schedule/dispatcher.py",
        "                lane.note_stored(now)\n                if hurried:",
        "                if hurried:",
        seed=9,
    ),
    Mutant(
        "an edit is not heard of",
        "delivery/schedule/dispatcher.py",
        "            lane.edited(stored)\n",
        "",
        seed=2,
    ),
    Mutant(
        "a message is sent and stored, in this order",
        "delivery/accept/router.py",
        "                refused = await self._messages.add(made)\n",
        "                self._on_stored(made)\n                refused = await self._messages.add(made)\n",
        seed=8,
    ),
    Mutant(
        "a success does not end the failure window",
        "delivery/attempt/health.py",
        "return WELL, Signal.RECOVER if health.warned else _NO_SIGNAL",
        "return health, Signal.RECOVER if health.warned else _NO_SIGNAL",
        seed=13,
    ),
    Mutant(
        "an endpoint is told of as disabled by each attempt under way",
        "delivery/attempt/decision.py",
        "    if disabled:\n        signal, reason",
        "    if False:\n        signal, reason",
        seed=75,
    ),
    Mutant(
        "a start finds only the first endpoints that have something due",
        "delivery/schedule/dispatcher.py",
        "if len(page) < SCAN_PAGE:",
        "if True:",
        seed=13,
        worlds=["--plain"],
    ),
    Mutant(
        "of what waits for an endpoint that is disabled only a page is settled",
        "delivery/schedule/dispatcher.py",
        "            settled = await self._deliveries.settle_pending(",
        "            settled = 0 * await self._deliveries.settle_pending(",
        seed=47,
    ),
    Mutant(
        "the jitter goes three times as far as it may",
        "delivery/attempt/retry.py",
        "(1 + self._jitter * (2 * random - 1))",
        "(1 + self._jitter * (4 * random - 1))",
        seed=4,
    ),
    Mutant(
        "a resend is made and not stored",
        "store/sqlite/deliveries.py",
        "(endpoint_id, id, message_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        "(endpoint_id, id, message_id) SELECT ?, ?, ? WHERE false",
        seed=17,
    ),
    Mutant(
        "a rate limit is off by one",
        "delivery/throttle.py",
        "now - CATCH_UP_S) + 1 / self.rate",
        "now - CATCH_UP_S) + 1 / (self.rate + 1)",
        seed=23,
    ),
    Mutant(
        "what is to be sent later is sent at once",
        "delivery/schedule/dispatcher.py",
        "elif due_at > now or not lane.push_new(",
        "elif not lane.push_new(",
        seed=11,
    ),
    Mutant(
        "a circuit breaker does not wait",
        "delivery/schedule/lane.py",
        "until = None if self.breaker is None else self.breaker.until",
        "until = None",
        seed=1,
    ),
    Mutant(
        "a circuit breaker waits for a third of its time",
        "delivery/attempt/breaker.py",
        "FIRST_PAUSE = 30_000_000",
        "FIRST_PAUSE = 10_000_000",
        seed=1,
    ),
    Mutant(
        "timers forget nothing",
        "delivery/schedule/timers.py",
        "if len(self._earliest) > self._capacity:",
        "if False:",
        seed=19,
    ),
    Mutant(
        "an attempt is recorded by the lease of now",
        "delivery/schedule/dispatcher.py",
        "            self._record(lane, made, member_id)\n\n    async def _attempt_together",
        "            self._record(lane, made, self._ownership.member_id)\n\n    async def _attempt_together",
        seed=93,
    ),
    Mutant(
        "what an engine records after it has lost its lease is not refused",
        "delivery/attempt/recorder.py",
        "        member=batch[0].member_id,",
        "        member=None,",
        seed=47,
    ),
    Mutant(
        "what is cancelled stays in memory",
        "delivery/pipeline.py",
        "        self._dispatcher.drop(endpoint_id, message_id)\n        self._wakeups.tell(Notice(cancelled",
        "        self._wakeups.tell(Notice(cancelled",
        seed=22,
    ),
    Mutant(
        "what is expunged stays in memory",
        "delivery/pipeline.py",
        "        self._dispatcher.expunged(message_ids)\n        self._wakeups.tell(Notice(expunged",
        "        self._wakeups.tell(Notice(expunged",
        seed=35,
    ),
    Mutant(
        "a lane that is full takes more",
        "delivery/schedule/lane.py",
        "            most = 1\n",
        "            most = MAX_QUEUED\n",
        seed=4,
    ),
)


def found_by(mutant: Mutant, folder: Path, seeds: str) -> tuple[int | None, str]:
    """The first of these seeds that finds it, and what that says; ``folder`` is for the copy of the package."""
    copy = folder / "webhook_engine"
    if not copy.exists():
        # With its bytecode, so that only what the mutant changes has to be compiled.
        shutil.copytree(PACKAGE, copy)
    text = (PACKAGE / mutant.module).read_text()
    assert text.count(mutant.text) == 1, f"{mutant.module} does not have what the mutant changes"
    (copy / mutant.module).write_text(text.replace(mutant.text, mutant.instead))
    # No bytecode is written: two writings of a module within a second look the same by their times.
    run = subprocess.run(
        [sys.executable, "-B", RUN, "--seeds", seeds, "--first", *mutant.worlds],
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    (copy / mutant.module).write_text(text)
    summary = run.stdout.splitlines()[-1] if run.stdout else run.stderr[-2000:]
    found = re.search(r"FAILED: (\d+)", summary)
    assert found or summary.endswith("all hold"), f"{summary}\n{run.stderr[-2_000:]}"
    said = [line for line in run.stdout.splitlines() if line.startswith("seed ")]
    return (int(found[1]), said[0] if said else "") if found else (None, summary)


def main() -> None:
    """Say which seed finds each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--anew", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for mutant in MUTANTS:
            if arguments.words and not any(word in mutant.name for word in arguments.words):
                continue
            seed, said = (None, "") if arguments.anew else found_by(mutant, Path(folder), str(mutant.seed))
            if seed is None:
                seed, said = found_by(mutant, Path(folder), SEEDS)
            print(f"{seed} finds: {mutant.name}\n    {said[:300]}", flush=True)


if __name__ == "__main__":
    main()
