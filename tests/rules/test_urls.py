"""URLs of endpoints: one way to write each, and no two ways to read one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from webhook_engine.errors import ValidationError
from webhook_engine.rules.urls import MAX_URL, endpoint_url


def normal(url: object, *, https_only: bool = False) -> str:
    return endpoint_url("url", url, https_only=https_only)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("http://example.com", "http://example.com/"),
        ("HTTP://FOO.test/foo", "http://foo.test/foo"),
        ("http://foo.test:80/", "http://foo.test/"),
        ("https://foo.test:443?x", "https://foo.test/?x"),
        ("https://foo.test:80", "https://foo.test:80/"),
        ("http://foo.test:/", "http://foo.test/"),
        ("http://foo.test:08080", "http://foo.test:8080/"),
        ("http://münchen.de/ü?q=ü'", "http://xn--mnchen-3ya.de/%C3%BC?q=%C3%BC%27"),
        ("http://\uff25\uff38\uff21\uff2d\uff30\uff2c\uff25.com", "http://example.com/"),
        ("http://ex%61mple.com/%7e%zz", "http://example.com/%7e%zz"),
        ("http://my_host.internal.", "http://my_host.internal./"),
        ("http://user:p@ss:w0rd@h/", "http://user:p%40ss%3Aw0rd@h/"),
        ("http://user:@h", "http://user@h/"),
        ("http://@h", "http://h/"),
        ("http://h/a/../b/./c/%2E%2e/d", "http://h/b/d"),
        ("http://h/../..", "http://h/"),
        ("http://h/a/.", "http://h/a/"),
        ("http://h//a//", "http://h//a//"),
        ('http://h/{a}|^`<>"', "http://h/%7Ba%7D|%5E%60%3C%3E%22"),
        ("http://h?#", "http://h/?#"),
        ("http://h?a#b#c", "http://h/?a#b#c"),
        ("http://good.test\\@evil.test", "http://good.test/@evil.test"),
        ("http://0x7f.1/", "http://127.0.0.1/"),
        ("http://2130706433", "http://127.0.0.1/"),
        ("http://0177.0.0.1", "http://127.0.0.1/"),
        ("http://1.2.3.4./", "http://1.2.3.4/"),
        ("http://[0:0::1]:80/", "http://[::1]/"),
        ("http://[::FFFF:1.2.3.4]:8080", "http://[::ffff:102:304]:8080/"),
    ],
)
def test_a_url_is_kept_in_its_normal_form(given: str, kept: str) -> None:
    assert normal(given) == kept
    assert normal(kept) == kept


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (5, "must be a string"),
        (None, "must be a string"),
        (b"http://h", "must be a string"),
        ("", "must be absolute"),
        ("example.com", "must be absolute"),
        ("//example.com", "must be absolute"),
        ("http:example.com", "must be absolute"),
        ("ftp://example.com", "must be absolute"),
        ("http://", "must have a host"),
        ("http:///path", "must have a host"),
        ("http://user@/", "must have a host"),
        (" http://h", "white space"),
        ("http://h\n", "white space"),
        ("http://h/a b", "white space"),
        ("http://h/\x00", "white space"),
        ("http://h/\u3000", "white space"),
        ("http://h:0", "port"),
        ("http://h:65536", "port"),
        ("http://h:-1", "port"),
        ("http://h:x", "port"),
        ("http://h:٣", "port"),
        ("http://h:1:2", "port"),
        ("http://a..b", "host name"),
        ("http://.", "host name"),
        ("http://" + "a" * 64 + ".test", "host name"),
        ("http://" + "a." * 127 + "test", "host name"),
        ("http://a%2fb.test", "host name"),
        ("http://a%00b.test", "host name"),
        ("http://a\uff0fb.test", "host name"),
        ("http://\u200bh.test", "host name"),
        ("http://%ff.test", "Unicode"),
        ("http://\ud800.test", "host"),
        ("http://h/\ud800", "Unicode"),
        ("http://1.2.3.256", "IPv4"),
        ("http://1.2.3.4.5", "IPv4"),
        ("http://a.b.1", "IPv4"),
        ("http://09.1.1.1", "IPv4"),
        ("http://99999999999999999999", "IPv4"),
        ("http://[::1", "IPv6"),
        ("http://[::1]x", "IPv6"),
        ("http://[fe80::1%25eth0]", "zone"),
        ("http://[1.2.3.4]", "IPv6"),
        ("http://h/" + "a" * MAX_URL, "characters"),
        ("http://h/" + "ü" * 1000, "percent-encoded"),
    ],
)
def test_what_cannot_be_called_is_refused(given: object, says: str) -> None:
    with pytest.raises(ValidationError, match=says) as caught:
        normal(given)
    assert caught.value.field == "url"


def test_plain_http_can_be_forbidden() -> None:
    assert normal("https://h", https_only=True) == "https://h/"
    with pytest.raises(ValidationError, match=r"delivery\.https_only"):
        normal("http://h", https_only=True)


def test_a_password_is_not_repeated_in_the_error() -> None:
    with pytest.raises(ValidationError) as caught:
        normal("http://user:hunter2@h:0/")
    assert "hunter2" not in str(caught.value)


@given(st.text("htp:/@[]%\\.?#12aAü-_ e", max_size=30))
def test_the_client_reads_the_host_that_was_checked(rest: str) -> None:
    try:
        kept = normal("http://" + rest)
    except ValidationError:
        return
    assert normal(kept) == kept
    read = URL(kept, encoded=True)
    authority = kept.removeprefix("http://").partition("/")[0].rpartition("@")[2]
    host = (read.raw_host or "") if ":" not in (read.raw_host or "") else f"[{read.raw_host}]"
    assert authority in (host, f"{host}:{read.port}")
