"""Requests through a proxy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import receivers
from delivery.http.sending import INBOX, NOTHING_PRIVATE, TIMEOUT_S, make_sender, send
from names import Names
from receivers import Receiver
from yarl import URL

from webhook_engine.delivery.http.own_inbox import OwnInboxes
from webhook_engine.delivery.http.response import FailureKind
from webhook_engine.delivery.http.sender import Sender

# Through a proxy.


@asynccontextmanager
async def through(proxy: Receiver, **changes: Any) -> AsyncIterator[Sender]:
    async with proxy, make_sender(proxy=proxy.url.removesuffix("/hook"), **changes) as sender:
        yield sender


async def test_requests_go_through_the_proxy(names: Names) -> None:
    names.table["target.example"] = ["8.8.8.8"]
    proxy = receivers.proxy()
    async with through(proxy, guard=NOTHING_PRIVATE) as sender:
        answer = await send(sender, "http://target.example/hook")
    assert (answer.status_code, answer.failure) == (200, None)
    assert proxy.requests[0].target == "http://target.example/hook"


async def test_the_proxy_is_told_who_asks_and_the_target_is_not(names: Names) -> None:
    names.table["target.example"] = ["8.8.8.8"]
    proxy = receivers.proxy()
    async with proxy, make_sender(proxy=proxy.url.replace("//", "//user:pass@"), guard=NOTHING_PRIVATE) as sender:
        for _ in range(2):
            assert (await send(sender, "http://target.example/hook")).failure is None
    assert [request.headers["proxy-authorization"] for request in proxy.requests] == ["Basic dXNlcjpwYXNz"] * 2
    assert proxy.connections == 1
    proxy = receivers.proxy()
    async with receivers.tls() as receiver, proxy:
        credentials = proxy.url.replace("//", "//user:pass@")
        async with make_sender(proxy=credentials, ssl_context=receivers.trusting()) as sender:
            assert (await send(sender, receiver.url)).failure is None
    assert proxy.requests[0].headers["proxy-authorization"] == "Basic dXNlcjpwYXNz"
    assert "proxy-authorization" not in receiver.requests[0].headers


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", "internal.example", "mixed.example", "2130706433"])
async def test_a_blocked_target_does_not_reach_the_proxy(names: Names, host: str) -> None:
    names.table |= {"internal.example": ["10.0.0.1"], "mixed.example": ["8.8.8.8", "10.0.0.1"]}
    proxy = receivers.proxy()
    async with through(proxy, guard=NOTHING_PRIVATE) as sender:
        answer = await send(sender, f"http://{host}/hook")
        assert (answer.status_code, answer.failure) == (0, FailureKind.BLOCKED)
        assert proxy.connections == 0


async def test_a_target_that_does_not_resolve_is_told_from_the_proxy() -> None:
    async with through(receivers.proxy()) as sender:
        answer = await send(sender, "http://nothing.invalid/")
    assert answer.failure is FailureKind.DNS


async def test_tls_goes_through_a_tunnel_that_is_used_again() -> None:
    proxy = receivers.proxy()
    async with receivers.tls() as receiver, through(proxy, ssl_context=receivers.trusting()) as sender:
        for _ in range(2):
            assert (await send(sender, receiver.url)).failure is None
        assert (proxy.connections, receiver.connections) == (1, 1)
        assert proxy.requests[0].target == URL(receiver.url).authority


async def test_a_proxy_that_does_not_reach_the_target_is_a_failure_without_a_status() -> None:
    async with (
        receivers.tls() as receiver,
        through(receivers.proxy(refuse=502), ssl_context=receivers.trusting()) as sender,
    ):
        answer = await send(sender, receiver.url)
    assert (answer.status_code, answer.failure) == (0, FailureKind.CONNECT)
    assert "answered 502" in answer.text


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_refuses_to_work_for_us_is_our_own_trouble(names: Names, scheme: str) -> None:
    names.table["target.example"] = ["8.8.8.8"]
    async with through(receivers.proxy(refuse=407)) as sender:
        answer = await send(sender, f"{scheme}://target.example/hook")
    assert (answer.status_code, answer.failure) == (0, FailureKind.OWN)
    assert "answered 407" in answer.text


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_cannot_be_reached_is_our_own_trouble(names: Names, scheme: str) -> None:
    names.table["target.example"] = ["8.8.8.8"]
    async with receivers.refusing() as url, make_sender(proxy=url.replace("//", "//user:secret@")) as sender:
        answer = await send(sender, f"{scheme}://target.example/hook")
    assert (answer.status_code, answer.failure) == (0, FailureKind.OWN)
    assert answer.text == "could not connect to the proxy: Connection refused"
    async with make_sender(proxy="http://no-proxy.invalid:3128") as sender:
        answer = await send(sender, f"{scheme}://target.example/hook")
    assert answer.failure is FailureKind.OWN
    assert answer.text.startswith("could not connect to the proxy: ")
    async with receivers.silent() as url, make_sender(proxy=url, timeout_s=TIMEOUT_S) as sender:
        answer = await send(sender, f"{scheme}://target.example/hook")
    assert answer.failure is FailureKind.OWN
    assert answer.text == "the proxy cannot be reached: no connection within 0.4 s"


@pytest.mark.parametrize("spoken", [b"hello", b"HTTP/1.1 200"])
async def test_a_proxy_that_speaks_no_http_or_closes_is_our_own_trouble(names: Names, spoken: bytes) -> None:
    names.table["target.example"] = ["8.8.8.8"]
    async with through(receivers.malformed(spoken)) as sender:
        answer = await send(sender, "https://target.example/hook")
    assert (answer.status_code, answer.failure) == (0, FailureKind.OWN)


async def test_a_tunnel_that_the_proxy_takes_its_time_for_times_out(names: Names) -> None:
    names.table["target.example"] = ["8.8.8.8"]
    async with through(receivers.hanging(), timeout_s=TIMEOUT_S) as sender:
        answer = await send(sender, "https://target.example/hook")
    assert (answer.status_code, answer.failure) == (0, FailureKind.TIMEOUT)


async def test_a_proxy_that_speaks_tls_is_used_for_both_schemes(names: Names) -> None:
    names.table["target.example"] = ["8.8.8.8"]
    proxy = receivers.tls(behaviour=receivers.proxy().behaviour)
    async with receivers.tls() as receiver, through(proxy, ssl_context=receivers.trusting()) as sender:
        assert (await send(sender, "http://target.example/hook")).failure is None
        for _ in range(2):
            assert (await send(sender, receiver.url)).failure is None
        assert (proxy.connections, receiver.connections) == (2, 1)


async def test_the_own_inbox_is_not_asked_through_the_proxy() -> None:
    proxy = receivers.proxy()
    own = OwnInboxes()
    async with Receiver() as inbox, through(proxy, guard=NOTHING_PRIVATE, own_inboxes=own) as sender:
        base = inbox.url.removesuffix("/hook")
        own.serve_at([base])
        assert (await send(sender, base + INBOX)).failure is None
    assert (len(inbox.requests), proxy.connections) == (1, 0)
