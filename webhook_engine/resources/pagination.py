"""From what a caller asks of a list to the stretch of it that is read, and from what was read to a page. Pure.

A list is read with one element more than asked for, which tells whether anything follows. An iterator is the key of
an element: the page after it, or with ``-`` in front the page before it. A page is in the order of the list in both
cases.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Literal, TypeVar

import msgspec

from webhook_engine.clock import microseconds
from webhook_engine.errors import ValidationError
from webhook_engine.ids import id_bounds, is_id, timestamp_of
from webhook_engine.model import Page
from webhook_engine.rules import names, values
from webhook_engine.rules.limits import page_size
from webhook_engine.store.records import Span

__all__ = ["Order", "PageRequest", "by_key", "by_time", "everything", "walk"]

T = TypeVar("T")

Order = Literal["ascending", "descending"]

WALK_BATCH = 100
"""Elements read at once where a list is walked from end to end."""
WINDOW = microseconds(timedelta(days=90))
"""A list by time without bounds of its own looks so far back."""
AHEAD = microseconds(timedelta(hours=1))
"""How far ahead of the clock an element may be, for clocks that were set back."""


class PageRequest(msgspec.Struct, frozen=True):
    """What to read for a page."""

    span: Span
    limit: int
    reverse: bool
    """Whether what is read comes in the reverse of the order of the list."""

    def cut(self, rows: Sequence[T], key: Callable[[T], str]) -> Page[T]:
        """The page out of what was read."""
        data = list(rows[: self.limit])
        if self.reverse:
            data.reverse()
        return Page(
            data=data,
            iterator=_forward(key(data[-1])) if data else None,
            prev_iterator="-" + key(data[0]) if data else None,
            done=len(rows) <= self.limit,
        )


def by_key(*, limit: object, iterator: object, order: object, prefix: str = "") -> PageRequest:
    """A page of a list in the order of its keys; each key is a name that begins with ``prefix``."""
    count = page_size("limit", limit)
    if order not in ("ascending", "descending"):
        raise ValidationError("order", "must be 'ascending' or 'descending'")
    key, backward = _key_of(iterator)
    if key is not None and not (names.is_name(key) and key.startswith(prefix)):
        raise _not_an_iterator(prefix)
    descending = (order == "descending") != backward
    span = Span(
        low=None if descending else key, high=key if descending else None, descending=descending, limit=count + 1
    )
    return PageRequest(span, count, backward)


def by_time(prefix: str, *, limit: object, iterator: object, before: object, after: object, now: int) -> PageRequest:
    """A page of a list in the order of time, newest first; the keys are ids with this prefix.

    Bounds on time are bounds on ids: exact to four milliseconds, ``after`` inclusive and ``before`` exclusive. Only
    where neither is given, the list ends 90 days from the iterator, or from ``now``. ``after`` without ``before`` and
    ``iterator`` gives the oldest page.
    """
    count = page_size("limit", limit)
    key, backward = _key_of(iterator)
    if key is not None and not is_id(prefix, key):
        raise _not_an_iterator(prefix)
    low, high = "", _first(prefix, now + AHEAD)
    windowed = before is None and after is None
    if before is not None:
        high = min(high, _first(prefix, values.instant("before", before)))
    if after is not None:
        low = _first(prefix, values.instant("after", after))
    upward = backward or (key is None and before is None and after is not None)
    if key is not None and backward:
        low = max(low, key)
        high = min(high, _last(prefix, timestamp_of(key) + WINDOW)) if windowed else high
    elif key is not None:
        high = min(high, key)
        low = _first(prefix, timestamp_of(key) - WINDOW) if windowed else low
    elif windowed:
        low = _first(prefix, now - WINDOW)
    return PageRequest(Span(low=low, high=high, descending=not upward, limit=count + 1), count, upward)


def everything(prefix: str, before: object, after: object) -> Span:
    """The whole of a list by time between two instants, or without bounds, for :func:`walk`."""
    low = None if after is None else _first(prefix, values.instant("after", after))
    high = None if before is None else _first(prefix, values.instant("before", before))
    return Span(low=low, high=high, descending=True, limit=WALK_BATCH)


async def walk(
    read: Callable[[Span], Awaitable[Sequence[T]]], key: Callable[[T], str], span: Span | None = None
) -> AsyncIterator[T]:
    """Every element of a list from one end to the other; what is added behind the walker is not seen."""
    span = span or Span(descending=False, limit=WALK_BATCH)
    while True:
        rows = await read(span)
        for row in rows:
            yield row
        if len(rows) < span.limit:
            return
        last = key(rows[-1])
        span = msgspec.structs.replace(span, **{"high" if span.descending else "low": last})


def _first(prefix: str, instant: int) -> str:
    return id_bounds(prefix, instant)[0]


def _last(prefix: str, instant: int) -> str:
    return id_bounds(prefix, instant)[1]


def _forward(key: str) -> str:
    # Only the name of an event type can begin with "-", which as an iterator would mean "before".
    return "+" + key if key.startswith("-") else key


def _key_of(iterator: object) -> tuple[str | None, bool]:
    """The key in an iterator, and whether the page before it is meant."""
    if iterator is None:
        return None, False
    if not isinstance(iterator, str):
        raise ValidationError("iterator", "must be the iterator of a page, or None")
    if iterator.startswith("-"):
        return iterator[1:], True
    return iterator.removeprefix("+"), False


def _not_an_iterator(prefix: str) -> ValidationError:
    form = f"an id that begins with {prefix!r}" if prefix else "a name"
    return ValidationError("iterator", f"must be the iterator of a page of this list: {form}, or '-' and that")
