"""DNS resolver with threads of its own, so that a name that hangs delays no other.

A look-up cannot be cancelled: one that hangs occupies its thread as long as the system's resolver takes. So the threads
are separate from those of the host program, each name is looked up once at a time however many wait for it, and
:mod:`~webhook_engine.delivery.http.lookup_queue` decides which name is next. While a new look-up waits, hangs or fails
temporarily, the last good addresses of a name are used for a while.

The threads are daemons: a look-up that never ends does not keep the interpreter from exiting.
"""

from __future__ import annotations

import asyncio
import errno
import queue
import socket
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from ipaddress import ip_address
from typing import TypeAlias

from webhook_engine.delivery.http.lookup_queue import PLACES, LookUp, LookUpQueue, Pace

__all__ = ["AddressInfo", "Resolver", "will_pass"]

KEEP_S = 10.0
"""Seconds for which addresses are cached."""
STALE_S = 3_600.0
"""Seconds for which stale addresses are used if a new look-up does not succeed."""
STALE_AFTER_S = 0.2
"""Seconds to wait for a new look-up if there are stale addresses."""
SLOW_AFTER_S = 1.0
MAX_NAMES = 5_000
"""Names in the cache."""
MAX_NAMES_PER_APPLICATION = 500
LOOK_UP_DESCRIPTORS = 8
"""File descriptors that must be free for a look-up; more than it needs."""
MAX_ADDRESSES = 8
"""Addresses of one name that are used at most."""

SocketAddress: TypeAlias = tuple[str, int] | tuple[str, int, int, int]
AddressInfo: TypeAlias = tuple[socket.AddressFamily, socket.SocketKind, int, str, SocketAddress]
"""As ``socket.getaddrinfo`` has it."""

_NO_SUCH_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


class Resolver:
    """Resolves names for all requests of an engine. Used from one event loop."""

    def __init__(self) -> None:
        self._names = _Names()
        self._queue = LookUpQueue(PLACES)
        self._under_way: dict[str, _UnderWay] = {}
        """Queued and running look-ups, by name."""
        self._threads = _Threads(PLACES)

    async def look_up(self, host: str, port: int, application_id: str = "") -> Sequence[AddressInfo]:
        """The addresses of a name or of a literal address; never empty.

        ``application_id`` is the application that needs it; empty for the engine itself. Raises ``OSError``:
        ``socket.gaierror`` if the name cannot be resolved, another one if this process lacks a resource such as file
        descriptors.
        """
        if literal := _literal(host):
            return _with_port(literal, port)
        now = asyncio.get_running_loop().time()
        known = self._names.addresses(host, now, KEEP_S)
        found = known or await self._ask(host, application_id, stale=self._names.addresses(host, now, STALE_S))
        return _with_port(found, port)

    async def close(self) -> None:
        """End the threads; look-ups that still hang are abandoned."""
        under_way, self._under_way = self._under_way, {}
        for one in under_way.values():
            self._queue.withdraw(one.look_up)
            _fail(one.found, OSError("the resolver is closed"))
        self._threads.close()

    async def _ask(self, host: str, application_id: str, *, stale: Sequence[AddressInfo]) -> Sequence[AddressInfo]:
        loop = asyncio.get_running_loop()
        one = self._under_way.get(host)
        if one is None:
            one = self._under_way[host] = _UnderWay(LookUp(host, self._names.pace(host)), loop)
        self._queue.add(one.look_up, application_id)
        one.waiting += 1
        try:
            self._begin()
            patience = max(0.0, one.asked_at + STALE_AFTER_S - loop.time()) if stale else None
            await asyncio.wait([one.found], timeout=patience)
        finally:
            one.waiting -= 1
            # A name with stale addresses will be needed again, and there are few such names.
            if not (one.waiting or stale or one.look_up.begun or one.found.done()):
                self._queue.withdraw(one.look_up)
                del self._under_way[host]
        if stale and (not one.found.done() or will_pass(one.found.exception())):
            return stale
        return one.found.result()

    def _begin(self) -> None:
        """Begin as many look-ups as there are slots."""
        while (look_up := self._queue.take()) is not None:
            one = self._under_way[look_up.host]
            try:
                self._threads.submit(partial(self._work, one))
            except RuntimeError as error:
                problem = OSError(errno.ENOMEM, f"no thread can be started to look up names: {error}")
                self._end(one, (), problem, 0.0)

    def _work(self, one: _UnderWay) -> None:
        """On a thread: look up the name, and pass the result to the event loop."""
        addresses: Sequence[AddressInfo] = ()
        problem: OSError | None = None
        began_at = one.loop.time()
        try:
            addresses = _addresses(one.look_up.host)
        except OSError as error:
            problem = error
        took = one.loop.time() - began_at
        with suppress(RuntimeError):  # The loop was closed meanwhile.
            one.loop.call_soon_threadsafe(self._worked, one, addresses, problem, took)

    def _worked(self, one: _UnderWay, addresses: Sequence[AddressInfo], problem: OSError | None, took: float) -> None:
        self._end(one, addresses, problem, took)
        self._begin()

    def _end(self, one: _UnderWay, addresses: Sequence[AddressInfo], problem: OSError | None, took: float) -> None:
        look_up = one.look_up
        self._queue.release(look_up)
        if self._under_way.get(look_up.host) is not one:
            return  # closed meanwhile
        del self._under_way[look_up.host]
        if problem is None or isinstance(problem, socket.gaierror):
            name = self._names.learn(look_up.host, look_up.charged_to, slow=took > SLOW_AFTER_S)
            if not will_pass(problem):
                name.addresses, name.found_at = addresses, one.loop.time()
        if problem is None:
            one.found.set_result(addresses)
        else:
            _fail(one.found, problem)


class _UnderWay:
    """A look-up, and the number of its waiters."""

    __slots__ = ("asked_at", "found", "look_up", "loop", "waiting")

    def __init__(self, look_up: LookUp, loop: asyncio.AbstractEventLoop) -> None:
        self.look_up = look_up
        self.loop = loop
        self.asked_at = loop.time()
        self.found: asyncio.Future[Sequence[AddressInfo]] = loop.create_future()
        self.waiting = 0


class _Name:
    """The cache entry of a name."""

    __slots__ = ("addresses", "application_id", "found_at", "slow")

    def __init__(self, application_id: str) -> None:
        self.application_id = application_id
        self.addresses: Sequence[AddressInfo] = ()
        self.found_at = 0.0
        self.slow = False


class _Names:
    """The names looked up most recently; no application can evict those of all others."""

    def __init__(self) -> None:
        self._names: OrderedDict[str, _Name] = OrderedDict()
        self._count: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._names)

    def addresses(self, host: str, now: float, max_age_s: float) -> Sequence[AddressInfo]:
        """The cached addresses of a name, if they are not older than ``max_age_s``."""
        name = self._names.get(host)
        return () if name is None or now - name.found_at >= max_age_s else name.addresses

    def pace(self, host: str) -> Pace:
        name = self._names.get(host)
        if name is None:
            return Pace.UNKNOWN
        return Pace.SLOW if name.slow else Pace.QUICK

    def learn(self, host: str, application_id: str, *, slow: bool) -> _Name:
        """Record the end of a look-up; returns the cache entry of its name."""
        name = self._names.get(host)
        if name is None:
            name = self._names[host] = _Name(application_id)
            self._count[application_id] += 1
            if self._count[application_id] > MAX_NAMES_PER_APPLICATION:
                self._forget(next(one for one, kept in self._names.items() if kept.application_id == application_id))
            elif len(self._names) > MAX_NAMES:
                self._forget(next(iter(self._names)))
        self._names.move_to_end(host)
        name.slow = slow
        return name

    def _forget(self, host: str) -> None:
        name = self._names.pop(host)
        self._count[name.application_id] -= 1
        if not self._count[name.application_id]:
            del self._count[name.application_id]


def _addresses(host: str) -> Sequence[AddressInfo]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    except UnicodeError as error:
        raise socket.gaierror(socket.EAI_NONAME, "not a valid host name") from error
    except OSError as error:
        if isinstance(error, socket.gaierror) and error.errno == socket.EAI_MEMORY:
            raise OSError(errno.ENOMEM, "there is not enough memory to look up a name") from error
        # Without descriptors the system's resolver reports a missing name server or name, or the like.
        _have_descriptors()
        raise
    if not found:
        raise socket.gaierror(socket.EAI_NONAME, "no address")
    return [
        (family, kind, protocol, "", (str(address[0]), *address[1:]))
        for family, kind, protocol, _, address in found[:MAX_ADDRESSES]
    ]


def _have_descriptors() -> None:
    """Raise ``OSError`` if there are fewer free descriptors than a look-up needs."""
    with ExitStack() as probes:
        for _ in range(LOOK_UP_DESCRIPTORS):
            probes.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))


def _literal(host: str) -> Sequence[AddressInfo]:
    """The address that a text denotes; empty for a name, or an address in some other form."""
    try:
        address = ip_address(host)
    except ValueError:
        return ()
    if address.version == 4:
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, 0))]
    if address.scope_id is not None:
        return ()
    return [(socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, 0, 0, 0))]


def _with_port(found: Sequence[AddressInfo], port: int) -> Sequence[AddressInfo]:
    return [
        (family, kind, protocol, name, (address[0], port, *address[2:]))
        for family, kind, protocol, name, address in found
    ]


def will_pass(error: BaseException | None) -> bool:
    """Whether a look-up failed temporarily, which says nothing about the name."""
    return error is not None and not (isinstance(error, socket.gaierror) and error.errno in _NO_SUCH_NAME)


def _fail(future: asyncio.Future[Sequence[AddressInfo]], error: OSError) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # The caller may have gone; retrieve the exception so that asyncio logs no warning.


class _Threads:
    """At most ``limit`` daemon threads, started on demand."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._count = 0

    def submit(self, work: Callable[[], None]) -> None:
        """Run a function on a thread; raises ``RuntimeError`` if there is no thread and none can be started."""
        if not self._idle.acquire(blocking=False) and self._count < self._limit:
            try:
                threading.Thread(target=self._run, name="webhook-engine-dns", daemon=True).start()
            except RuntimeError:
                if not self._count:
                    raise
            else:
                self._count += 1
        self._work.put(work)

    def close(self) -> None:
        """End the threads, each after its current work."""
        for _ in range(self._count):
            self._work.put(None)
        self._count = 0

    def _run(self) -> None:
        while work := self._work.get():
            work()
            self._idle.release()
