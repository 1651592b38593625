"""A response is the same in whatever pieces it comes."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook_engine.delivery.http.head import MAX_HEAD, MalformedError
from webhook_engine.delivery.http.reader import CHUNK_OVERHEAD, MAX_INTERIM_RESPONSES, ResponseReader

LIMIT = 1_000
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

RESPONSES = {
    "plain": OK,
    "no body": b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
    "empty lines before": b"\r\n\r\n" + OK,
    "interim": b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + OK,
    "chunked": CHUNKED + b"1;a=b\r\no\r\n1\r\nk\r\n0\r\nX-Sum: 1\r\n\r\n",
    "bad chunk": CHUNKED + b"2\r\nok\r\nzz\r\n",
    "until the end": b"HTTP/1.1 200 OK\r\n\r\nok",
    "too short": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok",
    "no chunk at all": CHUNKED,
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "folded": b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
    "line feeds": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "switching": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\n\r\n",
    "head without end": b"HTTP/1.1 200 OK\r\nContent-Le",
    "no HTTP": b"SSH-2.0-OpenSSH_9.9\r\n",
    "HTTP/2": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00",
    "bad status": b"HTTP/1.1 20x OK\r\n\r\n",
    "status 99": b"HTTP/1.1 099 OK\r\n\r\n",
}


def outcome(reader: ResponseReader, pieces: list[bytes]) -> object:
    """What a reader says of a connection that ends after these pieces."""
    reader.begin()
    try:
        for piece in pieces:
            if reader.feed(piece):
                break
        else:
            reader.end(None)
    except MalformedError:
        return "malformed"
    if reader.head is None:
        return "broke off"
    broken = reader.broken.partition(":")[0] if reader.broken else None
    return reader.head.status, bytes(reader.body), reader.done, broken, reader.reusable


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[begin:end] for begin, end in itertools.pairwise(ends)]


@pytest.mark.parametrize("name", RESPONSES)
def test_byte_by_byte_is_as_at_once(name: str) -> None:
    data = RESPONSES[name]
    at_once = outcome(ResponseReader(LIMIT), [data])
    assert outcome(ResponseReader(LIMIT), [bytes([byte]) for byte in data]) == at_once


@given(st.sampled_from(sorted(RESPONSES)), st.lists(st.integers(0, 200), max_size=6))
def test_any_pieces_are_as_one(name: str, places: list[int]) -> None:
    data = RESPONSES[name]
    reader = ResponseReader(LIMIT)
    for _ in range(2):
        assert outcome(reader, cut(data, places)) == outcome(ResponseReader(LIMIT), [data])


@given(st.binary(max_size=300), st.lists(st.integers(0, 400), max_size=6))
def test_whatever_follows_a_head_changes_no_status(rest: bytes, places: list[int]) -> None:
    for head in (CHUNKED, OK[:-2], b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 204 No\r\n\r\n"):
        found = outcome(ResponseReader(LIMIT), cut(head + rest, places))
        assert isinstance(found, tuple)
        assert found[0] in (200, 204)


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=6))
def test_no_bytes_make_it_fail_in_another_way(data: bytes, places: list[int]) -> None:
    for beginning in (b"", b"HTTP/1.1 ", b"HTTP/1.1 200 OK\r\n"):
        outcome(ResponseReader(LIMIT), cut(beginning + data, places))


@pytest.mark.parametrize("name", ["plain", "chunked", "no body", "interim"])
def test_one_response_after_the_other(name: str) -> None:
    reader = ResponseReader(LIMIT)
    for number in range(4):
        data = RESPONSES[name].replace(b"ok", b"%02d" % (number // 2))
        assert outcome(reader, [data]) == outcome(ResponseReader(LIMIT), [data])
        assert reader.reusable


def test_a_response_that_is_the_same_as_the_last_is_taken_for_itself_only_when_it_is_whole() -> None:
    reader = ResponseReader(LIMIT)
    assert reader.feed(OK)
    reader.begin()
    assert not reader.feed(b"HTTP/1.1 103 Early Hints\r\n")
    assert not reader.feed(b"\r\n")
    assert reader.feed(OK)
    assert (reader.body, reader.reusable) == (b"ok", True)
    reader.begin()
    assert reader.feed(OK + OK)
    assert not reader.reusable


@pytest.mark.parametrize("response", ["plain", "chunked", "no body"])
@pytest.mark.parametrize("more", [b" and more", b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"])
def test_what_is_too_much_is_no_part_of_it(response: str, more: bytes) -> None:
    reader = ResponseReader(LIMIT)
    assert reader.feed(RESPONSES[response] + more)
    assert reader.body == (b"" if response == "no body" else b"ok")
    assert reader.done
    assert not reader.reusable


def test_reading_ends_at_the_limit() -> None:
    reader = ResponseReader(LIMIT)
    assert not reader.feed(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * LIMIT)
    assert reader.feed(b"x")
    assert (reader.done, len(reader.body)) == (False, LIMIT + 1)


@pytest.mark.parametrize(
    "flood",
    [b"\r\n", b"X: y\r\n", b"y" * 1_000],
    ids=["empty lines", "header lines", "one header"],
)
def test_a_head_is_bounded(flood: bytes) -> None:
    reader = ResponseReader(LIMIT)
    if flood != b"\r\n":
        reader.feed(b"HTTP/1.1 200 OK\r\nX: ")
    feeding = (reader.feed(flood) for _ in range(MAX_HEAD // len(flood) + 2))
    with pytest.raises(MalformedError, match="larger than 256 kB"):
        any(feeding)


def test_a_head_just_within_the_bound_is_read() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: %b\r\n\r\n"
    filled = head % (b"y" * (MAX_HEAD - len(head) + 2))
    assert len(filled) == MAX_HEAD
    assert outcome(ResponseReader(LIMIT), [filled + b"ok"]) == (200, b"ok", True, None, True)
    assert outcome(ResponseReader(LIMIT), [filled.replace(b"y\r", b"yy\r") + b"ok"]) == "malformed"


def test_interim_responses_are_bounded() -> None:
    reader = ResponseReader(LIMIT)
    for _ in range(MAX_INTERIM_RESPONSES):
        assert not reader.feed(b"HTTP/1.1 100 Continue\r\n\r\n")
    with pytest.raises(MalformedError, match="more than 100 interim responses"):
        reader.feed(b"HTTP/1.1 100 Continue\r\n\r\n")


@pytest.mark.parametrize("flood", [b"X: y\r\n" * 100, b"x" * 1_000], ids=["trailers", "chunk extension"])
def test_what_is_around_the_chunks_is_bounded(flood: bytes) -> None:
    reader = ResponseReader(LIMIT)
    reader.feed(CHUNKED + (b"2\r\nok\r\n0\r\n" if b":" in flood else b"2;"))
    fed = 0
    while not reader.feed(flood):
        fed += len(flood)
        assert fed < 2 * CHUNK_OVERHEAD
    assert reader.head is not None
    assert reader.head.status == 200
    assert reader.broken is not None
