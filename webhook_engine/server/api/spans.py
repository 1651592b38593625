"""Times and spans of time in bodies on the wire."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

from msgspec import Meta

from webhook_engine.server.api.instants import parse_instant
from webhook_engine.server.api.route import In
from webhook_engine.server.errors import Problem

__all__ = ["InstantText", "SinceUntilIn", "instant_problems"]

InstantText = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
"""A time as text, see :func:`~webhook_engine.server.api.instants.parse_instant`."""


def instant_problems(name: str, text: str | None) -> Iterator[Problem]:
    """What is wrong with a time in a body."""
    if text is None:
        return
    try:
        parse_instant(text)
    except ValueError as error:
        yield Problem(("body", name), f"{name}: {error}", "value_error.jsondecode")


class SinceUntilIn(In, frozen=True, kw_only=True):
    """A span of time; without ``until`` it ends now."""

    since: InstantText
    until: InstantText | None = None

    def problems(self) -> Iterator[Problem]:
        """What is not allowed."""
        yield from instant_problems("since", self.since)
        yield from instant_problems("until", self.until)

    def bounds(self) -> tuple[datetime, datetime | None]:
        """Both ends."""
        return parse_instant(self.since), None if self.until is None else parse_instant(self.until)
