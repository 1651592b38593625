"""Play's inboxes in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Sequence

from webhook_engine.store.play import PlayInbox, PlayLimits, PlayRequest, PlayResponse, inbox_of, response_columns
from webhook_engine.store.postgresql.connection import Session
from webhook_engine.store.postgresql.database import Database
from webhook_engine.store.rows import Row

__all__ = ["PostgresqlPlay"]

_EXPIRE = """
DELETE FROM webhook_play_inbox WHERE expires_at <= $1
"""

_ADD = """
INSERT INTO webhook_play_inbox (token, created_at, expires_at, used_at, status, delay_ms, answer, failures_left)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""

_MAKE_ROOM = """
DELETE FROM webhook_play_inbox WHERE token IN (
    SELECT token FROM webhook_play_inbox WHERE token <> $1
    ORDER BY used_at > created_at, used_at
    LIMIT greatest(0, (SELECT count(*) FROM webhook_play_inbox) - $2::bigint)
)
"""

_GET = """
SELECT token, created_at, expires_at, status, delay_ms, answer, failures_left, view_token
FROM webhook_play_inbox WHERE token = $1 AND expires_at > $2
"""

_GET_LOCKED = """
SELECT token, created_at, expires_at, status, delay_ms, answer, failures_left, view_token
FROM webhook_play_inbox WHERE token = $1 AND expires_at > $2 FOR UPDATE
"""

_SET_RESPONSE = """
UPDATE webhook_play_inbox
SET status = $2, delay_ms = $3, answer = $4, failures_left = $5, used_at = greatest(used_at, $6) WHERE token = $1
"""

_SHARE = """
UPDATE webhook_play_inbox SET view_token = $2, used_at = greatest(used_at, $3) WHERE token = $1
"""

_SHARED = """
SELECT token, created_at, expires_at, status, delay_ms, answer, failures_left, view_token
FROM webhook_play_inbox WHERE view_token = $1 AND expires_at > $2
"""

_USE = """
UPDATE webhook_play_inbox
SET used_at = greatest(used_at, $2), failures_left = greatest(0, failures_left - 1) WHERE token = $1
"""

_RECEIVE = """
INSERT INTO webhook_play_request (token, id, received_at, method, path, headers, body)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""

_TRIM = """
DELETE FROM webhook_play_request WHERE token = $1 AND id IN (
    SELECT id FROM (
        SELECT id, row_number() OVER newest AS place, sum(length(body)) OVER newest AS total
        FROM webhook_play_request WHERE token = $1 WINDOW newest AS (ORDER BY id DESC)
    ) AS measured
    WHERE place > $2 OR (total > $3 AND place > 1)
)
"""

_TRIM_ALL = """
DELETE FROM webhook_play_request WHERE (token, id) IN (
    SELECT token, id FROM (
        SELECT
            token, id,
            sum(length(body) + length(headers) + length(path)) OVER (ORDER BY id DESC, token DESC) AS total
        FROM webhook_play_request
    ) AS measured
    WHERE total > $1
)
"""

_SIZE = """
SELECT coalesce(sum(length(body) + length(headers) + length(path)), 0)::bigint FROM webhook_play_request
"""

_REQUESTS = """
SELECT id, received_at, method, path, headers, body FROM webhook_play_request
WHERE token = $1 AND id > $2 ORDER BY id DESC LIMIT $3
"""


class PostgresqlPlay:
    """See :class:`~webhook_engine.store.play.PlayStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, inbox: PlayInbox, limits: PlayLimits) -> None:
        """Add an inbox; deletes expired ones, and if there are too many, unused and then long idle ones."""
        now, response = inbox.created_at, inbox.response

        async def change(session: Session) -> None:
            await session.change(_EXPIRE, now)
            await session.change(_ADD, inbox.token, now, inbox.expires_at, now, *response_columns(response))
            await session.change(_MAKE_ROOM, inbox.token, limits.inboxes)

        await self._database.write(change)

    async def get(self, token: str, now: int) -> PlayInbox | None:
        """The inbox with this token."""
        found = await self._database.read(_GET, token, now)
        return _inbox(found[0]) if found else None

    async def set_response(self, token: str, response: PlayResponse, now: int) -> PlayInbox | None:
        """Change how an inbox answers; ``None`` if there is no such inbox."""

        async def change(session: Session) -> PlayInbox | None:
            await session.change(_SET_RESPONSE, token, *response_columns(response), now)
            return _inbox(await session.row(_GET, token, now))

        return await self._database.write(change)

    async def share(self, token: str, view_token: str | None, now: int) -> PlayInbox | None:
        """Set or remove the token for viewing an inbox; ``None`` if there is no such inbox."""

        async def change(session: Session) -> PlayInbox | None:
            await session.change(_SHARE, token, view_token, now)
            return _inbox(await session.row(_GET, token, now))

        return await self._database.write(change)

    async def shared(self, view_token: str, now: int) -> PlayInbox | None:
        """The inbox that is shared under this token."""
        found = await self._database.read(_SHARED, view_token, now)
        return _inbox(found[0]) if found else None

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

        async def change(session: Session) -> PlayInbox | None:
            inbox = _inbox(await session.row(_GET_LOCKED, token, request.received_at))
            if inbox is not None:
                await session.change(_USE, token, request.received_at)
                await session.change(_RECEIVE, *values)
                await session.change(_TRIM, token, limits.requests, limits.body_bytes)
            return inbox

        return await self._database.write(change)

    async def requests(self, token: str, after: str, limit: int) -> Sequence[PlayRequest]:
        """The newest ``limit`` of the requests with ids above ``after``, oldest first."""
        rows = await self._database.read(_REQUESTS, token, after, limit)
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

        async def change(session: Session) -> int:
            await session.change(_TRIM_ALL, total_bytes)
            return int(await session.value(_SIZE))

        return await self._database.write(change)

    async def clear(self, token: str) -> None:
        """Remove the requests of an inbox."""
        await self._database.write(
            lambda session: session.change("DELETE FROM webhook_play_request WHERE token = $1", token)
        )


def _inbox(row: Row | None) -> PlayInbox | None:
    return None if row is None else inbox_of(row)
