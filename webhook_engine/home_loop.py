"""The event loop that an engine was started in: the only one from which it may be called.

Tasks of one loop cannot be woken from another loop or thread: such a call would hang, or leave state that breaks the
engine's own calls. So it is refused before it changes anything.
"""

from __future__ import annotations

import asyncio
import os
import threading
from asyncio import get_running_loop

from webhook_engine.errors import AFTER_FORK, EngineNotRunningError

__all__ = ["HomeLoop"]


class HomeLoop:
    """Knows the loop between :meth:`enter` and :meth:`leave`."""

    __slots__ = ("_loop", "_process", "_thread")

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = ""
        self._process = 0

    @property
    def entered(self) -> bool:
        """Whether a loop was entered."""
        return self._loop is not None

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The entered loop; ``None`` in a forked process."""
        return self._loop if self._process == os.getpid() else None

    def enter(self) -> None:
        """Remember the running loop."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.current_thread().name
        self._process = os.getpid()

    def leave(self) -> None:
        """Forget the loop."""
        self._loop = None

    def require(self) -> None:
        """Raise ``EngineNotRunningError`` unless the caller runs in that loop."""
        try:
            here = get_running_loop()
        except RuntimeError:
            raise EngineNotRunningError(self._problem(None)) from None
        if here is not self._loop:
            raise EngineNotRunningError(self._problem(here))

    def _problem(self, here: asyncio.AbstractEventLoop | None) -> str:
        if self._loop is None:
            return "the engine is not running; use it inside `async with`"
        if self._process != os.getpid():
            return AFTER_FORK
        if self._loop.is_closed():
            return (
                f"the event loop that the engine was started in has ended ({_named(self._loop, self._thread)}), and "
                "nobody stopped the engine before; use it inside `async with`, so that it stops before its loop ends"
            )
        caller = threading.current_thread().name
        return (
            f"the engine was started in another event loop ({_named(self._loop, self._thread)}) than it is called from "
            f"({_named(here, caller)}); call it there, for instance with asyncio.run_coroutine_threadsafe, or use a "
            "SyncEngine, which may be called from every thread"
        )


def _named(loop: asyncio.AbstractEventLoop | None, thread: str) -> str:
    kind = "no event loop" if loop is None else f"{type(loop).__module__}.{type(loop).__qualname__} {id(loop):#x}"
    return f"{kind} in thread {thread}"
