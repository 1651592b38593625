"""Parses query strings into typed structs. Pure.

A query type is a struct whose fields are named like the parameters; unknown parameters are ignored. A parameter that
cannot be parsed is a 400; one that is parsed but not allowed is a 422.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, ClassVar, TypeVar, get_args, get_type_hints
from urllib.parse import parse_qsl

import msgspec

from webhook_engine.rules.pages import DEFAULT_PAGE, MAX_PAGE
from webhook_engine.server.api import checks
from webhook_engine.server.api.instants import parse_instant
from webhook_engine.server.errors import ApiError, Problem, UnprocessableError

__all__ = ["EventTypesQuery", "ListQuery", "NoQuery", "Query", "query_parser"]

Q = TypeVar("Q", bound="Query")

MAX_PARAMETERS = 1000
CACHED_QUERIES = 256
LONGEST_CACHED = 200

_INDEX = re.compile(r"\[\d*\]$")


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all query types."""

    def problems(self) -> Iterator[Problem]:
        """What is not allowed."""
        return iter(())


class NoQuery(Query, frozen=True, kw_only=True):
    """For routes without parameters."""


class ListQuery(Query, frozen=True, kw_only=True):
    """The parameters of every list."""

    ITERATOR_PREFIX: ClassVar[str] = ""
    BY_TIME: ClassVar[bool] = False
    """Whether the list is ordered by the time in the ids, so that an iterator must be a valid id."""

    limit: Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)] = DEFAULT_PAGE
    iterator: str | None = None

    def problems(self) -> Iterator[Problem]:
        """What is not allowed."""
        if self.limit > MAX_PAGE:
            yield Problem(("query", "limit", "limit"), f"Given limit must not exceed {MAX_PAGE}")
        yield from checks.iterator(("query", "iterator"), self.iterator, self.ITERATOR_PREFIX, by_time=self.BY_TIME)


class EventTypesQuery(ListQuery, frozen=True, kw_only=True):
    """The parameters of lists ordered by time."""

    before: datetime | None = None
    after: datetime | None = None
    event_types: tuple[str, ...] | None = None
    channel: str | None = None
    tag: str | None = None

    def problems(self) -> Iterator[Problem]:
        """What is not allowed."""
        yield from super().problems()
        for name in self.event_types or ():
            for problem in checks.event_type((), name):
                yield Problem(("query", "__all__"), problem.msg)
                return
        if self.channel is not None:
            yield from checks.channel_name(("query", "channel"), self.channel)


def query_parser(kind: type[Q]) -> Callable[[str], Q]:
    """A function that parses a query string into the struct; it raises ``ApiError``."""
    lists, instants = set(), set()
    for name, annotation in get_type_hints(kind).items():
        members = {annotation, *get_args(annotation)}
        if datetime in members:
            instants.add(name)
        elif tuple[str, ...] in members:
            lists.add(name)
    default = None if any(field.required for field in msgspec.structs.fields(kind)) else kind()

    def parse(text: str) -> Q:
        try:
            query = msgspec.convert(_values(text, lists, instants), kind, strict=False)
        except ValueError as error:
            reason = " ".join(str(error).split()).replace("`$.", "`")
            raise ApiError(400, "generic_error", f"Failed to deserialize query string: {reason}") from None
        if problems := list(query.problems()):
            raise UnprocessableError(*problems)
        return query

    cached = lru_cache(CACHED_QUERIES)(parse)

    def parse_cached(text: str) -> Q:
        if not text and default is not None:
            return default
        return cached(text) if len(text) <= LONGEST_CACHED else parse(text)

    return parse_cached


def _values(text: str, lists: set[str], instants: set[str]) -> Mapping[str, Any]:
    values: dict[str, Any] = {}
    for spelled, value in parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_PARAMETERS, errors="strict"):
        name = _INDEX.sub("", spelled)
        if name in lists:
            values.setdefault(name, []).extend(value.split(","))
        elif spelled in instants:
            try:
                values[spelled] = parse_instant(value)
            except ValueError as error:
                raise ValueError(f"{spelled}: {error}") from None
        else:
            values[spelled] = value
    return values
