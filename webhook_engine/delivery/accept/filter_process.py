"""Filters on large payloads are asked in a process of their own: reading one would hold up all threads of this one.

Where there can be no such process, a thread has to do.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from types import TracebackType

import msgspec

from webhook_engine.delivery.accept.payload_filter import PayloadFilter, passing
from webhook_engine.delivery.processes.kept_process import KeptProcess, NotStartedError
from webhook_engine.log import get_logger
from webhook_engine.loop_lock import LoopLock

__all__ = ["FilterProcess"]

log = get_logger("filters")

TRIES = 2
"""Before a thread has to do: a process may be killed, and the next one works."""
LIMIT_S = 10.0
"""Filters are bounded in steps, which a busy machine takes within this, many times over."""
NOT_AGAIN_WITHIN_S = 600.0
"""After it could not be started."""
_PROGRAM = Path(__file__).with_name("filter_worker.py")


class FilterProcess:
    """The process, started with the first large payload, and ended with the engine."""

    def __init__(self) -> None:
        self._process = KeptProcess(_PROGRAM)
        self._one_at_a_time = LoopLock()
        self._open = False
        self._not_before = 0.0

    @property
    def pid(self) -> int | None:
        """``None`` where none was started yet."""
        return self._process.pid

    async def __aenter__(self) -> FilterProcess:
        self._open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._open = False
        self._process.interrupt()
        async with self._one_at_a_time.here():
            await asyncio.to_thread(self._process.kill)

    async def passing(self, filters: Collection[PayloadFilter], payload: bytes) -> Sequence[bool]:
        """Of each filter, whether it lets a payload through.

        Raises ``MemoryError`` and ``RuntimeError`` where there is neither process nor thread.
        """
        async with self._one_at_a_time.here():
            for _ in range(TRIES):
                if (found := await self._asked(filters, payload)) is not None:
                    return found
            return await asyncio.to_thread(passing, filters, payload)

    async def _asked(self, filters: Collection[PayloadFilter], payload: bytes) -> Sequence[bool] | None:
        if not self._open or not _possible() or time.monotonic() < self._not_before:
            return None
        try:
            answer = await self._process.in_thread(lambda: self._do(filters, payload))
        except NotStartedError as error:
            log.warning("filters.not_started", exit_code=error.exit_code)
            self._not_before = time.monotonic() + NOT_AGAIN_WITHIN_S
            return None
        return None if answer is None else [one == 1 for one in answer]

    def _do(self, filters: Collection[PayloadFilter], payload: bytes) -> bytes | None:
        return self._process.do(msgspec.msgpack.encode(([one.text for one in filters], payload)), LIMIT_S)


def _possible() -> bool:
    return os.name == "posix"
