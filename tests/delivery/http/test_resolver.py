"""Names to addresses: remembered, served stale, and looked up without one waiting for another that hangs."""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
from collections.abc import AsyncIterator

import pytest
from names import Names

from webhook_engine.delivery.http import resolver as resolvers
from webhook_engine.delivery.http.lookup_queue import FREE_SHARE, PLACES, SHARES, Pace
from webhook_engine.delivery.http.resolver import Resolver

PATIENCE_S = 10.0


@pytest.fixture
async def resolver() -> AsyncIterator[Resolver]:
    ready = Resolver()
    yield ready
    await ready.close()


async def hosts(resolver: Resolver, name: str, application_id: str = "app_1") -> list[str]:
    async with asyncio.timeout(PATIENCE_S):
        return [info[4][0] for info in await resolver.look_up(name, 443, application_id)]


async def asked(names: Names, count: int) -> None:
    """Wait until so many look-ups were begun."""
    async with asyncio.timeout(PATIENCE_S):
        while len(names.asked) < count:
            await asyncio.sleep(0.002)


def looking_up(resolver: Resolver, names: list[str], application_id: str) -> list[asyncio.Task[object]]:
    return [asyncio.create_task(resolver.look_up(name, 443, application_id)) for name in names]


async def given_up(tasks: list[asyncio.Task[object]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_addresses_are_told_as_the_system_does(resolver: Resolver, names: Names) -> None:
    names.table["two.example"] = ["192.0.2.1", "2001:db8::1"]
    assert await resolver.look_up("two.example", 8443) == [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 8443)),
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2001:db8::1", 8443, 0, 0)),
    ]


@pytest.mark.parametrize("text", ["192.0.2.7", "2001:db8::7"])
async def test_an_address_is_not_looked_up(resolver: Resolver, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "getaddrinfo")
    assert await hosts(resolver, text) == [text]


async def test_one_look_up_serves_all_ports_and_all_who_ask(resolver: Resolver, names: Names) -> None:
    names.table["one.example"] = ["192.0.2.1"]
    found = await asyncio.gather(*(resolver.look_up("one.example", port, f"app_{port}") for port in range(1, 20)))
    assert [addresses[0][4][1] for addresses in found] == list(range(1, 20))
    assert names.asked == ["one.example"]


async def test_the_last_good_addresses_serve_while_a_new_look_up_hangs(
    resolver: Resolver, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolvers, "KEEP_S", 0.0)
    names.table["good.example"] = ["192.0.2.1"]
    assert await hosts(resolver, "good.example") == ["192.0.2.1"]
    hang = names.table["good.example"] = threading.Event()
    for _ in range(3):
        assert await hosts(resolver, "good.example") == ["192.0.2.1"]
    assert names.asked == ["good.example"] * 2
    names.table["good.example"] = ["192.0.2.2"]
    hang.set()
    async with asyncio.timeout(PATIENCE_S):
        while await hosts(resolver, "good.example") != ["192.0.2.2"]:
            await asyncio.sleep(0.002)


async def test_a_new_look_up_that_is_quick_is_waited_for(
    resolver: Resolver, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolvers, "KEEP_S", 0.0)
    monkeypatch.setattr(resolvers, "STALE_AFTER_S", PATIENCE_S)
    for address in ("192.0.2.1", "192.0.2.2"):
        names.table["moving.example"] = [address]
        assert await hosts(resolver, "moving.example") == [address]


async def test_addresses_do_not_serve_for_ever(
    resolver: Resolver, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolvers, "KEEP_S", 0.0)
    monkeypatch.setattr(resolvers, "STALE_S", 0.0)
    names.table["old.example"] = ["192.0.2.1"]
    await hosts(resolver, "old.example")
    names.table["old.example"] = socket.gaierror(socket.EAI_AGAIN, "try again")
    with pytest.raises(socket.gaierror, match="try again"):
        await hosts(resolver, "old.example")


async def test_addresses_serve_through_an_outage_of_the_dns_but_not_when_the_name_is_gone(
    resolver: Resolver, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolvers, "KEEP_S", 0.0)
    monkeypatch.setattr(resolvers, "STALE_AFTER_S", PATIENCE_S)
    names.table["good.example"] = ["192.0.2.1"]
    await hosts(resolver, "good.example")
    names.table["good.example"] = socket.gaierror(socket.EAI_AGAIN, "try again")
    assert await hosts(resolver, "good.example") == ["192.0.2.1"]
    names.table["good.example"] = socket.gaierror(socket.EAI_NONAME, "no such name")
    for _ in range(2):
        with pytest.raises(socket.gaierror, match="no such name"):
            await hosts(resolver, "good.example")
    names.table["good.example"] = socket.gaierror(socket.EAI_AGAIN, "try again")
    with pytest.raises(socket.gaierror, match="try again"):
        await hosts(resolver, "good.example")


async def test_hanging_names_of_one_application_delay_neither_its_own_good_ones_nor_others(
    resolver: Resolver, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolvers, "KEEP_S", 0.0)
    monkeypatch.setattr(resolvers, "STALE_AFTER_S", PATIENCE_S)
    names.table["own.example"] = ["192.0.2.1"]
    names.table["new.example"] = ["192.0.2.2"]
    await hosts(resolver, "own.example", "app_1")
    hang = threading.Event()
    hanging = [f"hang{number}.example" for number in range(150)]
    names.table |= dict.fromkeys(hanging, hang)
    waiting = looking_up(resolver, hanging, "app_1")
    await asked(names, 10)
    assert await hosts(resolver, "own.example", "app_1") == ["192.0.2.1"]
    assert await hosts(resolver, "new.example", "app_2") == ["192.0.2.2"]
    # A name that stands in line behind the hanging ones is looked up at once when another application asks for it.
    names.table["shared.example"] = ["192.0.2.3"]
    first = looking_up(resolver, ["shared.example"], "app_1")
    await asyncio.sleep(0)
    assert await hosts(resolver, "shared.example", "app_2") == ["192.0.2.3"]
    await asyncio.gather(*first)
    await given_up(waiting)


async def test_names_that_were_slow_get_only_a_part_of_the_threads(
    resolver: Resolver, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolvers, "SLOW_AFTER_S", -1.0)
    slow = [f"slow{number}.example" for number in range(200)]
    names.table |= {name: ["192.0.2.1"] for name in slow}
    for number, name in enumerate(slow):
        await hosts(resolver, name, f"app_{number}")
    monkeypatch.setattr(resolvers, "KEEP_S", 0.0)
    monkeypatch.setattr(resolvers, "STALE_S", 0.0)
    names.table |= dict.fromkeys(slow, threading.Event())
    names.asked.clear()
    waiting = [task for number, name in enumerate(slow) for task in looking_up(resolver, [name], f"app_{number}")]
    most = int(PLACES * SHARES[Pace.SLOW])
    await asked(names, most)
    names.table["new.example"] = ["192.0.2.2"]
    assert await hosts(resolver, "new.example", "new") == ["192.0.2.2"]
    assert len(names.asked) == most + 1
    await given_up(waiting)


async def test_a_look_up_that_nobody_waits_for_any_more_is_not_begun(resolver: Resolver, names: Names) -> None:
    hang = threading.Event()
    hanging = [f"hang{number}.example" for number in range(150)]
    names.table |= dict.fromkeys(hanging, hang)
    waiting = looking_up(resolver, hanging, "app_1")
    await asked(names, 10)
    await given_up(waiting)
    hang.set()
    names.table["new.example"] = ["192.0.2.1"]
    assert await hosts(resolver, "new.example", "app_1") == ["192.0.2.1"]
    assert len(names.asked) <= PLACES * SHARES[Pace.UNKNOWN] / FREE_SHARE + 1


async def test_what_is_remembered_is_bounded_and_one_application_cannot_push_out_the_names_of_others(
    resolver: Resolver, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolvers, "MAX_NAMES", 20)
    monkeypatch.setattr(resolvers, "MAX_NAMES_PER_APPLICATION", 5)
    names.table["mine.example"] = ["192.0.2.1"]
    await hosts(resolver, "mine.example", "app_1")
    for number in range(30):
        names.table[f"many{number}.example"] = ["192.0.2.2"]
        await hosts(resolver, f"many{number}.example", "app_2")
    names.asked.clear()
    for name in ("mine.example", "many29.example", "many0.example"):
        await hosts(resolver, name)
    assert names.asked == ["many0.example"]
    for number in range(60):
        await hosts(resolver, f"many{number % 30}.example", f"app_{number}")
    assert len(resolver._names) <= 20


async def test_a_lack_of_descriptors_is_not_taken_for_an_answer_of_the_dns(
    resolver: Resolver, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    names.table["any.example"] = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    def no_socket(*_arguments: object) -> socket.socket:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(socket, "socket", no_socket)
    with pytest.raises(OSError, match="Too many open files") as caught:
        await hosts(resolver, "any.example")
    assert caught.value.errno == errno.EMFILE


async def test_a_thread_that_cannot_be_started_fails_that_look_up_and_no_later_one(
    resolver: Resolver, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_thread(_self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    names.table["any.example"] = ["192.0.2.1"]
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_thread)
        with pytest.raises(OSError, match="no thread can be started") as caught:
            await hosts(resolver, "any.example")
        assert caught.value.errno == errno.ENOMEM
    assert await hosts(resolver, "any.example") == ["192.0.2.1"]


async def test_closing_ends_the_waiting(names: Names) -> None:
    resolver = Resolver()
    names.table["hang.example"] = threading.Event()
    [waiting] = looking_up(resolver, ["hang.example"], "app_1")
    await asked(names, 1)
    await resolver.close()
    with pytest.raises(OSError, match="closed"):
        await waiting


async def test_the_threads_of_the_host_program_are_not_used(resolver: Resolver, names: Names) -> None:
    names.table |= {f"hang{number}.example": threading.Event() for number in range(200)}
    waiting = looking_up(resolver, list(names.table), "app_1")
    await asked(names, 10)
    threads = {thread for thread in threading.enumerate() if thread.name.startswith("webhook-engine-dns")}
    assert 0 < len(threads) <= PLACES
    assert all(thread.daemon for thread in threads)
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(*(asyncio.to_thread(int, "1") for _ in range(200)))
    await given_up(waiting)
