"""A lock for objects that outlive an event loop: an ``asyncio.Lock`` belongs to one loop."""

from __future__ import annotations

import asyncio

__all__ = ["LoopLock"]


class LoopLock:
    """May be made outside an event loop, and used in several loops, one after another."""

    __slots__ = ("_made",)

    def __init__(self) -> None:
        self._made: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None

    def here(self) -> asyncio.Lock:
        """The lock of the running event loop."""
        loop = asyncio.get_running_loop()
        if self._made is None or self._made[0] is not loop:
            self._made = (loop, asyncio.Lock())
        return self._made[1]
