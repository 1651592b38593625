"""Where the engine is put into a simulated world: everything that it asks of the system is answered from there.

Each row is a name of the engine's, and what stands in its place while a world runs. What is not named here runs as it
does for everybody: from the managers down to the parser of responses, and SQLite itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import types
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from unittest import mock

import aiohappyeyeballs
from simulation.disk import DiskConnection
from simulation.network import Network
from simulation.timeline import ProcessLoop, Timeline

from webhook_engine.clock import Clock
from webhook_engine.delivery.accept import filter_process
from webhook_engine.delivery.http import connection, resolver, shortage
from webhook_engine.errors import EngineAlreadyRunningError
from webhook_engine.store.sqlite import database, store, upkeep

__all__ = ["SimulatedClock", "simulated"]


class SimulatedClock(Clock):
    """The clocks of a simulated machine."""

    def __init__(self, timeline: Timeline, began_at: int, *, leaps: bool) -> None:
        self._timeline = timeline
        self._offset = began_at
        self._drift = 0.0
        self._booted = -1000.0
        self._stands_at: int | None = None
        self._leaps = leaps
        """Whether the engine looks so seldom that the time between two looks is no pause."""
        self._paused = 0.0
        self._wakers: list[Callable[[], None]] = []

    def now(self) -> int:
        if self._stands_at is not None:
            return self._stands_at
        return self._offset + round(self._timeline.now * 1_000_000 * (1 + self._drift))

    def monotonic(self) -> float:
        return self._timeline.now - self._booted

    def process(self) -> float:
        return self._paused if self._leaps else self.monotonic()

    def on_jump(self, wake: Callable[[], None]) -> Callable[[], None]:
        if not self._leaps:
            return lambda: None  # The system's clock tells nobody.
        self._wakers.append(wake)
        return lambda: self._wakers.remove(wake)

    def jump(self, seconds: float) -> None:
        """Somebody sets it."""
        self._offset += round(seconds * 1_000_000)
        for wake in list(self._wakers):
            wake()

    def drift(self, share: float) -> None:
        """It runs too fast, or too slow, from now on."""
        now = self.now()
        self._drift = share
        self._offset += now - self.now()

    def stand(self) -> None:
        """It stands still."""
        self._stands_at = self.now()

    def go_on(self) -> None:
        """It goes on from where it stands."""
        stood_at, self._stands_at = self._stands_at, None
        if stood_at is not None:
            self._offset += stood_at - self.now()

    def forget_wakers(self) -> None:
        """The process that asked is dead."""
        self._wakers.clear()


class _LookUps:
    """In the place of the threads that look names up."""

    def __init__(self, _limit: int) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, ProcessLoop)
        self._loop = loop

    def submit(self, work: partial[None]) -> None:
        (one,) = work.args
        of = work.func.__self__  # type: ignore[attr-defined]
        network: Network = self._loop.network
        took, found, problem = network.look_up(one.look_up.host)
        addresses = [(family, kind, protocol, "", address) for family, kind, protocol, _, address in found]
        self._loop.call_later(took, of._worked, one, addresses, problem, took)

    def close(self) -> None:
        pass


class _Lock:
    """In the place of the lock on the database."""

    def __init__(self, path: Any) -> None:
        self._path = path
        self._loop: ProcessLoop | None = None

    def acquire(self) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, ProcessLoop)
        if loop.disk.is_shared:
            return
        if loop.disk.locked_by is not None:
            raise EngineAlreadyRunningError(f"{self._path} is in use")
        loop.disk.locked_by = self._loop = loop

    def release(self) -> None:
        if self._loop is not None and self._loop.disk.locked_by is self._loop:
            self._loop.disk.locked_by = None
        self._loop = None


class _Files:
    """In the place of a look whether the files of the database are still there: here they are."""

    def __init__(self, _path: Any) -> None:
        pass

    def require(self) -> None:
        pass


@contextlib.contextmanager
def simulated(timeline: Timeline, network: Network, chance: random.Random) -> Iterator[None]:
    """Let the engine run in a world, and nowhere else."""

    class Poll:
        def __init__(self) -> None:
            self._descriptor = -1

        def register(self, descriptor: int, _events: int) -> None:
            self._descriptor = descriptor

        def poll(self, _timeout: int) -> list[int]:
            return [self._descriptor] if network.unread(self._descriptor) else []

    class Probe:
        def __init__(self, *_arguments: object) -> None:
            if network.lacks is not None:
                raise OSError(network.lacks, "lacking")

        def __enter__(self) -> Probe:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def connect(self, _address: object) -> None:
            pass

    real_socket = shortage.socket
    clocks = types.SimpleNamespace(
        monotonic=lambda: timeline.now, perf_counter=lambda: timeline.now, time=lambda: timeline.now
    )
    sockets = types.SimpleNamespace(
        socket=Probe, AF_INET=real_socket.AF_INET, SOCK_DGRAM=real_socket.SOCK_DGRAM, gaierror=real_socket.gaierror
    )
    state = random.getstate()
    random.seed(chance.getrandbits(64))
    try:
        with contextlib.ExitStack() as stack:
            for target, name, instead in (
                (database, "Connection", DiskConnection),
                (database, "time", clocks),
                (database, "OpenedFiles", _Files),
                (upkeep, "time", clocks),
                (store, "EngineLock", _Lock),
                (resolver, "_Threads", _LookUps),
                (filter_process, "_possible", lambda: False),
                (connection, "select", types.SimpleNamespace(poll=Poll, POLLIN=1)),
                (shortage, "socket", sockets),
                (
                    aiohappyeyeballs,
                    "start_connection",
                    partial(aiohappyeyeballs.start_connection, socket_factory=network.socket),
                ),
                (secrets, "token_bytes", chance.randbytes),
            ):
                stack.enter_context(mock.patch.object(target, name, instead))
            stack.enter_context(mock.patch("os.urandom", chance.randbytes))
            yield
    finally:
        random.setstate(state)
