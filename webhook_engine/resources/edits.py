"""How an edit is made: one at a time for each thing that is edited."""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary

__all__ = ["EditLocks"]


class EditLocks:
    """A lock for each application and endpoint that is being edited, by id, so that no edit loses another's."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, key: str) -> asyncio.Lock:
        """The lock of one thing; it exists as long as somebody holds it or waits for it."""
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        return lock
