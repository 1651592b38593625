"""Opening and closing a store: one after the other, and a closing to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

__all__ = ["Turns"]


class Turns:
    """Opening and closing wait for one another."""

    def __init__(self) -> None:
        self._lock: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None
        self._closing: asyncio.Task[None] | None = None

    def one_at_a_time(self) -> asyncio.Lock:
        """What to hold meanwhile. A lock belongs to one event loop; the next may be another."""
        loop = asyncio.get_running_loop()
        if self._lock is None or self._lock[0] is not loop:
            self._lock = (loop, asyncio.Lock())
        return self._lock[1]

    async def close(self, let_go: Callable[[], Awaitable[None]]) -> None:
        """Let go when its turn comes. A caller who gives up must not leave it half done; it goes on without him."""

        async def close() -> None:
            async with self.one_at_a_time():
                await let_go()

        self._closing = asyncio.create_task(close())
        await asyncio.shield(self._closing)
