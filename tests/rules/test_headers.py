"""The own headers of an endpoint."""

from __future__ import annotations

import pytest

from webhook_engine.errors import ValidationError
from webhook_engine.rules.headers import MAX_HEADERS, changed, checked, each_once, is_sensitive


@pytest.mark.parametrize("name", ["X-Foo", "x", "accept", "Authorization", "host", "connection", "a!#$%&'*+-.^_`|~9"])
def test_ordinary_headers_are_kept_as_given(name: str) -> None:
    assert checked("headers", {name: "a\tb ~"}) == {name: "a\tb ~"}


@pytest.mark.parametrize(
    "name",
    [
        *("user-agent", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailers"),
        *("transfer-encoding", "upgrade", "age", "cache-control", "clear-site-data", "expires", "pragma", "warning"),
        *("content-length", "Content-Type", "content-encoding", "content-language", "content-location", "Expect"),
        *("X-Amz-Foo", "x-amzn-foo", "x-google", "x-googlefoo", "x-goog-a", "x-gfe", "x-azure-a", "x-fd-a"),
        *("x-svix-a", "svix-id", "Webhook-Signature", "webhook-x"),
    ],
)
def test_what_belongs_to_the_engine_or_the_network_is_refused(name: str) -> None:
    with pytest.raises(ValidationError) as caught:
        checked("headers", {name: "x"})
    assert caught.value.field == f'headers["{name}"]'


@pytest.mark.parametrize("name", ["", "a b", "a:", "é", "a\r\n", "a" * 257, 5, None])
def test_an_impossible_name_is_refused(name: object) -> None:
    with pytest.raises(ValidationError) as caught:
        checked("headers", {name: "x"})
    assert caught.value.field == "headers"


@pytest.mark.parametrize("value", ["a\nb", "a\r", "\x00", "\x7f", "é", "a" * 4097, 5, None, b"x"])
def test_an_impossible_value_is_refused_and_not_repeated(value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        checked("headers", {"X-Foo": value})
    assert caught.value.field == 'headers["X-Foo"]'
    assert "aaaa" not in caught.value.problem


@pytest.mark.parametrize("value", [None, "x", [("a", "b")], 5])
def test_headers_are_a_mapping(value: object) -> None:
    with pytest.raises(ValidationError, match="must be a mapping"):
        checked("headers", value)


def test_there_is_a_limit() -> None:
    many = {f"x-{n}": "" for n in range(MAX_HEADERS)}
    assert checked("headers", many) == many
    with pytest.raises(ValidationError, match="at most"):
        checked("headers", {**many, "x-more": ""})
    with pytest.raises(ValidationError, match="at most"):
        changed("headers", many, {"x-more": ""})


def test_changes_are_merged() -> None:
    before = {"A": "1", "B": "2"}
    assert changed("headers", before, {"B": None, "C": "3", "D": None}) == {"A": "1", "C": "3"}
    assert before == {"A": "1", "B": "2"}


def test_names_that_differ_in_case_are_one_header_and_the_last_counts() -> None:
    assert checked("headers", {"x-tenant": "1", "Other": "", "X-Tenant": "2"}) == {"X-Tenant": "2", "Other": ""}
    assert changed("headers", {"x-tenant": "1"}, {"X-TENANT": "2"}) == {"X-TENANT": "2"}
    assert changed("headers", {"x-tenant": "1"}, {"X-Tenant": None}) == {}
    assert changed("headers", {"x-tenant": "1"}, {"X-Tenant": None, "x-tenant": "2"}) == {"x-tenant": "2"}
    assert each_once({"x-tenant": "1", "X-Tenant": "2"}) == {"X-Tenant": "2"}


def test_each_is_counted_once() -> None:
    many = {f"x-{n}": "" for n in range(MAX_HEADERS)}
    assert len(checked("headers", {**many, **{f"X-{n}": "" for n in range(MAX_HEADERS)}})) == MAX_HEADERS
    assert len(changed("headers", many, {"X-0": "changed"})) == MAX_HEADERS


def test_some_are_sensitive_however_they_are_written() -> None:
    assert is_sensitive("Authorization")
    assert not is_sensitive("x-foo")
