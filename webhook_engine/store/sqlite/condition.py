"""Whether a database can be written, by its latest commits. Pure: no I/O, and the time is a parameter."""

from __future__ import annotations

from webhook_engine.errors import StoreError

__all__ = ["Condition"]

SAYS_FOR_S = 60.0
"""Seconds for which a failed commit counts if none followed; its cause may be gone by then."""
FRESH_S = 1.0
"""Seconds for which a commit proves that writing works."""


class Condition:
    """The results of the latest commits of a database."""

    def __init__(self) -> None:
        self._damage: StoreError | None = None
        self._refused: tuple[float, StoreError] | None = None
        self._committed_at: float | None = None

    def committed(self, now: float) -> None:
        """Note a commit."""
        self._committed_at, self._refused = now, None

    def refused(self, now: float, problem: StoreError) -> None:
        """Note a commit that failed for a reason that the next one would meet too."""
        self._committed_at, self._refused = None, (now, problem)

    def damaged(self, problem: StoreError) -> None:
        """Note a damaged page of the file. That lasts, though other pages can be written."""
        self._damage = problem

    def problem(self, now: float) -> StoreError | None:
        """Why nothing can be written; ``None`` if no reason is known."""
        if self._damage is not None:
            return self._damage
        if self._refused is not None and now - self._refused[0] < SAYS_FOR_S:
            return self._refused[1]
        return None

    def is_fresh(self, now: float) -> bool:
        """Whether there was a commit in the last moments."""
        return self._committed_at is not None and now - self._committed_at < FRESH_S
