"""The rules for pages and their iterators."""

from __future__ import annotations

import pytest

from webhook_engine.errors import ValidationError
from webhook_engine.ids import IdSource
from webhook_engine.rules.pages import MAX_PAGE, iterator_after, iterator_before, key_of, page_size
from webhook_engine.rules.problems import Rule

ID = IdSource().new("msg_", 2_000_000_000_000_000)


@pytest.mark.parametrize("key", ["a", "-a", "a-b"])
def test_an_iterator_leads_back_to_its_key(key: str) -> None:
    assert key_of("iterator", iterator_after(key), "", by_time=False) == (key, False)
    assert key_of("iterator", iterator_before(key), "", by_time=False) == (key, True)


@pytest.mark.parametrize(
    ("iterator", "prefix", "by_time"),
    [("ep_1", "app_", False), ("a b", "", False), ("", "", False), ("msg_1", "msg_", True)],
)
def test_that_of_another_list_is_refused(iterator: str, prefix: str, by_time: bool) -> None:
    with pytest.raises(ValidationError) as caught:
        key_of("iterator", iterator, prefix, by_time=by_time)
    assert caught.value.rule is Rule.ITERATOR


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(ValidationError, match="or None"):
        key_of("iterator", 5, "", by_time=False)


def test_a_list_by_time_takes_ids() -> None:
    assert key_of("iterator", f"-{ID}", "msg_", by_time=True) == (ID, True)
    assert key_of("iterator", None, "msg_", by_time=True) == (None, False)


def test_a_page_is_bounded() -> None:
    assert [page_size("limit", 0), page_size("limit", MAX_PAGE)] == [0, MAX_PAGE]
    for least, size in ((0, MAX_PAGE + 1), (0, -1), (1, 0)):
        with pytest.raises(ValidationError, match="limit"):
            page_size("limit", size, least=least)
