"""Evaluates filters: on a small payload in place, on a large one in a separate process.

Parsing a large payload would block all threads of this process. If no such process can be started, a thread is used.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import msgspec

from webhook_engine.delivery.accept.matching import Obstacle, Unsent, obstacle
from webhook_engine.delivery.accept.payload_filter import PayloadFilter, passing, refusing
from webhook_engine.delivery.processes.kept_process import KeptProcess, NotStartedError
from webhook_engine.log import get_logger
from webhook_engine.loop_lock import LoopLock
from webhook_engine.model import Endpoint
from webhook_engine.rules.payload import LARGE

__all__ = ["FilterProcess"]

log = get_logger("filters")

T = TypeVar("T")
Question = Callable[[Collection[PayloadFilter], bytes], Sequence[T]]

TRIES = 2
"""Tries with a process before a thread is used: a process may be killed, and the next one works."""
LIMIT_S = 10.0
"""Timeout in seconds. Filters are bounded in steps, which take far less even on a busy machine."""
NOT_AGAIN_WITHIN_S = 600.0
"""Seconds for which no process is started after a failed start."""
_PROGRAM = Path(__file__).with_name("filter_worker.py")


class FilterProcess:
    """The filter process, started with the first large payload, and stopped with the engine."""

    def __init__(self) -> None:
        self._process = KeptProcess(_PROGRAM)
        self._one_at_a_time = LoopLock()
        self._open = False
        self._not_before = 0.0

    @property
    def pid(self) -> int | None:
        """Its process id; ``None`` if none was started yet."""
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
        """Whether the payload passes, for each filter.

        Raises ``MemoryError`` or ``RuntimeError`` if neither a process nor a thread is available.
        """
        return await self._ask(passing, filters, payload)

    async def refusing(
        self, filters: Collection[PayloadFilter], payload: bytes
    ) -> Sequence[Mapping[str, object] | None]:
        """The first condition that the payload does not meet, for each filter; raises as :meth:`passing`."""
        return await self._ask(refusing, filters, payload)

    async def passes(self, endpoint: Endpoint, payload: bytes | None) -> bool:
        """Whether a payload passes the endpoint's filter."""
        if endpoint.filter is None:
            return True
        return all(await self.passing([PayloadFilter(endpoint.filter)], payload or b""))

    async def obstacles(
        self, endpoints: Sequence[Endpoint], event_type: str, channels: Iterable[str] | None, payload: bytes
    ) -> Sequence[Unsent | None]:
        """Why the message is not sent, for each endpoint; ``None`` if it is."""
        found = [obstacle(one, event_type, channels) for one in endpoints]
        filters = {
            place: PayloadFilter(one.filter)
            for place, one in enumerate(endpoints)
            if found[place] is None and one.filter is not None
        }
        for place, condition in zip(filters, await self.refusing(filters.values(), payload), strict=True):
            found[place] = None if condition is None else Unsent(Obstacle.FILTER, condition)
        return found

    async def _ask(self, question: Question[T], filters: Collection[PayloadFilter], payload: bytes) -> Sequence[T]:
        if len(payload) <= LARGE:
            return question(filters, payload)
        if not filters:
            return ()
        async with self._one_at_a_time.here():
            for _ in range(TRIES):
                if (reply := await self._asked(question is refusing, filters, payload)) is not None:
                    said: list[T] = json.loads(reply)
                    return said
            return await asyncio.to_thread(question, filters, payload)

    async def _asked(self, why: bool, filters: Collection[PayloadFilter], payload: bytes) -> bytes | None:
        if not self._open or not _possible() or time.monotonic() < self._not_before:
            return None
        try:
            return await self._process.in_thread(lambda: self._do(why, filters, payload))
        except NotStartedError as error:
            log.warning("filters.not_started", exit_code=error.exit_code)
            self._not_before = time.monotonic() + NOT_AGAIN_WITHIN_S
            return None

    def _do(self, why: bool, filters: Collection[PayloadFilter], payload: bytes) -> bytes | None:
        return self._process.do(msgspec.msgpack.encode((why, [one.text for one in filters], payload)), LIMIT_S)


def _possible() -> bool:
    return os.name == "posix"
