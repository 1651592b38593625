from __future__ import annotations

import http.client
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from webhook_engine.delivery.http.request import Destination, beginning, head


def written(url: str, headers: dict[str, str] | None = None, *, through_proxy: bool = False) -> bytes:
    return beginning(Destination(URL(url, encoded=True), headers or {}), through_proxy=through_proxy)


def test_a_server_is_given_the_path_as_it_was_encoded() -> None:
    assert written("http://example.com/a%2Fb?q=%20").startswith(b"POST /a%2Fb?q=%20 HTTP/1.1\r\n")
    assert written("http://example.com").startswith(b"POST / HTTP/1.1\r\n")


def test_a_proxy_is_given_the_whole_url_without_fragment_and_user() -> None:
    first, *_ = written("http://user:pass@example.com:81/a?b#c", through_proxy=True).split(b"\r\n")
    assert first == b"POST http://example.com:81/a?b HTTP/1.1"


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://example.com/", b"example.com"),
        ("http://example.com:80/", b"example.com"),
        ("https://example.com:8443/", b"example.com:8443"),
        ("http://[2001:db8::1]:81/", b"[2001:db8::1]:81"),
    ],
)
def test_the_host_comes_first_and_has_its_port_where_it_is_not_the_usual_one(url: str, host: bytes) -> None:
    assert written(url, {"content-type": "application/json"}).split(b"\r\n")[1] == b"Host: " + host


def test_an_endpoint_may_have_a_host_and_an_accept_of_its_own_once() -> None:
    lines = written("http://example.com/", {"x-a": "1", "HOST": "other.example", "accept": "text/plain"}).split(b"\r\n")
    assert lines[1] == b"Host: other.example"
    assert [line for line in lines if line.lower().startswith((b"accept:", b"host:"))] == [
        b"Host: other.example",
        b"accept: text/plain",
    ]


@pytest.mark.parametrize("bad", ["a\r\nevil: b", "a\nb", "a\rb", "a\0b"])
def test_nothing_breaks_out_of_its_line(bad: str) -> None:
    with pytest.raises(ValueError, match="'x-own'"):
        written("http://example.com/", {"x-own": bad})
    with pytest.raises(ValueError, match="line break"):
        written("http://example.com/", {bad: "value"})
    try:
        lines = written(f"http://example.com/{bad}").split(b"\r\n")
    except ValueError as error:
        assert "line break" in str(error)  # noqa: PT017 (URL itself may have taken it out already)
    else:
        assert len(lines) == 4


@given(
    st.dictionaries(
        st.from_regex(r"x-[a-z0-9-]{1,20}", fullmatch=True),
        st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40),
        max_size=5,
    ),
    st.integers(0, 10**9),
)
def test_another_parser_reads_what_was_written(headers: dict[str, str], length: int) -> None:
    lines = head(written("http://example.com/", headers), "webhook-id: msg_1\r\n", length)
    assert lines.endswith(b"\r\n\r\n")
    request = io.BytesIO(lines)
    assert request.readline() == b"POST / HTTP/1.1\r\n"
    read = http.client.parse_headers(request)
    assert dict(read.items()) == {
        "Host": "example.com",
        **headers,
        "Accept": "*/*",
        "webhook-id": "msg_1",
        "Content-Length": str(length),
    }
    assert request.read() == b""
