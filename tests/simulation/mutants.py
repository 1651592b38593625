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
        "half the failure window disables",
        "delivery/attempt/health.py",
        "if age >= window:",
        "if age >= window // 2:",
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
        "large batches are told of, and not committed",
        "store/sqlite/database.py",
        'session.change("COMMIT")',
        'session.change("COMMIT" if len(changes) < 3 else "ROLLBACK")',
    ),
)
