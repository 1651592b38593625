"""Starts an engine with the process that serves a site, for frameworks without a startup hook.

A program may be loaded in processes that serve nothing: one that forks the workers, one that runs a command. So the
engine is not started while the program is loaded, but shortly afterwards, in its own thread::

    loaded ─► a moment ─► started          a fork meanwhile ─► not here; a moment ─► started in the child

The first request, which only a serving process can get, starts it at once.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from typing import Literal, NamedTuple

from webhook_engine.errors import WebhookEngineError
from webhook_engine.log import get_logger
from webhook_engine.native_threads import require_native_threads
from webhook_engine.sync.shared import SyncSharedEngine

__all__ = ["EngineHealth", "ServingProcess"]

log = get_logger("shared")

A_MOMENT_S = 1.0
"""Long enough for a server to load the rest of the program and fork its workers."""


class EngineHealth(NamedTuple):
    """The health of an engine in one process of a site."""

    state: Literal["not started", "delivering", "standing by", "broken"]
    """``standing by``: another process delivers; this one takes over when that ends."""
    problem: str | None
    """What is wrong, if it is ``broken``."""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return self.state != "broken"


class ServingProcess:
    """Starts one engine in each process that serves."""

    def __init__(self, engine: SyncSharedEngine) -> None:
        self._engine = engine
        self._unless: Callable[[], bool] | None = None
        self._waiting: threading.Timer | None = None
        self._begun_in = 0
        self._problem: str | None = None
        _all.add(self)

    @property
    def health(self) -> EngineHealth:
        """The health of the engine in this process."""
        problem = self._problem or self._engine.problem
        if self._begun_in != os.getpid():
            return EngineHealth("not started", None)
        if problem is not None:
            return EngineHealth("broken", problem)
        return EngineHealth("delivering" if self._engine.leading else "standing by", None)

    def begin(self, unless: Callable[[], bool]) -> None:
        """Start the engine shortly, unless ``unless()`` returns true now or then."""
        self._unless = unless
        if not unless():
            self._wait()

    def serves(self) -> None:
        """Start the engine in a thread, if that was not done in this process yet; called for each request."""
        if self._begun_in == os.getpid():
            return
        self._begun_in = os.getpid()
        self.stay()
        try:
            require_native_threads()
        except WebhookEngineError as error:
            self._say(error)
            return
        threading.Thread(target=self._start, name="webhook-engine-start", daemon=True).start()

    def stay(self) -> None:
        """Cancel the delayed start; a request still starts the engine."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.cancel()

    def forked(self) -> None:
        """Schedule the start again in a forked child, if the parent loaded the program but did not serve."""
        if self._unless is not None and self._begun_in == 0 and not self._unless():
            self._wait()

    def _wait(self) -> None:
        self._waiting = timer = threading.Timer(A_MOMENT_S, self._in_a_moment)
        timer.daemon = True
        timer.start()

    def _in_a_moment(self) -> None:
        if self._unless is not None and not self._unless():
            self.serves()

    def _start(self) -> None:
        try:
            self._engine.start(persist=True)
        except WebhookEngineError as error:
            self._say(error)

    def _say(self, error: WebhookEngineError) -> None:
        self._problem = str(error)
        log.error("engine.cannot_lead", error=self._problem)


_all: weakref.WeakSet[ServingProcess] = weakref.WeakSet()


def _after_fork_in_parent() -> None:
    # A process that forks after loading the program will most likely let its children serve.
    for process in tuple(_all):
        process.stay()


def _after_fork_in_child() -> None:
    for process in tuple(_all):
        process.forked()


os.register_at_fork(after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
