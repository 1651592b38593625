"""Two engines never send to one endpoint: a receiver sees it, and that limits and rates are kept when hands change."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from contextlib import AsyncExitStack

import pytest
from engine_members import shared_out
from engines import until
from receivers import Receiver, Request

from webhook_engine import Engine
from webhook_engine.delivery.throttle import CATCH_UP_S

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

MakeEngine = Callable[..., Engine]


class Checker:
    """Answers after a while, and notes for each endpoint which engine's requests were under way, and when."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self.began: list[float] = []
        self.senders: dict[str, set[str]] = defaultdict(set)
        """Which engines have sent to each endpoint."""
        self.under_way: dict[str, list[str]] = defaultdict(list)
        self.most = 0
        """Requests under way at one endpoint, at most."""
        self.together: list[tuple[str, set[str]]] = []
        """Where requests of two engines were under way at once."""

    async def __call__(self, request: Request) -> int:
        endpoint, sender = request.target.partition("?")[2], request.headers["user-agent"]
        self.began.append(asyncio.get_running_loop().time())
        self.senders[endpoint].add(sender)
        under_way = self.under_way[endpoint]
        under_way.append(sender)
        self.most = max(self.most, len(under_way))
        if len(set(under_way)) > 1:
            self.together.append((endpoint, set(under_way)))
        await asyncio.sleep(self._delay_s)
        under_way.remove(sender)
        return 200

    def least_s(self, rate: float, changes: int, since: float = 0.0) -> tuple[float, float]:
        """How long the requests since then took, and how long they must take at this rate."""
        began = [one for one in self.began if one >= since]
        must = (len(began) - 1) / rate - CATCH_UP_S * (changes + 1) - 0.1
        return (began[-1] - began[0], must) if began else (0.0, 0.0)


class Engines:
    """Engines that come and go, each with a name that receivers see."""

    def __init__(self, make: MakeEngine, **settings: object) -> None:
        self._make, self._settings = make, settings
        self._count = 0
        self.running: list[Engine] = []

    async def __aenter__(self) -> Engines:
        self._stack = AsyncExitStack()
        return self

    async def __aexit__(self, *_: object) -> None:
        for engine in self.running:
            await engine.stop()

    async def come(self) -> Engine:
        engine = self._make(**self._settings)
        await engine.start()
        engine.services.flow._dispatcher._targets._user_agent = f"engine-{self._count}"
        self._count += 1
        self.running.append(engine)
        return engine

    async def go(self) -> None:
        """The one that has been there for longest goes."""
        await self.running.pop(0).stop()


async def changing_hands(engines: Engines, pause_s: float) -> int:
    """Every shard gets into other hands at least twice; returns how often members changed."""
    for _ in range(2):
        await engines.come()
        await shared_out(*engines.running)
        await asyncio.sleep(pause_s)
        await engines.go()
        await shared_out(*engines.running)
        await asyncio.sleep(pause_s)
    return 4


async def test_no_two_engines_send_to_one_endpoint_and_its_limit_is_kept(make_engine: MakeEngine) -> None:
    checker = Checker(0.1)
    async with Receiver(checker) as receiver, Engines(make_engine, max_in_flight_per_endpoint=2) as engines:
        first = await engines.come()
        await first.applications.create(name="Acme", uid="acme")
        for number in range(6):
            await first.endpoints.create("acme", url=f"{receiver.url}?{number}")
        changing = asyncio.create_task(changing_hands(engines, 0.3))
        count = 0
        while not changing.done():
            # Of whichever engine has been there for shortest, which does not stop meanwhile.
            await engines.running[-1].messages.create("acme", event_type="a.b", payload={"number": count})
            count += 1
            await asyncio.sleep(0.04)
        await changing
        await engines.running[0].join(timeout=60)
    assert checker.together == []
    assert checker.most == 2
    assert all(len(senders) >= 2 for senders in checker.senders.values()), "the endpoints were in several hands"
    assert len(checker.began) == 6 * count


async def test_a_rate_is_exact_across_changes_of_hands(make_engine: MakeEngine) -> None:
    checker, rate = Checker(0.0), 2
    async with Receiver(checker) as receiver, Engines(make_engine) as engines:
        first = await engines.come()
        await first.applications.create(name="Acme", uid="acme", throttle_rate=rate)
        for number in range(4):
            await first.endpoints.create("acme", url=f"{receiver.url}?{number}")
        for number in range(4):
            await first.messages.create("acme", event_type="a.b", payload={"number": number})
        changes = await changing_hands(engines, 0.7)
        await engines.running[0].join(timeout=60)
    took, must = checker.least_s(rate, changes)
    print(f"\n{len(checker.began)} requests at {rate} a second took {took:.2f} s, with {changes} changes of members")
    assert len(checker.began) == 16
    assert took >= must
    assert checker.together == []


async def test_the_rate_of_an_application_may_come_and_go(make_engine: MakeEngine) -> None:
    checker, rate = Checker(0.2), 4
    async with Receiver(checker) as receiver, Engines(make_engine, max_in_flight_per_endpoint=1) as engines:
        first, second = await engines.come(), await engines.come()
        await shared_out(first, second)
        await first.applications.create(name="Acme", uid="acme")
        for number in range(6):
            await first.endpoints.create("acme", url=f"{receiver.url}?{number}")

        async def send(count: int) -> None:
            for number in range(count):
                await engines.running[number % 2].messages.create("acme", event_type="a.b", payload={"number": number})

        await send(30)
        await until(lambda: len(checker.began) > 6)
        await second.applications.update("acme", throttle_rate=rate)
        # Whoever was sending has heard of it by then.
        limited_from = asyncio.get_running_loop().time() + 1
        await until(lambda: sum(1 for one in checker.began if one > limited_from) > 8)
        took, must = checker.least_s(rate, 1, limited_from)
        await second.applications.update("acme", throttle_rate=None)
        print(f"\n{took:.2f} s for what must take {must:.2f} s at {rate} a second")
        assert took >= must
        await first.join(timeout=60)
    assert len(checker.began) == 6 * 30
    assert checker.together == []


async def test_an_order_is_kept_across_changes_of_hands(make_engine: MakeEngine) -> None:
    came: dict[tuple[str, str], list[int]] = defaultdict(list)

    async def note(request: Request) -> int:
        told = request.payload
        assert isinstance(told, dict)
        place = (request.target.partition("?")[2], str(told["key"]))
        number = int(str(told["number"]))
        if number % 7 == 3 and number not in refused[place]:  # once, and the ladder holds up what is behind it
            refused[place].add(number)
            return 503
        came[place].append(number)
        return 200

    refused: dict[tuple[str, str], set[int]] = defaultdict(set)
    keys = ("a", "b")
    async with Receiver(note) as receiver, Engines(make_engine, retry_schedule=["50ms"] * 5) as engines:
        first = await engines.come()
        await first.applications.create(name="Acme", uid="acme")
        for number in range(4):
            await first.endpoints.create("acme", url=f"{receiver.url}?{number}", ordering="fifo")
        changing = asyncio.create_task(changing_hands(engines, 0.3))
        count = 0
        while not changing.done():
            # One engine at a time, which is asked one after the other: only then is there an order to be kept.
            for key in keys:
                await engines.running[-1].messages.create(
                    "acme", event_type="a.b", payload={"key": key, "number": count}, ordering_key=key
                )
            count += 1
        await changing
        await until(lambda: sum(map(len, came.values())) >= 4 * len(keys) * count, 60)
    for place, numbers in came.items():
        assert numbers == list(range(count)), place
    print(f"\n{count} messages of {len(keys)} keys came to 4 endpoints in order")
