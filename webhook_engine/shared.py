"""The engine of a program with several processes, such as the workers of gunicorn or uvicorn.

>>> async with SharedEngine.open("webhooks.db") as webhooks:      # the same in every worker
...     await webhooks.enqueue(application="acme", event_type="invoice.paid", payload={"id": 1})

On SQLite, the process that gets the database's lock runs the engine. The others keep trying, so that one of them takes
over when that process ends, however it ends. On PostgreSQL every process runs an engine, and they share the work.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar, Unpack

from webhook_engine.clock import Clock
from webhook_engine.config.loading import Config
from webhook_engine.delivery.notifier import Handler
from webhook_engine.delivery.transformations.functions import Function
from webhook_engine.engine import Engine
from webhook_engine.errors import EngineAlreadyRunningError, EngineNotRunningError, WebhookEngineError
from webhook_engine.events import OperationalEvent
from webhook_engine.home_loop import HomeLoop
from webhook_engine.log import get_logger
from webhook_engine.outbox import enqueue
from webhook_engine.outbox.row import MessageFields
from webhook_engine.store.opening import outbox_writer

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

    from webhook_engine.server.mount import Mount

__all__ = ["SharedEngine"]

log = get_logger("shared")

E = TypeVar("E", bound=OperationalEvent)
Fn = TypeVar("Fn", bound=Function)

TRY_EVERY_S = 0.25
"""Seconds between tries of a process that does not lead; a try costs one system call."""
PAUSE_AFTER_FAULT_S = 2.0


class SharedEngine:
    """Runs the engine in one of the processes that start this (on PostgreSQL in each), and enqueues in all of them.

    Messages enqueued here are durable when :meth:`enqueue` returns, whether an engine runs or not. What needs a
    running engine, such as its managers, is available as :attr:`engine` in the process that leads.
    """

    def __init__(self, config: Config | None = None, *, clock: Clock | None = None) -> None:
        self._engine = Engine(config, clock=clock)
        # Make the path absolute now, as the engine does: the process may change its directory.
        self._write = outbox_writer(self._engine.config.store)
        self._task: asyncio.Task[None] | None = None
        self._home = HomeLoop()
        self._problem: str | None = None
        self._leading: asyncio.Event | None = None

    @classmethod
    def open(
        cls, database: str | os.PathLike[str], /, *, clock: Clock | None = None, **settings: object
    ) -> SharedEngine:
        """One engine on one database file, with settings as for ``Engine.open``; the same in every process."""
        return cls(Config.for_database(database, **settings), clock=clock)

    @property
    def config(self) -> Config:
        """The configuration that it was made with."""
        return self._engine.config

    @property
    def leading(self) -> bool:
        """Whether the engine runs in this process; on PostgreSQL it does in each, unless it could not be started."""
        return self._leading is not None and self._leading.is_set()

    @property
    def problem(self) -> str | None:
        """Why the engine could not be started here when that was last tried; ``None`` if it runs, here or elsewhere."""
        return self._problem

    @property
    def engine(self) -> Engine:
        """The engine, where this process leads; raises ``EngineNotRunningError`` where another one does."""
        if not self.leading:
            if self.config.store.path is None:
                raise EngineNotRunningError(
                    f"the engine does not run here: {self._problem or 'it was not started, or is just starting'}"
                )
            raise EngineNotRunningError(
                "the engine runs in another process; ask that one, or its HTTP API if it serves one"
            )
        return self._engine

    def on(self, kind: type[E]) -> Callable[[Handler[E]], Handler[E]]:
        """Decorate a function to be called with every event of a class, in the process that leads."""
        return self._engine.on(kind)

    def asgi(self) -> Mount:
        """Like ``Engine.asgi``. It responds 503 in a process without the engine: on SQLite, in all but one."""
        from webhook_engine.server.mount import Mount  # noqa: PLC0415 (not needed by hosts that serve nothing)

        return Mount(self._engine, self._live)

    def transformation(self, name: str) -> Callable[[Fn], Fn]:
        """Decorate a function that endpoints may choose, like :meth:`Engine.transformation`."""
        return self._engine.transformation(name)

    def metrics_collector(self) -> Collector:
        """Like ``Engine.metrics_collector``; ``webhook_engine_up`` tells where the engine runs."""
        return self._engine.metrics_collector()

    async def enqueue(
        self, *, application: str, organization: str | None = None, **message: Unpack[MessageFields]
    ) -> str:
        """Write a message to the outbox of the engine's own database, in a transaction of its own; returns its id.

        The arguments are those of :func:`webhook_engine.outbox.enqueue`. Use that function if the message belongs to a
        change in the program's own database.
        """
        return await asyncio.to_thread(
            self.enqueue_blocking, application=application, organization=organization, **message
        )

    def enqueue_blocking(
        self, *, application: str, organization: str | None = None, **message: Unpack[MessageFields]
    ) -> str:
        """Like :meth:`enqueue`, for a thread without an event loop."""
        return self._write(
            lambda connection: enqueue(connection, application=application, organization=organization, **message)
        )

    async def wait_until_leading(self, timeout: float | None = None) -> Engine:
        """Wait until this process runs the engine; raises ``TimeoutError`` after ``timeout`` seconds."""
        self._home.require()
        assert self._leading is not None  # noqa: S101 (made when this was started)
        async with asyncio.timeout(timeout):
            await self._leading.wait()
        return self._engine

    async def start(self, *, persist: bool = False) -> None:
        """Run the engine, or keep trying while another process runs it.

        Raises as ``Engine.start`` does, but not because another engine runs. With ``persist`` a failed start is logged
        and shown by :attr:`problem`, and it keeps trying, for programs whose main work is not webhooks.
        """
        if self._home.entered:
            self._home.require()
            raise EngineNotRunningError("this was started already")
        self._home.enter()
        self._leading = asyncio.Event()
        try:
            leads = await (self._try_or_say() if persist else self._try())
        except BaseException:
            self._home.leave()
            raise
        self._task = asyncio.create_task(self._lead(leads), name="webhook-engine-shared")

    async def stop(self) -> None:
        """Stop the engine if it runs here, so that another process takes over. Stopping twice is harmless."""
        if self._task is None:
            return
        self._home.require()
        task, self._task = self._task, None
        task.cancel()
        try:
            await asyncio.wait((task,))
        finally:
            # Not done in the task: that may have failed, or been cancelled before its first step.
            try:
                await self._step_down()
            finally:
                self._home.leave()
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error

    async def __aenter__(self) -> SharedEngine:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    @asynccontextmanager
    async def _live(self) -> AsyncIterator[None]:
        if self._home.entered:  # The program has started the engine itself, and will stop it.
            yield
            return
        await self.start(persist=True)
        try:
            yield
        finally:
            await self.stop()

    async def _try(self) -> bool:
        """Whether the engine runs here now."""
        try:
            await self._engine.start()
        except EngineAlreadyRunningError:
            self._problem = None
            return False
        self._problem = None
        if self._leading is not None:
            self._leading.set()
        log.info("engine.leading", pid=os.getpid())
        return True

    async def _try_or_say(self) -> bool:
        """Whether the engine runs here now; what keeps it from that is logged when it changes."""
        try:
            return await self._try()
        except WebhookEngineError as error:
            if str(error) != self._problem:
                self._problem = str(error)
                log.error("engine.cannot_lead", error=self._problem)
            return False

    async def _lead(self, leads: bool) -> None:
        while True:
            if leads:
                await self._until_crashed()
            # With jitter, so that the processes do not try at the same time.
            await asyncio.sleep(TRY_EVERY_S * random.uniform(0.8, 1.2))  # noqa: S311 (no secret)
            if self._problem is not None:
                await asyncio.sleep(PAUSE_AFTER_FAULT_S)
            leads = await self._try_or_say()

    async def _until_crashed(self) -> None:
        error = await self._engine.crashed()
        log.error("engine.lead_lost", error=repr(error))
        await self._step_down()
        await asyncio.sleep(PAUSE_AFTER_FAULT_S)

    async def _step_down(self) -> None:
        if self._leading is not None:
            self._leading.clear()
        await self._engine.stop()
