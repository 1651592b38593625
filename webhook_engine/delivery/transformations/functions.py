"""Transformations written by the platform in Python: registered by name, and run with a timeout.

A coroutine function runs in the engine's event loop, and is cancelled on timeout. A plain function runs in a thread: on
timeout the engine stops waiting for it, but cannot stop it. So each name has few threads of its own: if all of them
hang, only requests with that transformation fail.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from types import ModuleType
from typing import TypeVar

from webhook_engine.delivery.transformations.outgoing import OutgoingWebhook
from webhook_engine.errors import ConfigError, ValidationError
from webhook_engine.rules import names

__all__ = ["Function", "Functions", "TransformationError", "named_in", "transformation"]

Function = Callable[[OutgoingWebhook], "OutgoingWebhook | Awaitable[OutgoingWebhook | None] | None"]
"""A function or coroutine function that changes the webhook and returns ``None``, or returns another one."""

F = TypeVar("F", bound=Function)

THREADS_EACH = 4
"""Concurrent calls of one plain function; further calls wait, within their timeout."""
_MARK = "__webhook_engine_transformation__"


class TransformationError(Exception):
    """A transformation failed; has the text for the attempt."""

    def __init__(self, text: str, *, timed_out: bool = False) -> None:
        super().__init__(text)
        self.timed_out = timed_out


def transformation(name: str) -> Callable[[F], F]:
    """Mark a function as a transformation, so that ``transformations.modules`` registers it."""

    def mark(function: F) -> F:
        setattr(function, _MARK, names.name("name", name))
        return function

    return mark


def named_in(module: ModuleType) -> Iterator[tuple[str, Function]]:
    """The transformations of a module."""
    for function in vars(module).values():
        if callable(function) and isinstance(name := getattr(function, _MARK, None), str):
            yield name, function


class Functions:
    """The registered transformations, by name."""

    def __init__(self, ready: Mapping[str, Function]) -> None:
        """``ready``: built-in ones, which may be replaced under the same name."""
        self._ready = dict(ready)
        self._own: dict[str, Function] = {}
        self._running: dict[str, _Threads] = {}

    def register(self, name: str, function: Function) -> None:
        """Register one; raises ``ValidationError`` for an invalid name, and ``ConfigError`` for one that is taken."""
        name = names.name("name", name)
        if self._own.setdefault(name, function) is not function:
            raise ConfigError(f"there are two transformations with the name {name}; give one of them another name")

    def __contains__(self, name: object) -> bool:
        return name in self._own or name in self._ready

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(self._own.keys() | self._ready.keys())

    def check(self, field: str, name: object) -> str | None:
        """Check the name of an endpoint's transformation; raises ``ValidationError``."""
        if name is None:
            return None
        if not isinstance(name, str) or name not in self:
            raise ValidationError(
                field, f"must be one of {', '.join(self.names())}; {str(name)[:100]!r} is not registered"
            )
        return name

    async def call(self, name: str, webhook: OutgoingWebhook, timeout_s: float) -> OutgoingWebhook:
        """Apply a transformation to a request. Raises ``TransformationError``."""
        function = self._own.get(name) or self._ready.get(name)
        if function is None:
            raise TransformationError(f"there is no transformation {name!r} here; it was registered when it was chosen")
        try:
            async with asyncio.timeout(timeout_s):
                returned = await self._run(name, function, webhook)
        except TimeoutError:
            raise TransformationError(
                f"the transformation {name!r} took longer than {timeout_s:g} s", timed_out=True
            ) from None
        if returned is None:
            return webhook
        if not isinstance(returned, OutgoingWebhook):
            kind = type(returned).__name__
            raise TransformationError(f"the transformation {name!r} must return what it got, or nothing, not {kind}")
        return returned

    async def _run(self, name: str, function: Function, webhook: OutgoingWebhook) -> object:
        try:
            if inspect.iscoroutinefunction(function):
                return await function(webhook)
            threads = self._running.get(name)
            if threads is None:
                threads = self._running[name] = _Threads(THREADS_EACH)
            return await threads.run(function, webhook)
        except (asyncio.CancelledError, TransformationError):
            raise
        except TimeoutError as error:
            if asyncio.current_task() is not None and asyncio.current_task().cancelling():  # type: ignore[union-attr]
                raise
            raise TransformationError(_words(name, error)) from error
        except Exception as error:
            raise TransformationError(_words(name, error)) from error


class _Threads:
    """A few daemon threads at a time, one for each call; those that hang do not block the exit of the process."""

    def __init__(self, most: int) -> None:
        self._free = asyncio.Semaphore(most)

    async def run(self, function: Function, webhook: OutgoingWebhook) -> object:
        loop = asyncio.get_running_loop()
        await self._free.acquire()
        done: asyncio.Future[object] = loop.create_future()

        def finish(result: object, error: BaseException | None) -> None:
            self._free.release()
            if done.done():
                return
            if error is None:
                done.set_result(result)
            else:
                done.set_exception(error)

        def work() -> None:
            result, failed = None, None
            try:
                result = function(webhook)
            except BaseException as error:  # noqa: BLE001 (it is raised where the result is awaited)
                failed = error if isinstance(error, Exception) else RuntimeError(type(error).__name__)
            with suppress(RuntimeError):  # The event loop is closed, so nobody waits.
                loop.call_soon_threadsafe(finish, result, failed)

        threading.Thread(target=work, name="webhook-engine-transformation", daemon=True).start()
        return await done


def _words(name: str, error: BaseException) -> str:
    said = " ".join(str(error).split())[:200]
    return f"the transformation {name!r} failed: {type(error).__name__}" + (f": {said}" if said else "")
