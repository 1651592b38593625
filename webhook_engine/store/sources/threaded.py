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
        """After how long to look again, if nothing has told that there is something."""
        return self._database.look_every_s

    async def open(self) -> None:
        """Connect; harmless where that is done."""
        if not self._database.connected:
            await self._run(self._database.connect)

    async def close(self) -> None:
        """Let go, and end the thread; harmless where nothing is held."""
        if self._thread is not None:
            await self._run(self._database.close)
            self._thread.shutdown(wait=False)
            self._thread = None

    def watch(self, nudge: Callable[[], None]) -> Callable[[], None]:
        """Call ``nudge()`` when the database tells that there is something, until the returned function is called."""
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
        """Whether somebody may have written since the last call."""
        return await self._run(self._database.changed)

    async def waiting(self, limit: int) -> Sequence[OutboxRow]:
        """Rows to be moved, oldest first; what was set aside is left out."""
        return await self._run(self._database.rows, limit)

    async def identify(self, message_ids: Sequence[tuple[int, str]]) -> Sequence[int]:
        """Keep the message ids that rows without one were given; the rows that another engine has meanwhile."""
        return await self._run(self._database.identify, message_ids)

    async def release(self) -> None:
        """Leave the rows that are neither removed nor set aside to others; harmless where there are none."""
        if self._database.claiming:
            await self._run(self._database.release)

    async def remove(self, row_ids: Sequence[int]) -> None:
        """Rows whose messages are stored."""
        await self._run(self._database.remove, row_ids)

    async def set_aside(self, refused: Sequence[RefusedRow]) -> None:
        """Keep rows that can never be delivered out of the way, with their errors."""
        await self._run(self._database.set_aside, refused)

    async def _run(self, job: Callable[..., T], *arguments: object) -> T:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="webhook-engine-outbox")
        return await asyncio.get_running_loop().run_in_executor(self._thread, job, *arguments)


def _nothing() -> None:
    return None


def _discard(_: object) -> None:
    return None
