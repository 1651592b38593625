"""The engine for code without an event loop.

>>> with SyncEngine.open("webhooks.db") as engine:
...     engine.messages.create("acme", event_type="invoice.paid", payload={"id": 1})

It runs the asynchronous engine on a thread of its own. Any number of threads may use it.
"""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from webhook_engine.clock import Clock
from webhook_engine.config.loading import Config
from webhook_engine.delivery.transformations.functions import Function
from webhook_engine.engine import Engine
from webhook_engine.events import OperationalEvent
from webhook_engine.sync.background import BackgroundLoop
from webhook_engine.sync.managers import SyncManagers

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

    from webhook_engine.server.listener import Server

__all__ = ["SyncEngine", "SyncManagers"]

E = TypeVar("E", bound=OperationalEvent)
Fn = TypeVar("Fn", bound=Function)
T = TypeVar("T")


class SyncEngine(SyncManagers):
    """Delivers webhooks. Use it as a context manager, or with :meth:`start` and :meth:`stop`.

    The managers are those of :class:`~webhook_engine.Engine`, with the same arguments, results and errors, as blocking
    calls. A process that was forked from one with a running engine has to make and start its own.
    """

    def __init__(self, config: Config | None = None, *, clock: Clock | None = None) -> None:
        self._engine = Engine(config, clock=clock)
        self._background = BackgroundLoop("webhook-engine")
        super().__init__(self._engine, self._background)

    @classmethod
    def open(cls, database: str | os.PathLike[str], /, *, clock: Clock | None = None, **settings: object) -> SyncEngine:
        """An engine on one database file, with settings as for ``Engine.open``."""
        return cls(Config.for_database(database, **settings), clock=clock)

    @property
    def config(self) -> Config:
        """The configuration that it was made with."""
        return self._engine.config

    @property
    def running(self) -> bool:
        """Whether it was started here, has not been stopped, and has not crashed."""
        return self._background.running and self._engine.running

    def organization(self, organization_id: str) -> SyncManagers:
        """The same managers for another organization (``org_…``)."""
        return SyncManagers(self._engine.organization(organization_id), self._background)

    def on(self, kind: type[E]) -> Callable[[Callable[[E], object]], Callable[[E], object]]:
        """Decorate a function to be called with every event of a class, like :meth:`Engine.on`.

        It runs on a thread of its own, so that it may use this engine; coroutine functions run on the engine's loop.
        """

        def register(handler: Callable[[E], object]) -> Callable[[E], object]:
            async def handle(event: E) -> object:
                if inspect.iscoroutinefunction(handler):
                    return await handler(event)
                return await asyncio.to_thread(handler, event)

            self._engine.on(kind)(handle)
            return handler

        return register

    def transformation(self, name: str) -> Callable[[Fn], Fn]:
        """Decorate a function that endpoints may choose, like :meth:`Engine.transformation`."""
        return self._engine.transformation(name)

    def metrics_collector(self) -> Collector:
        """Like ``Engine.metrics_collector``."""
        return self._engine.metrics_collector()

    def start(self) -> None:
        """Start the engine in a thread of its own; raises as ``Engine.start``."""
        already = self._background.running
        self._background.start()
        try:
            self._background.run(self._engine.start())
        except BaseException:
            if not already:
                self._background.stop()
            raise

    def stop(self) -> None:
        """Stop the engine as ``Engine.stop`` does, and end its thread. Stopping twice is harmless."""
        if self._background.running:
            try:
                self._background.run(self._engine.stop())
            finally:
                self._background.stop()

    def __enter__(self) -> SyncEngine:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._background.running:
            try:
                self._background.run(self._engine.__aexit__(kind, error, traceback))
            finally:
                self._background.stop()

    def join(self, timeout: float | None = None) -> None:
        """Wait until everything accepted or enqueued so far has been routed, and nothing is due or in flight.

        Raises ``TimeoutError`` after ``timeout`` seconds.
        """
        self._background.run(self._engine.join(timeout))

    def run(self, work: Callable[[Engine], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine function with the asynchronous engine, on the engine's loop; returns or raises as it does."""
        return self._background.run(work(self._engine))

    @contextmanager
    def serve(self, listen: str | None = None) -> Iterator[Server]:
        """Serve the HTTP API, the portal and Play in this process, like ``Engine.serve``."""

        async def server() -> Server:
            return self._engine.serve(listen)

        serving = self._background.run(server())
        self._background.run(serving.__aenter__())
        try:
            yield serving
        finally:
            self._background.run(serving.__aexit__(None, None, None))
