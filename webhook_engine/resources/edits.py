"""Locks for edits: one edit at a time for each object, across all engines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from hashlib import blake2b
from weakref import WeakValueDictionary

from webhook_engine.clock import microseconds
from webhook_engine.errors import StoreError, StoreUnavailableError
from webhook_engine.log import get_logger
from webhook_engine.shielded import shielded
from webhook_engine.store.kept_responses import KeptResponseStore

__all__ = ["EditLocks"]

log = get_logger("resources")

PATIENCE_S = 10.0
"""Seconds to wait for a lock: longer than the claim of an engine that died during an edit lasts."""
LOOKS_EVERY_S = 0.02
CLAIMED_FOR = microseconds(timedelta(seconds=60))


class EditLocks:
    """A lock for each application and endpoint that is being edited, by id, so that no edit loses another's."""

    def __init__(self, claims: KeptResponseStore | None = None, now: Callable[[], int] = lambda: 0) -> None:
        """``claims``: where engines that share a database claim what they edit; ``None`` for a single engine."""
        self._claims = claims
        self._now = now
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, key: str) -> asyncio.Lock:
        """The lock of one object in this engine; it exists as long as it is held or waited for."""
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        return lock

    @asynccontextmanager
    async def holding(self, key: str) -> AsyncIterator[None]:
        """Hold the lock of one object, in this engine and in all others.

        Raises ``StoreUnavailableError`` if another engine holds it for too long.
        """
        async with self.of(key):
            if self._claims is None:
                yield
                return
            digest = blake2b(f"edit {key}".encode(), digest_size=32).digest()
            await self._claim(self._claims, key, digest)
            try:
                yield
            finally:
                await shielded(_give_up(self._claims, key, digest))

    async def _claim(self, claims: KeptResponseStore, key: str, digest: bytes) -> None:
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + PATIENCE_S
        while not await claims.claim(digest, self._now(), self._now() + CLAIMED_FOR):
            if loop.time() >= ends_at:
                raise StoreUnavailableError(f"another engine is editing {key}; try again later")
            await asyncio.sleep(LOOKS_EVERY_S)


async def _give_up(claims: KeptResponseStore, key: str, digest: bytes) -> None:
    try:
        await claims.give_up(digest)
    except StoreError as error:
        log.warning("edit.still_claimed", key=key, error=str(error), for_s=CLAIMED_FOR // 1_000_000)
