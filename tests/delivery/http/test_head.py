"""What a head of a response says, however odd it is."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from webhook_engine.delivery.http.head import (
    Body,
    Head,
    MalformedError,
    check_beginning,
    end_of_head,
    read_head,
)


def read(*lines: str, first: str = "HTTP/1.1 200 OK", end: str = "\r\n") -> Head:
    head = read_head((end.join([first, *lines, "", ""])).encode("latin-1"))
    assert head is not None
    return head


@pytest.mark.parametrize(
    ("lines", "body", "length", "reusable"),
    [
        (["Content-Length: 5"], Body.LENGTH, 5, True),
        (["content-length:5", "Connection: keep-alive"], Body.LENGTH, 5, True),
        (["CONTENT-LENGTH: \t5  ", "Connection: Upgrade"], Body.LENGTH, 5, True),
        (["Content-Length: 5", "Connection: close"], Body.LENGTH, 5, False),
        (["Content-Length: 5", "Connection: keep-alive, CLOSE"], Body.LENGTH, 5, False),
        (["Content-Length: 5", "Connection: keep-alive", "connection: close"], Body.LENGTH, 5, False),
        (["Transfer-Encoding: chunked"], Body.CHUNKED, 0, True),
        (["Transfer-Encoding: Chunked"], Body.CHUNKED, 0, True),
        ([], Body.CLOSE, 0, False),
        (["X-Content-Length: 5"], Body.CLOSE, 0, False),
    ],
)
def test_where_the_body_ends(lines: list[str], body: Body, length: int, reusable: bool) -> None:
    head = read(*lines)
    assert (head.status, head.body, head.length, head.reusable, head.odd) == (200, body, length, reusable, None)


@pytest.mark.parametrize("first", ["HTTP/1.1 204 No Content", "HTTP/1.1 304 Not Modified", "HTTP/1.1 204"])
def test_some_have_no_body_whatever_they_say(first: str) -> None:
    for line in ("Content-Length: 5", "Transfer-Encoding: chunked", "X: y"):
        head = read(line, first=first)
        assert (head.body, head.reusable) == (Body.NONE, True)


@pytest.mark.parametrize(
    ("lines", "body", "length"),
    [
        (["Content-Length: 5", "Content-Length: 5"], Body.LENGTH, 5),
        (["Content-Length: 5, 5"], Body.LENGTH, 5),
        (["Content-Length: 9", "Content-Length: 5"], Body.LENGTH, 5),
        (["Content-Length: 5", "Content-Length: many"], Body.LENGTH, 5),
        (["Content-Length: -5"], Body.CLOSE, 0),
        (["Content-Length: +5"], Body.CLOSE, 0),
        (["Content-Length: 0x5"], Body.CLOSE, 0),
        (["Content-Length: " + "9" * 5_000], Body.CLOSE, 0),
        (["Content-Length:"], Body.CLOSE, 0),
        (["Content-Length: 5", "Transfer-Encoding: chunked"], Body.CHUNKED, 0),
        (["Transfer-Encoding: gzip, chunked"], Body.CHUNKED, 0),
        (["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], Body.CHUNKED, 0),
        (["Transfer-Encoding: chunked, gzip"], Body.CLOSE, 0),
        (["Transfer-Encoding: identity", "Content-Length: 5"], Body.LENGTH, 5),
        (["Transfer-Encoding: identity"], Body.CLOSE, 0),
        (["Content-Length : 5"], Body.LENGTH, 5),
        (["Content-Length:", " 5"], Body.LENGTH, 5),
        (["X: a", "\tb", "Content-Length: 5"], Body.LENGTH, 5),
        (["no header", "Content-Length: 5"], Body.LENGTH, 5),
        (["X: a\0b", "Content-Length: 5"], Body.LENGTH, 5),
        (["X: a\rb", "Content-Length: 5"], Body.LENGTH, 5),
        (["X: a\nb", "Content-Length: 5"], Body.LENGTH, 5),
    ],
)
def test_what_is_odd_is_named_and_closes_the_connection(lines: list[str], body: Body, length: int) -> None:
    head = read(*lines)
    assert (head.status, head.body, head.length, head.reusable) == (200, body, length, False)
    assert head.odd


@pytest.mark.parametrize(
    ("first", "status", "reason", "reusable"),
    [
        ("HTTP/1.1 200", 200, b"", True),
        ("HTTP/1.1 200 ", 200, b"", True),
        ("HTTP/1.1  202\tYes: indeed", 202, b"Yes: indeed", False),
        ("HTTP/1.0 200 OK", 200, b"OK", False),
        ("HTTP/2.0 200 OK", 200, b"OK", True),
        ("HTTP/2 200", 200, b"", False),
        ("HTTP/1.1 999 \xe9", 999, b"\xe9", True),
    ],
)
def test_status_lines(first: str, status: int, reason: bytes, reusable: bool) -> None:
    head = read("Content-Length: 0", "Connection: keep-alive" if "2" in first[5:8] else "X: y", first=first)
    assert (head.status, head.reason or reason, head.reusable) == (status, reason, reusable)


def test_an_older_version_is_kept_alive_where_it_says_so() -> None:
    assert read("Content-Length: 0", "Connection: Keep-Alive", first="HTTP/1.0 200 OK").reusable


@pytest.mark.parametrize(
    "data",
    [
        b"H2",
        b"SSH-2.0",
        b"HTTP/1.1 abc\r\n",
        b"HTTP/1.1 20\r\n",
        b"HTTP/1.1 2000\r\n",
        b"HTTP/x 200\r\n",
        b"HTTP/1.1200\r\n",
    ],
)
def test_what_cannot_become_a_status_line_is_known_early_and_shown(data: bytes) -> None:
    with pytest.raises(MalformedError, match=re.escape(f"it begins with {data.strip().decode()!r}")):
        check_beginning(data)
    with pytest.raises(MalformedError):
        read_head(data)


@pytest.mark.parametrize(
    "data", [b"", b"H", b"HTTP/", b"HTTP/1.1 20", b"HTTP/1.1 200 OK", b"HTTP/1.1 200 OK\r\nX: y\r\n"]
)
def test_what_may_still_become_one_is_waited_for(data: bytes) -> None:
    check_beginning(data)
    assert read_head(data) is None


def test_there_is_no_status_below_100() -> None:
    with pytest.raises(MalformedError, match="there is no status 099"):
        read(first="HTTP/1.1 099 Low")


def test_the_headers_that_matter_are_kept_as_they_came() -> None:
    head = read("retry-after: Wed, 21 Oct 2015 07:28:00 GMT ", "Retry-After: 7", "WEBHOOK-DELIVERY: Disable")
    assert (head.retry_after, head.control) == ("Wed, 21 Oct 2015 07:28:00 GMT", "Disable")


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_what_follows_the_head_is_not_read(end: str) -> None:
    data = end.join(["HTTP/1.1 200 OK", "X: y", "", "Content-Length: 5", "", ""]).encode()
    head = read_head(data)
    assert head is not None
    assert (head.size, head.body) == (end_of_head(data), Body.CLOSE)


lines = st.binary(max_size=40).map(lambda raw: raw.replace(b"\n", b" ").replace(b"\r", b" "))


@given(st.integers(200, 299), lines, st.lists(lines.filter(bool), max_size=8), st.sampled_from([b"\r\n", b"\n"]))
@example(200, b"", [b"Content-Length: 5", b"content-length: 5"], b"\r\n")
def test_any_2xx_with_a_whole_head_is_that_status(status: int, reason: bytes, fields: list[bytes], end: bytes) -> None:
    head = read_head(end.join([b"HTTP/1.1 %d %b" % (status, reason), *fields, b"", b"rest"]))
    assert head is not None
    assert head.status == status


FIELDS = st.lists(
    st.sampled_from(
        [
            b"Content-Length: 5",
            b"content-length: 6",
            b"Transfer-Encoding: chunked",
            b"Connection: close",
            b"Connection: keep-alive",
            b"Retry-After: 7",
            b"webhook-delivery: disable",
            b"Date: Thu, 26 Nov 2026 16:10:15 GMT",
        ]
    ),
    max_size=5,
)


@given(FIELDS, st.sampled_from([200, 204, 304, 500]))
def test_the_short_way_says_the_same_as_the_long_one(fields: list[bytes], status: int) -> None:
    short = read_head(b"\r\n".join([b"HTTP/1.1 %d OK" % status, *fields, b"", b""]))
    # A folded line of no meaning forces the long way.
    long = read_head(b"\r\n".join([b"HTTP/1.1 %d OK" % status, b"X: y", b" z", *fields, b"", b""]))
    assert short is not None
    assert long is not None
    assert (short.status, short.body, short.length) == (long.status, long.body, long.length)
    assert (short.retry_after, short.control) == (long.retry_after, long.control)
    assert not long.reusable
