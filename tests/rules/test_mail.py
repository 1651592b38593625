"""Addresses and templates of e-mail."""

from __future__ import annotations

import pytest

from webhook_engine.errors import ValidationError
from webhook_engine.rules.mail import check_template, mail_address, mail_address_in, mail_url


@pytest.mark.parametrize("address", ["a@b", "ops+hooks@mail.example.com", "o'neil@example.com", "x" * 64 + "@a.co"])
def test_an_address_goes_into_a_url_and_back(address: str) -> None:
    assert mail_address_in(mail_url(mail_address("to", address))) == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "a",
        "@b",
        "a@",
        "a@b@c",
        "a b@c",
        "Ops <a@b.c>",
        "a@b.c\nBcc: x@y.z",
        "a@-b.c",
        ".a@b.c",
        "a" * 250 + "@b.c",
        5,
    ],
)
def test_what_is_no_plain_address_is_refused(address: object) -> None:
    with pytest.raises(ValidationError, match=r"name@example\.com"):
        mail_address("to", address)


def test_a_url_is_no_address() -> None:
    assert mail_address_in("https://example.com") is None


@pytest.mark.parametrize(("template", "words"), [("${txt}", "{txt}"), ("5 $", "begins no place"), ("${", "begins no")])
def test_a_template_that_cannot_be_filled_is_refused(template: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_template(template)


def test_a_template_with_places_is_taken() -> None:
    assert check_template("${text} $$5 $subject") == "${text} $$5 $subject"
