"""Links in letters are of one alert and one purpose, and nobody makes one up."""

from __future__ import annotations

import pytest

from webhook_engine.delivery.mail.links import (
    CONFIRM_LINK,
    UNSUBSCRIBE_LINK,
    endpoint_of_link,
    letter_links,
    link_key,
)
from webhook_engine.secrets.encryption import Cipher

CIPHER = Cipher("main")


def test_a_key_opens_what_it_is_for_alone() -> None:
    key = link_key(CIPHER, CONFIRM_LINK, "app_1", "ep_1")
    assert endpoint_of_link(CIPHER, CONFIRM_LINK, key) == ("app_1", "ep_1")
    assert endpoint_of_link(CIPHER, UNSUBSCRIBE_LINK, key) is None
    assert endpoint_of_link(Cipher("other"), CONFIRM_LINK, key) is None
    assert endpoint_of_link(Cipher("new", older=["main"]), CONFIRM_LINK, key) == ("app_1", "ep_1")


@pytest.mark.parametrize("key", ["", "a", "ab", "é", "A" * 100, "app_1 ep_1", "%00"])
def test_rubbish_is_no_key(key: str) -> None:
    assert endpoint_of_link(CIPHER, CONFIRM_LINK, key) is None


def test_links_are_there_where_something_serves() -> None:
    links = letter_links(CIPHER, "https://example.com/hooks", "app_1", "ep_1")
    assert links.confirm is not None
    assert links.confirm.startswith("https://example.com/hooks/alerts/confirm/")
    assert letter_links(CIPHER, None, "app_1", "ep_1").unsubscribe is None
