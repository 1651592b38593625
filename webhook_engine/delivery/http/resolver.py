"""Names to addresses, in threads of its own, so that a name that hangs delays no other.

A name is looked up once at a time, however many wait for it, so it occupies one thread. Names whose last look-up was
slow use a small group of threads that the others do not need. The threads are daemons: a look-up that never ends
does not keep the interpreter from ending.
"""

from __future__ import annotations

import asyncio
import queue
import socket
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from aiohttp.abc import AbstractResolver, ResolveResult

__all__ = ["Resolver"]

KEEP_S = 10.0
"""How long an answer is used again."""
MAX_NAMES = 1_000
MAX_ADDRESSES = 8
"""Of one name; more are not tried."""
SLOW_AFTER_S = 1.0
THREADS = 64
THREADS_FOR_SLOW = 16

Key = tuple[str, int, int]
K = TypeVar("K")
V = TypeVar("V")


class Resolver(AbstractResolver):
    """What aiohttp asks for addresses. Raises ``OSError`` for a name that has none."""

    def __init__(self) -> None:
        self._quick = _Threads(THREADS)
        self._slow = _Threads(THREADS_FOR_SLOW)
        self._slow_names: OrderedDict[str, None] = OrderedDict()
        self._known: OrderedDict[Key, tuple[float, list[ResolveResult]]] = OrderedDict()
        self._pending: dict[Key, asyncio.Future[list[ResolveResult]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a name."""
        key = (host, port, family)
        known = self._known.get(key)
        if known and known[0] > asyncio.get_running_loop().time():
            return known[1]
        pending = self._pending.get(key) or self._look_up(key)
        return await asyncio.shield(pending)

    async def close(self) -> None:
        """Let the threads go; look-ups that still hang are forgotten."""
        for pending in self._pending.values():
            _fail(pending, OSError("the resolver is closed"))
        self._pending.clear()
        self._quick.close()
        self._slow.close()

    def _look_up(self, key: Key) -> asyncio.Future[list[ResolveResult]]:
        loop = asyncio.get_running_loop()
        future = self._pending[key] = loop.create_future()
        began = loop.time()

        def settle(addresses: list[ResolveResult] | None, error: OSError | None) -> None:
            if self._pending.pop(key, None) is not future:
                return
            self._note_pace(key[0], slow=loop.time() - began > SLOW_AFTER_S)
            if addresses is None:
                _fail(future, error or OSError("no address"))
            else:
                _put(self._known, key, (loop.time() + KEEP_S, addresses))
                future.set_result(addresses)

        def work() -> None:
            addresses, error = None, None
            try:
                addresses = _addresses(*key)
            except OSError as problem:
                error = problem
            with suppress(RuntimeError):  # The loop was closed meanwhile.
                loop.call_soon_threadsafe(settle, addresses, error)

        (self._slow if key[0] in self._slow_names else self._quick).submit(work)
        return future

    def _note_pace(self, name: str, *, slow: bool) -> None:
        if slow:
            _put(self._slow_names, name, None)
        else:
            self._slow_names.pop(name, None)


def _addresses(host: str, port: int, family: int) -> list[ResolveResult]:
    try:
        found = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    except UnicodeError as error:
        raise socket.gaierror(socket.EAI_NONAME, "not a valid host name") from error
    if not found:
        raise socket.gaierror(socket.EAI_NONAME, "no address")
    return [
        ResolveResult(
            hostname=host,
            host=str(address[0]),
            port=int(address[1]),
            family=kind,
            proto=proto,
            flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
        )
        for kind, _, proto, _, address in found[:MAX_ADDRESSES]
    ]


def _fail(future: asyncio.Future[list[ResolveResult]], error: OSError) -> None:
    future.set_exception(error)
    future.exception()  # Whoever asked may be gone by now, which is no reason for a warning.


def _put(table: OrderedDict[K, V], key: K, value: V) -> None:
    table[key] = value
    table.move_to_end(key)
    if len(table) > MAX_NAMES:
        table.popitem(last=False)


class _Threads:
    """At most ``limit`` daemon threads, begun when there is work for them."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._count = 0

    def submit(self, work: Callable[[], None]) -> None:
        self._work.put(work)
        if not self._idle.acquire(blocking=False) and self._count < self._limit:
            self._count += 1
            threading.Thread(target=self._run, name="webhook-engine-dns", daemon=True).start()

    def close(self) -> None:
        for _ in range(self._count):
            self._work.put(None)
        self._count = 0

    def _run(self) -> None:
        while work := self._work.get():
            work()
            self._idle.release()
