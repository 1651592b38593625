"""What Play keeps in the store: temporary inboxes, and the requests that they received."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

__all__ = ["PlayInbox", "PlayLimits", "PlayRequest", "PlayResponse", "PlayStore", "inbox_of", "response_columns"]


class PlayResponse(msgspec.Struct, frozen=True, kw_only=True):
    """How an inbox answers what it receives."""

    status: int = 200
    delay_ms: int = 0
    headers: Sequence[tuple[str, str]] = ()
    body: str | None = None
    """``None``: words of Play's own."""
    fail_status: int = 500
    failures_left: int = 0
    """So many of the next requests get ``fail_status`` first, and words of Play's own."""


class PlayInbox(msgspec.Struct, frozen=True, kw_only=True):
    """A temporary inbox; anyone who knows its token may use it."""

    token: str
    created_at: int
    expires_at: int
    response: PlayResponse = PlayResponse()
    view_token: str | None = None
    """Whoever knows it may see what the inbox receives, and no more."""


class PlayRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request that an inbox received, as it came."""

    id: str
    received_at: int
    method: str
    path: str
    """With the query string."""
    headers: Sequence[tuple[str, str]]
    body: bytes


class PlayLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much is kept; the oldest goes first."""

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
        """Removes expired inboxes, and where there are too many, those never used and then those idle for longest."""
        ...

    async def get(self, token: str, now: int) -> PlayInbox | None:
        """The inbox with this token."""
        ...

    async def set_response(self, token: str, response: PlayResponse, now: int) -> PlayInbox | None:
        """Change how an inbox answers; ``None`` if there is no such inbox."""
        ...

    async def share(self, token: str, view_token: str | None, now: int) -> PlayInbox | None:
        """Let an inbox be seen by whoever knows a token, or by nobody; ``None`` if there is no such inbox."""
        ...

    async def shared(self, view_token: str, now: int) -> PlayInbox | None:
        """The inbox that is shared under this token."""
        ...

    async def receive(self, token: str, request: PlayRequest, limits: PlayLimits) -> PlayInbox | None:
        """Keep a request and return its inbox as it was before; ``None`` if there is no such inbox.

        Of the failures that are left there is one less then.
        """
        ...

    async def requests(self, token: str, after: str, limit: int) -> Sequence[PlayRequest]:
        """The newest ``limit`` of the requests with ids above ``after``, oldest first."""
        ...

    async def trim(self, total_bytes: int) -> int:
        """Remove the oldest requests of all inboxes beyond this size; returns the size of those that are left."""
        ...

    async def clear(self, token: str) -> None:
        """Remove the requests of an inbox."""
        ...


class _Kept(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What of a response has no column of its own."""

    headers: Sequence[tuple[str, str]] = ()
    body: str | None = None
    fail_status: int = 500


_NOTHING = _Kept()


def response_columns(response: PlayResponse) -> tuple[int, int, str | None, int]:
    """A response as its columns: status, delay, the rest as JSON, and the failures that are left."""
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
