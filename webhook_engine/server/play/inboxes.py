"""The rules of Play: what an inbox accepts and returns, how long it lives, and whether a signature verifies."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta

from webhook_engine.clock import Clock, ManualClock, microseconds, to_datetime
from webhook_engine.config.loading import PlayConfig
from webhook_engine.ids import IdSource
from webhook_engine.rules.inboxes import is_token
from webhook_engine.secrets.signing import Webhook, WebhookVerificationError
from webhook_engine.server.play.responses import checked
from webhook_engine.store.play import PlayInbox, PlayLimits, PlayRequest, PlayResponse, PlayStore

__all__ = ["Inboxes", "why_not_verified"]

MAX_REQUESTS_READ = 500
MAX_HEADERS_BYTES = 32 * 1024
"""The maximum size of all headers of a request; further ones are dropped."""
FULL_BODIES = 16
"""How many bodies of the maximum size an inbox keeps; it keeps more of smaller ones."""
FULL_INBOXES = 64
"""How many full inboxes are kept in total; more if they are emptier, up to the limit on inboxes."""
_TOKEN_BYTES = 18


class Inboxes:
    """Creates inboxes, receives requests for them, and lists what they received."""

    def __init__(self, store: PlayStore, clock: Clock, ids: IdSource, bounds: PlayConfig) -> None:
        self.max_body = bounds.max_body
        self._store = store
        self._clock = clock
        self._ids = ids
        self._ttl = microseconds(bounds.ttl)
        self._limits = PlayLimits(
            inboxes=bounds.max_inboxes,
            requests=bounds.max_requests,
            body_bytes=bounds.max_body * FULL_BODIES,
            total_bytes=bounds.max_body * FULL_BODIES * FULL_INBOXES,
        )
        self._size = self._limits.total_bytes
        """An upper bound of the stored bytes; the exact sum is counted with the first request."""

    async def create(self) -> PlayInbox:
        """Create an inbox with a token that cannot be guessed."""
        now = self._clock.now()
        inbox = PlayInbox(token=secrets.token_urlsafe(_TOKEN_BYTES), created_at=now, expires_at=now + self._ttl)
        await self._store.add(inbox, self._limits)
        return inbox

    async def get(self, token: str) -> PlayInbox | None:
        """The inbox, if it has not expired."""
        return await self._store.get(token, self._clock.now()) if is_token(token) else None

    async def set_response(self, token: str, response: PlayResponse) -> PlayInbox | None:
        """Set the inbox's response; raises ``ValidationError``."""
        response = checked(response)
        if not is_token(token):
            return None
        return await self._store.set_response(token, response, self._clock.now())

    async def share(self, inbox: PlayInbox, *, shared: bool) -> PlayInbox | None:
        """Share what the inbox receives with anyone who has the link, or stop sharing it; an existing link is kept."""
        if shared and inbox.view_token is not None:
            return inbox
        view_token = secrets.token_urlsafe(_TOKEN_BYTES) if shared else None
        return await self._store.share(inbox.token, view_token, self._clock.now())

    async def shared(self, view_token: str) -> PlayInbox | None:
        """The inbox that is shared with this token."""
        return await self._store.shared(view_token, self._clock.now()) if is_token(view_token) else None

    async def receive(
        self, token: str, method: str, path: str, headers: Sequence[tuple[str, str]], body: bytes
    ) -> PlayInbox | None:
        """Store a request; returns the inbox as it was before, or ``None`` if it does not exist."""
        if not is_token(token):
            return None
        now = self._clock.now()
        request = PlayRequest(
            id=self._ids.new("preq_", now),
            received_at=now,
            method=method,
            path=path,
            headers=list(_bounded(headers)),
            body=body,
        )
        inbox = await self._store.receive(token, request, self._limits)
        if inbox is not None:
            await self._bound(request)
        return inbox

    async def _bound(self, request: PlayRequest) -> None:
        """Keep the total size of all inboxes below the limit, so that no one can fill the disk by creating many."""
        self._size += (
            len(request.body) + len(request.path) + sum(len(name) + len(value) for name, value in request.headers)
        )
        if self._size > self._limits.total_bytes:
            # Trim to three quarters, so that not every request trims; the 0 keeps others from trimming meanwhile.
            self._size = 0
            self._size += await self._store.trim(self._limits.total_bytes * 3 // 4)

    async def requests(self, token: str, after: str = "") -> Sequence[PlayRequest]:
        """The requests after the one with this id, oldest first."""
        return await self._store.requests(token, after, MAX_REQUESTS_READ)

    async def clear(self, token: str) -> None:
        """Delete the inbox's requests."""
        await self._store.clear(token)


def why_not_verified(secret: str, request: PlayRequest) -> str | None:
    """Why the signature of a request did not verify when it arrived; ``None`` if it did.

    Raises ``ValidationError`` if the secret is invalid.
    """
    webhook = Webhook(secret, tolerance=timedelta(minutes=5), clock=ManualClock(to_datetime(request.received_at)))
    try:
        webhook.check(request.body, dict(request.headers))
    except WebhookVerificationError as problem:
        return str(problem)
    return None


def _bounded(headers: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
    kept, size = [], 0
    for name, value in headers:
        size += len(name) + len(value)
        if size > MAX_HEADERS_BYTES:
            break
        kept.append((name, value.encode("utf-8", "replace").decode()))
    return kept
