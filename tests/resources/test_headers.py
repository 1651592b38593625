"""The own headers of an endpoint."""

from __future__ import annotations

import pytest

from webhook_engine.errors import ValidationError
from webhook_engine.resources.headers import MAX_HEADERS, changed, checked, shown


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


def test_changes_are_merged_with_attention_to_case() -> None:
    before = {"A": "1", "B": "2"}
    assert changed("headers", before, {"B": None, "C": "3", "a": "4", "D": None}) == {"A": "1", "C": "3", "a": "4"}
    assert before == {"A": "1", "B": "2"}


def test_of_sensitive_headers_only_the_names_are_shown() -> None:
    got = shown({"X-Foo": "1", "AUTHORIZATION": "2", "x-api-key": "3", "X-Auth-Token": "4", "www-authenticate": "5"})
    assert got.headers == {"X-Foo": "1"}
    assert got.sensitive == ("AUTHORIZATION", "x-api-key", "X-Auth-Token", "www-authenticate")
