"""Opening and closing a store: one after the other, and a closing to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from webhook_engine.loop_lock import LoopLock

__all__ = ["Turns"]


class Turns:
    """Opening and closing wait for one another."""

    def __init__(self) -> None:
        self._lock = LoopLock()
        self._closing: asyncio.Task[None] | None = None

    def one_at_a_time(self) -> asyncio.Lock:
        """What to hold meanwhile."""
        return self._lock.here()

    async def close(self, let_go: Callable[[], Awaitable[None]]) -> None:
        """Let go when its turn comes. A caller who gives up must not leave it half done; it goes on without him."""

        async def close() -> None:
            async with self.one_at_a_time():
                await let_go()

        self._closing = asyncio.create_task(close())
        await asyncio.shield(self._closing)
