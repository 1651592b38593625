"""How an edit is made: one at a time for each thing that is edited, and not cut off between its steps."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar
from weakref import WeakValueDictionary

__all__ = ["EditLocks", "unbroken"]

T = TypeVar("T")


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


async def unbroken(steps: Coroutine[Any, Any, T]) -> T:
    """Run steps that must not stop half-way, such as a commit and its announcement.

    If the caller is cancelled meanwhile, the steps are finished first, and then the cancellation goes on.
    """
    task = asyncio.create_task(steps)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not task.cancelled():
            task.exception()  # The cancellation is what the caller asked for, so it goes before a failure.
        raise cancelled
    return task.result()
