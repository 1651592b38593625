"""An event loop on a thread of its own, for code without one."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any, TypeVar

from webhook_engine.errors import AFTER_FORK, EngineNotRunningError
from webhook_engine.native_threads import require_native_threads

__all__ = ["BackgroundLoop"]

T = TypeVar("T")


class BackgroundLoop:
    """Runs coroutines for other threads, which block until they are done. It may be stopped and started again."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._process = 0

    @property
    def running(self) -> bool:
        """Whether it runs in this process: a forked process has no such thread."""
        return self._loop is not None and self._process == os.getpid()

    def start(self) -> None:
        """Start the thread, unless it runs. Raises ``EngineNotRunningError`` if threads are not native."""
        if self.running:
            return
        require_native_threads()
        loop = _new_loop()
        started = threading.Event()
        thread = threading.Thread(target=_serve, args=(loop, started), name=self._name, daemon=True)
        thread.start()
        started.wait()
        self._loop, self._thread, self._process = loop, thread, os.getpid()

    def stop(self) -> None:
        """End the thread, and cancel what still runs on the loop. Stopping twice is harmless."""
        loop, thread, here = self._loop, self._thread, self.running
        self._loop = self._thread = None
        if loop is None or thread is None or not here:
            return
        loop.call_soon_threadsafe(loop.stop)
        if thread is not threading.current_thread():
            thread.join()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop, and return or raise what it does.

        A caller that is interrupted while waiting (Ctrl+C) cancels it.
        """
        problem = self._problem()
        if problem is not None:
            work.close()
            raise EngineNotRunningError(problem)
        assert self._loop is not None  # noqa: S101 (no problem means that there is one)
        done = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return done.result()
        except BaseException:
            done.cancel()
            raise

    def walk(self, items: AsyncIterator[T]) -> Iterator[T]:
        """Iterate over an asynchronous iterator, lazily."""
        try:
            while item := self.run(_next(items)):
                yield item[0]
        finally:
            close = getattr(items, "aclose", None)
            if close is not None and self._problem() is None:
                self.run(close())

    def _problem(self) -> str | None:
        if self._loop is None:
            return "the engine is not running; use it inside `with`"
        if not self.running:
            return AFTER_FORK
        if threading.current_thread() is self._thread:
            return "this is the engine's own thread, which cannot wait for itself; use the asynchronous Engine here"
        return None


async def _next(items: AsyncIterator[T]) -> tuple[T] | None:
    async for item in items:
        return (item,)
    return None


def _new_loop() -> asyncio.AbstractEventLoop:
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    import uvloop  # noqa: PLC0415 (not available on Windows)

    return uvloop.new_event_loop()


def _serve(loop: asyncio.AbstractEventLoop, started: threading.Event) -> None:
    asyncio.set_event_loop(loop)
    loop.call_soon(started.set)
    try:
        loop.run_forever()
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
