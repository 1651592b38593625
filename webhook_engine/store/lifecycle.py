"""Serializes opening and closing a store, and completes each closing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from webhook_engine.loop_lock import LoopLock

__all__ = ["Lifecycle"]


class Lifecycle:
    """Opening and closing wait for one another."""

    def __init__(self) -> None:
        self._lock = LoopLock()
        self._closing: asyncio.Task[None] | None = None

    def one_at_a_time(self) -> asyncio.Lock:
        """The lock to hold while opening."""
        return self._lock.here()

    async def close(self, let_go: Callable[[], Awaitable[None]]) -> None:
        """Close when the lock is free. If the caller is cancelled, closing continues to its end."""

        async def close() -> None:
            async with self.one_at_a_time():
                await let_go()

        self._closing = asyncio.create_task(close())
        await asyncio.shield(self._closing)
