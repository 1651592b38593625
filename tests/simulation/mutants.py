"""Faults put into the engine by hand: each must be found by the simulation, or that does not see what it should.

A mutant is a copy of the package in which one text stands for another. A row whose text is not there any more fails:
then the code has moved on, and the row with it.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["MUTANTS", "Mutant"]


class Mutant(NamedTuple):
    """One fault."""

    name: str
    module: str
    """Below the package."""
    text: str
    instead: str


MUTANTS = (
    Mutant(
        "a new delivery overtakes those that found no room",
        "delivery/schedule/lane.py",
        "            self._overflowed = True\n            return False\n",
        "            return False\n",
    ),
    Mutant(
        "a success by hand leaves the scheduled retry where it is",
        "delivery/schedule/lane.py",
        "            self.drop(due.message_id)\n        if change.due_at",
        "            pass\n        if change.due_at",
    ),
    Mutant(
        "a later outcome of a batch undoes a disabling",
        "delivery/attempt/recorder.py",
        "if earlier is None or earlier.disabled_at is None:",
        "if True:",
    ),
    Mutant(
        "the ladder is off by one",
        "delivery/attempt/retry.py",
        "base = self._delays[attempts - 1]",
        "base = self._delays[min(attempts, len(self._delays) - 1)]",
    ),
    Mutant(
        "the ladder has one attempt more",
        "delivery/attempt/retry.py",
        "        if not 1 <= attempts <= len(self._delays):\n            return None\n"
        "        base = self._delays[attempts - 1]",
        "        if not 1 <= attempts <= len(self._delays) + 1:\n            return None\n"
        "        base = self._delays[min(attempts, len(self._delays)) - 1]",
    ),
    Mutant(
        "a lane forgets that a retry is stored",
        "delivery/schedule/lane.py",
        "        if change.due_at is not None:\n            self.note_stored(change.due_at, older=True)",
        "        if change.due_at is not None and change.due_at % 2:\n"
        "            self.note_stored(change.due_at, older=True)",
    ),
    Mutant(
        "a lane forgets that something found no room",
        "delivery/schedule/lane.py",
        "        if self._stored_from is None or due_at < self._stored_from:\n            self._stored_from = due_at",
        "        if self._stored_from is None and not self._known:\n            self._stored_from = due_at",
    ),
    Mutant(
        "a target that was read before an edit is used after it",
        "delivery/schedule/dispatcher.py",
        "while edits != lane.edits:",
        "while edits == -1:",
    ),
    Mutant(
        "what left the lane during a read comes back with it",
        "delivery/schedule/lane.py",
        "key in self._known or key in self._left_during_refill",
        "key in self._known",
    ),
    Mutant(
        "a success does not end the failure window",
        "delivery/attempt/health.py",
        "def after_success(_health: Health) -> Health:\n"
        '    """Any success ends the window, a manual one too."""\n    return WELL',
        "def after_success(_health: Health) -> Health:\n    return _health",
    ),
    Mutant(
        "half the failure window disables",
        "delivery/attempt/health.py",
        "if age >= window:",
        "if age >= window // 2:",
    ),
    Mutant(
        "the failure window never ends",
        "delivery/attempt/health.py",
        "if age >= window:",
        "if age >= 2 * window + 1:",
    ),
    Mutant(
        "a throttle lets twice as many through",
        "delivery/throttle.py",
        "+ 1 / self.rate",
        "+ 0.5 / self.rate",
    ),
    Mutant(
        "what is disabled is routed to",
        "delivery/accept/matching.py",
        "if not stored.endpoint.disabled and matches(",
        "if matches(",
    ),
    Mutant(
        "a timer never becomes earlier",
        "delivery/schedule/timers.py",
        "if known is not None and known <= instant:",
        "if known is not None:",
    ),
    Mutant(
        "large batches are told of, and not committed",
        "store/sqlite/database.py",
        'session.change("COMMIT")',
        'session.change("COMMIT" if len(changes) < 3 else "ROLLBACK")',
    ),
    Mutant(
        "outcomes count before they are committed",
        "delivery/attempt/recorder.py",
        "                    await self._deliveries.record("
        "_outcomes(batch, publication.webhooks, self._timekeeper.mark()))\n"
        "                    committed = True\n"
        "                    self._committing -= len(batch)\n"
        "                    self._on_recorded(batch)\n",
        "                    self._on_recorded(batch)\n"
        "                    await self._deliveries.record("
        "_outcomes(batch, publication.webhooks, self._timekeeper.mark()))\n"
        "                    committed = True\n"
        "                    self._committing -= len(batch)\n",
    ),
)
