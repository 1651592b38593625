"""Plain requests are read from any pieces; whatever could be read in two ways is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook_engine.server.plain_request import MAX_HEAD, MAX_HEADERS, NotPlainError, PlainReader, PlainRequest

REQUEST = b"POST /a?b=c HTTP/1.1\r\nHost: x\r\nX-A:  b c \r\nContent-Length: 5\r\n\r\nhello"


def check(request: PlainRequest | None) -> None:
    assert request is not None
    assert (request.method, request.target, request.body) == ("POST", "/a?b=c", b"hello")
    assert dict(request.headers) == {"host": "x", "x-a": "b c", "content-length": "5"}


@given(st.lists(st.integers(0, len(REQUEST)), max_size=6).map(sorted))
def test_one_after_the_other_in_any_pieces(places: list[int]) -> None:
    reader = PlainReader()
    for _ in range(2):
        before = 0
        for place in [place for place in places if place < len(REQUEST)]:
            assert reader.feed(REQUEST[before:place]) is None
            before = place
        check(reader.feed(REQUEST[before:]))


def test_a_request_without_a_body_ends_with_its_head() -> None:
    request = PlainReader().feed(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert request is not None
    assert (request.method, request.body) == ("GET", b"")


@pytest.mark.parametrize(
    "data",
    [
        REQUEST + REQUEST,
        REQUEST + b"P",
        REQUEST.replace(b"HTTP/1.1", b"HTTP/1.0"),
        REQUEST.replace(b"Host: x\r\n", b""),
        REQUEST.replace(b"X-A", b"hOST"),
        REQUEST.replace(b"X-A:  b c ", b"Content-Length: 5"),
        REQUEST.replace(b"X-A:  b c ", b"Content-Length: 6"),
        REQUEST.replace(b"X-A:  b c ", b"Transfer-Encoding: chunked"),
        REQUEST.replace(b"X-A:  b c ", b"Expect: 100-continue"),
        REQUEST.replace(b"X-A:  b c ", b"Connection: close"),
        REQUEST.replace(b"X-A:  b c ", b"Connection: upgrade\r\nUpgrade: websocket"),
        REQUEST.replace(b"X-A", b"X A"),
        REQUEST.replace(b"b c", b"\xc3\xa9"),
        REQUEST.replace(b"b c", b"\x00"),
        REQUEST.replace(b"b c", b"b" * MAX_HEAD),
        REQUEST.replace(b"X-A:  b c ", b"\r\n".join(b"X-%d: a" % each for each in range(MAX_HEADERS))),
        REQUEST.replace(b"/a?b=c", b"http://x/a?b=c"),
        REQUEST.replace(b"/a?b=c", b"/a#b"),
        REQUEST.replace(b"/a?b=c", b"*"),
        b"\x16\x03\x01\x02\x00",
        b"nonsense",
    ],
)
def test_what_is_not_plain(data: bytes) -> None:
    with pytest.raises(NotPlainError):
        PlainReader().feed(data)
