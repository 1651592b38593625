"""The data of Play: temporary inboxes, and the requests that they received."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

__all__ = ["PlayInbox", "PlayLimits", "PlayRequest", "PlayResponse", "PlayStore", "inbox_of", "response_columns"]


class PlayResponse(msgspec.Struct, frozen=True, kw_only=True):
    """How an inbox responds to requests."""

    status: int = 200
    delay_ms: int = 0
    headers: Sequence[tuple[str, str]] = ()
    body: str | None = None
    """``None``: Play's default text."""
    fail_status: int = 500
    failures_left: int = 0
    """How many of the next requests get ``fail_status`` and Play's default text."""


class PlayInbox(msgspec.Struct, frozen=True, kw_only=True):
    """A temporary inbox; anyone who knows its token may use it."""

    token: str
    created_at: int
    expires_at: int
    response: PlayResponse = PlayResponse()
    view_token: str | None = None
    """A token that allows viewing the inbox, and nothing else."""


class PlayRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request that an inbox received."""

    id: str
    received_at: int
    method: str
    path: str
    """With the query string."""
    headers: Sequence[tuple[str, str]]
    body: bytes


class PlayLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much is stored; the oldest is deleted first."""

    inboxes: int
    requests: int
    """In one inbox."""
    body_bytes: int
    """In one inbox, all bodies together."""
    total_bytes: int
    """In all inboxes, bodies and headers together."""


class PlayStore(Protocol):
    """Inboxes and their requests. An inbox that has expired is not found any more."""

    async def add(self, inbox: PlayInbox, limits: PlayLimits) -> None:
        """Add an inbox; deletes expired ones, and if there are too many, unused and then long idle ones."""
        ...

    async def get(self, token: str, now: int) -> PlayInbox | None:
        """The inbox with this token."""
        ...

    async def set_response(self, token: str, response: PlayResponse, now: int) -> PlayInbox | None:
        """Change how an inbox responds; ``None`` if there is no such inbox."""
        ...

    async def share(self, token: str, view_token: str | None, now: int) -> PlayInbox | None:
        """Set or remove the token for viewing an inbox; ``None`` if there is no such inbox."""
        ...

    async def shared(self, view_token: str, now: int) -> PlayInbox | None:
        """The inbox that is shared under this token."""
        ...

    async def receive(self, token: str, request: PlayRequest, limits: PlayLimits) -> PlayInbox | None:
        """Store a request and return its inbox as it was before; ``None`` if there is no such inbox.

        Decrements ``failures_left``.
        """
        ...

    async def requests(self, token: str, after: str, limit: int) -> Sequence[PlayRequest]:
        """The newest ``limit`` of the requests with ids above ``after``, oldest first."""
        ...

    async def trim(self, total_bytes: int) -> int:
        """Delete the oldest requests of all inboxes beyond this size; returns the remaining size."""
        ...

    async def clear(self, token: str) -> None:
        """Remove the requests of an inbox."""
        ...


class _Kept(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The fields of a response without a column of their own."""

    headers: Sequence[tuple[str, str]] = ()
    body: str | None = None
    fail_status: int = 500


_NOTHING = _Kept()


def response_columns(response: PlayResponse) -> tuple[int, int, str | None, int]:
    """The columns of a response: status, delay, the rest as JSON, and the failures left."""
    kept = _Kept(headers=tuple(response.headers), body=response.body, fail_status=response.fail_status)
    rest = None if kept == _NOTHING else msgspec.json.encode(kept).decode()
    return response.status, response.delay_ms, rest, response.failures_left


def inbox_of(row: Sequence[Any]) -> PlayInbox:
    """An inbox from its columns: token, created, expires, those of the response, and the token of its view."""
    token, created_at, expires_at, status, delay_ms, rest, failures_left, view_token = row
    kept = _NOTHING if rest is None else msgspec.json.decode(rest, type=_Kept)
    return PlayInbox(
        token=token,
        created_at=created_at,
        expires_at=expires_at,
        response=PlayResponse(
            status=status,
            delay_ms=delay_ms,
            headers=tuple(kept.headers),
            body=kept.body,
            fail_status=kept.fail_status,
            failures_left=failures_left,
        ),
        view_token=view_token,
    )
