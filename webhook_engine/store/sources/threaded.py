"""A blocking connection on a thread of its own, for the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from webhook_engine.store.records import OutboxRow, RefusedRow
from webhook_engine.store.sources.database import SourceDatabase

__all__ = ["ThreadedSource"]

T = TypeVar("T")


class ThreadedSource:
    """See :class:`~webhook_engine.store.sources.source.OutboxSource`."""

    def __init__(self, database: SourceDatabase) -> None:
        self._database = database
        self._thread: ThreadPoolExecutor | None = None

    @property
    def name(self) -> str:
        """The URL, without its password."""
        return self._database.name

    @property
    def look_every_s(self) -> float:
        """Seconds between polls without a notification."""
        return self._database.look_every_s

    async def open(self) -> None:
        """Connect; harmless where that is done."""
        if not self._database.connected:
            await self._run(self._database.connect)

    async def close(self) -> None:
        """Disconnect, and end the thread; harmless if not connected."""
        if self._thread is not None:
            await self._run(self._database.close)
            self._thread.shutdown(wait=False)
            self._thread = None

    def watch(self, nudge: Callable[[], None]) -> Callable[[], None]:
        """Call ``nudge()`` on notifications from the database, until the returned function is called."""
        descriptor = self._database.descriptor
        if descriptor is None:
            return _nothing
        if self._database.told():
            nudge()
            return _nothing
        loop = asyncio.get_running_loop()
        loop.add_reader(descriptor, nudge)
        return lambda: _discard(loop.remove_reader(descriptor))

    async def changed(self) -> bool:
        """Whether there may be new rows since the last call."""
        return await self._run(self._database.changed)

    async def waiting(self, limit: int) -> Sequence[OutboxRow]:
        """Rows to be moved, oldest first; what was set aside is left out."""
        return await self._run(self._database.rows, limit)

    async def identify(self, message_ids: Sequence[tuple[int, str]]) -> Sequence[int]:
        """Store the message ids given to rows without one; returns rows that another engine has claimed meanwhile."""
        return await self._run(self._database.identify, message_ids)

    async def release(self) -> None:
        """Release the rows that are neither removed nor set aside; harmless if there are none."""
        if self._database.claiming:
            await self._run(self._database.release)

    async def remove(self, row_ids: Sequence[int]) -> None:
        """Delete rows whose messages are stored."""
        await self._run(self._database.remove, row_ids)

    async def set_aside(self, refused: Sequence[RefusedRow]) -> None:
        """Set aside rows that can never be delivered, with their errors."""
        await self._run(self._database.set_aside, refused)

    async def _run(self, job: Callable[..., T], *arguments: object) -> T:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="webhook-engine-outbox")
        return await asyncio.get_running_loop().run_in_executor(self._thread, job, *arguments)


def _nothing() -> None:
    return None


def _discard(_: object) -> None:
    return None
