"""Pagination: from a caller's request to the span that is read, and from the rows read to a page. Pure.

One element more than requested is read, which tells whether anything follows. A page is in the order of the list,
whether it is the next one or the previous one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Literal, TypeVar

import msgspec

from webhook_engine.clock import microseconds
from webhook_engine.errors import ValidationError
from webhook_engine.ids import id_bounds, timestamp_of
from webhook_engine.model import Page
from webhook_engine.rules import values
from webhook_engine.rules.pages import iterator_after, iterator_before, key_of, page_size
from webhook_engine.store.records import Edge, Span, fitting

__all__ = [
    "MAX_BYTES",
    "Order",
    "PageRequest",
    "by_key",
    "by_time",
    "everything",
    "examined",
    "goes_up",
    "page_of",
    "shortened",
    "walk",
]

T = TypeVar("T")

Order = Literal["ascending", "descending"]

FindEdge = Callable[[Span, int], Awaitable[Edge | None]]
"""Finds where the first so many elements of a span end."""

WALK_BATCH = 100
"""Elements read at once when a whole list is iterated."""
MAX_BYTES = 4 * 1024 * 1024
"""Bytes of payloads, responses or schemas in one page; the element that exceeds this is the last one."""
WINDOW = microseconds(timedelta(days=90))
"""How far back a list by time goes without bounds, in microseconds."""
LOOKED_AT = 5_000
"""Elements examined at most for one page of a filtered list."""
AHEAD = microseconds(timedelta(hours=1))
"""How far ahead of the clock an element may be, in microseconds, since the clock may have been set back."""


class PageRequest(msgspec.Struct, frozen=True):
    """What to read for a page."""

    span: Span
    limit: int
    reverse: bool
    """Whether the rows read are in reverse order of the list."""

    def cut(self, rows: Sequence[T], key: Callable[[T], str]) -> Page[T]:
        """Make a page of the rows read; it may end before ``limit`` if its elements are large."""
        data = list(rows[: min(self.limit, fitting(rows, self.span.max_bytes))])
        if self.reverse:
            data.reverse()
        return Page(
            data=data,
            iterator=iterator_after(key(data[-1])) if data else None,
            prev_iterator=iterator_before(key(data[0])) if data else None,
            done=len(rows) == len(data),
        )


async def examined(span: Span, edge: FindEdge | None) -> tuple[Span, Edge | None]:
    """The part of a span to examine for one page, and its edge; ``None`` if it is the whole span.

    ``edge`` is given if a filter may leave out nearly everything. Then only a bounded number of elements is examined.
    """
    ends = await edge(span, LOOKED_AT) if edge else None
    if ends is None:
        return span, None
    bound = "low" if span.descending else "high"
    return msgspec.structs.replace(span, **{bound: ends.following}), ends


async def page_of(
    request: PageRequest,
    edge: FindEdge | None,
    read: Callable[[Span], Awaitable[Sequence[T]]],
    key: Callable[[T], str],
) -> Page[T]:
    """A page of a list. If the elements that :func:`examined` bounds give less, it is short without being the last."""
    span, ends = await examined(request.span, edge)
    page = request.cut(await read(span), key)
    if ends is None or not page.done:
        return page
    if request.reverse:
        # Going back from here gives what was found, or nothing.
        iterator = page.iterator or iterator_after(ends.last)
        return Page(data=page.data, iterator=iterator, prev_iterator=iterator_before(ends.last), done=False)
    return Page(data=page.data, iterator=iterator_after(ends.last), prev_iterator=page.prev_iterator, done=False)


def by_key(*, limit: object, iterator: object, order: object, prefix: str = "") -> PageRequest:
    """A page of a list in the order of its keys; each key is a name that begins with ``prefix``."""
    count = page_size("limit", limit)
    if order not in ("ascending", "descending"):
        raise ValidationError("order", "must be 'ascending' or 'descending'")
    key, backward = key_of("iterator", iterator, prefix, by_time=False)
    descending = (order == "descending") != backward
    span = Span(
        low=None if descending else key,
        high=key if descending else None,
        descending=descending,
        limit=count + 1,
        max_bytes=MAX_BYTES,
    )
    return PageRequest(span, count, backward)


def by_time(prefix: str, *, limit: object, iterator: object, before: object, after: object, now: int) -> PageRequest:
    """A page of a list in the order of time, newest first; the keys are ids with this prefix.

    Bounds on time are bounds on ids: exact to four milliseconds, ``after`` inclusive and ``before`` exclusive. If
    neither is given, the list ends 90 days before the iterator, or before ``now``. ``after`` without ``before`` and
    ``iterator`` gives the oldest page.
    """
    count = page_size("limit", limit)
    key, backward = key_of("iterator", iterator, prefix, by_time=True)
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
    return PageRequest(
        Span(low=low, high=high, descending=not upward, limit=count + 1, max_bytes=MAX_BYTES), count, upward
    )


def goes_up(iterator: str | None, before: object, after: object) -> bool:
    """Whether a page of a list in the order of time is read from its older end."""
    if iterator is not None:
        return iterator.startswith("-")
    return before is None and after is not None


def shortened(page: Page[T], count: int, key: Callable[[T], str], *, upward: bool) -> Page[T]:
    """Cut a page to its first ``count`` elements in reading order, at least one; the rest is on the next page."""
    if count >= len(page.data):
        return page
    data = page.data[-count:] if upward else page.data[:count]
    return Page(
        data=data, iterator=iterator_after(key(data[-1])), prev_iterator=iterator_before(key(data[0])), done=False
    )


def everything(prefix: str, before: object, after: object) -> Span:
    """The whole of a list by time between two instants, or without bounds, for :func:`walk`."""
    low = None if after is None else _first(prefix, values.instant("after", after))
    high = None if before is None else _first(prefix, values.instant("before", before))
    return Span(low=low, high=high, descending=True, limit=WALK_BATCH, max_bytes=MAX_BYTES)


async def walk(
    read: Callable[[Span], Awaitable[Sequence[T]]], key: Callable[[T], str], span: Span | None = None
) -> AsyncIterator[T]:
    """Every element of a list, from one end to the other, without those added behind the current position."""
    span = span or Span(descending=False, limit=WALK_BATCH, max_bytes=MAX_BYTES)
    while True:
        rows = await read(span)
        for row in rows:
            yield row
        if len(rows) < span.limit and fitting(rows, span.max_bytes) == len(rows):
            return
        last = key(rows[-1])
        span = msgspec.structs.replace(span, **{"high" if span.descending else "low": last})


def _first(prefix: str, instant: int) -> str:
    return id_bounds(prefix, instant)[0]


def _last(prefix: str, instant: int) -> str:
    return id_bounds(prefix, instant)[1]
