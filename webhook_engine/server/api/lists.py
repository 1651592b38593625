"""Lists on the wire: their parameters, and a page of results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, Literal, TypeVar

from msgspec import UNSET, UnsetType

from webhook_engine.model import Page
from webhook_engine.server.api.query import ListQuery
from webhook_engine.server.api.route import Out

__all__ = ["ListResponse", "Order", "OrderedQuery", "listed"]

T = TypeVar("T")
W = TypeVar("W")

Order = Literal["ascending", "descending"]


class OrderedQuery(ListQuery, frozen=True, kw_only=True):
    """The parameters of lists with a choice of order."""

    order: Order | None = None


class ListResponse(Out, Generic[W], frozen=True, kw_only=True):
    """A page of a list."""

    data: Sequence[W]
    iterator: str | None
    prev_iterator: str | UnsetType = UNSET
    done: bool


def listed(page: Page[T], shown: Callable[[T], W]) -> ListResponse[W]:
    """A page with its elements converted for clients."""
    return ListResponse(
        data=[shown(item) for item in page.data],
        iterator=page.iterator,
        prev_iterator=UNSET if page.prev_iterator is None else page.prev_iterator,
        done=page.done,
    )
