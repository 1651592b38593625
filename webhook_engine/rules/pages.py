"""Pages of lists: their size, and where the next one begins. Pure.

An iterator is the key of an element: it means the page after it, or with ``-`` in front the page before it.
"""

from __future__ import annotations

from webhook_engine.errors import ValidationError
from webhook_engine.ids import is_id
from webhook_engine.rules.names import is_name
from webhook_engine.rules.problems import Rule
from webhook_engine.rules.values import integer

__all__ = ["DEFAULT_PAGE", "MAX_PAGE", "iterator_after", "iterator_before", "key_of", "page_size"]

DEFAULT_PAGE = 50
MAX_PAGE = 250
"""Elements per page of a list."""


def page_size(field: str, value: object, *, least: int = 0) -> int:
    """The maximum number of elements on a page of a list."""
    return integer(field, value, least, MAX_PAGE)


def key_of(field: str, iterator: object, prefix: str, by_time: bool) -> tuple[str | None, bool]:
    """The key in an iterator, or ``None``, and whether the iterator means the page before it.

    A key is a name that begins with ``prefix``; in a list by time it is an id.
    """
    if iterator is None:
        return None, False
    if not isinstance(iterator, str):
        raise ValidationError(field, "must be the iterator of a page, or None")
    backward = iterator.startswith("-")
    key = iterator[1:] if backward else iterator.removeprefix("+")
    if not (is_id(prefix, key) if by_time else is_name(key) and key.startswith(prefix)):
        form = f"an id that begins with {prefix!r}" if prefix else "a name"
        problem = f"must be the iterator of a page of this list: {form}, or '-' and that"
        raise ValidationError(field, problem, Rule.ITERATOR)
    return key, backward


def iterator_after(key: str) -> str:
    """The iterator of the page after an element."""
    # Only an event type's name can begin with "-", which in an iterator would mean "before".
    return "+" + key if key.startswith("-") else key


def iterator_before(key: str) -> str:
    """The iterator of the page before an element."""
    return "-" + key
