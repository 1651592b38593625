"""A lock for what outlives an event loop: a lock of ``asyncio`` belongs to one, and the next may be another."""

from __future__ import annotations

import asyncio

__all__ = ["LoopLock"]


class LoopLock:
    """May be made where no event loop runs, and used in one after the other."""

    __slots__ = ("_made",)

    def __init__(self) -> None:
        self._made: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None

    def here(self) -> asyncio.Lock:
        """The lock of the event loop that runs."""
        loop = asyncio.get_running_loop()
        if self._made is None or self._made[0] is not loop:
            self._made = (loop, asyncio.Lock())
        return self._made[1]
