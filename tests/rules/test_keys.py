"""The keys by which things are addressed."""

from __future__ import annotations

import pytest

from webhook_engine.errors import NotFoundError, ValidationError
from webhook_engine.rules.keys import keys, required_key


def test_what_can_be_called_so_is_a_key() -> None:
    assert required_key("application", "acme") == "acme"
    assert keys("messages", ["b", "a", "b"], 3) == ("b", "a")


def test_what_nothing_can_be_called_is_not_found_and_repeated_in_part() -> None:
    with pytest.raises(NotFoundError) as caught:
        required_key("application", "a b" * 100)
    assert len(caught.value.key) < 50


@pytest.mark.parametrize("wrong", [None, 5, b"acme", ["acme"]])
def test_what_is_no_text_is_refused(wrong: object) -> None:
    with pytest.raises(ValidationError) as caught:
        required_key("event type", wrong)
    assert caught.value.field == "event_type"


@pytest.mark.parametrize("wrong", ["ab", [1], None, {"a": 1}, ["a", "b", "c", "d"]])
def test_several_are_a_short_list(wrong: object) -> None:
    with pytest.raises(ValidationError, match="messages"):
        keys("messages", wrong, 3)
