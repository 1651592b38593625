"""Play's inboxes in SQLite."""

from __future__ import annotations

import json
from collections.abc import Sequence

from webhook_engine.store.play import PlayInbox, PlayLimits, PlayRequest, PlayResponse, inbox_of, response_columns
from webhook_engine.store.sqlite.connection import Row, Session
from webhook_engine.store.sqlite.database import Database

__all__ = ["SqlitePlay"]

_EXPIRE = """
DELETE FROM webhook_play_inbox WHERE expires_at <= ?
"""

_ADD = """
INSERT INTO webhook_play_inbox (token, created_at, expires_at, used_at, status, delay_ms, answer, failures_left)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""

_MAKE_ROOM = """
DELETE FROM webhook_play_inbox WHERE token IN (
    SELECT token FROM webhook_play_inbox WHERE token <> ?
    ORDER BY used_at > created_at, used_at LIMIT max(0, (SELECT count(*) FROM webhook_play_inbox) - ?)
)
"""

_GET = """
SELECT token, created_at, expires_at, status, delay_ms, answer, failures_left, view_token
FROM webhook_play_inbox WHERE token = ? AND expires_at > ?
"""

_SET_RESPONSE = """
UPDATE webhook_play_inbox SET status = ?, delay_ms = ?, answer = ?, failures_left = ?, used_at = max(used_at, ?)
WHERE token = ?
"""

_SHARE = """
UPDATE webhook_play_inbox SET view_token = ?, used_at = max(used_at, ?) WHERE token = ?
"""

_SHARED = """
SELECT token, created_at, expires_at, status, delay_ms, answer, failures_left, view_token
FROM webhook_play_inbox WHERE view_token = ? AND expires_at > ?
"""

_USE = """
UPDATE webhook_play_inbox SET used_at = max(used_at, ?2), failures_left = max(0, failures_left - 1) WHERE token = ?1
"""

_RECEIVE = """
INSERT INTO webhook_play_request (token, id, received_at, method, path, headers, body) VALUES (?, ?, ?, ?, ?, ?, ?)
"""

_TRIM = """
DELETE FROM webhook_play_request WHERE token = ?1 AND id IN (
    SELECT id FROM (
        SELECT id, row_number() OVER newest AS place, sum(length(body)) OVER newest AS total
        FROM webhook_play_request WHERE token = ?1 WINDOW newest AS (ORDER BY id DESC)
    )
    WHERE place > ?2 OR (total > ?3 AND place > 1)
)
"""

_TRIM_ALL = """
DELETE FROM webhook_play_request WHERE id IN (
    SELECT id FROM (
        SELECT id, sum(length(body) + length(headers) + length(path)) OVER (ORDER BY id DESC) AS total
        FROM webhook_play_request
    )
    WHERE total > ?
)
"""

_SIZE = """
SELECT coalesce(sum(length(body) + length(headers) + length(path)), 0) FROM webhook_play_request
"""

_REQUESTS = """
SELECT id, received_at, method, path, headers, body FROM webhook_play_request
WHERE token = ? AND id > ? ORDER BY id DESC LIMIT ?
"""


class SqlitePlay:
    """See :class:`~webhook_engine.store.play.PlayStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, inbox: PlayInbox, limits: PlayLimits) -> None:
        """Add an inbox; deletes expired ones, and if there are too many, unused and then long idle ones."""
        now, response = inbox.created_at, inbox.response

        def change(session: Session) -> None:
            session.change(_EXPIRE, (now,))
            session.change(_ADD, (inbox.token, now, inbox.expires_at, now, *response_columns(response)))
            session.change(_MAKE_ROOM, (inbox.token, limits.inboxes))

        await self._database.write(change)

    async def get(self, token: str, now: int) -> PlayInbox | None:
        """The inbox with this token."""
        return _inbox(await self._database.read(_GET, (token, now)))

    async def set_response(self, token: str, response: PlayResponse, now: int) -> PlayInbox | None:
        """Change how an inbox answers; ``None`` if there is no such inbox."""

        def change(session: Session) -> PlayInbox | None:
            session.change(_SET_RESPONSE, (*response_columns(response), now, token))
            return _inbox(session.rows(_GET, (token, now)))

        return await self._database.write(change)

    async def share(self, token: str, view_token: str | None, now: int) -> PlayInbox | None:
        """Set or remove the token for viewing an inbox; ``None`` if there is no such inbox."""

        def change(session: Session) -> PlayInbox | None:
            session.change(_SHARE, (view_token, now, token))
            return _inbox(session.rows(_GET, (token, now)))

        return await self._database.write(change)

    async def shared(self, view_token: str, now: int) -> PlayInbox | None:
        """The inbox that is shared under this token."""
        return _inbox(await self._database.read(_SHARED, (view_token, now)))

    async def receive(self, token: str, request: PlayRequest, limits: PlayLimits) -> PlayInbox | None:
        """Store a request and return its inbox as it was before; ``None`` if there is no such inbox."""
        values = (
            token,
            request.id,
            request.received_at,
            request.method,
            request.path,
            json.dumps(request.headers),
            request.body,
        )

        def change(session: Session) -> PlayInbox | None:
            inbox = _inbox(session.rows(_GET, (token, request.received_at)))
            if inbox is not None:
                session.change(_USE, (token, request.received_at))
                session.change(_RECEIVE, values)
                session.change(_TRIM, (token, limits.requests, limits.body_bytes))
            return inbox

        return await self._database.write(change)

    async def requests(self, token: str, after: str, limit: int) -> Sequence[PlayRequest]:
        """The newest ``limit`` of the requests with ids above ``after``, oldest first."""
        rows = await self._database.read(_REQUESTS, (token, after, limit))
        return [
            PlayRequest(
                id=request_id,
                received_at=received_at,
                method=method,
                path=path,
                headers=[(name, value) for name, value in json.loads(headers)],
                body=body,
            )
            for request_id, received_at, method, path, headers, body in reversed(rows)
        ]

    async def trim(self, total_bytes: int) -> int:
        """Remove the oldest requests of all inboxes beyond this size; returns the size of those that are left."""

        def change(session: Session) -> int:
            session.change(_TRIM_ALL, (total_bytes,))
            [(size,)] = session.rows(_SIZE, ())
            return int(size)

        return await self._database.write(change)

    async def clear(self, token: str) -> None:
        """Remove the requests of an inbox."""
        await self._database.write(
            lambda session: session.change("DELETE FROM webhook_play_request WHERE token = ?", (token,))
        )


def _inbox(rows: Sequence[Row]) -> PlayInbox | None:
    return inbox_of(rows[0]) if rows else None
