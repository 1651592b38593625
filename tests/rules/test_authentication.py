"""What an endpoint may be authenticated with, and what of it is shown."""

from __future__ import annotations

from typing import Any

import pytest

from webhook_engine.errors import ValidationError
from webhook_engine.rules.authentication import checked, checked_tls, conflict, shown
from webhook_engine.rules.user_info import MASK

BASIC = {"type": "basic", "username": "acme", "password": "p4ss word"}
BEARER = {"type": "bearer", "token": "abc.def=="}
OAUTH2 = {"type": "oauth2", "token_url": "https://auth.example/token", "client_id": "acme", "client_secret": "s3cret"}


def check(value: object, before: Any = None, **more: Any) -> Any:
    return checked("authentication", value, before, **more)


@pytest.mark.parametrize("value", [BASIC, BEARER, OAUTH2, {**OAUTH2, "scope": "a b", "client_authentication": "body"}])
def test_what_is_allowed_stays_as_it_is(value: dict[str, str]) -> None:
    assert check(value) == value


def test_the_token_url_is_kept_in_its_normal_form_and_nothing_is_kept_of_what_is_null() -> None:
    assert check({**OAUTH2, "token_url": "HTTPS://Auth.Example:443/token", "scope": None}) == OAUTH2


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ("basic", "authentication"),
        ({}, "authentication.type"),
        ({"type": "digest"}, "authentication.type"),
        ({"type": "basic", "username": "a"}, "authentication.password"),
        ({**BASIC, "token": "x"}, "authentication.token"),
        ({**BASIC, "username": "a:b"}, "authentication.username"),
        ({**BASIC, "password": "line\nbreak"}, "authentication.password"),
        ({**BASIC, "password": "p" * 4097}, "authentication.password"),
        ({**BASIC, "password": 7}, "authentication.password"),
        ({**BEARER, "token": "a b"}, "authentication.token"),
        ({**OAUTH2, "token_url": "ftp://auth.example/"}, "authentication.token_url"),
        ({**OAUTH2, "token_url": "https://a:b@auth.example/"}, "authentication.token_url"),
        ({**OAUTH2, "client_authentication": "jwt"}, "authentication.client_authentication"),
    ],
)
def test_what_is_not_allowed_says_where(value: object, field: str) -> None:
    with pytest.raises(ValidationError) as raised:
        check(value)
    assert raised.value.field == field


def test_a_token_server_is_spoken_to_as_safely_as_endpoints_are() -> None:
    with pytest.raises(ValidationError, match="https_only"):
        check({**OAUTH2, "token_url": "http://auth.example/token"}, https_only=True)


@pytest.mark.parametrize("value", [BASIC, BEARER, OAUTH2])
def test_a_mask_that_was_shown_stands_for_what_is_stored(value: dict[str, str]) -> None:
    assert MASK in shown(value).values()
    assert not {"p4ss word", "abc.def==", "s3cret"} & set(shown(value).values())
    assert check(shown(value), value) == value


@pytest.mark.parametrize(
    ("value", "before"),
    [
        (shown(BEARER), None),
        (shown(BEARER), BASIC),
        ({**shown(BASIC), "username": "another"}, BASIC),
        ({**shown(OAUTH2), "token_url": "https://elsewhere.example/token"}, OAUTH2),
        ({**shown(OAUTH2), "token_url": "http://auth.example/token"}, OAUTH2),
    ],
)
def test_a_stored_secret_goes_nowhere_else(value: dict[str, str], before: dict[str, str] | None) -> None:
    with pytest.raises(ValidationError, match="must be the secret itself"):
        check(value, before)


def test_a_token_url_at_the_same_server_keeps_the_secret() -> None:
    moved = {**OAUTH2, "token_url": "https://auth.example/v2/token"}
    assert check(shown(moved), OAUTH2) == moved


TLS = {"certificate": "-----BEGIN CERTIFICATE-----", "key": "-----BEGIN PRIVATE KEY-----", "ca": "-----BEGIN"}


def test_tls_has_a_certificate_with_its_key_or_authorities_or_both() -> None:
    assert checked_tls("tls", TLS, None) == TLS
    assert checked_tls("tls", {"ca": TLS["ca"]}, None) == {"ca": TLS["ca"]}
    assert checked_tls("tls", shown(TLS), TLS) == TLS
    assert shown(TLS)["key"] == MASK


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ([], "tls"),
        ({}, "tls"),
        ({"certificate": "a"}, "tls"),
        ({"key": "a"}, "tls"),
        ({"ca": "é"}, "tls.ca"),
        ({"ca": "a" * 65_537}, "tls.ca"),
        ({"pin": "a"}, "tls.pin"),
        ({**TLS, "certificate": "another", "key": MASK}, "tls.key"),
    ],
)
def test_tls_that_cannot_be_says_where(value: object, field: str) -> None:
    with pytest.raises(ValidationError) as raised:
        checked_tls("tls", value, TLS)
    assert raised.value.field == field


def test_nothing_else_says_who_asks() -> None:
    assert conflict(True, {"X-Own": "1"}, None) is None
    assert conflict(False, {"Authorization": "x"}, "name:password") is None
    assert "authorization header" in str(conflict(True, {"AUTHORIZATION": "x"}, None))
    assert "user name or a password" in str(conflict(True, {}, "name:password"))
