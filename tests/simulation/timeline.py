"""Virtual time: one queue of what is to happen, for all processes of a simulated world.

Nothing here reads a clock, starts a thread or opens a socket. Time passes only when nothing is left to do at an
instant, and then at once, to the next instant at which something is. What is due at one instant happens in the order in
which it was asked for, as in asyncio.

A :class:`ProcessLoop` is the event loop of one simulated process. It can be frozen, as by SIGSTOP, and it can die, as
by SIGKILL: then nothing of it happens any more, and none of its code runs, not even a ``finally``.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from typing import Any, TypeVar

__all__ = ["ProcessLoop", "Timeline"]

T = TypeVar("T")


class Timeline:
    """The time of a world, and what is to happen in it."""

    def __init__(self) -> None:
        self.now = 0.0
        """Seconds since the world began."""
        self.steps = 0
        self._ready: deque[tuple[asyncio.Handle, ProcessLoop | None]] = deque()
        self._later: list[tuple[float, int, asyncio.Handle, ProcessLoop | None]] = []
        self._asked = 0
        self._world = _WorldLoop(self)
        self.stopped = False

    def at(self, when: float, callback: Callable[..., object], *arguments: object) -> asyncio.Handle:
        """Have the world itself do something at an instant; what is past means now."""
        handle = asyncio.Handle(callback, arguments, self._world)
        self.put(max(when, self.now), handle, None)
        return handle

    def after(self, delay: float, callback: Callable[..., object], *arguments: object) -> asyncio.Handle:
        """Have the world itself do something after so many seconds."""
        return self.at(self.now + delay, callback, *arguments)

    def put(self, when: float, handle: asyncio.Handle, loop: ProcessLoop | None) -> None:
        """Keep something for later."""
        self._asked += 1
        heapq.heappush(self._later, (when, self._asked, handle, loop))

    def soon(self, handle: asyncio.Handle, loop: ProcessLoop | None) -> None:
        """Something is to happen at this instant."""
        self._ready.append((handle, loop))

    def run(self, until: float) -> None:
        """Let everything happen until then, or until :attr:`stopped`."""
        while not self.stopped:
            if not self._ready:
                if not self._later or self._later[0][0] > until:
                    break
                self.now = max(self.now, self._later[0][0])
            while self._later and self._later[0][0] <= self.now:
                _, _, handle, loop = heapq.heappop(self._later)
                self._ready.append((handle, loop))
            for _ in range(len(self._ready)):
                handle, loop = self._ready.popleft()
                self._run(handle, loop)
                if self.stopped:
                    break
        if not self.stopped:
            self.now = max(self.now, until)

    def _run(self, handle: asyncio.Handle, loop: ProcessLoop | None) -> None:
        if handle.cancelled() or (loop is not None and loop.dead):
            return
        if loop is not None and loop.frozen_until > self.now:
            self.put(loop.frozen_until, handle, loop)
            return
        self.steps += 1
        if loop is None:
            handle._run()
            return
        asyncio._set_running_loop(loop)
        try:
            handle._run()
        finally:
            asyncio._set_running_loop(None)


class _NumberedTask(asyncio.Task[T]):
    """A task that has its place in a set by its number: by its address, a set of tasks would have another order in
    each run."""

    _count = 0

    def __init__(self, *arguments: Any, number: int, **options: Any) -> None:
        self._number = number
        super().__init__(*arguments, **options)

    def __hash__(self) -> int:
        return self._number


class _NumberedFuture(asyncio.Future[T]):
    """The same for a future."""

    def __init__(self, number: int, loop: asyncio.AbstractEventLoop) -> None:
        self._number = number
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self._number


class _WorldLoop(asyncio.AbstractEventLoop):
    """What handles of the world itself belong to: its callbacks must not fail."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self.failure: BaseException | None = None

    def get_debug(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        raise RuntimeError(f"the world itself failed: {context}") from context.get("exception")


class ProcessLoop(asyncio.AbstractEventLoop):
    """The event loop of one simulated process, from its start to its end."""

    def __init__(self, timeline: Timeline, name: str, on_failure: Callable[[dict[str, Any]], None]) -> None:
        self.timeline = timeline
        self.name = name
        self.dead = False
        self.frozen_until = 0.0
        self.network: Any = None
        self.disk: Any = None
        self._on_failure = on_failure
        self._numbers = 0
        self._kept: list[object] = []
        """What was begun is kept until the world ends: nothing of a dead process is cleaned up before."""

    def die(self) -> None:
        """End at this instant, wherever it stands."""
        self.dead = True

    # What asyncio asks of a loop.

    def time(self) -> float:
        return self.timeline.now

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self.timeline.soon(handle, self)
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        if self.dead:
            raise RuntimeError("Event loop is closed")
        return self.call_soon(callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self.timeline.put(when, handle, self)
        return handle

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self.timeline.now + delay, callback, *args, context=context)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        pass

    def create_future(self) -> asyncio.Future[Any]:
        self._numbers += 1
        return _NumberedFuture(self._numbers, self)

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        self._numbers += 1
        number = self._numbers
        task: asyncio.Task[T] = _NumberedTask(
            coro, loop=self, name=name or f"{self.name}-{number}", context=context, number=number
        )
        self._kept.append(task)
        if len(self._kept) > 20_000:
            self._kept = [one for one in self._kept if not getattr(one, "done", bool)()]
        return task

    def run_in_executor(self, executor: object, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        """What would go to a thread is done in step."""
        done = self.create_future()
        try:
            result = func(*args)
        except Exception as error:  # noqa: BLE001 (it is the caller's, as on a thread)
            self.call_soon(_set_exception, done, error)
        else:
            self.call_soon(_set_result, done, result)
        return done

    async def sock_connect(self, sock: Any, address: Any) -> None:
        await self.network.connect(self, sock, address)

    async def create_connection(self, protocol_factory: Any, *args: Any, **options: Any) -> Any:
        return await self.network.begin(self, protocol_factory, options["sock"], options.get("ssl"))

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return not self.dead

    def is_closed(self) -> bool:
        return self.dead

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self._on_failure(context)

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        self._on_failure(context)


def _set_result(future: asyncio.Future[Any], result: object) -> None:
    if not future.done():
        future.set_result(result)


def _set_exception(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
