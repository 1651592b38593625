"""Reads for overview pages: figures of an organization, search by text, attempts over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from webhook_engine.model import AttemptStatus

__all__ = ["Counted", "EndpointStanding", "Figures", "Found", "InsightStore", "Range", "Timed", "Which"]

Which = Literal["failing", "disabled", "backlogged"]
"""Failing endpoints that are not disabled, longest failing first; disabled ones, latest first; those with pending
deliveries, most first."""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of an organization."""

    applications: int
    endpoints: int
    disabled: int
    failing: int
    pending: int
    """Pending deliveries, counted up to a limit for each endpoint."""
    pending_more: bool
    """Whether there are more than counted."""
    oldest_pending: str | None
    """The oldest message with a pending delivery."""
    recent_messages: int


class EndpointStanding(msgspec.Struct, frozen=True):
    """An endpoint in an operator's overview."""

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
    """A search result."""

    kind: Literal["application", "endpoint", "message"]
    id: str
    title: str
    """A name, a URL or an event type."""
    detail: str | None
    """A uid or an event id."""
    application_id: str
    application_name: str


class Range(msgspec.Struct, frozen=True):
    """A range of attempt ids, including the first, excluding the second."""

    low: str
    high: str


class Counted(msgspec.Struct, frozen=True):
    """The number of attempts of a range with one status."""

    place: int
    """The index of the range."""
    status: AttemptStatus
    count: int


class Timed(msgspec.Struct, frozen=True):
    """The number of attempts of a range with one class of status code and one duration."""

    place: int
    status: AttemptStatus
    code_class: int
    """2 for 200 to 299 and so on; 0 if there was no response."""
    duration_ms: int
    """Truncated to two significant digits."""
    count: int


class InsightStore(Protocol):
    """Reads for pages; each is bounded, and served from indexes."""

    async def figures(self, organization_id: str, messages_from: str, most_pending: int, most_messages: int) -> Figures:
        """Count up to ``most_pending`` deliveries of each endpoint, and ``most_messages`` from ``messages_from`` on."""
        ...

    async def endpoints(
        self, organization_id: str, which: Which, limit: int, most_pending: int
    ) -> Sequence[EndpointStanding]:
        """Up to ``limit`` endpoints, the most urgent first."""
        ...

    async def find(self, organization_id: str, text: str, limit: int) -> Sequence[Found]:
        """Up to ``limit`` of each kind with this id, uid or event id, or the text in the name, URL or description.

        Exact matches come first.
        """
        ...

    async def pulse(self, application_id: str) -> str:
        """A text that changes with each message, attempt or edit of the application."""
        ...

    async def more_attempts(self, application_id: str, endpoint_id: str | None, within: Range, limit: int) -> bool:
        """Whether there are more than ``limit`` attempts in a range."""
        ...

    async def attempts(
        self, application_id: str, endpoint_id: str | None, ranges: Sequence[Range]
    ) -> Sequence[Counted]:
        """Count the attempts in each range, of one endpoint, or of all undeleted endpoints of an application."""
        ...

    async def durations(self, application_id: str, endpoint_id: str | None, ranges: Sequence[Range]) -> Sequence[Timed]:
        """Count attempts like :meth:`attempts`, by class of status code and duration."""
        ...
