"""Names to addresses, in threads of its own, so that a name that hangs delays no other.

A look-up cannot be ended from outside; one that hangs holds its thread as long as the system's resolver takes. So the
threads are the engine's own and not those of the host program, a name is looked up once at a time however many wait for
it, and which name comes next is decided in :mod:`~webhook_engine.delivery.http.lookup_queue`. While a new look-up waits
or hangs, or fails for a reason that will pass, the last good addresses of a name serve for a while.

The threads are daemons: a look-up that never ends does not keep the interpreter from ending.
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
"""How long addresses are used again without being looked up again."""
STALE_S = 3_600.0
"""How long they serve if a new look-up does not come to an end."""
STALE_AFTER_S = 0.2
"""How long a new look-up is waited for where there are addresses that could serve."""
SLOW_AFTER_S = 1.0
MAX_NAMES = 5_000
"""Names that are remembered."""
MAX_NAMES_PER_APPLICATION = 500
LOOK_UP_DESCRIPTORS = 8
"""A look-up has some files and sockets open at a time; so many are more than it needs."""
MAX_ADDRESSES = 8
"""Of one name; more are not tried."""

SocketAddress: TypeAlias = tuple[str, int] | tuple[str, int, int, int]
AddressInfo: TypeAlias = tuple[socket.AddressFamily, socket.SocketKind, int, str, SocketAddress]
"""As ``socket.getaddrinfo`` has it."""

_NO_SUCH_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


class Resolver:
    """Looks names up; one for all that is sent. Used from one event loop."""

    def __init__(self) -> None:
        self._names = _Names()
        self._queue = LookUpQueue(PLACES)
        self._under_way: dict[str, _UnderWay] = {}
        """Look-ups that wait for a place or have one, by name."""
        self._threads = _Threads(PLACES)

    async def look_up(self, host: str, port: int, application_id: str = "") -> Sequence[AddressInfo]:
        """The addresses of a name, or of an address in text; never none.

        ``application_id`` is whom it is looked up for; what the engine needs for itself has none. Raises ``OSError``:
        ``socket.gaierror`` if the name cannot be looked up, another one if this process lacks what that takes, such as
        file descriptors.
        """
        if literal := _literal(host):
            return _with_port(literal, port)
        now = asyncio.get_running_loop().time()
        known = self._names.addresses(host, now, KEEP_S)
        found = known or await self._ask(host, application_id, stale=self._names.addresses(host, now, STALE_S))
        return _with_port(found, port)

    async def close(self) -> None:
        """Let the threads go; look-ups that still hang are forgotten."""
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
            # A name that has addresses will be asked for again, and there are not many of them.
            if not (one.waiting or stale or one.look_up.begun or one.found.done()):
                self._queue.withdraw(one.look_up)
                del self._under_way[host]
        if stale and (not one.found.done() or will_pass(one.found.exception())):
            return stale
        return one.found.result()

    def _begin(self) -> None:
        """Begin as many look-ups as there are places for."""
        while (look_up := self._queue.take()) is not None:
            one = self._under_way[look_up.host]
            try:
                self._threads.submit(partial(self._work, one))
            except RuntimeError as error:
                problem = OSError(errno.ENOMEM, f"no thread can be started to look up names: {error}")
                self._end(one, (), problem, 0.0)

    def _work(self, one: _UnderWay) -> None:
        """On a thread: look up, and tell the event loop."""
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
    """A look-up, and who waits for it."""

    __slots__ = ("asked_at", "found", "look_up", "loop", "waiting")

    def __init__(self, look_up: LookUp, loop: asyncio.AbstractEventLoop) -> None:
        self.look_up = look_up
        self.loop = loop
        self.asked_at = loop.time()
        self.found: asyncio.Future[Sequence[AddressInfo]] = loop.create_future()
        self.waiting = 0


class _Name:
    """What is remembered of a name."""

    __slots__ = ("addresses", "application_id", "found_at", "slow")

    def __init__(self, application_id: str) -> None:
        self.application_id = application_id
        self.addresses: Sequence[AddressInfo] = ()
        self.found_at = 0.0
        self.slow = False


class _Names:
    """The names that were looked up last; no application can push out those of all others."""

    def __init__(self) -> None:
        self._names: OrderedDict[str, _Name] = OrderedDict()
        self._count: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._names)

    def addresses(self, host: str, now: float, max_age_s: float) -> Sequence[AddressInfo]:
        """Those that a name had, if that is no longer ago."""
        name = self._names.get(host)
        return () if name is None or now - name.found_at >= max_age_s else name.addresses

    def pace(self, host: str) -> Pace:
        name = self._names.get(host)
        if name is None:
            return Pace.UNKNOWN
        return Pace.SLOW if name.slow else Pace.QUICK

    def learn(self, host: str, application_id: str, *, slow: bool) -> _Name:
        """A look-up has ended; what is remembered of its name."""
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
        # Without a descriptor the system's resolver says that no name server is there, or no such name, and the like.
        _have_descriptors()
        raise
    if not found:
        raise socket.gaierror(socket.EAI_NONAME, "no address")
    return [
        (family, kind, protocol, "", (str(address[0]), *address[1:]))
        for family, kind, protocol, _, address in found[:MAX_ADDRESSES]
    ]


def _have_descriptors() -> None:
    """Raises ``OSError`` if there are not as many descriptors left as a look-up takes."""
    with ExitStack() as probes:
        for _ in range(LOOK_UP_DESCRIPTORS):
            probes.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))


def _literal(host: str) -> Sequence[AddressInfo]:
    """The address that a text is; nothing if it is a name, or an address in some other form."""
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
    """Whether a look-up failed and says nothing about the name by that."""
    return error is not None and not (isinstance(error, socket.gaierror) and error.errno in _NO_SUCH_NAME)


def _fail(future: asyncio.Future[Sequence[AddressInfo]], error: OSError) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # The caller may be gone by now, which is no reason for a warning.


class _Threads:
    """At most ``limit`` daemon threads, begun when there is work for them."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._count = 0

    def submit(self, work: Callable[[], None]) -> None:
        """Have something done; raises ``RuntimeError`` if there is no thread to do it and none can be started."""
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
        """Let them end, each when it has done its work."""
        for _ in range(self._count):
            self._work.put(None)
        self._count = 0

    def _run(self) -> None:
        while work := self._work.get():
            work()
            self._idle.release()
