"""Answers that are odd on the wire: what they count as, and whether the connection is used once more."""

from __future__ import annotations

import asyncio
import time

import pytest
import receivers
from delivery.http.sending import exchange, make_sender, send
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


@pytest.mark.parametrize(
    "raw",
    [
        head("Content-Length: 200", "Transfer-Encoding: chunked") + b"2\r\nok\r\n0\r\n\r\n",
        head("Content-Length: 2", "Content-Length: 3") + b"ok",
        head("Content-Length: -2") + b"ok",
        head("Transfer-Encoding: chunked") + b"zz\r\nok\r\n0\r\n\r\n",
        head("Content-Length: 2", status="99 Low") + b"ok",
        b"hello",
        b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x80\x00\x04\x00\x01\x00\x00",
    ],
    ids=["chunked and a length", "two lengths", "negative length", "no size", "status 99", "HTTP/0.9", "HTTP/2"],
)
async def test_what_can_be_read_in_two_ways_or_in_none_is_a_failure(raw: bytes) -> None:
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
    ids=["interim answers", "headers", "trailers", "chunk extensions", "empty lines", "tiny chunks"],
)
async def test_a_flood_ends_in_time_and_leaves_the_event_loop_to_others(first: bytes, again: bytes) -> None:
    longest, done = 0.0, False

    async def watch() -> None:
        nonlocal longest
        while not done:
            begun = time.thread_time()  # what other processes take of the machine is no matter of ours
            await asyncio.sleep(0.001)
            longest = max(longest, time.thread_time() - begun)

    async with receivers._repeating(first, again) as receiver, make_sender() as sender:
        watching = asyncio.create_task(watch())
        answer = await asyncio.wait_for(send(sender, receiver.url), 3)
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
