"""Requests and responses, over pooled connections."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import receivers
from delivery.http.sending import HEADERS, INBOX, LIMIT, NOTHING_PRIVATE, TIMEOUT_S, exchange, make_sender, send
from interruptions import Interrupted
from names import Names
from receivers import Receiver, Reply
from yarl import URL

from webhook_engine.delivery.http import connection as connections
from webhook_engine.delivery.http.own_inbox import OwnInboxes
from webhook_engine.delivery.http.request import Destination
from webhook_engine.delivery.http.response import FailureKind
from webhook_engine.delivery.http.sender import Sender

# What is sent.


async def test_sends_the_bytes_and_the_headers_it_is_given_and_no_others(sender: Sender) -> None:
    async with Receiver() as receiver:
        answer = await send(sender, receiver.url + "?a=%2Fb", b'{ "exact" : 1 }')
    [request] = receiver.requests
    assert (answer.status_code, answer.text, answer.failure) == (200, "ok", None)
    assert request.raw == (
        b"POST /hook?a=%2Fb HTTP/1.1\r\n"
        b"Host: 127.0.0.1:" + str(receiver.port).encode() + b"\r\n"
        b"content-type: application/json\r\n"
        b"user-agent: Webhook-Engine/1\r\n"
        b"webhook-id: msg_1\r\n"
        b"X-Own-Case: kept\r\n"
        b"Accept: */*\r\n"
        b"Content-Length: 15\r\n\r\n"
        b'{ "exact" : 1 }'
    )


async def test_what_is_added_for_one_request_is_in_no_other(sender: Sender) -> None:
    async with Receiver() as receiver:
        destination = Destination(URL(receiver.url), HEADERS)
        for added in ("webhook-signature: v1,a\r\n", ""):
            await sender.send(destination, added, b"{}")
    first, second = receiver.requests
    assert first.headers["webhook-signature"] == "v1,a"
    assert "webhook-signature" not in second.headers
    assert first.headers["x-own-case"] == second.headers["x-own-case"] == "kept"


async def test_a_false_length_does_not_reach_the_connection(sender: Sender) -> None:
    async with Receiver() as receiver:
        for name, value in (("Content-Length", "3"), ("Transfer-Encoding", "chunked")):
            destination = Destination(URL(receiver.url), [*HEADERS, (name, value)])
            await sender.send(destination, "", b'{"id":1}')
    assert receiver.bodies == [b'{"id":1}'] * 2
    assert all("transfer-encoding" not in request.headers for request in receiver.requests)


async def test_a_user_name_in_the_url_gives_way_to_the_authorization_header(sender: Sender) -> None:
    async with Receiver() as receiver:
        url = URL(receiver.url.replace("//", "//user:pass@"))
        answer = await sender.send(Destination(url, [*HEADERS, ("Authorization", "Bearer x")]), "", b"{}")
        assert answer.failure is None
    assert receiver.requests[0].headers["authorization"] == "Bearer x"


async def test_a_header_that_http_cannot_carry_is_a_failed_attempt(sender: Sender) -> None:
    async with Receiver() as receiver:
        answer = await sender.send(Destination(URL(receiver.url), {"x-own": "a\r\nevil: b"}), "", b"{}")
        assert receiver.connections == 0
    assert (answer.status_code, answer.failure) == (0, FailureKind.PROTOCOL)
    assert "could not be made" in answer.text


# Which answers are successes.


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_2xx_is_a_success(status: int) -> None:
    answer = await exchange(Receiver(Reply(status, b"")))
    assert (answer.status_code, answer.text, answer.failure) == (status, "", None)


@pytest.mark.parametrize("status", [300, 301, 304, 308, 400, 404, 410, 429, 500, 503, 599])
async def test_every_other_status_is_a_failure(status: int) -> None:
    answer = await exchange(Receiver(Reply(status, b"" if status == 304 else b"why", {"Location": "/elsewhere"})))
    assert (answer.status_code, answer.failure) == (status, FailureKind.STATUS)
    assert answer.text == ("" if status == 304 else "why")


async def test_no_redirect_is_followed(sender: Sender) -> None:
    async with Receiver() as elsewhere, receivers.redirecting(elsewhere.url, 307) as receiver:
        answer = await send(sender, receiver.url)
    assert (answer.status_code, answer.text, elsewhere.requests) == (307, "moved", [])


async def test_the_headers_that_matter_are_passed_on_as_they_came() -> None:
    reply = Reply(503, b"", {"Retry-After": "7", "Webhook-Delivery": "disable"})
    answer = await exchange(Receiver(reply))
    assert (answer.retry_after, answer.control) == ("7", "disable")
    answer = await exchange(Receiver(Reply(200, b"", reply.headers)))
    assert (answer.retry_after, answer.control) == (None, "disable")


async def test_the_duration_is_that_of_the_whole_exchange() -> None:
    answer = await exchange(Receiver(Reply(delay=0.1)))
    assert 90 <= answer.duration_ms < 5_000


async def test_continue_before_the_answer_is_passed_over() -> None:
    answer = await exchange(receivers.continuing_once())
    assert (answer.status_code, answer.text, answer.failure) == (200, "ok", None)


async def test_switching_protocols_is_a_failure() -> None:
    answer = await exchange(receivers.switching_protocols())
    assert (answer.status_code, answer.failure) == (101, FailureKind.STATUS)
    assert "101 Switching Protocols" in answer.text


# What is kept of the body.


async def test_a_long_body_is_cut_and_the_connection_not_used_again(sender: Sender) -> None:
    async with receivers.endless_body() as receiver:
        answer = await send(sender, receiver.url)
        assert (answer.status_code, answer.failure, answer.text) == (200, None, "x" * LIMIT)
        await send(sender, receiver.url)
        assert receiver.connections == 2


async def test_a_body_that_fits_leaves_the_connection_usable(sender: Sender) -> None:
    async with Receiver(Reply(200, b"y" * LIMIT)) as receiver:
        for _ in range(3):
            assert (await send(sender, receiver.url)).text == "y" * LIMIT
        assert receiver.connections == 1


async def test_a_large_body_that_fits_is_read_to_its_end() -> None:
    async with Receiver(Reply(500, b"z" * 300_000)) as receiver, make_sender(response_limit=300_000) as sender:
        for _ in range(2):
            assert len((await send(sender, receiver.url)).text) == 300_000
        assert receiver.connections == 1


async def test_the_cut_drops_half_a_character() -> None:
    answer = await exchange(Receiver(Reply(200, "é".encode() * LIMIT)), response_limit=11)
    assert answer.text == "é" * 5


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"\xff\xfe", "//4="),
        ("half é".encode()[:-1], "aGFsZiDD"),
        (b"a\x00b", "a\x00b"),
        ("日本".encode(), "日本"),
    ],
)
async def test_text_is_kept_and_other_bytes_as_base64(body: bytes, text: str) -> None:
    assert (await exchange(Receiver(Reply(200, body)))).text == text


async def test_a_compressed_body_is_not_decompressed() -> None:
    started = time.process_time()
    answer = await exchange(receivers.gzip_bomb(1_000_000))
    assert answer.failure is None
    assert answer.text.startswith("H4sI")
    assert time.process_time() - started < 1


# The time of the whole exchange is bounded.


@pytest.mark.parametrize(
    ("make", "status", "kind", "words"),
    [
        (receivers.hanging, 0, FailureKind.TIMEOUT, "request timed out: no response within 0.4 s"),
        (receivers.trickling, 200, None, "the response 200 came, but its body did not end within 0.4 s"),
        (lambda: receivers.trickling(status=500), 500, FailureKind.STATUS, "the response 500 came, but its body did"),
    ],
)
async def test_a_slow_exchange_ends_in_time_and_a_status_that_came_stands(
    make: Callable[[], Receiver], status: int, kind: FailureKind | None, words: str
) -> None:
    answer = await exchange(make(), timeout_s=TIMEOUT_S)
    assert (answer.status_code, answer.failure) == (status, kind)
    assert answer.timed_out
    assert words in answer.text
    assert TIMEOUT_S * 900 <= answer.duration_ms < 10_000


async def test_a_tls_handshake_times_out(impatient: Sender) -> None:
    async with receivers.hanging() as receiver:
        answer = await send(impatient, receiver.url.replace("http:", "https:"))
    assert (answer.status_code, answer.failure) == (0, FailureKind.TIMEOUT)


async def test_each_exchange_has_its_own_time() -> None:
    async with (
        receivers.hanging() as slow,
        Receiver(Reply(delay=1.4)) as quick,
        make_sender(timeout_s=2.0) as sender,
    ):
        first = asyncio.create_task(send(sender, slow.url))
        await asyncio.sleep(1.2)
        second = asyncio.create_task(send(sender, quick.url))
        assert (await first).failure is FailureKind.TIMEOUT
        assert (await second).failure is None


async def test_a_timeout_of_the_caller_still_counts(impatient: Sender) -> None:
    async with receivers.hanging() as receiver:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await send(impatient, receiver.url)
        answer = await send(impatient, receiver.url)
    assert answer.failure is FailureKind.TIMEOUT
    task = asyncio.current_task()
    assert task
    assert task.cancelling() == 0


async def test_cancelling_goes_through(sender: Sender) -> None:
    async with receivers.hanging() as receiver:
        task = asyncio.create_task(send(sender, receiver.url))
        await receiver.wait_for(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


# Faults of the other side.


@pytest.mark.parametrize(
    ("make", "status", "kind", "words"),
    [
        (receivers.resetting, 0, FailureKind.CONNECT, "broke off before the response: Connection reset by peer"),
        (lambda: receivers.malformed(b""), 0, FailureKind.CONNECT, "broke off before the response: it was closed"),
        (receivers.cutting_headers, 0, FailureKind.CONNECT, "within the headers of the response: it was closed"),
        (receivers.resetting_within_headers, 0, FailureKind.CONNECT, "within the headers of the response"),
        (receivers.malformed, 0, FailureKind.PROTOCOL, "is not valid HTTP: "),
        (lambda: receivers.malformed(b"HTTP/1.1 abc\r\n\r\n"), 0, FailureKind.PROTOCOL, "is not valid HTTP: "),
        (receivers.huge_headers, 0, FailureKind.PROTOCOL, "is not valid HTTP: its headers are larger than 256 kB"),
        (receivers.continuing_endlessly, 0, FailureKind.PROTOCOL, "more than 100 interim responses (100)"),
        (lambda: receivers.malformed(b"HTTP/1.1 000 No\r\n\r\n"), 0, FailureKind.PROTOCOL, "there is no status 000"),
    ],
)
async def test_a_fault_is_a_failed_attempt_that_says_what_was_wrong(
    make: Callable[[], Receiver], status: int, kind: FailureKind, words: str
) -> None:
    receiver = make()
    answer = await exchange(receiver)
    assert (answer.status_code, answer.failure) == (status, kind)
    assert words in answer.text
    assert len(answer.text) < 1_000
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("make", "scheme", "sent"),
    [
        (receivers.refusing, "http", False),
        (receivers.silent, "http", False),
        (receivers.hanging, "https", False),
        (receivers.hanging, "http", True),
    ],
)
async def test_says_whether_anything_was_sent(
    impatient: Sender, make: Callable[[], Any], scheme: str, sent: bool
) -> None:
    async with make() as receiver:
        url = receiver if isinstance(receiver, str) else receiver.url
        answer = await send(impatient, url.replace("http:", f"{scheme}:"))
    assert (answer.status_code, answer.sent) == (0, sent)


async def test_a_closed_port_says_so(sender: Sender) -> None:
    async with receivers.refusing() as url:
        answer = await send(sender, url)
    assert (answer.status_code, answer.failure) == (0, FailureKind.CONNECT)
    assert answer.text == f"could not connect to {URL(url).authority}: Connection refused"


async def test_a_server_that_greets_first_speaks_no_http(sender: Sender) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        with suppress(OSError):
            await reader.read()
        writer.close()
        served.set()

    served = asyncio.Event()
    async with await asyncio.start_server(greet, "127.0.0.1") as server:
        answer = await send(sender, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        await served.wait()
    assert (answer.status_code, answer.failure) == (0, FailureKind.PROTOCOL)
    assert answer.text.endswith("is not valid HTTP: it begins with '220 mail.example ESMTP'")


async def test_a_server_that_closes_at_once_is_a_connection_that_broke_off(sender: Sender) -> None:
    async def close(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(close, "127.0.0.1") as server:
        for _ in range(20):
            answer = await send(sender, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
            assert (answer.status_code, answer.failure) == (0, FailureKind.CONNECT)
            assert "broke off before the response" in answer.text


# Connections that were idle.


async def test_a_kept_connection_that_dies_is_tried_once_more_on_a_new_one(sender: Sender) -> None:
    async with receivers.closing_after_each_answer() as receiver:
        for number in range(1, 4):
            assert (await send(sender, receiver.url)).failure is None
            assert receiver.connections == number
    assert [request.connection for request in receiver.requests] == [1, 1, 2, 2, 3]


async def test_the_second_try_uses_no_other_kept_connection(sender: Sender) -> None:
    async with receivers.closing_after_each_answer() as receiver:
        await asyncio.gather(*(send(sender, receiver.url) for _ in range(5)))
        assert receiver.connections == 5
        assert (await send(sender, receiver.url)).failure is None
    assert [request.connection for request in receiver.requests[5:]][1:] == [6]


async def test_a_new_connection_that_dies_is_not_tried_again(sender: Sender) -> None:
    async with receivers.closing_after_each_answer(answers=0) as receiver:
        assert (await send(sender, receiver.url)).failure is FailureKind.CONNECT
    assert len(receiver.requests) == 1


async def test_the_second_try_is_the_last(sender: Sender) -> None:
    async with Receiver() as receiver:
        await send(sender, receiver.url)
        receiver.behaviour = receivers.resetting().behaviour
        assert (await send(sender, receiver.url)).failure is FailureKind.CONNECT
    assert [request.connection for request in receiver.requests] == [1, 1, 2]


@pytest.mark.parametrize(
    "make",
    [receivers.cutting_headers, receivers.resetting_within_headers, receivers.malformed],
)
async def test_once_something_was_heard_it_is_not_tried_again(sender: Sender, make: Callable[[], Receiver]) -> None:
    async with Receiver() as receiver:
        await send(sender, receiver.url)
        receiver.behaviour = make().behaviour
        assert (await send(sender, receiver.url)).failure
    assert [request.connection for request in receiver.requests] == [1, 1]


async def test_both_tries_share_one_time() -> None:
    async with Receiver() as receiver, make_sender(timeout_s=1.5) as sender:
        await send(sender, receiver.url)
        first, second = asyncio.Event(), asyncio.Event()

        async def behave(_r: object, request: Any, _reader: object, _writer: object) -> None:
            (first if request.connection == 1 else second).set()
            if request.connection == 2:
                await asyncio.sleep(60)

        receiver.behaviour = behave
        began: list[object] = []
        begin = sender._deadlines.begin
        sender._deadlines.begin = lambda one: (began.append(one), begin(one))[1]  # type: ignore[method-assign]
        assert (await send(sender, receiver.url)).failure is FailureKind.TIMEOUT
        assert first.is_set()
        assert second.is_set()
        assert len(began) == 1
        assert len(receiver.requests) == 3


async def test_a_request_that_may_have_been_worked_on_is_not_repeated(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "CLOSED_WHILE_IDLE_S", 0.1)
    async with Receiver() as receiver:
        await send(sender, receiver.url)

        async def die_at_work(_r: object, _q: object, _reader: object, _writer: object) -> None:
            await asyncio.sleep(0.15)

        receiver.behaviour = die_at_work
        answer = await send(sender, receiver.url)
        assert (answer.status_code, answer.failure) == (0, FailureKind.CONNECT)
    assert [request.connection for request in receiver.requests] == [1, 1]


async def test_a_request_that_is_repeated_is_told_of(sender: Sender, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with receivers.closing_after_each_answer() as receiver:
        for _ in range(2):
            await send(sender, receiver.url)
    assert ["request.repeated" in record.getMessage() for record in caplog.records] == [True]


async def test_an_answer_that_nobody_asked_for_is_not_taken_for_the_next(sender: Sender) -> None:
    async def behave(_r: object, _q: object, _reader: object, writer: asyncio.StreamWriter) -> bool:
        writer.write(receivers.OK)
        await asyncio.sleep(0.05)
        writer.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        return True

    async with Receiver(behaviour=behave) as receiver:
        assert (await send(sender, receiver.url)).status_code == 200
        await asyncio.sleep(0.1)
        assert (await send(sender, receiver.url)).status_code == 200
        assert receiver.connections == 2


def peers_of_this_process() -> Iterator[tuple[str, int]]:
    """Whom the open connections of this process lead to."""
    for descriptor in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            if os.readlink(f"/proc/self/fd/{descriptor}").startswith("socket:"):
                with socket.socket(fileno=os.dup(int(descriptor))) as copy:
                    yield copy.getpeername()


async def test_a_connection_that_was_answered_before_all_was_sent_is_not_used_again(sender: Sender) -> None:
    heads = 0

    async def answer_early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal heads
        while await reader.readuntil(b"\r\n\r\n"):
            heads += 1
            writer.write(receivers.OK)
            await released.wait()

    released = asyncio.Event()
    async with await asyncio.start_server(answer_early, "127.0.0.1", limit=1024) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        for number in (1, 2):
            assert (await send(sender, url, b"x" * 32 * 1024 * 1024)).failure is None
            assert heads == number
        assert sender._world.open_count == 0
        # The other side need not read what is left of the request: nothing of it is kept for that.
        await asyncio.sleep(0.05)
        assert not [peer for peer in peers_of_this_process() if peer == server.sockets[0].getsockname()]
        released.set()


async def test_idle_connections_are_bounded(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender._world, "_max_idle", 3)
    async with Receiver(host="0.0.0.0") as receiver:
        for last in range(1, 12):
            answer = await send(sender, f"http://127.0.0.{last}:{receiver.port}/")
            assert answer.failure is None
        assert receiver.connections == 11
        assert sender._world.open_count == 3
        # Those that were used last were kept, and using them keeps them.
        for last in (9, 10, 11):
            await send(sender, f"http://127.0.0.{last}:{receiver.port}/")
        assert receiver.connections == 11
        for last in range(1, 9):
            await send(sender, f"http://127.0.0.11:{receiver.port}/")
            await send(sender, f"http://127.0.0.{last}:{receiver.port}/")
        assert receiver.connections == 11 + 8
        assert sender._world.open_count == 3


async def test_only_the_own_inbox_is_exempt_and_shares_no_connection() -> None:
    own = OwnInboxes()
    async with Receiver() as receiver, make_sender(guard=NOTHING_PRIVATE, own_inboxes=own) as sender:
        base = receiver.url.removesuffix("/hook")
        own.serve_at([base])
        for _ in range(2):
            assert (await send(sender, base + INBOX)).failure is None
            assert (await send(sender, base + "/api/v1/app")).failure is FailureKind.BLOCKED
        assert receiver.connections == 1
        assert [request.path for request in receiver.requests] == [INBOX] * 2


# Starting and stopping.


async def test_closing_twice_and_starting_again() -> None:
    sender = make_sender()
    await sender.close()
    async with Receiver() as receiver:
        for _ in range(2):
            await sender.start()
            assert (await send(sender, receiver.url)).failure is None
            await sender.close()
            await sender.close()
        assert receiver.connections == 2


async def test_a_url_is_judged_by_where_its_name_leads(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webhook_engine.delivery.http.sender.PRECHECK_S", 0.05)
    names.table = {
        "good.example": ["192.0.2.1", "93.184.215.14"],
        "inside.example": ["10.0.0.1"],
        "nowhere.example": socket.gaierror(socket.EAI_NONAME, "no such name"),
        "away.example": socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
        "slow.example": threading.Event(),
    }
    async with make_sender(guard=NOTHING_PRIVATE) as sender:
        told = {name: await sender.precheck(URL(f"https://{name}/hook"), "app_1") for name in names.table}
    assert told == {
        "good.example": None,
        "inside.example": FailureKind.BLOCKED,
        "nowhere.example": FailureKind.DNS,
        "away.example": None,
        "slow.example": None,
    }


async def test_closing_leaves_no_thread_and_no_task(names: Names) -> None:
    before = asyncio.all_tasks()
    threads_before = set(threading.enumerate())
    async with Receiver() as receiver, make_sender() as sender:
        names.table["good.example"] = ["127.0.0.1"]
        await send(sender, f"http://good.example:{receiver.port}/")
    for _ in range(100):
        left = set(threading.enumerate()) - threads_before
        if not any(thread.name == "webhook-engine-dns" for thread in left):
            break
        await asyncio.sleep(0.01)
    else:
        pytest.fail("a thread for look-ups is left")
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_cancelling_anywhere_leaves_no_connection(scheme: str) -> None:
    made = receivers.tls() if scheme == "https" else Receiver()
    async with made as receiver, make_sender(ssl_context=receivers.trusting()) as sender:
        for number in itertools.count():
            attempt = Interrupted(send(sender, receiver.url), {number})

            async def run(attempt: Interrupted = attempt) -> Any:
                return await attempt

            await asyncio.gather(asyncio.create_task(run()), return_exceptions=True)
            assert sender._world.open_count == sender._world.idle_count <= 1
            if attempt.waits <= number:
                break
            # The next one has to connect anew.
            await sender.start()
        assert number >= 2
    assert sender._world.open_count == 0


async def test_a_very_long_url_goes_out_whole(sender: Sender) -> None:
    async with Receiver() as receiver:
        path = "/" + "a" * 30_000 + "?q=" + "b" * 10_000
        assert (await send(sender, receiver.url.removesuffix("/hook") + path)).failure is None
        assert receiver.requests[0].target == path


async def test_stopping_ends_what_is_just_being_connected() -> None:
    async with receivers.silent() as url, make_sender() as sender, Receiver() as receiver:
        waiting = asyncio.create_task(send(sender, receiver.url))
        hanging = asyncio.create_task(send(sender, url))
        await asyncio.sleep(0)
        await sender.close()
        assert (await waiting).failure in (None, FailureKind.CONNECT)
        assert sender._world.open_count == 0
        hanging.cancel()


async def test_stopping_closes_idle_and_busy_connections(sender: Sender) -> None:
    async with Receiver() as idle, receivers.hanging() as busy:
        await send(sender, idle.url)
        waiting = asyncio.create_task(send(sender, busy.url))
        await busy.wait_for(1)
        await sender.close()
        answer = await waiting
        assert answer.failure is FailureKind.CONNECT
        assert sender._world.open_count == 0
