"""A request and its response between ASGI and HTTP/1.1, without any connection."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook_engine.server.errors import ApiError
from webhook_engine.server.relayed import CutOffError, RelayedResponse, request_head

RESPONSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nserver: x\r\ncontent-length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"


def test_headers_of_the_connection_stay_behind() -> None:
    headers = [(b"host", b"a"), (b"connection", b"close"), (b"transfer-encoding", b"chunked"), (b"x-a", b"1")]
    assert request_head("POST", b"/p?q=1", headers, 3) == (
        b"POST /p?q=1 HTTP/1.1\r\nhost: a\r\nx-a: 1\r\ncontent-length: 3\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("method", "header"),
    [
        ("GET /x HTTP/1.1\r\n", (b"a", b"b")),
        ("GET", (b"a", b"b\r\nc: d")),
        ("GET", (b"a b", b"c")),
        ("GET", (b"", b"")),
    ],
)
def test_nothing_gets_a_second_request_in(method: str, header: tuple[bytes, bytes]) -> None:
    with pytest.raises(ApiError):
        request_head(method, b"/", [header], 0)


@given(st.binary())
def test_whatever_the_target_is_it_stays_one_line(target: bytes) -> None:
    assert request_head("GET", b"/" + target, [], 0).count(b"\r\n") == 3
    assert b" " not in request_head("GET", b"/" + target, [], 0).split(b" HTTP/1.1")[0].removeprefix(b"GET ")


@given(st.sampled_from([RESPONSE, CHUNKED]), st.lists(st.integers(1, 40), max_size=5))
def test_however_it_is_cut_the_response_is_the_same(whole: bytes, lengths: list[int]) -> None:
    response, left = RelayedResponse("GET"), whole
    body = b""
    for length in [*lengths, len(whole)]:
        if left:
            response.feed(left[:length])
            left = left[length:]
            body += response.taken()
    assert (response.complete, response.reusable, body) == (True, True, b"hello")
    assert response.start()["status"] == 200
    assert b"server" not in dict(response.start()["headers"])  # type: ignore[call-overload]


def test_the_answer_to_head_ends_with_its_headers() -> None:
    response = RelayedResponse("HEAD")
    response.feed(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n")
    assert (response.complete, response.taken()) == (True, b"")


def test_what_is_cut_off_is_not_complete() -> None:
    response = RelayedResponse("GET")
    response.feed(RESPONSE[:-2])
    with pytest.raises(CutOffError):
        response.feed(b"")
    with pytest.raises(CutOffError):
        RelayedResponse("GET").feed(b"no HTTP\r\n\r\n")
