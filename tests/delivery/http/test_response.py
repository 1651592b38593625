"""Answers that are odd on the wire: what they count as, and whether the connection is used once more."""

from __future__ import annotations

import asyncio
import time

import pytest
import receivers
from delivery.http.sending import TIMEOUT_S, exchange, make_sender, send
from receivers import Receiver

from webhook_engine.delivery.http.response import FailureKind

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def answering(*parts: bytes, close: bool = False) -> Receiver:
    """Sends these bytes, one part after the other, to every request."""

    async def behave(_r: object, _q: object, _reader: object, writer: asyncio.StreamWriter) -> bool:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.02)
        return not close

    return Receiver(behaviour=behave)


def head(*lines: str, status: str = "200 OK", version: str = "1.1") -> bytes:
    return "\r\n".join([f"HTTP/{version} {status}", *lines, "", ""]).encode("latin-1")


USED_AGAIN = {
    "plain": (HELLO,),
    "in pieces": (HELLO[:5], HELLO[5:20], HELLO[20:-1], HELLO[-1:]),
    "chunked": (head("Transfer-Encoding: chunked") + b"1\r\no\r\n1\r\nk\r\n0\r\n\r\n",),
    "chunked, with a trailer": (head("Transfer-Encoding: chunked") + b"2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n",),
    "HTTP/1.0 that is kept": (head("Connection: keep-alive", "Content-Length: 2", version="1.0") + b"ok",),
    "no reason": (head("Content-Length: 2", status="200") + b"ok",),
    "hints before": (head("Link: </x>", status="103 Early Hints") + head(status="102 Processing") + HELLO,),
    "hints before, in pieces": (head(status="103 Early Hints"), head(status="100 Continue"), HELLO),
    "an upgrade that nobody asked for": (head("Connection: upgrade", "Upgrade: h2c", "Content-Length: 2") + b"ok",),
    "bytes in a header that are no text": (head("X-A: \xe9\xff", "Content-Length: 2") + b"ok",),
}

USED_ONCE = {
    "HTTP/1.0": (head("Content-Length: 2", version="1.0") + b"ok",),
    "Connection: close": (head("Connection: close", "Content-Length: 2") + b"ok",),
    "more than announced": (HELLO + b" and more",),
    "more than announced, and late": (HELLO, b" and more"),
    "a second answer": (HELLO + head("Content-Length: 0", status="500 Oops"),),
    "a second answer, and late": (HELLO, head("Content-Length: 0", status="500 Oops")),
    "the beginning of a second answer, and late": (HELLO, b"HTTP/1.1 500 Oo"),
}


@pytest.mark.parametrize("name", USED_AGAIN)
async def test_an_answer_that_ends_as_it_should_leaves_the_connection_usable(name: str) -> None:
    async with answering(*USED_AGAIN[name]) as receiver, make_sender() as sender:
        for _ in range(3):
            answer = await send(sender, receiver.url)
            assert (answer.status_code, answer.text, answer.failure) == (200, "ok", None)
        assert receiver.connections == 1


@pytest.mark.parametrize("name", USED_ONCE)
async def test_a_connection_on_which_the_next_answer_might_be_a_false_one_is_not_used_again(name: str) -> None:
    async with answering(*USED_ONCE[name]) as receiver, make_sender() as sender:
        for number in range(1, 4):
            answer = await send(sender, receiver.url)
            assert (answer.status_code, answer.text, answer.failure) == (200, "ok", None)
            await asyncio.sleep(0.05)  # what is late has arrived by then
            assert receiver.connections == len(receiver.requests) == number


@pytest.mark.parametrize(
    "parts",
    [(head(status="204 No Content") + b"ok",), (head("Content-Length: 2", status="204 No Content"), b"ok")],
    ids=["at once", "late"],
)
async def test_a_body_that_a_204_must_not_have_is_passed_over(parts: tuple[bytes, ...]) -> None:
    async with answering(*parts) as receiver, make_sender() as sender:
        for number in (1, 2):
            answer = await send(sender, receiver.url)
            assert (answer.status_code, answer.text, answer.failure) == (204, "", None)
            await asyncio.sleep(0.05)
            assert receiver.connections == number


async def test_a_304_with_the_length_of_what_it_does_not_send_ends_at_once() -> None:
    answer = await exchange(answering(head("Content-Length: 500", status="304 Not Modified")))
    assert (answer.status_code, answer.failure) == (304, FailureKind.STATUS)


async def test_a_body_without_a_length_ends_with_the_connection() -> None:
    for version in ("1.0", "1.1"):
        answer = await exchange(answering(head(version=version), b"o", b"k", close=True))
        assert (answer.status_code, answer.text, answer.failure) == (200, "ok", None)


ODD = {
    "chunked and a length": (head("Content-Length: 200", "Transfer-Encoding: chunked") + b"2\r\nok\r\n0\r\n\r\n",),
    "the same length twice": (head("Content-Length: 2", "Content-Length: 2") + b"ok",),
    "the same length in a list": (head("Content-Length: 2, 2") + b"ok",),
    "two lengths": (head("Content-Length: 2", "Content-Length: 3") + b"ok",),
    "a length and none": (head("Content-Length: 2", "Content-Length: many") + b"ok",),
    "blank before the colon": (head("Content-Length : 2") + b"ok",),
    "identity and a length": (head("Transfer-Encoding: identity", "Content-Length: 2") + b"ok",),
    "compressed in transit": (head("Transfer-Encoding: gzip, chunked") + b"2\r\nok\r\n0\r\n\r\n",),
    "a header of 9 kB": (head("X-Policy: " + "a" * 9_000, "Content-Length: 2", "X: \0") + b"ok",),
    "a folded header": (head("X-Long: a", " b", "\tc", "Content-Length: 2") + b"ok",),
    "a line that is no header": (head("nothing", "Content-Length: 2") + b"ok",),
    "a header without a name": (head(": x", "Content-Length: 2") + b"ok",),
    "a lone carriage return": (head("X: a\rb", "Content-Length: 2") + b"ok",),
    "lines without carriage returns": (head("X: a", "Content-Length: 2").replace(b"\r\n", b"\n") + b"ok",),
}


@pytest.mark.parametrize("name", ODD)
async def test_what_is_odd_in_the_head_changes_no_success_and_closes_the_connection(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with answering(*ODD[name]) as receiver, make_sender() as sender:
        for number in (1, 2):
            answer = await send(sender, receiver.url)
            assert (answer.status_code, answer.text, answer.failure) == (200, "ok", None)
            assert receiver.connections == number
    assert "response.odd" in caplog.text


@pytest.mark.parametrize("status", ["200 OK", "500 Oops"])
@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (
            head("Content-Length: 100") + b"partial",
            "partial\n[the response {}, but its body broke off: it ended too soon]",
        ),
        (head("Transfer-Encoding: chunked") + b"7\r\npart", "part\n[the response {}, but its body broke off: it ended"),
        (head("Content-Length: 100"), "[the response {}, but its body broke off: it ended too soon]"),
        (
            head("Transfer-Encoding: chunked") + b"2\r\nok\r\nzz\r\n",
            "ok\n[the response {}, but its body broke off: its",
        ),
        (head("Transfer-Encoding: chunked") + b"-2\r\nok\r\n", "[the response {}, but its body broke off: its chunks"),
        (head("Content-Length: -2") + b"ok", "ok"),
        (head("Transfer-Encoding: gzip") + b"ok", "ok"),
        (head(*[f"X-{number}: y" for number in range(5_000)], "Content-Length: 2") + b"ok", "ok"),
        (head("X-Huge: " + "y" * 250_000, "Content-Length: 2") + b"ok", "ok"),
    ],
)
async def test_what_is_odd_in_the_body_changes_no_verdict(raw: bytes, text: str, status: str) -> None:
    raw = raw.replace(b"200 OK", status.encode())
    answer = await exchange(answering(raw, close=True))
    code = int(status[:3])
    assert (answer.status_code, answer.failure) == (code, None if code == 200 else FailureKind.STATUS)
    assert answer.text.startswith(text.format(f"{code} came"))


async def test_a_body_that_is_reset_changes_no_verdict() -> None:
    answer = await exchange(receivers.resetting_within_body())
    assert (answer.status_code, answer.failure) == (200, None)
    assert answer.text.startswith("partial\n[the response 200 came, but its body broke off: Connection reset by peer")


async def test_many_headers_do_not_cost_the_connection() -> None:
    raw = head(*[f"X-{number}: y" for number in range(5_000)], "Content-Length: 2") + b"ok"
    async with answering(raw) as receiver, make_sender() as sender:
        for _ in range(2):
            assert (await send(sender, receiver.url)).failure is None
        assert receiver.connections == 1


@pytest.mark.parametrize(
    "raw",
    [
        head("Content-Length: 2", status="99 Low") + b"ok",
        head("Content-Length: 2", status="2000 OK") + b"ok",
        head("Content-Length: 2", status="200OK") + b"ok",
        head("Content-Length: 2", version="x") + b"ok",
        b"http/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"hello",
        b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x80\x00\x04\x00\x01\x00\x00",
        head("X: " + "y" * 256 * 1024, "Content-Length: 2") + b"ok",
        head("X: " + "y" * 256 * 1024)[:-4],
    ],
    ids=["99", "2000", "no blank", "no version", "lower case", "HTTP/0.9", "HTTP/2", "too large", "too large so far"],
)
async def test_what_has_no_status_line_or_too_large_a_head_is_a_failure(raw: bytes) -> None:
    async with answering(raw) as receiver, make_sender() as sender:
        for number in (1, 2):
            answer = await send(sender, receiver.url)
            assert (answer.status_code, answer.failure) == (0, FailureKind.PROTOCOL)
            assert "is not valid HTTP: " in answer.text
            assert receiver.connections == number


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2_600),
        (head(), b"".join(b"X-%d: %s\r\n" % (number, b"y" * 1_000) for number in range(60))),
        (head("Transfer-Encoding: chunked") + b"2\r\nok\r\n0\r\n", b"X: y\r\n" * 10_000),
        (head("Transfer-Encoding: chunked") + b"2;", b"e" * 65_536),
        (b"", b"\r\n" * 30_000),
        (head("Transfer-Encoding: chunked"), b"1\r\nx\r\n" * 10_000),
    ],
    ids=["interim responses", "headers", "trailers", "chunk extensions", "empty lines", "tiny chunks"],
)
async def test_a_flood_ends_in_time_and_leaves_the_event_loop_to_others(first: bytes, again: bytes) -> None:
    longest, done = 0.0, False

    async def watch() -> None:
        nonlocal longest
        while not done:
            begun = time.thread_time()  # what other processes take of the machine is no matter of ours
            await asyncio.sleep(0.001)
            longest = max(longest, time.thread_time() - begun)

    async with receivers._repeating(first, again) as receiver, make_sender(timeout_s=TIMEOUT_S) as sender:
        watching = asyncio.create_task(watch())
        answer = await asyncio.wait_for(send(sender, receiver.url), 20)
        done = True
        await watching
    assert answer.failure or answer.status_code == 200
    assert longest < 0.5


async def test_cookies_are_not_kept() -> None:
    async with answering(head("Set-Cookie: session=1; Path=/", "Content-Length: 2") + b"ok") as receiver:
        async with make_sender() as sender:
            for _ in range(2):
                await send(sender, receiver.url)
        assert all("cookie" not in request.headers for request in receiver.requests)
