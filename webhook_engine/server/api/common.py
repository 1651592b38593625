"""What several resources share on the wire."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Annotated, Generic, Literal, TypeVar

from msgspec import UNSET, Meta, UnsetType

from webhook_engine.model import Page
from webhook_engine.rules.limits import MAX_RATE
from webhook_engine.server.api.instants import parse_instant
from webhook_engine.server.api.query import ListQuery
from webhook_engine.server.api.route import In, Out
from webhook_engine.server.errors import Problem

__all__ = [
    "InstantText",
    "ListResponse",
    "Order",
    "OrderedQuery",
    "Rate",
    "SinceUntilIn",
    "instant_problems",
    "listed",
]

T = TypeVar("T")
W = TypeVar("W")

Order = Literal["ascending", "descending"]

Rate = Annotated[int, Meta(ge=0, le=MAX_RATE)]
"""An unsigned integer of 16 bits."""

InstantText = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
"""A time as text, see :func:`~webhook_engine.server.api.instants.parse_instant`."""


class OrderedQuery(ListQuery, frozen=True, kw_only=True):
    """The parameters of lists that go both ways."""

    order: Order | None = None


class ListResponse(Out, Generic[W], frozen=True, kw_only=True):
    """A page of a list."""

    data: Sequence[W]
    iterator: str | None
    prev_iterator: str | UnsetType = UNSET
    done: bool


def listed(page: Page[T], shown: Callable[[T], W]) -> ListResponse[W]:
    """A page with its elements as they are shown."""
    return ListResponse(
        data=[shown(item) for item in page.data],
        iterator=page.iterator,
        prev_iterator=UNSET if page.prev_iterator is None else page.prev_iterator,
        done=page.done,
    )


def instant_problems(name: str, text: str | None) -> Iterator[Problem]:
    """What is wrong with a time in a body."""
    if text is None:
        return
    try:
        parse_instant(text)
    except ValueError as error:
        yield Problem(("body", name), f"{name}: {error}", "value_error.jsondecode")


class SinceUntilIn(In, frozen=True, kw_only=True):
    """A span of time; without ``until`` it goes up to now."""

    since: InstantText
    until: InstantText | None = None

    def problems(self) -> Iterator[Problem]:
        """What is not allowed."""
        yield from instant_problems("since", self.since)
        yield from instant_problems("until", self.until)

    def bounds(self) -> tuple[datetime, datetime | None]:
        """Both ends."""
        return parse_instant(self.since), None if self.until is None else parse_instant(self.until)
