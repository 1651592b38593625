"""Which address is connected to, and what a name that cannot be looked up comes to."""

from __future__ import annotations

import asyncio
import threading
from ipaddress import ip_network

import pytest
import receivers
from delivery.http.sending import HEADERS, NOTHING_PRIVATE, make_sender, send
from names import Names
from receivers import Receiver
from yarl import URL

from webhook_engine.delivery.http import resolver as resolvers
from webhook_engine.delivery.http.guard import BLOCKED, AddressGuard
from webhook_engine.delivery.http.request import Destination
from webhook_engine.delivery.http.response import FailureKind
from webhook_engine.delivery.http.sender import Sender


async def test_connecting_times_out(impatient: Sender) -> None:
    async with receivers.silent() as url:
        answer = await send(impatient, url)
    assert (answer.status_code, answer.failure) == (0, FailureKind.TIMEOUT)
    assert "no connection within" in answer.text


# Names that do not decode.


@pytest.mark.parametrize("name", ["xn--a.example", "xn--fx-3s9cx68e-jpnet.example"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_name_that_does_not_decode_fails_for_its_own_reason(names: Names, name: str, scheme: str) -> None:
    async with receivers.refusing() as url, make_sender() as sender:
        target = url.replace("127.0.0.1", name).replace("http:", f"{scheme}:")
        assert (await send(sender, target)).failure is FailureKind.DNS
        names.table[name] = ["10.0.0.1"]
        await sender.start()
        assert (await send(sender, target)).failure is FailureKind.BLOCKED
        names.table[name] = ["127.0.0.1"]
        await sender.start()
        answer = await send(sender, target)
        assert (answer.failure, answer.text[-18:]) == (FailureKind.CONNECT, "Connection refused")


# Addresses that are not to be reached.


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "127.0.0.1.",
        "0",
        "169.254.169.254",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1%251]",
    ],
)
@pytest.mark.parametrize("encoded", [True, False])
async def test_a_private_address_is_not_connected_to(host: str, encoded: bool) -> None:
    async with Receiver() as receiver, make_sender(guard=NOTHING_PRIVATE) as sender:
        try:
            url = URL(f"http://{host}:{receiver.port}/", encoded=encoded)
        except ValueError:
            return
        answer = await sender.send(Destination(url, HEADERS), "", b"{}")
        assert (answer.status_code, answer.failure) == (0, FailureKind.BLOCKED)
        assert BLOCKED in answer.text
        assert receiver.connections == 0


async def test_of_several_addresses_only_an_allowed_one_is_connected_to(names: Names) -> None:
    async with (
        Receiver(host="127.0.0.2") as allowed,
        Receiver(host="127.0.0.1", port=allowed.port) as blocked,
        make_sender(guard=AddressGuard([ip_network("127.0.0.2/32")])) as sender,
    ):
        for number, order in enumerate(
            (["127.0.0.1", "127.0.0.2"], ["127.0.0.2", "127.0.0.1"], ["::1", "10.0.0.1", "127.0.0.2"])
        ):
            names.table[f"mixed{number}.example"] = order
            answer = await send(sender, f"http://mixed{number}.example:{allowed.port}/")
            assert answer.failure is None
        assert allowed.connections == 3
    assert blocked.connections == 0


async def test_an_allowed_address_that_does_not_answer_is_not_called_blocked(names: Names) -> None:
    async with receivers.refusing() as url, make_sender(guard=AddressGuard([ip_network("127.0.0.1/32")])) as sender:
        names.table["mixed.example"] = ["127.0.0.1", "10.0.0.1"]
        answer = await send(sender, url.replace("127.0.0.1", "mixed.example"))
    assert answer.failure is FailureKind.CONNECT


async def test_a_name_of_blocked_addresses_is_blocked_and_they_are_not_told(names: Names) -> None:
    names.table["internal.example"] = ["10.1.2.3", "192.168.7.8", "fd00::7"]
    async with make_sender() as sender:
        answer = await send(sender, "http://internal.example/")
    assert (answer.status_code, answer.failure) == (0, FailureKind.BLOCKED)
    assert BLOCKED in answer.text
    assert "10.1" not in answer.text


async def test_a_name_that_changes_its_address_is_checked_where_it_connects(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Receiver() as receiver, make_sender(guard=AddressGuard([ip_network("127.0.0.2/32")])) as sender:
        names.table["rebinding.example"] = ["127.0.0.2"]
        await send(sender, f"http://rebinding.example:{receiver.port}/")
        names.table["rebinding.example"] = ["127.0.0.1"]
        monkeypatch.setattr(resolvers, "KEEP_S", 0.0)
        answer = await send(sender, f"http://rebinding.example:{receiver.port}/")
        assert answer.failure is FailureKind.BLOCKED
        assert receiver.connections == 0


async def test_an_odd_form_of_an_allowed_address_says_how_to_write_it(sender: Sender) -> None:
    answer = await send(sender, "http://2130706433/")
    assert (answer.failure, answer.text) == (
        FailureKind.PROTOCOL,
        "the host 2130706433 must be written as 127.0.0.1",
    )


# Names.


async def test_a_name_that_does_not_resolve_fails_at_once(sender: Sender) -> None:
    answer = await send(sender, "http://nothing.invalid/")
    assert (answer.status_code, answer.failure) == (0, FailureKind.DNS)
    assert answer.text.startswith("could not resolve nothing.invalid: ")


async def test_an_impossible_name_fails(sender: Sender) -> None:
    answer = await send(sender, f"http://{'a' * 70}.example/")
    assert answer.failure is FailureKind.DNS


async def test_a_name_that_hangs_times_out_and_delays_no_other(names: Names) -> None:
    hang = threading.Event()
    names.table |= {f"hang{n}.example": hang for n in range(20)}
    names.table["good.example"] = ["127.0.0.1"]
    async with Receiver() as receiver, make_sender(timeout_s=2.0) as sender:
        hanging = [asyncio.create_task(send(sender, f"http://hang{n}.example/")) for n in range(20)]
        await asyncio.sleep(0.05)
        assert (await send(sender, f"http://good.example:{receiver.port}/")).failure is None
        assert not any(task.done() for task in hanging)
        answers = await asyncio.gather(*hanging)
    assert {answer.failure for answer in answers} == {FailureKind.TIMEOUT}
    assert "no connection within" in answers[0].text


async def test_one_name_that_hangs_takes_one_thread(impatient: Sender, names: Names) -> None:
    names.table["hang.example"] = threading.Event()
    await asyncio.gather(*(send(impatient, "http://hang.example/") for _ in range(30)))
    await send(impatient, "http://hang.example/")
    assert names.asked == ["hang.example"]


async def test_an_answer_of_the_dns_is_used_again_for_a_while(sender: Sender, names: Names) -> None:
    names.table["good.example"] = ["127.0.0.1"]
    async with receivers.refusing() as url:
        for _ in range(3):
            await send(sender, url.replace("127.0.0.1", "good.example"))
    assert names.asked == ["good.example"]


async def test_an_ipv6_address_is_reached_by_its_literal() -> None:
    async with (
        Receiver(host="::1") as receiver,
        make_sender(guard=AddressGuard([ip_network("::1/128")])) as sender,
    ):
        for _ in range(2):
            assert (await send(sender, receiver.url)).failure is None
        assert receiver.connections == 1
        assert receiver.requests[0].headers["host"] == f"[::1]:{receiver.port}"
