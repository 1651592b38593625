"""A part of the engine with a task of its own: started, stopped, and never dead without a word."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextvars import Context

from webhook_engine.log import get_logger

__all__ = ["Service"]

log = get_logger("service")


class Service:
    """Base of the parts that run by themselves.

    ``start`` returns when the part is at work. ``stop`` asks :meth:`run` to end (``self.stopping``) and returns when
    it has ended; stopping twice, or before starting, is harmless. If :meth:`run` fails, ``on_crash`` gets the error.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.stopping = False
        self.crashed = False
        self.on_crash: Callable[[Service, BaseException], None] | None = None
        self._nudged: asyncio.Event | None = None
        self._task: asyncio.Task[None] | None = None
        self._process = 0
        self.loop: asyncio.AbstractEventLoop
        """The one that it was started in; to ask for the running one costs a call of the system on Python 3.11."""

    @property
    def left_behind(self) -> bool:
        """Whether it was started by a process that this one was forked from."""
        return self._process not in (0, os.getpid())

    async def start(self) -> None:
        """Begin."""
        self._process = os.getpid()
        self.loop = asyncio.get_running_loop()
        self.stopping = self.crashed = False
        self._nudged = asyncio.Event()  # Made here, because it belongs to the event loop that it is first used in.
        # It outlives whatever the host was doing when it started the engine, so it is no part of that request or trace.
        self._task = asyncio.create_task(self._guarded(), name=f"webhook-engine-{self.name}", context=Context())

    async def stop(self) -> None:
        """End, when what is begun is finished."""
        self.stopping = True
        self.nudge()
        if self._task:
            await self._task
            self._task = None

    def nudge(self) -> None:
        """There is something to do."""
        if self._nudged is not None:
            self._nudged.set()

    async def nap(self, seconds: float | None = None) -> None:
        """Wait for a nudge, at most so long."""
        nudged = self._nudged
        assert nudged is not None  # noqa: S101 (made by `start`, before anything naps)
        try:
            async with asyncio.timeout(seconds):
                await nudged.wait()
        except TimeoutError:
            pass
        nudged.clear()

    async def run(self) -> None:
        """Work until ``self.stopping``."""
        raise NotImplementedError

    async def _guarded(self) -> None:
        try:
            await self.run()
        except Exception as error:
            log.exception("service.crashed", service=self.name)
            self.stopping = self.crashed = True
            if self.on_crash:
                self.on_crash(self, error)
