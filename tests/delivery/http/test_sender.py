from __future__ import annotations

import asyncio
import errno
import itertools
import os
import resource
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import receivers
from delivery.http.sending import HEADERS, LIMIT, NOTHING_PRIVATE, TIMEOUT_S, exchange, make_sender, send
from interruptions import Interrupted
from names import Names
from receivers import Receiver, Reply
from yarl import URL

from webhook_engine.delivery.http import connection as connections
from webhook_engine.delivery.http import resolver as resolvers
from webhook_engine.delivery.http.guard import BLOCKED, AddressGuard
from webhook_engine.delivery.http.own_inbox import OwnInboxes
from webhook_engine.delivery.http.request import Destination
from webhook_engine.delivery.http.response import FailureKind
from webhook_engine.delivery.http.sender import Sender
from webhook_engine.delivery.troubles import Lack

INBOX = "/play/in/0123456789abcdef"


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    async with make_sender() as ready:
        yield ready


@pytest.fixture
async def impatient() -> AsyncIterator[Sender]:
    async with make_sender(timeout_s=TIMEOUT_S) as ready:
        yield ready


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
    assert 90 <= answer.duration_ms < 1_000


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
        (receivers.hanging, 0, FailureKind.TIMEOUT, "request timed out: no answer within 0.4 s"),
        (receivers.trickling, 200, None, "the answer 200 came, but its body did not end within 0.4 s"),
        (lambda: receivers.trickling(status=500), 500, FailureKind.STATUS, "the answer 500 came, but its body did"),
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


async def test_connecting_times_out(impatient: Sender) -> None:
    async with receivers.silent() as url:
        answer = await send(impatient, url)
    assert (answer.status_code, answer.failure) == (0, FailureKind.TIMEOUT)
    assert "no connection within" in answer.text


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
        (receivers.resetting, 0, FailureKind.CONNECT, "broke off before the answer: Connection reset by peer"),
        (lambda: receivers.malformed(b""), 0, FailureKind.CONNECT, "broke off before the answer: it was closed"),
        (receivers.cutting_headers, 0, FailureKind.CONNECT, "within the headers of the answer: it was closed"),
        (receivers.resetting_within_headers, 0, FailureKind.CONNECT, "within the headers of the answer"),
        (receivers.malformed, 0, FailureKind.PROTOCOL, "is not valid HTTP: "),
        (lambda: receivers.malformed(b"HTTP/1.1 abc\r\n\r\n"), 0, FailureKind.PROTOCOL, "is not valid HTTP: "),
        (receivers.huge_headers, 0, FailureKind.PROTOCOL, "is not valid HTTP: its headers are larger than 256 kB"),
        (receivers.continuing_endlessly, 0, FailureKind.PROTOCOL, "more than 100 interim answers (100)"),
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


@pytest.mark.parametrize(
    ("certificate", "words"),
    [
        ("expired", "certificate has expired"),
        ("self-signed", "self-signed certificate"),
        ("unknown", "unable to get local issuer certificate"),
        ("wrong host", "certificate is not valid for '127.0.0.1'"),
    ],
)
async def test_a_bad_certificate_says_why(certificate: str, words: str) -> None:
    receiver = receivers.tls(certificate)
    answer = await exchange(receiver, ssl_context=receivers.trusting())
    assert (answer.status_code, answer.failure) == (0, FailureKind.TLS)
    assert words in answer.text
    assert receiver.requests == []


async def test_certificates_are_verified_unless_told_otherwise() -> None:
    answer = await exchange(receivers.tls())
    assert answer.failure is FailureKind.TLS


async def test_a_good_certificate_is_accepted() -> None:
    answer = await exchange(receivers.tls(), ssl_context=receivers.trusting())
    assert (answer.status_code, answer.text, answer.failure) == (200, "ok", None)


async def test_an_authority_of_ones_own_is_trusted_beside_those_of_the_system(tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    receivers.authority().cert_pem.write_to_path(str(ca_file))
    answer = await exchange(receivers.tls(), ca_file=str(ca_file))
    assert (answer.status_code, answer.failure) == (200, None)
    answer = await exchange(receivers.tls("unknown"), ca_file=str(ca_file))
    assert answer.failure is FailureKind.TLS


@pytest.mark.parametrize("reset", [True, False])
async def test_a_connection_that_ends_within_the_handshake_is_called_tls(sender: Sender, reset: bool) -> None:
    async def end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        if reset:
            receivers.reset_connection(writer)
        else:
            writer.close()

    async with await asyncio.start_server(end, "127.0.0.1") as server:
        answer = await send(sender, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    assert (answer.status_code, answer.failure) == (0, FailureKind.TLS)
    assert "during the handshake; its TLS may be older than 1.2" in answer.text
    assert "ConnectionResetError" not in answer.text


async def test_a_server_that_wants_a_certificate_of_ours_is_called_tls() -> None:
    context = receivers.tls()._tls_context
    assert context
    context.verify_mode = ssl.CERT_REQUIRED

    def serve(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) as secure:
            with suppress(ssl.SSLError):
                secure.do_handshake()  # which ends with an alert
            while socket.socket.recv(secure, 65_536):  # what is not read would make the end a reset
                pass

    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = asyncio.create_task(asyncio.to_thread(serve, listening))
        async with make_sender(ssl_context=receivers.trusting()) as sender:
            answer = await send(sender, f"https://127.0.0.1:{listening.getsockname()[1]}/")
        await serving
    assert (answer.status_code, answer.failure) == (0, FailureKind.TLS)
    assert "certificate required" in answer.text


# What the engine itself lacks.


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Below all that are open but the standard ones: what is closed meanwhile, by whomever, cannot be had again either.
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.parametrize("name", ["127.0.0.1", "nothing.invalid"])
async def test_without_a_file_descriptor_nothing_is_the_receivers_failure(sender: Sender, name: str) -> None:
    async with Receiver() as idle, Receiver() as receiver:
        await send(sender, idle.url)
        with no_descriptor_left():
            answer = await send(sender, receiver.url.replace("127.0.0.1", name))
        assert (answer.status_code, answer.failure, answer.lack) == (0, FailureKind.OWN, Lack.DESCRIPTORS), answer
        assert "no file descriptor is left" in answer.text
        # What was kept for later is given up for what is needed now.
        assert sender._world.idle_count == 0
        assert (await send(sender, receiver.url)).failure is None


@pytest.mark.parametrize(
    ("error", "lack"),
    [
        (OSError(errno.ENOBUFS, "x"), Lack.MEMORY),
        (OSError(errno.ENOMEM, "x"), Lack.MEMORY),
        (MemoryError(), Lack.MEMORY),
        (OSError(errno.EADDRNOTAVAIL, "x"), Lack.PORTS),
    ],
)
async def test_what_is_lacking_when_connecting_is_named(
    sender: Sender, monkeypatch: pytest.MonkeyPatch, error: BaseException, lack: Lack
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("aiohappyeyeballs.start_connection", fail)
    answer = await send(sender, "http://127.0.0.1:9/")
    assert (answer.failure, answer.lack) == (FailureKind.OWN, lack)


async def test_an_address_that_this_machine_cannot_have_is_no_lack_of_ports(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EADDRNOTAVAIL, "x")

    def connect(*_: object) -> None:
        raise OSError(errno.EADDRNOTAVAIL, "x")

    monkeypatch.setattr("aiohappyeyeballs.start_connection", fail)
    monkeypatch.setattr(socket, "socket", type("Socket", (socket.socket,), {"connect": connect}))
    answer = await send(sender, "http://127.0.0.1:9/")
    assert answer.failure is FailureKind.CONNECT


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
            assert "broke off before the answer" in answer.text


async def test_tls_with_what_does_not_speak_it(sender: Sender) -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1") as server:
        answer = await send(sender, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    assert answer.failure is FailureKind.TLS
    assert "wrong version number" in answer.text or "record layer failure" in answer.text


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


async def test_a_tls_connection_is_dropped_without_ceremony() -> None:
    receiver = receivers.tls(behaviour=receivers.endless_body().behaviour)
    async with receiver, make_sender(ssl_context=receivers.trusting()) as sender:
        answer = await send(sender, receiver.url)
        assert (answer.status_code, answer.failure, answer.text) == (200, None, "x" * LIMIT)
        started = time.monotonic()
    assert time.monotonic() - started < 1


def test_the_context_of_the_tests_trusts_nobody_else() -> None:
    assert receivers.trusting().verify_mode is ssl.CERT_REQUIRED


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


async def test_a_name_is_what_the_certificate_is_checked_against_and_what_the_server_is_told(names: Names) -> None:
    told: list[str | None] = []
    names.table |= {name: ["127.0.0.1"] for name in ("localhost", "localhost.", "elsewhere.example")}
    async with receivers.tls() as receiver, make_sender(ssl_context=receivers.trusting()) as sender:
        assert receiver._tls_context
        receiver._tls_context.sni_callback = lambda _socket, name, _context: told.append(name)
        for host in ("localhost", "localhost."):
            assert (await send(sender, f"https://{host}:{receiver.port}/")).failure is None
        wrong = await send(sender, f"https://elsewhere.example:{receiver.port}/")
    assert told == ["localhost", "localhost", "elsewhere.example"]
    assert wrong.failure is FailureKind.TLS
    assert "not valid for 'elsewhere.example'" in wrong.text
    assert [request.headers["host"] for request in receiver.requests] == [f"localhost:{receiver.port}"] * 2


async def test_an_ipv6_address_is_reached_by_its_literal() -> None:
    async with (
        Receiver(host="::1") as receiver,
        make_sender(guard=AddressGuard([ip_network("::1/128")])) as sender,
    ):
        for _ in range(2):
            assert (await send(sender, receiver.url)).failure is None
        assert receiver.connections == 1
        assert receiver.requests[0].headers["host"] == f"[::1]:{receiver.port}"


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
