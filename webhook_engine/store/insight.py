"""What pages show of many things at once: how an organization stands, what fits a text, attempts over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from webhook_engine.model import AttemptStatus

__all__ = ["Counted", "EndpointStanding", "Figures", "Found", "InsightStore", "Range", "Timed", "Which"]

Which = Literal["failing", "disabled", "backlogged"]
"""Endpoints that fail and are not disabled, the longest first; those that are disabled, the latest first; those to
which something is still to be sent, the most first."""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """How an organization stands."""

    applications: int
    endpoints: int
    disabled: int
    failing: int
    pending: int
    """Deliveries that are still to come, counted up to some number of each endpoint."""
    pending_more: bool
    """Whether there are more than were counted."""
    oldest_pending: str | None
    """The oldest message that is still to be delivered somewhere."""
    recent_messages: int


class EndpointStanding(msgspec.Struct, frozen=True):
    """An endpoint as those see it who look after all of them."""

    id: str
    application_id: str
    application_uid: str | None
    application_name: str
    url: str
    description: str
    disabled_at: int | None
    disabled_reason: str | None
    first_failure_at: int | None
    pending: int
    oldest_pending: str | None


class Found(msgspec.Struct, frozen=True):
    """Something that fits a text."""

    kind: Literal["application", "endpoint", "message"]
    id: str
    title: str
    """A name, a URL or an event type."""
    detail: str | None
    """A uid or an event id."""
    application_id: str
    application_name: str


class Range(msgspec.Struct, frozen=True):
    """A stretch of attempts by their ids, from the first, inclusive, to the second."""

    low: str
    high: str


class Counted(msgspec.Struct, frozen=True):
    """How many attempts of a stretch ended in some way."""

    place: int
    """Which of the stretches."""
    status: AttemptStatus
    count: int


class Timed(msgspec.Struct, frozen=True):
    """How many attempts of a stretch had such an answer after such a time."""

    place: int
    status: AttemptStatus
    code_class: int
    """2 for 200 to 299 and so on; 0 where there was no answer."""
    duration_ms: int
    """With two digits; what is below is left out."""
    count: int


class InsightStore(Protocol):
    """Reads for pages; each is bounded by what it says, and made from indexes."""

    async def figures(self, organization_id: str, messages_from: str, most_pending: int, most_messages: int) -> Figures:
        """Counts up to ``most_pending`` deliveries of each endpoint, and ``most_messages`` from that id on."""
        ...

    async def endpoints(
        self, organization_id: str, which: Which, limit: int, most_pending: int
    ) -> Sequence[EndpointStanding]:
        """Up to ``limit`` endpoints, the first that somebody should look at."""
        ...

    async def find(self, organization_id: str, text: str, limit: int) -> Sequence[Found]:
        """Up to ``limit`` of each kind: what has this id, uid or event id, or the text in its name, URL or description.

        What fits exactly comes first.
        """
        ...

    async def pulse(self, application_id: str) -> str:
        """A text that is another one after a message, an attempt or an edit of the application."""
        ...

    async def more_attempts(self, application_id: str, endpoint_id: str | None, within: Range, limit: int) -> bool:
        """Whether there are more than ``limit`` attempts in a stretch."""
        ...

    async def attempts(
        self, application_id: str, endpoint_id: str | None, ranges: Sequence[Range]
    ) -> Sequence[Counted]:
        """Attempts of an endpoint, or of all of an application that are not deleted, counted in each stretch."""
        ...

    async def durations(self, application_id: str, endpoint_id: str | None, ranges: Sequence[Range]) -> Sequence[Timed]:
        """The same by answer and by how long they took."""
        ...
