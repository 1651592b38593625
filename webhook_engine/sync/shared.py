"""The engine of a program with several processes and without an event loop, such as the workers of gunicorn.

>>> webhooks = SyncSharedEngine.open("webhooks.db")
>>> webhooks.start()                                              # in every worker
>>> webhooks.enqueue(application="acme", event_type="invoice.paid", payload={"id": 1})
"""

from __future__ import annotations

import asyncio
import atexit
import inspect
import os
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar, Unpack

from webhook_engine.clock import Clock
from webhook_engine.config.loading import Config
from webhook_engine.delivery.transformations.functions import Function
from webhook_engine.events import OperationalEvent
from webhook_engine.outbox.row import MessageFields
from webhook_engine.shared import SharedEngine
from webhook_engine.sync.background import BackgroundLoop

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

__all__ = ["SyncSharedEngine"]

E = TypeVar("E", bound=OperationalEvent)
Fn = TypeVar("Fn", bound=Function)


class SyncSharedEngine:
    """Runs the engine on a thread of one of the processes that start this, and enqueues in all of them.

    On PostgreSQL each of the processes runs an engine, and they share the work.

    Start it after a fork, not before: a forked process has to start it again to take part in running the engine, and
    may have inherited a lock held by a thread. Calling :meth:`start` again does nothing. :meth:`stop` is called when
    the process exits normally, as a worker that is told to stop does.
    """

    def __init__(self, config: Config | None = None, *, clock: Clock | None = None) -> None:
        self._config = config or Config()
        self._clock = clock
        self._handlers: list[tuple[type[OperationalEvent], Callable[[OperationalEvent], object]]] = []
        self._shared = SharedEngine(self._config, clock=clock)
        self._background = BackgroundLoop("webhook-engine")
        self._changing = threading.Lock()

    @classmethod
    def open(
        cls, database: str | os.PathLike[str], /, *, clock: Clock | None = None, **settings: object
    ) -> SyncSharedEngine:
        """One engine on one database file, with settings as for ``Engine.open``; the same in every process."""
        return cls(Config.for_database(database, **settings), clock=clock)

    @property
    def config(self) -> Config:
        """The configuration that it was made with."""
        return self._config

    @property
    def leading(self) -> bool:
        """Whether the engine runs in this process."""
        return self._background.running and self._shared.leading

    @property
    def problem(self) -> str | None:
        """Why the engine could not be started here when that was last tried; ``None`` if it runs, here or elsewhere."""
        return self._shared.problem

    def on(self, kind: type[E]) -> Callable[[Callable[[E], object]], Callable[[E], object]]:
        """Decorate a function to be called with every event of a class, in the process that leads.

        It runs on a thread of its own. Register it before :meth:`start`.
        """

        def register(handler: Callable[[E], object]) -> Callable[[E], object]:
            self._handlers.append((kind, handler))  # type: ignore[arg-type]
            return handler

        return register

    def transformation(self, name: str) -> Callable[[Fn], Fn]:
        """Decorate a function that endpoints may choose, like :meth:`Engine.transformation`."""
        return self._shared.transformation(name)

    def metrics_collector(self) -> Collector:
        """Like ``Engine.metrics_collector``; ``webhook_engine_up`` tells where the engine runs."""
        return self._shared.metrics_collector()

    def enqueue(self, *, application: str, organization: str | None = None, **message: Unpack[MessageFields]) -> str:
        """Write a message to the outbox of the engine's own database, in a transaction of its own; returns its id.

        The arguments are those of :func:`webhook_engine.outbox.enqueue`. Use that function if the message belongs to a
        change in the program's own database.
        """
        return self._shared.enqueue_blocking(application=application, organization=organization, **message)

    def start(self, *, persist: bool = False) -> None:
        """Run the engine, or keep trying while another process runs it; does nothing if it was started here already.

        ``persist`` is as for ``SharedEngine.start``.
        """
        with self._changing:
            if self._background.running:
                return
            # An engine cannot be used in another process than the one that started it.
            self._shared = SharedEngine(self._config, clock=self._clock)
            self._background = BackgroundLoop("webhook-engine")
            for kind, handler in self._handlers:
                self._shared.on(kind)(_on_a_thread(handler))
            self._background.start()
            try:
                self._background.run(self._shared.start(persist=persist))
            except BaseException:
                self._background.stop()
                raise
            # Otherwise the other engines would have to wait until its lease expires.
            atexit.register(self.stop)

    def stop(self) -> None:
        """Stop the engine if it runs here, so that another process takes over. Stopping twice is harmless."""
        with self._changing:
            atexit.unregister(self.stop)
            if self._background.running:
                try:
                    self._background.run(self._shared.stop())
                finally:
                    self._background.stop()

    def __enter__(self) -> SyncSharedEngine:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def _on_a_thread(handler: Callable[[OperationalEvent], object]) -> Callable[[OperationalEvent], object]:
    async def handle(event: OperationalEvent) -> object:
        if inspect.iscoroutinefunction(handler):
            return await handler(event)
        return await asyncio.to_thread(handler, event)

    return handle
