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
from contextvars import Context, copy_context
from typing import Any, TypeVar

__all__ = ["ProcessLoop", "Timeline"]

T = TypeVar("T")


class Handle:
    """Something that is to happen: as in asyncio, at half the cost."""

    __slots__ = ("_when", "arguments", "callback", "context", "is_cancelled", "loop")

    def __init__(
        self,
        when: float,
        callback: Callable[..., object],
        arguments: tuple[Any, ...],
        loop: ProcessLoop | None,
        context: Context | None,
    ) -> None:
        self._when = when
        self.callback = callback
        self.arguments = arguments
        self.context = context
        self.is_cancelled = False
        self.loop = loop
        """The process that does it; ``None`` for the world itself, which must not fail."""

    def cancel(self) -> None:
        """Let it not happen."""
        self.is_cancelled = True

    def cancelled(self) -> bool:
        """Whether it is not to happen any more."""
        return self.is_cancelled

    def when(self) -> float:
        """When it was to happen."""
        return self._when


class Timeline:
    """The time of a world, and what is to happen in it."""

    def __init__(self) -> None:
        self.now = 0.0
        """Seconds since the world began."""
        self.steps = 0
        self.ready: deque[Handle] = deque()
        """What is to happen at this instant."""
        self._later: list[tuple[float, int, Handle]] = []
        self._asked = 0
        self.stopped = False

    def at(self, when: float, callback: Callable[..., object], *arguments: object) -> Handle:
        """Have the world itself do something at an instant; what is past means now."""
        handle = Handle(max(when, self.now), callback, arguments, None, None)
        self.put(handle.when(), handle)
        return handle

    def after(self, delay: float, callback: Callable[..., object], *arguments: object) -> Handle:
        """Have the world itself do something after so many seconds."""
        return self.at(self.now + delay, callback, *arguments)

    def put(self, when: float, handle: Handle) -> None:
        """Keep something for later."""
        self._asked += 1
        heapq.heappush(self._later, (when, self._asked, handle))

    def run(self, until: float) -> None:
        """Let everything happen until then, or until :attr:`stopped`."""
        # Nearly all that a world costs by itself is spent here: hence no calls that a look does without.
        ready, later, take = self.ready, self._later, heapq.heappop
        current: ProcessLoop | None = None
        try:
            while not self.stopped:
                if not ready:
                    if not later or later[0][0] > until:
                        break
                    self.now = max(self.now, later[0][0])
                now = self.now
                while later and later[0][0] <= now:
                    ready.append(take(later)[2])
                for _ in range(len(ready)):
                    handle = ready.popleft()
                    if handle.is_cancelled:
                        continue
                    loop, context = handle.loop, handle.context
                    if loop is not None:
                        if loop.dead:
                            continue
                        if loop.frozen_until > now:
                            self.put(loop.frozen_until, handle)
                            continue
                    if loop is not current:
                        asyncio._set_running_loop(loop)
                        current = loop
                    self.steps += 1
                    if loop is None or context is None:
                        handle.callback(*handle.arguments)
                    else:
                        try:
                            context.run(handle.callback, *handle.arguments)
                        except (SystemExit, KeyboardInterrupt):
                            raise
                        except BaseException as error:  # noqa: BLE001 (it is told, as asyncio does)
                            loop.call_exception_handler({"message": f"in {handle.callback!r}", "exception": error})
                    if self.stopped:
                        break
        finally:
            asyncio._set_running_loop(None)
        if not self.stopped:
            self.now = max(self.now, until)


class _NumberedTask(asyncio.Task[T]):
    """A task that has its place in a set by its number: by its address, a set of tasks would have another order in
    each run."""

    __slots__ = ("_number",)

    def __hash__(self) -> int:
        return _number_of(self)


class _NumberedFuture(asyncio.Future[T]):
    """The same for a future."""

    __slots__ = ("_number",)

    def __hash__(self) -> int:
        return _number_of(self)


def _number_of(one: _NumberedTask[Any] | _NumberedFuture[Any]) -> int:
    """Most never come into a set: they get their number when it is asked for first."""
    try:
        return one._number
    except AttributeError:
        loop = one.get_loop()
        assert isinstance(loop, ProcessLoop)
        one._number = loop.next_number()
        return one._number


class ProcessLoop(asyncio.AbstractEventLoop):
    """The event loop of one simulated process, from its start to its end."""

    def __init__(self, timeline: Timeline, name: str, on_failure: Callable[[dict[str, Any]], None]) -> None:
        self.timeline = timeline
        self.name = name
        self.dead = False
        self.frozen_until = 0.0
        self.network: Any = None
        self.disk: Any = None
        self.line: Any = None
        """To the server, where it shares that with others."""
        self._on_failure = on_failure
        self._numbers = 0
        self._kept: list[object] = []
        """What was begun is kept until the world ends: nothing of a dead process is cleaned up before."""

    def next_number(self) -> int:
        """One that nothing else of this process has."""
        self._numbers += 1
        return self._numbers

    def die(self) -> None:
        """End at this instant, wherever it stands."""
        self.dead = True

    # What asyncio asks of a loop.

    def time(self) -> float:
        return self.timeline.now

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> Any:
        timeline = self.timeline
        handle = Handle(timeline.now, callback, args, self, context or copy_context())
        timeline.ready.append(handle)
        return handle

    def call_soon_threadsafe(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> Any:
        if self.dead:
            raise RuntimeError("Event loop is closed")
        return self.call_soon(callback, *args, context=context)

    def call_at(self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None) -> Any:
        handle = Handle(when, callback, args, self, context or copy_context())
        self.timeline.put(when, handle)
        return handle

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Any:
        return self.call_at(self.timeline.now + delay, callback, *args, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        return _NumberedFuture(loop=self)

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        task: asyncio.Task[T] = _NumberedTask(coro, loop=self, name=name or self.name, context=context)
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
