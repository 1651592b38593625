"""Cancelling a coroutine exactly where it waits for the n-th time."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Generator
from typing import Any, TypeVar

__all__ = ["Interrupted"]

T = TypeVar("T")


class Interrupted:
    """Awaits a coroutine, and has the task cancelled each time that it waits for one of these times, from 0."""

    def __init__(self, work: Coroutine[Any, Any, T], at: Collection[int]) -> None:
        self._work = work
        self._at = at
        self.waits = 0
        """How often it has waited so far."""

    def __await__(self) -> Generator[Any, Any, Any]:
        task = asyncio.current_task()
        assert task
        error: BaseException | None = None
        while True:
            try:
                waiting_for = self._work.send(None) if error is None else self._work.throw(error)
            except StopIteration as end:
                return end.value
            if self.waits in self._at:
                task.cancel()
            self.waits += 1
            try:
                yield waiting_for
                error = None
            except BaseException as thrown:  # noqa: BLE001 (it is passed on)
                error = thrown
