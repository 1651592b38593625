"""Services: parts of the engine with a task of their own, whose crashes are always reported."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextvars import Context

from webhook_engine.log import get_logger

__all__ = ["Service"]

log = get_logger("service")


class Service:
    """Base class of services.

    ``start`` returns when the service works. ``stop`` tells :meth:`run` to return (``self.stopping``) and waits for
    it; stopping twice, or before starting, is harmless. If :meth:`run` raises, ``on_crash`` gets the error.
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
        """The loop that it was started in; getting the running loop costs a system call on Python 3.11."""

    @property
    def left_behind(self) -> bool:
        """Whether it was started in a parent process, before a fork."""
        return self._process not in (0, os.getpid())

    async def start(self) -> None:
        """Begin."""
        self._process = os.getpid()
        self.loop = asyncio.get_running_loop()
        self.stopping = self.crashed = False
        self._nudged = asyncio.Event()  # Made here, because it belongs to the event loop that it is first used in.
        # An empty context: the task outlives the host's request or trace in which the engine was started.
        self._task = asyncio.create_task(self._guarded(), name=f"webhook-engine-{self.name}", context=Context())

    async def stop(self) -> None:
        """Stop after the current work."""
        self.stopping = True
        self.nudge()
        if self._task:
            await self._task
            self._task = None

    def nudge(self) -> None:
        """Wake the service: there is something to do."""
        if self._nudged is not None:
            self._nudged.set()

    async def nap(self, seconds: float | None = None) -> None:
        """Wait for a nudge, at most ``seconds``."""
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
