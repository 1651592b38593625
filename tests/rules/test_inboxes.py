"""The addresses of Play's inboxes."""

from __future__ import annotations

import pytest

from webhook_engine.rules.inboxes import INBOX_PATH, is_inbox_path, is_token

TOKEN = "abcDEF0123456789_-"


def test_an_inbox_receives_at_its_path() -> None:
    assert is_token(TOKEN)
    assert is_inbox_path(INBOX_PATH + TOKEN)
    assert is_inbox_path(f"{INBOX_PATH}{TOKEN}/")


@pytest.mark.parametrize("wrong", ["", "short", "a" * 65, f"{TOKEN}.", f"{TOKEN}/x", f"../{TOKEN}", f"{TOKEN}\n"])
def test_nothing_else_is_one(wrong: str) -> None:
    assert not is_token(wrong)
    assert not is_inbox_path(INBOX_PATH + wrong)
