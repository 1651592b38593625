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


_RECORD = """\
                    await self._deliveries.record(_outcomes(batch, publication.webhooks, self._timekeeper.mark()))
"""
_TELL = """\
                    committed = True
                    self._committing -= len(batch)
                    self._on_recorded(batch)
"""

MUTANTS = (
    Mutant(
        "a new delivery overtakes those that found no room",
        "delivery/schedule/lane.py",
        "            self._overflowed = True\n            return False\n",
        "            return False\n",
        seed=16,
    ),
    Mutant(
        "a success by hand leaves the scheduled retry in the lane",
        "delivery/schedule/lane.py",
        "if due.manual_id and change.status is DeliveryStatus.SUCCEEDED:",
        "if due.manual_id and change.status is None:",
        seed=0,
    ),
    Mutant(
        "a later outcome of a batch undoes a disabling",
        "delivery/attempt/recorder.py",
        "if earlier is None or earlier.disabled_at is None:",
        "if True:",
        seed=0,
    ),
    Mutant(
        "the ladder is off by one",
        "delivery/attempt/retry.py",
        "base = self._delays[attempts - 1]",
        "base = self._delays[min(attempts, len(self._delays) - 1)]",
        seed=0,
    ),
    Mutant(
        "one attempt more than the ladder has",
        "delivery/attempt/retry.py",
        "if not 1 <= attempts <= len(self._delays):\n            return None\n"
        "        base = self._delays[attempts - 1]",
        "if not 1 <= attempts <= len(self._delays) + 1:\n            return None\n"
        "        base = self._delays[min(attempts, len(self._delays)) - 1]",
        seed=0,
    ),
    Mutant(
        "what a receiver asks for counts for nothing",
        "delivery/attempt/retry.py",
        "if asked is None:",
        "if True:",
        seed=0,
    ),
    Mutant(
        "half the failure window disables",
        "delivery/attempt/health.py",
        "if age >= window:",
        "if age >= window // 2:",
        seed=10,
    ),
    Mutant(
        "a throttle lets twice as many through",
        "delivery/throttle.py",
        "+ 1 / self.rate",
        "+ 0.5 / self.rate",
        seed=2,
    ),
    Mutant(
        "what is disabled is routed to",
        "delivery/accept/matching.py",
        "if not stored.endpoint.disabled and matches(",
        "if matches(",
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
        seed=0,
    ),
    Mutant(
        "a lane forgets what is only in the database",
        "delivery/schedule/lane.py",
        "        if self._stored_from is None or due_at < self._stored_from:\n            self._stored_from = due_at\n",
        "        if self._stored_from is None:\n            self._stored_from = due_at\n",
        seed=0,
    ),
    Mutant(
        "what a refill did not take is not looked for again",
        "delivery/schedule/dispatcher.py",
        "if not all(lane.push(due) for due in rows) or not _is_all(rows, limit, size):",
        "if not all(lane.push(due) for due in rows):",
        seed=0,
    ),
    Mutant(
        "a target that was read before an edit is used after it",
        "delivery/schedule/dispatcher.py",
        "            while edits != lane.edits:\n                edits = lane.edits\n",
        "            while edits == -1:\n                edits = lane.edits\n",
        seed=0,
    ),
    Mutant(
        "an outcome is told of before it is committed",
        "delivery/attempt/recorder.py",
        _RECORD + _TELL,
        _TELL + _RECORD,
        seed=0,
    ),
    Mutant(
        "what is read while it leaves the lane is queued again",
        "delivery/schedule/lane.py",
        "        if self.gone or key in self._known or key in self._left_during_refill:\n",
        "        if self.gone or key in self._known:\n",
        seed=0,
    ),
    Mutant(
        "a payload that was expunged is still in a queue",
        "delivery/schedule/dispatcher.py",
        "        for lane in self._lanes:\n            lane.expunge(ids)\n",
        "        del ids\n        return\n",
        seed=0,
    ),
    Mutant(
        "what is cancelled stays in its queue",
        "delivery/schedule/dispatcher.py",
        "            lane.drop(message_id)\n",
        "            pass\n",
        seed=0,
    ),
    Mutant(
        "an endpoint has one request more at once than it may",
        "delivery/schedule/lane.py",
        "self.limit = min(self.limit + 1, self.max_limit)",
        "self.limit = min(self.limit, self.max_limit) + 1",
        seed=0,
    ),
    Mutant(
        "a killed engine's deliveries are not looked for",
        "delivery/schedule/dispatcher.py",
        "                if len(page) < SCAN_PAGE:\n                    return\n",
        "                return\n",
        seed=0,
    ),
    Mutant(
        "an engine sends although its lease has ended",
        "delivery/ownership.py",
        "return self._clock.process() < self._until",
        "return True",
        seed=0,
    ),
    Mutant(
        "a shard is given back while something of it is under way",
        "delivery/ownership.py",
        "drained = frozenset(self._drained(self._giving)) & self._giving",
        "drained = self._giving",
        seed=0,
    ),
    Mutant(
        "an engine goes on with the lanes of a shard that it gives",
        "delivery/ownership.py",
        "        if begun:\n            self._losing(begun)\n",
        "",
        seed=0,
    ),
    Mutant(
        "what fails as its endpoint is disabled is scheduled once more",
        "delivery/attempt/decision.py",
        "if gone:",
        "if False:",
        seed=0,
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
        [sys.executable, "-B", RUN, "--seeds", seeds, "--first"],
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
