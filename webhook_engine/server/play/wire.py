"""Play's own API, for the page of an inbox and ``webhook-engine listen``."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from webhook_engine.clock import to_datetime
from webhook_engine.rules.inboxes import INBOX_PATH
from webhook_engine.store.play import PlayInbox, PlayRequest, PlayResponse

__all__ = [
    "InboxOut",
    "RequestOut",
    "RequestsOut",
    "ResponseIn",
    "SharedOut",
    "SharedRequestsOut",
    "VerifyIn",
    "VerifyOut",
    "inbox_out",
    "request_out",
    "shared_out",
]

HIDDEN = "…"


class _Wire(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of the types on the wire."""


class InboxOut(_Wire, frozen=True, kw_only=True):
    """An inbox."""

    token: str
    url: str
    """The URL to send to."""
    view_url: str
    created_at: datetime
    expires_at: datetime
    status: int
    delay_ms: int
    headers: Sequence[tuple[str, str]]
    body: str | None
    """Null: the default body of Play."""
    fail_status: int
    failures_left: int
    """The number of next requests that get ``failStatus``."""
    share_url: str | None
    """The URL of the page on which others see the requests, and nothing more."""


class SharedOut(_Wire, frozen=True, kw_only=True):
    """An inbox as others see it: without its own address."""

    created_at: datetime
    expires_at: datetime


class SharedRequestsOut(_Wire, frozen=True, kw_only=True):
    """The requests of a shared inbox, oldest first, without its token."""

    inbox: SharedOut
    requests: Sequence[RequestOut]


class RequestOut(_Wire, frozen=True, kw_only=True):
    """A received request; its body as text, or as base64 if it is not text."""

    id: str
    received_at: datetime
    method: str
    path: str
    headers: Sequence[tuple[str, str]]
    body: str
    encoding: str
    """``utf-8`` or ``base64``."""


class RequestsOut(_Wire, frozen=True, kw_only=True):
    """The inbox as it is now, and its requests, oldest first."""

    inbox: InboxOut
    requests: Sequence[RequestOut]


class ResponseIn(_Wire, frozen=True, kw_only=True):
    """The response that an inbox should give."""

    status: int = 200
    delay_ms: int = 0
    headers: list[tuple[str, str]] = msgspec.field(default_factory=list)
    body: str | None = None
    fail_status: int = 500
    failures_left: int = 0

    def response(self) -> PlayResponse:
        """The response to set."""
        return PlayResponse(
            status=self.status,
            delay_ms=self.delay_ms,
            headers=tuple(self.headers),
            body=self.body,
            fail_status=self.fail_status,
            failures_left=self.failures_left,
        )


class VerifyIn(_Wire, frozen=True, kw_only=True):
    """A signing secret; it is used for this request and not stored."""

    secret: str


class VerifyOut(_Wire, frozen=True, kw_only=True):
    """For the id of each request: why its signature does not verify, or null if it does."""

    problems: Mapping[str, str | None]


def inbox_out(inbox: PlayInbox, base_url: str) -> InboxOut:
    """An inbox as clients see it; ``base_url`` is that of the server, without a trailing slash."""
    return InboxOut(
        token=inbox.token,
        url=f"{base_url}{INBOX_PATH}{inbox.token}/",
        view_url=f"{base_url}/play/view/{inbox.token}",
        created_at=to_datetime(inbox.created_at),
        expires_at=to_datetime(inbox.expires_at),
        status=inbox.response.status,
        delay_ms=inbox.response.delay_ms,
        headers=inbox.response.headers,
        body=inbox.response.body,
        fail_status=inbox.response.fail_status,
        failures_left=inbox.response.failures_left,
        share_url=None if inbox.view_token is None else f"{base_url}/play/shared/{inbox.view_token}",
    )


def shared_out(inbox: PlayInbox, requests: Sequence[PlayRequest]) -> SharedRequestsOut:
    """A shared inbox as others see it. Its token is replaced everywhere, since it allows sending and changes."""
    hidden = ((inbox.token, HIDDEN),)
    return SharedRequestsOut(
        inbox=SharedOut(created_at=to_datetime(inbox.created_at), expires_at=to_datetime(inbox.expires_at)),
        requests=[request_out(each, hidden) for each in requests],
    )


def request_out(request: PlayRequest, hidden: Sequence[tuple[str, str]] = ()) -> RequestOut:
    """A request as clients see it, with ``hidden`` texts replaced."""

    def shown(text: str) -> str:
        for word, other in hidden:
            text = text.replace(word, other)
        return text

    try:
        body, encoding = shown(request.body.decode()), "utf-8"
    except UnicodeDecodeError:
        body, encoding = base64.b64encode(request.body).decode(), "base64"
    return RequestOut(
        id=request.id,
        received_at=to_datetime(request.received_at),
        method=request.method,
        path=shown(request.path),
        headers=[(name, shown(value)) for name, value in request.headers],
        body=body,
        encoding=encoding,
    )
